// Asking again for what never came. A hole in a sender's count may only be a packet that took the longer way, so it is
// given time; then the sender is asked, and asked again as long as the hole is there (SPEC CO-6, CO-7).
import type { ConversationId } from '../protocol/ids.ts';
import type { EngineContext } from './context.ts';
import { askAgain, giveUpOld, missingIn } from './repairs.ts';

const FIRST_WAIT = 10_000;
const ASK_AGAIN_AFTER = 5 * 60_000;

export interface Gaps {
	/** Something came in these conversations, or was missing when this began: look for holes after a while. */
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

/** Queues the requests; true if there were any. */
function askFor(context: EngineContext, id: ConversationId): Promise<boolean> {
	return context.persist(async (tx) => {
		await giveUpOld({ ...context, tx }, id);
		const conversation = await tx.get('conversations', id);
		const channel = conversation?.channels[0];
		const row = channel && (await tx.get('channels', channel));
		const missing = conversation && row ? await missingIn(tx, conversation, row) : [];
		for (const each of missing) await askAgain(tx, id, each);
		return missing.length > 0;
	});
}
