// The engine in the background: on a push or when the network is back, it opens the mail if no page is there to do it,
// and ends when it is through, when a page wants to lead, or when the time that the browser gives is nearly over.
import { createQueries } from '../client-queries.ts';
import { ONLY } from '../records.ts';
import { openEnvironment, systemClock } from './environment.ts';
import { hostEngine } from './engine-host.ts';
import { leadSoon } from './leader.ts';
import { newsOf } from './news.ts';
import type { Mail } from './notices.ts';

/** Browsers end a service worker's event after 30 s or more. */
const LONGEST_RUN = 20_000;
/** A page that leads has the mail within this time, or it is not going to. */
const PAGE_NEEDS = 3_000;
const MOST_SHOWN = 5;
/** Rows of the outbox that are looked at for something to send. */
const MOST_WAITING = 64;

export interface OpenedMail extends Mail {
	readonly locale: string | undefined;
	/** Something could not be sent yet. */
	readonly waiting: boolean;
	/** The engine ran here; otherwise a page has it, which tells what is new itself. */
	readonly here: boolean;
}

/** Opens the waiting mail and sends what waits, or leaves both to the page that leads; resolves with what there is to tell. */
export async function openMail(origin: string): Promise<OpenedMail> {
	const environment = await openEnvironment(() => undefined);
	const { store } = environment;
	try {
		let here = false;
		if (environment.kind === 'kept' && (await environment.identity())) {
			const pageHasIt = newsFromPage(environment);
			here = await leadSoon(pageHasIt, () => runOnce(environment, origin));
		}
		const [all, settings, queued] = await Promise.all([
			createQueries(store).conversations(),
			store.get('settings', ONLY),
			store.list('outbox', { prefix: '', limit: MOST_WAITING }),
		]);
		return {
			news: await newsOf(store, all, MOST_SHOWN),
			preview: settings?.notificationPreview ?? 'full',
			locale: settings?.locale,
			// What is shared waits for its newcomer, however often this wakes up.
			waiting: queued.some(({ value }) => value.kind !== 'share'),
			here,
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

/**
 * Aborts when a page that leads has stored what came, or is not going to. The page may also have been left a moment ago:
 * then its lock comes free meanwhile.
 */
function newsFromPage({ store }: OpenEnvironment): AbortSignal {
	const end = new AbortController();
	const cancel = systemClock.schedule(PAGE_NEEDS, () => end.abort());
	const stop = store.watch((touched) => {
		if (touched.some((row) => row.store === 'messages')) end.abort();
	});
	end.signal.addEventListener('abort', () => {
		stop();
		cancel();
	});
	return end.signal;
}

export { showNews, type NoticePhrases } from './notices.ts';
