// The engine in the background: on a push or when the network is back, it opens the mail if no page is there to do it,
// and ends when it is through, when a page wants to lead, or when the time that the browser gives is nearly over.
import { createQueries } from '../client-queries.ts';
import { ONLY } from '../records.ts';
import { openEnvironment, systemClock } from './environment.ts';
import { hostEngine } from './engine-host.ts';
import { ifFree } from './leader.ts';
import type { News } from './notices.ts';

/** Browsers end a service worker's event after 30 s or more. */
const LONGEST_RUN = 20_000;
/** A page that leads has the mail within this time, or it is not going to. */
const PAGE_NEEDS = 3_000;
const MOST_SHOWN = 5;

/** Opens the waiting mail, or waits for the page that does; resolves with what there is to tell. */
export async function openMail(
	origin: string,
): Promise<News & { readonly locale: string | undefined }> {
	const environment = await openEnvironment(() => undefined);
	const { store } = environment;
	try {
		if (environment.kind === 'kept' && (await environment.identity())) {
			const free = await ifFree(() => runOnce(environment, origin));
			if (!free) await newsFromPage(environment);
		}
		const [all, settings] = await Promise.all([
			createQueries(store).conversations(),
			store.get('settings', ONLY),
		]);
		const unread = all.filter(({ unread: count, muted }) => count > 0 && !muted);
		return {
			unread: unread.slice(0, MOST_SHOWN),
			preview: settings?.notificationPreview ?? 'full',
			locale: settings?.locale,
		};
	} finally {
		store.close();
	}
}

type OpenEnvironment = Awaited<ReturnType<typeof openEnvironment>>;

function runOnce(environment: OpenEnvironment, origin: string): Promise<void> {
	const end = new AbortController();
	const cancel = systemClock.schedule(LONGEST_RUN, () => end.abort());
	const run = hostEngine(
		{
			environment,
			origin,
			peers: undefined,
			events: {
				received: () => undefined,
				// Sending what waits takes a moment more than receiving.
				caughtUp: () => systemClock.schedule(PAGE_NEEDS, () => end.abort()),
			},
			yielded: () => end.abort(),
		},
		end.signal,
	);
	return run.finally(cancel);
}

/** A page leads: it stores what came, and the change is heard here. */
function newsFromPage({ store }: OpenEnvironment): Promise<void> {
	return new Promise((resolve) => {
		const done = () => {
			stop();
			cancel();
			resolve();
		};
		const stop = store.watch((touched) => {
			if (touched.some((row) => row.store === 'messages')) done();
		});
		const cancel = systemClock.schedule(PAGE_NEEDS, done);
	});
}

export { showNews, type NoticePhrases } from './notices.ts';
