import { describe, expect, test } from 'vitest';
import type {
	AccountId,
	Conversation,
	ConversationId,
	Message,
	MessageId,
	PageWords,
} from '../model.ts';
import { idFrom } from '../../protocol/ids.ts';
import { chatHtml } from './chat-html.ts';
import { chatJson } from './chat-json.ts';
import { toChunks, type TranscriptSource } from './transcript.ts';

const ME = idFrom<AccountId>(new Uint8Array(32).fill(1));
const MAYA = idFrom<AccountId>(new Uint8Array(32).fill(2));
const BEN = idFrom<AccountId>(new Uint8Array(32).fill(4));
const ID = idFrom<ConversationId>(new Uint8Array(16).fill(3));
const EVIL = `</title></p><script>alert(1)</script><img src=x onerror="alert(2)">'"&`;

const words: PageWords = {
	locale: 'en',
	notes: 'Notes',
	made: 'Saved from Kith',
	you: 'You',
	media: 'A file',
	deleted: 'deleted',
	edited: 'edited',
	unreadable: 'unreadable',
	newer: 'newer',
	joined: 'joined',
	latecomer: 'A second one came.',
	safetyNumberChanged: 'changed',
	sharedBy: (name) => `shared by ${name}`,
	devices: (change, by) => `${by} ${change}`,
	group: ({ kind }, { by = 'you', who }) => `${by}: ${kind} ${who.join('+')}`,
};

const conversation: Conversation = {
	id: ID,
	subject: {
		kind: 'person',
		person: {
			account: MAYA,
			profile: { name: EVIL, picture: null },
			verification: { kind: 'unverified' },
			lastSeen: undefined,
		},
	},
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
	created: 0,
};

function messageAt(index: number, body: Message['body'], mine = index % 2 === 0): Message {
	return {
		id: idFrom<MessageId>(new Uint8Array(16).fill(index & 255)),
		conversation: ID,
		position: index.toString().padStart(8, '0'),
		author: mine ? ME : MAYA,
		mine,
		body,
		sent: Date.UTC(2026, 0, 1) + index * 60_000,
		received: 0,
		delivery: { kind: mine ? 'read' : 'received' },
	};
}

function sourceOf(messages: readonly Message[], page = 7): TranscriptSource {
	return {
		conversation,
		me: { account: ME, name: 'Sam' },
		others: [],
		after: (position) =>
			Promise.resolve(messages.filter((each) => each.position > (position ?? '')).slice(0, page)),
	};
}

/** Ben is not in it any more. */
function groupOf(messages: readonly Message[]): TranscriptSource {
	const subject: Conversation['subject'] = {
		kind: 'group',
		about: { name: 'Lake house', description: '', picture: null },
		policy: { write: 'everyone', change: 'admins', invite: 'admins' },
		...{ size: 2, role: 'owner' },
	};
	return {
		...sourceOf(messages),
		conversation: { ...conversation, subject },
		others: [
			{ account: MAYA, name: 'Maya' },
			{ account: BEN, name: 'Ben' },
		],
	};
}

async function whole(pieces: AsyncIterable<string>): Promise<string> {
	const parts: Uint8Array[] = [];
	for await (const chunk of toChunks(pieces)) parts.push(chunk);
	return Buffer.concat(parts).toString('utf8');
}

const text = (value: string, replyTo?: MessageId): Message['body'] => ({
	kind: 'text',
	text: value,
	replyTo,
});

describe('a chat as a page', () => {
	test('what people wrote can do nothing there', async () => {
		const page = await whole(
			chatHtml(
				sourceOf([
					messageAt(1, text(EVIL)),
					messageAt(2, { kind: 'foreign', what: 'media', file: EVIL, text: EVIL }),
					messageAt(3, { kind: 'foreign', what: 'system', text: EVIL }),
					messageAt(4, { kind: 'foreign', what: 'edited', text: EVIL }),
					messageAt(5, text('again', messageAt(1, text('')).id)),
				]),
				{ ...words, made: EVIL, you: EVIL },
			),
		);
		const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/giu)].map(([, name]) => name));
		expect([...tags].sort()).toEqual(
			'article b blockquote body h1 h2 head header html main meta p style time title'.split(' '),
		);
		expect(page).not.toMatch(/<[^>]*\son\w+=/iu);
		expect(page).toContain("default-src 'none'");
	});

	test('every message is there once, in order, across pages', async () => {
		const all = Array.from({ length: 50 }, (_, at) => messageAt(at, text(`m${at}.`)));
		const page = await whole(chatHtml(sourceOf(all), words));
		expect([...page.matchAll(/m(\d+)\./gu)].map(([, at]) => Number(at))).toEqual(
			Array.from({ length: 50 }, (_, at) => at),
		);
	});

	test('a group: who wrote what, and what happened to it', async () => {
		const page = await whole(
			chatHtml(
				groupOf([
					messageAt(1, { kind: 'event', event: { kind: 'added', who: [MAYA, ME] } }, false),
					messageAt(2, text('from Maya'), false),
					{ ...messageAt(3, text('from somebody who left'), false), author: BEN },
					messageAt(4, { kind: 'event', event: { kind: 'left', who: BEN } }, true),
				]),
				{ ...words, you: 'Me' },
			),
		);
		const lines = [...page.matchAll(/class="line" dir="auto">([^<]*)/gu)].map(([, line]) => line);
		expect(lines).toEqual(['Maya: added Maya+Me', 'you: left Ben']);
		const authors = [...page.matchAll(/<b dir="auto">([^<]*)/gu)].map(([, name]) => name);
		expect(authors).toEqual(['Maya', 'Ben']);
		expect(page).toContain('<title>Lake house</title>');
	});

	test('what was shared is written as the word of who shared it', async () => {
		const body = { kind: 'text', text: 'before', replyTo: undefined, sharedBy: MAYA } as const;
		const source = groupOf([{ ...messageAt(1, body, false), author: BEN }]);
		expect(await whole(chatHtml(source, words))).toContain('<small dir="auto">shared by Maya<');
		const json: unknown = JSON.parse(await whole(chatJson(source, { exported: 0, notes: 'N' })));
		expect(json).toMatchObject({ messages: [{ author: BEN, text: 'before', sharedBy: MAYA }] });
	});

	test('a clock beyond the calendar does not end the export', async () => {
		const page = await whole(
			chatHtml(sourceOf([{ ...messageAt(1, text('hi')), sent: 9e15 }]), words),
		);
		expect(page).toContain('hi');
	});
});

describe('a chat as data', () => {
	test('is one object that says everything', async () => {
		const all = [
			messageAt(1, text(EVIL)),
			messageAt(2, text('yes', messageAt(1, text('')).id)),
			messageAt(3, { kind: 'foreign', what: 'media', file: undefined, text: '' }),
			messageAt(4, { kind: 'foreign', what: 'system', text: 'x' }, false),
			messageAt(5, { kind: 'event', event: { kind: 'joined' } }),
			messageAt(6, { kind: 'unreadable', state: 'lost' }),
		];
		const written = JSON.parse(
			await whole(chatJson(sourceOf(all, 2), { exported: 0, notes: 'N' })),
		) as {
			messages: Record<string, unknown>[];
		};
		expect(written).toMatchObject({
			format: 'kith-chat',
			version: 1,
			exported: '1970-01-01T00:00:00.000Z',
			conversation: { id: ID, kind: 'person', title: EVIL },
			participants: [
				{ account: ME, name: 'Sam', me: true },
				{ account: MAYA, name: EVIL, me: false },
			],
			count: 6,
		});
		expect(written.messages.map(({ kind, author, replyTo }) => [kind, author, replyTo])).toEqual([
			['text', MAYA, null],
			['text', ME, all[0]?.id],
			['media', MAYA, undefined],
			['system', null, undefined],
			['event', null, undefined],
			['unreadable', ME, undefined],
		]);
	});

	test('of a group says who did what to whom', async () => {
		const all = [
			messageAt(1, { kind: 'event', event: { kind: 'role', who: BEN, role: 'admin' } }, false),
			messageAt(2, { kind: 'event', event: { kind: 'renamed', name: 'Cabin' } }, true),
		];
		const written: unknown = JSON.parse(
			await whole(chatJson(groupOf(all), { exported: 0, notes: 'N' })),
		);
		expect(written).toMatchObject({
			conversation: { kind: 'group', title: 'Lake house' },
			participants: [
				{ account: ME, name: 'Sam', me: true },
				{ account: MAYA, name: 'Maya', me: false },
				{ account: BEN, name: 'Ben', me: false },
			],
			messages: [
				{ author: null, kind: 'event', event: 'role', by: MAYA, who: BEN, role: 'admin' },
				{ author: null, kind: 'event', event: 'renamed', by: ME, name: 'Cabin' },
			],
		});
	});

	test('an empty conversation is well-formed too', async () => {
		const written: unknown = JSON.parse(
			await whole(chatJson(sourceOf([]), { exported: 0, notes: 'N' })),
		);
		expect(written).toMatchObject({ messages: [], count: 0 });
	});
});
