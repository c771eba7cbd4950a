// The dedicated worker of a tab: waits to lead, and then runs the engine. What only a page can do, WebRTC and showing
// notifications, it asks of its page.
import type { ConversationId } from '../model.ts';
import { openEnvironment } from './environment.ts';
import { hostEngine } from './engine-host.ts';
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
		void start(data as WorkerStart);
	},
	{ once: true },
);

async function start({ origin, peers }: WorkerStart): Promise<void> {
	const environment = await openEnvironment(() => end());
	const links = peers && borrowPeerLinks(peers);
	const end = whenLeader((signal) => {
		tell({ type: 'leading' });
		return hostEngine(
			{
				environment,
				origin,
				peers: links,
				capsules: async (stored) => (await import('./recovery.ts')).capsulesOf(stored),
				history: async () => (await import('./history.ts')).history,
				events: {
					received: (conversations) =>
						tell({ type: 'received', conversations: [...conversations] }),
					caughtUp: () => undefined,
				},
			},
			signal,
		);
	});
}

function tell(message: FromWorker): void {
	postMessage(message);
}
