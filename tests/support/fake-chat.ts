// What a fake conversation is made of, and how pages are cut from it.
import type { Change, PageRequest } from '../../src/core/client.ts';
import type {
	AccountId,
	Conversation,
	ConversationId,
	Delivery,
	Message,
	MessageBody,
	Person,
	Presence,
	Profile,
	SendRefusal,
	StorageCondition,
} from '../../src/core/model.ts';
import { MAX_TEXT_BYTES } from '../../src/protocol/limits.ts';

const DAY = 86_400_000;

/** A change in which nothing changed. */
export const NOTHING: Change = {
	me: false,
	settings: false,
	invites: false,
	blocked: false,
	conversations: new Set(),
	messages: new Map(),
	live: false,
};

/** A conversation as a test describes it; the rest is filled in. */
export interface FakeConversation extends Partial<Omit<Conversation, 'id' | 'last' | 'subject'>> {
	readonly name: string;
	readonly picture?: Uint8Array;
	readonly echoes?: boolean;
	readonly presence?: Partial<Presence>;
	readonly lastSeen?: number;
	readonly verified?: boolean;
}

export interface FakeMessage {
	readonly mine?: boolean;
	/** Needed in groups only: whoever else is there, if it is left out. */
	readonly author?: AccountId;
	readonly text?: string;
	readonly body?: MessageBody;
	readonly sent: number;
	readonly delivery?: Delivery;
}

export interface FakeOptions {
	/** ms since 1970. */
	readonly now?: () => number;
	/** Runs `step` after `ms`; a test that wants nothing to happen by itself leaves it out. */
	readonly later?: (ms: number, step: () => void) => void;
	readonly storage?: StorageCondition;
}

export function empty(id: ConversationId, now: number): Conversation {
	return {
		id,
		subject: { kind: 'notes' },
		state: { kind: 'open' },
		last: undefined,
		lastBy: undefined,
		unread: 0,
		mentions: [],
		readTo: '',
		failed: 0,
		pinned: false,
		muted: false,
		archived: false,
		draft: '',
		draftMentions: [],
		created: now,
	};
}

/** A conversation with somebody, as a test describes it. */
export function withPerson(
	blank: Conversation,
	account: AccountId,
	fake: FakeConversation,
): Conversation {
	const { name, picture = null, verified, lastSeen, echoes: _e, presence: _p, ...rest } = fake;
	const verification = verified
		? ({ kind: 'verified', at: blank.created - 3 * DAY, how: 'compared' } as const)
		: ({ kind: 'unverified' } as const);
	const person = { account, profile: { name, picture }, verification, lastSeen };
	return { ...blank, subject: { kind: 'person', person }, ...rest };
}

export function summary(message: Message): NonNullable<Conversation['last']> {
	const { id, position, mine, author, sent, delivery, body } = message;
	const text = body.kind === 'text' ? body.text.replaceAll(/\s+/gu, ' ').slice(0, 140) : '';
	return { id, position, mine, author, text, sent, delivery };
}

export function pageRange(
	all: readonly Message[],
	page: PageRequest,
	limit: number,
): readonly [number, number] {
	if (page.at === 'end') return [Math.max(0, all.length - limit), all.length];
	const first = all.findIndex((each) => each.position >= page.position);
	const at = first < 0 ? all.length : first;
	switch (page.at) {
		case 'before':
			return [Math.max(0, at - limit), at];
		case 'after': {
			const from = all[at]?.position === page.position ? at + 1 : at;
			return [from, Math.min(all.length, from + limit)];
		}
		case 'around': {
			const half = Math.floor(limit / 2);
			return [Math.max(0, at - half), Math.min(all.length, at + half)];
		}
	}
}

export function at(all: readonly Message[], positions: Iterable<Message['position']>): Message[] {
	const wanted = new Set(positions);
	return all.filter(({ position }) => wanted.has(position));
}

/** What changes of a conversation that is read up to a place. */
export function readUpTo(
	{ unread, mentions }: Conversation,
	all: readonly Message[],
	upTo: Message['position'],
): Partial<Conversation> {
	const left = all.filter((each) => !each.mine && each.position > upTo).length;
	return {
		readTo: upTo,
		unread: Math.min(left, unread),
		mentions: mentions.filter((position) => position > upTo),
	};
}

/** A change that may have touched any of these messages. */
export function everywhere(id: ConversationId, all: readonly Message[] = []): Change['messages'] {
	return new Map([[id, new Set(all.map(({ position }) => position))]]);
}

export function textRefusal(text: string): SendRefusal | undefined {
	if (text.trim() === '') return { kind: 'empty' };
	const bytes = new TextEncoder().encode(text).length;
	if (bytes > MAX_TEXT_BYTES) return { kind: 'too-long', bytes, limit: MAX_TEXT_BYTES };
	return undefined;
}

/** Bytes for the key or id number `count`: spread by a multiplicative hash, so that neighbours look different. */
export function spread(count: number, length: number): Uint8Array {
	const seed = Math.imul(count, 0x9e3779b1);
	return Uint8Array.from({ length }, (_, at) => (Math.imul(seed, at * 2 + 1) >>> 24) ^ (at * 31));
}

export const SAFETY_NUMBER = {
	digits: '38204 17755 90416 62038 11947 50283 76629 04851 33970 28164 95502 71386',
	qr: Uint8Array.from({ length: 66 }, (_, at) => (at * 89) & 255),
};

export function personOf(account: AccountId, profile: Profile): Person {
	return { account, profile, verification: { kind: 'unverified' }, lastSeen: undefined };
}
