// A conversation as it is read for a file: page by page, so that a long one is never in memory as a whole.
import type { AccountId, Conversation, Message, Position } from '../model.ts';

/** Pages of messages, oldest first. */
export interface TranscriptSource {
	readonly conversation: Conversation;
	readonly me: { readonly account: AccountId; readonly name: string };
	/** Everybody else who is or was in a group, or is named in its log; empty elsewhere. */
	readonly others: readonly Omit<Author, 'me'>[];
	/** At most some hundreds after `position`, or from the beginning. */
	after(position: Position | undefined): Promise<readonly Message[]>;
}

export interface Author {
	readonly account: AccountId;
	readonly name: string;
	readonly me: boolean;
}

/** Everybody who may have written here. */
export function authorsOf({ conversation, me, others }: TranscriptSource): readonly Author[] {
	const self = { ...me, me: true };
	const { subject } = conversation;
	switch (subject.kind) {
		case 'notes':
			return [self];
		case 'person': {
			const { account, profile } = subject.person;
			return [self, { account, name: profile.name, me: false }];
		}
		case 'group':
			return [self, ...others.map((each) => ({ ...each, me: false }))];
		case 'imported':
			return subject.participants.map((each) => ({ ...each, me: each.account === me.account }));
	}
}

/** What a conversation is called; undefined for notes, whose name is the reader's word for them. */
export function titleOf({ subject }: Conversation): string | undefined {
	switch (subject.kind) {
		case 'person':
			return subject.person.profile.name;
		case 'group':
			return subject.about.name;
		case 'imported':
			return subject.title;
		case 'notes':
			return undefined;
	}
}

/** All messages, oldest first. */
export async function* messagesOf(source: TranscriptSource): AsyncGenerator<Message> {
	let last: Position | undefined;
	for (;;) {
		const page = await source.after(last);
		yield* page;
		last = page.at(-1)?.position;
		if (last === undefined) return;
	}
}

/** A line between the messages that nobody wrote. */
export function isSystemLine({ body }: Message): boolean {
	return body.kind === 'event' || (body.kind === 'foreign' && body.what === 'system');
}

/** Joins small pieces of text to chunks of UTF-8 that are worth a write. */
export async function* toChunks(
	pieces: AsyncIterable<string>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
	const encoder = new TextEncoder();
	let held = '';
	for await (const piece of pieces) {
		held += piece;
		if (held.length < CHUNK) continue;
		yield encoder.encode(held);
		held = '';
	}
	if (held !== '') yield encoder.encode(held);
}

const CHUNK = 64 * 1024;
