// Asking again for what never came. A hole in a sender's count may only be a packet that took the longer way, so it is
// given time; then the sender is asked, and asked again as long as the hole is there (SPEC CO-6, CO-7).
import type { ConversationId, DeviceId } from '../protocol/ids.ts';
import type { EngineContext } from './context.ts';
import { outboxKey } from './records.ts';

const FIRST_WAIT = 10_000;
const ASK_AGAIN_AFTER = 5 * 60_000;

export interface Gaps {
	/** Something came in these conversations: look for holes after a while. */
	watch(conversations: Iterable<ConversationId>): void;
}

export function createGaps(context: EngineContext): Gaps {
	const planned = new Set<ConversationId>();

	function plan(conversation: ConversationId, wait: number): void {
		if (planned.has(conversation)) return;
		planned.add(conversation);
		context.clock.schedule(wait, () => {
			planned.delete(conversation);
			context.lanes.run(`gaps/${conversation}`, async () => {
				if (await askFor(context, conversation)) plan(conversation, ASK_AGAIN_AFTER);
			});
		});
	}

	return {
		watch(conversations) {
			for (const conversation of conversations) plan(conversation, FIRST_WAIT);
		},
	};
}

/** Queues the requests; true if there were any. Only the channel in use counts: another's holes died with it. */
async function askFor(context: EngineContext, conversation: ConversationId): Promise<boolean> {
	const { store } = context;
	const channel = (await store.get('conversations', conversation))?.channels[0];
	const row = channel && (await store.get('channels', channel));
	const holed = row ? Object.entries(row.counts).filter(([, { holes }]) => holes.length > 0) : [];
	if (holed.length === 0) return false;
	await context.persist(async (tx) => {
		for (const [device, { holes }] of holed) {
			const key = outboxKey.repair(conversation, device as DeviceId);
			const asked = await tx.get('outbox', key);
			tx.put('outbox', key, {
				kind: 'repair',
				device: device as DeviceId,
				envelopes: asked?.kind === 'repair' ? asked.envelopes : [],
				counts: holes,
			});
		}
	});
	return true;
}
