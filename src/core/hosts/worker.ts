// The dedicated worker of a tab: waits to lead, and then runs the engine. What only a page can do, WebRTC and showing
// notifications, it asks of its page.
import type { StoredIdentity } from '../crypto/identity.ts';
import type { ConversationId } from '../model.ts';
import { openEnvironment } from './environment.ts';
import { hostEngine, prepareEngine } from './engine-host.ts';
import { whenLeader } from './leader.ts';
import { borrowPeerLinks } from './peer-loan.ts';

/** First message from the page. */
export interface WorkerStart {
	readonly origin: string;
	/** Other end of the loan of WebRTC; undefined where the page has none. */
	readonly peers: MessagePort | undefined;
}

/** To the page. */
export type FromWorker =
	| { readonly type: 'leading' }
	| { readonly type: 'received'; readonly conversations: readonly ConversationId[] };

addEventListener(
	'message',
	({ data }) => {
		start(data as WorkerStart);
	},
	{ once: true },
);

function start({ origin, peers }: WorkerStart): void {
	// Waits for its turn from the first moment: the tab that leads may be closed before the database here is open.
	const opening = openEnvironment(() => end());
	const links = peers && borrowPeerLinks(peers);
	const capsules = async (stored: StoredIdentity) =>
		(await import('./recovery.ts')).capsulesOf(stored);
	const history = async () => (await import('./history.ts')).history;
	// What cannot be prepared now is made when it is needed.
	const prepared = opening
		.then((environment) => prepareEngine(environment, { capsules, history }))
		.catch(() => undefined);
	const end = whenLeader(async (signal) => {
		tell({ type: 'leading' });
		const environment = await opening;
		const events = {
			received: (conversations: ReadonlySet<ConversationId>) =>
				tell({ type: 'received', conversations: [...conversations] }),
			caughtUp: () => undefined,
		};
		const host = { environment, origin, peers: links, capsules, history, prepared, events };
		await hostEngine(host, signal);
	});
}

function tell(message: FromWorker): void {
	postMessage(message);
}
