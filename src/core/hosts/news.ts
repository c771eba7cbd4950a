// What deserves a notification: what is unread, and through mute what mentions this person (SPEC CO-12).
import type { Conversation, Position } from '../model.ts';
import type { Store } from '../ports.ts';
import { messageKey } from '../records.ts';
import { summaryOf } from '../threads.ts';

/** A message that mentions this person. */
interface MentionNews {
	/** Undefined for who is not known. */
	readonly by: string | undefined;
	readonly text: string;
}

export interface News {
	readonly conversation: Conversation;
	/** What to tell in place of the newest message. */
	readonly mention: MentionNews | undefined;
}

/** Those that deserve one, in their order; muted ones because of a mention alone, and strangers none (SPEC RQ). */
export async function newsOf(
	store: Store,
	conversations: readonly Conversation[],
	most: number,
): Promise<readonly News[]> {
	const worthy = conversations.filter((each) => {
		const isHeard = !each.muted || each.mentions.length > 0;
		return each.unread > 0 && isHeard && each.state.kind !== 'request';
	});
	return Promise.all(
		worthy.slice(0, most).map(async (conversation) => {
			const at = toldMention(conversation);
			const mention = at === undefined ? undefined : await readMention(store, conversation, at);
			return { conversation, mention };
		}),
	);
}

/** The newest mention, unless something newer may be told. */
function toldMention({ mentions, muted, last }: Conversation): Position | undefined {
	const newest = mentions.at(-1);
	return muted || last?.position === newest ? newest : undefined;
}

async function readMention(
	store: Store,
	{ id }: Conversation,
	at: Position,
): Promise<MentionNews | undefined> {
	const message = await store.get('messages', messageKey(id, at));
	if (!message) return undefined;
	const person = await store.get('people', message.author);
	return { by: person?.profile.name, text: summaryOf(message).text };
}
