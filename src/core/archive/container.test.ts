import { describe, expect, test } from 'vitest';
import type { ArchiveEntry, ConversationEntry } from '../archive-entries.ts';
import { archiveCrypto } from '../crypto/archive-keys.ts';
import type { AccountId, ConversationId, MessageId } from '../model.ts';
import type { ArchiveSecret } from '../ports.ts';
import { idFrom, type GroupId } from '../../protocol/ids.ts';
import { writeCbor } from '../../protocol/codec.ts';
import { archiveLock, openArchive, sealArchive } from './container.ts';
import { decodeEntry } from './entries.ts';

const ME = idFrom<AccountId>(new Uint8Array(32).fill(1));
const CHAT = idFrom<ConversationId>(new Uint8Array(16).fill(3));
const OTHER = idFrom<ConversationId>(new Uint8Array(16).fill(4));
const SALT = new Uint8Array(16).fill(9);
const CODE: ArchiveSecret = { kind: 'code', code: '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ' };
const START = 64;
const SEALED = 64 * 1024 + 16;

const about: ArchiveEntry = {
	type: 'about',
	account: ME,
	profile: { name: 'Sam', picture: null },
	created: 1,
	written: 2,
};
const notes: ConversationEntry = {
	type: 'conversation',
	id: CHAT,
	subject: 'notes',
	account: undefined,
	imported: undefined,
	group: undefined,
	state: 'open',
	stateBy: undefined,
	stateAt: undefined,
	entry: undefined,
	generation: -1,
	readTo: '',
	pinned: false,
	muted: false,
	archived: false,
	created: 1,
	draft: '',
};

function messageOf(index: number, text: string): ArchiveEntry {
	const bytes = new Uint8Array(16);
	new DataView(bytes.buffer).setUint32(0, index);
	const id = idFrom<MessageId>(bytes);
	return {
		type: 'message',
		id,
		conversation: CHAT,
		position: `${index.toString(16).padStart(16, '0')}-${id}`,
		author: ME,
		mine: true,
		body: { kind: 'text', text, replyTo: undefined },
		sent: index,
		received: index,
		delivery: 'received',
	};
}

async function* listed(entries: readonly ArchiveEntry[]): AsyncGenerator<ArchiveEntry> {
	for (const entry of entries) yield await Promise.resolve(entry);
}

async function sealed(
	entries: readonly ArchiveEntry[],
	secret: ArchiveSecret = CODE,
): Promise<Uint8Array<ArrayBuffer>> {
	const parts: Uint8Array<ArrayBuffer>[] = [];
	const options = { secret, crypto: archiveCrypto, salt: SALT };
	for await (const part of sealArchive(listed(entries), options)) parts.push(part);
	return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function opened(bytes: Uint8Array<ArrayBuffer>, secret: ArchiveSecret = CODE) {
	const archive = await openArchive(new Blob([bytes]), { secret, crypto: archiveCrypto });
	if (!archive.ok) return archive.error;
	const entries: ArchiveEntry[] = [];
	const outcome = await archive.value.read((entry) => void entries.push(entry));
	return outcome.ok ? entries : outcome.error;
}

/** Seals what no writer would write. */
async function forged(plain: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
	const honest = await sealed([about]);
	const header = honest.slice(0, 32);
	const keys = await archiveCrypto.deriveKeys(CODE, { kdf: { kind: 'code' }, salt: SALT, header });
	const chunk = (await keys?.seal(0, true, plain)) ?? new Uint8Array();
	return new Uint8Array(await new Blob([honest.slice(0, START), chunk]).arrayBuffer());
}

function framed(...entries: readonly unknown[]): Uint8Array {
	const parts = entries.flatMap((entry) => {
		const bytes = writeCbor(entry);
		const length = new Uint8Array(4);
		new DataView(length.buffer).setUint32(0, bytes.length);
		return [length, bytes];
	});
	return new Uint8Array(Buffer.concat(parts));
}

describe('a backup file', () => {
	test('comes back as it was, over many chunks and at their edges', async () => {
		for (const size of [0, 1, 500, 65_000, 200_000]) {
			const entries = [about, notes, messageOf(1, 'x'.repeat(size)), messageOf(2, 'ü')];
			const counts = { people: 0, conversations: 1, messages: 2 };
			expect(await opened(await sealed(entries))).toEqual([...entries, { type: 'end', ...counts }]);
		}
	});

	test('whose content fills its chunks exactly', async () => {
		const empty = (await sealed([about, notes, messageOf(1, 'x'.repeat(10_000))])).length;
		for (const extra of [-1, 0, 1]) {
			// 10,000 letters and what is missing to a full chunk; a length of five digits stays five digits.
			const fill = 10_000 + (START + SEALED - empty) + extra;
			const bytes = await sealed([about, notes, messageOf(1, 'x'.repeat(fill))]);
			expect(bytes.length).toBe(START + SEALED + extra + (extra > 0 ? 16 : 0));
			expect(await opened(bytes)).toHaveLength(4);
		}
	});

	test('is opened by its code however it is typed, and by nothing else', async () => {
		const bytes = await sealed([about]);
		const typed = 'o123 4567 89ab cdef ghjk mnpq rstv wxyz';
		expect(await opened(bytes, { kind: 'code', code: typed })).toHaveLength(2);
		for (const code of [
			'',
			'0123',
			`${CODE.code.slice(0, -1)}Y`,
			`${CODE.code}0`,
			'U'.repeat(32),
		]) {
			expect(await opened(bytes, { kind: 'code', code })).toBe('wrong-key');
		}
		expect(await opened(bytes, { kind: 'passphrase', passphrase: CODE.code })).toBe('wrong-key');
	});

	test('with a passphrase, in whatever form its letters come', async () => {
		const bytes = await sealed([about], { kind: 'passphrase', passphrase: 'grüne Brücke 12' });
		expect(await archiveLock(new Blob([bytes]))).toEqual({ ok: true, value: 'passphrase' });
		const decomposed = 'grüne Brücke 12'.normalize('NFD');
		expect(await opened(bytes, { kind: 'passphrase', passphrase: decomposed })).toHaveLength(2);
		expect(await opened(bytes, { kind: 'passphrase', passphrase: 'grune' })).toBe('wrong-key');
	});

	test('codes are random and 32 letters long', () => {
		const codes = new Set(Array.from({ length: 50 }, () => archiveCrypto.newCode()));
		expect(codes.size).toBe(50);
		for (const code of codes)
			expect(code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/u);
	});
});

describe('a file that is not whole', () => {
	test('cut at any byte of a small one', async () => {
		const bytes = await sealed([about, notes, messageOf(1, 'hello')]);
		for (let length = 0; length < bytes.length; length++) {
			const outcome = await opened(bytes.slice(0, length));
			expect(outcome, `cut at ${length}`).toBe(length === 0 ? 'not-an-archive' : 'truncated');
		}
	});

	test('cut around every edge of a large one', async () => {
		const bytes = await sealed([about, notes, messageOf(1, 'x'.repeat(200_000))]);
		const edges = [START, START + SEALED, START + 2 * SEALED, START + 3 * SEALED, bytes.length];
		for (const edge of edges) {
			for (const off of [-17, -16, -1, 0, 1, 15, 16, 17]) {
				const length = edge + off;
				if (length >= bytes.length) continue;
				expect(await opened(bytes.slice(0, length)), `cut at ${length}`).toBe('truncated');
			}
		}
	});

	test('one bit changed, anywhere', async () => {
		const bytes = await sealed([about, notes, messageOf(1, 'x'.repeat(70_000))]);
		for (let at = 0; at < bytes.length; at += at < 200 ? 1 : 4_999) {
			const changed = bytes.slice();
			changed[at] = (changed[at] ?? 0) ^ 1;
			expect(typeof (await opened(changed)), `bit at ${at}`).toBe('string');
		}
	});

	test('chunks swapped, repeated, dropped, or something added', async () => {
		const bytes = await sealed([about, notes, messageOf(1, 'x'.repeat(200_000))]);
		const part = (index: number) =>
			bytes.slice(START + index * SEALED, START + (index + 1) * SEALED);
		const head = bytes.slice(0, START);
		for (const order of [
			[1, 0, 2, 3],
			[0, 0, 1, 2, 3],
			[0, 2, 3],
			[0, 1, 2, 3, 3],
		]) {
			const mixed = await new Blob([head, ...order.map(part)]).arrayBuffer();
			expect(typeof (await opened(new Uint8Array(mixed)))).toBe('string');
		}
		const longer = await new Blob([bytes, new Uint8Array(5)]).arrayBuffer();
		expect(typeof (await opened(new Uint8Array(longer)))).toBe('string');
	});

	test('other files, and other versions', async () => {
		expect(
			await opened(new Uint8Array(Buffer.from('PK\u0003\u0004 something else entirely'))),
		).toBe('not-an-archive');
		const bytes = await sealed([about]);
		bytes[8] = 2;
		expect(await opened(bytes)).toBe('newer');
		bytes[8] = 0;
		expect(await opened(bytes)).toBe('damaged');
	});

	test('a header that asks for more than any honest one is refused before it costs anything', async () => {
		for (const [memory, passes, lanes] of [
			[2 ** 32 - 1, 3, 1],
			[65_536, 255, 1],
			[65_536, 3, 255],
			[1, 3, 1],
			[65_536, 0, 1],
		] as const) {
			const bytes = await sealed([about]);
			const view = new DataView(bytes.buffer);
			view.setUint8(9, 1);
			view.setUint32(10, memory);
			view.setUint8(14, passes);
			view.setUint8(15, lanes);
			const secret = { kind: 'passphrase', passphrase: 'x' } as const;
			expect(await opened(bytes, secret)).toBe('damaged');
		}
	});
});

describe('what a poisoned one may hold', () => {
	const end = { type: 'end', people: 0, conversations: 0, messages: 0 };
	const one = { ...end, conversations: 1 };
	const start = { type: 'about', account: ME, profile: { name: 'Sam' }, created: 1, written: 2 };
	const chat = Object.fromEntries(
		Object.entries(notes).filter(([, value]) => value !== undefined && value !== -1),
	);
	const ofGroup = {
		id: idFrom<GroupId>(new Uint8Array(16).fill(8)),
		about: { name: 'Lake house', description: '' },
		policy: { write: 'everyone', change: 'admins', invite: 'admins' },
		members: [{ account: ME, role: 'owner' }],
	};
	const group = { ...chat, subject: 'group', group: ofGroup };
	const message = {
		...messageOf(1, 'x'),
		body: { kind: 'text', text: 'x' },
	};

	test.each<[string, Uint8Array]>([
		['nothing', new Uint8Array()],
		['no end', framed(start)],
		['no beginning', framed(end)],
		['two beginnings', framed(start, start, end)],
		['something after the end', framed(start, end, end)],
		['a group that is none', framed(start, { ...chat, subject: 'group' }, one)],
		['notes that are a group', framed(start, { ...group, subject: 'notes' }, one)],
		['a group twice', framed(start, group, { ...group, id: OTHER }, { ...end, conversations: 2 })],
		['taken out by nobody', framed(start, { ...group, state: 'removed', stateAt: 5 }, one)],
		['gone at no time', framed(start, { ...group, state: 'left' }, one)],
		['open since', framed(start, { ...group, stateAt: 5 }, one)],
		[
			'a role that is none',
			framed(
				start,
				{ ...group, group: { ...ofGroup, members: [{ account: ME, role: 'king' }] } },
				one,
			),
		],
		['counts that are not so', framed(start, { ...end, messages: 1 })],
		['a message of no conversation', framed(start, message, { ...end, messages: 1 })],
		['a conversation twice', framed(start, chat, chat, { ...end, conversations: 2 })],
		[
			'a conversation with nobody',
			framed(start, { ...chat, subject: 'person' }, { ...end, conversations: 1 }),
		],
		['an id that reaches elsewhere', framed(start, { ...chat, id: '../../../../../../aa' }, end)],
		[
			'a position of another message',
			framed(
				start,
				chat,
				{ ...message, position: `${'0'.repeat(16)}-${CHAT}` },
				{ ...end, conversations: 1, messages: 1 },
			),
		],
		[
			'a time that is none',
			framed(start, chat, { ...message, sent: -1 }, { ...end, conversations: 1, messages: 1 }),
		],
		['a name without end', framed({ ...start, profile: { name: 'x'.repeat(5_000) } }, end)],
		['a length of four gigabytes', Uint8Array.of(255, 255, 255, 255, 0)],
		['a length beyond the file', Uint8Array.of(0, 0, 255, 255, 0)],
		[
			'bytes after an entry that are none',
			new Uint8Array(Buffer.concat([framed(start, end), Uint8Array.of(0)])),
		],
		['no CBOR', Uint8Array.of(0, 0, 0, 1, 255)],
		['CBOR that is no entry', framed([1, 2, 3])],
	])('%s', async (_name, plain) => {
		expect(await opened(await forged(plain))).toBe('damaged');
	});

	test('while an honest group is taken', async () => {
		const entries = await opened(await forged(framed(start, group, one)));
		expect(entries[1]).toMatchObject({ group: { about: { picture: null } }, generation: -1 });
	});

	test.each([
		{ kind: 'added', who: 'nobody' },
		{ kind: 'added' },
		{ kind: 'role', who: ME, role: 'king' },
		{ kind: 'sang' },
		'joined',
	])('a line that says %o is one of a newer version', async (event) => {
		const strange = { ...message, body: { kind: 'event', event } };
		const plain = framed(start, chat, strange, { ...one, messages: 1 });
		const entries = await opened(await forged(plain));
		expect(entries[2]).toMatchObject({ type: 'message', body: { kind: 'newer' } });
	});

	test('nesting without end does not end the reader', async () => {
		const deep = new Uint8Array(600_000).fill(0x81);
		const plain = new Uint8Array(4 + deep.length);
		new DataView(plain.buffer).setUint32(0, deep.length);
		plain.set(deep, 4);
		expect(decodeEntry(deep)).toBeUndefined();
		expect(await opened(await forged(plain))).toBe('damaged');
	});

	test('entries and bodies of a newer version are passed over, and shown as such', async () => {
		const future = { type: 'sticker-pack', anything: [1, { x: true }] };
		const strange = { ...message, body: { kind: 'hologram', depth: 3 } };
		const plain = framed(start, future, { ...chat, colour: 'red' }, strange, {
			...end,
			conversations: 1,
			messages: 1,
		});
		const entries = await opened(await forged(plain));
		expect(entries).toHaveLength(4);
		expect(entries[2]).toMatchObject({ type: 'message', body: { kind: 'newer' } });
	});
});
