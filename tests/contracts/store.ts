// What every store of a device must do. Run against the one in memory and the one in IndexedDB.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry, KeyRange, Store, Touched, Transaction } from '../../src/core/ports.ts';
import { positionOf } from '../../src/core/positions.ts';
import { messageKey, type MessageRow } from '../../src/core/records.ts';
import {
	toBase64Url,
	type AccountId,
	type ConversationId,
	type DeviceId,
	type MessageId,
} from '../../src/protocol/ids.ts';

export interface StoreUnderTest {
	/** Another handle on the same rows, as another tab has one. */
	open(): Promise<Store>;
	/** No room from now on, until `free`; undefined where that cannot be simulated. */
	readonly fill?: () => Promise<void>;
	readonly free?: () => Promise<void>;
	dispose(): Promise<void>;
}

/** Rows of plain text, to have something to write. */
const SHELF = 'drafts';

async function put(store: Store, rows: Readonly<Record<string, string>>): Promise<void> {
	const outcome = await store.transact((tx) => {
		for (const [key, text] of Object.entries(rows)) tx.put(SHELF, key, text);
		return Promise.resolve();
	});
	expect(outcome.ok).toBe(true);
}

const keysOf = (entries: readonly Entry<'drafts'>[]) => entries.map(({ key }) => key);

export function storeContract(name: string, create: () => Promise<StoreUnderTest>): void {
	describe(`${name} store`, () => {
		let subject: StoreUnderTest;
		let store: Store;

		beforeEach(async () => {
			subject = await create();
			store = await subject.open();
		});
		afterEach(() => subject.dispose());

		describe('ranges', () => rangeRules(() => store));
		describe('transactions', () => transactionRules(() => ({ subject, store })));
		describe('messages by their id', () => placeRules(() => ({ subject, store })));
		describe('watching', () => watchRules(() => ({ subject, store })));

		test('no room: nothing of the transaction is written, reading and deleting still work', async (context) => {
			if (!subject.fill || !subject.free) return context.skip();
			await put(store, { kept: 'here', old: 'x' });
			await subject.fill();
			const large = 'y'.repeat(200_000);
			const outcome = await store.transact((tx) => {
				for (let row = 0; row < 20; row++) tx.put(SHELF, `new ${row}`, large);
				tx.put(SHELF, 'kept', 'changed');
				return Promise.resolve();
			});
			expect(outcome).toEqual({ ok: false, error: 'full' });
			expect(await store.get(SHELF, 'kept')).toBe('here');
			expect(keysOf(await store.list(SHELF, { prefix: 'new', limit: 50 }))).toEqual([]);
			const deleted = await store.transact((tx) => Promise.resolve(tx.delete(SHELF, 'old')));
			expect(deleted.ok).toBe(true);
			await subject.free();
			await put(store, { kept: 'changed' });
			expect(await store.get(SHELF, 'kept')).toBe('changed');
		});
	});
}

function rangeRules(subject: () => Store): void {
	const rows = ['a', 'ab', 'ab/1', 'ab/2', 'ab/3', 'abc/1', 'abc/2', 'b/', 'b/0', 'b/z'];
	const list = async (range: KeyRange) => keysOf(await subject().list(SHELF, range));

	beforeEach(() => put(subject(), Object.fromEntries(rows.map((key) => [key, `text of ${key}`]))));

	test.each<[string, KeyRange, string[]]>([
		['everything, in order', { prefix: '', limit: 99 }, [...rows]],
		['a prefix', { prefix: 'ab/', limit: 99 }, ['ab/1', 'ab/2', 'ab/3']],
		['a prefix that is a key itself', { prefix: 'b/', limit: 99 }, ['b/', 'b/0', 'b/z']],
		['a prefix of other prefixes', { prefix: 'ab', limit: 99 }, rows.slice(1, 7)],
		['a prefix of nothing', { prefix: 'zz', limit: 99 }, []],
		['after', { prefix: 'ab/', after: 'ab/1', limit: 99 }, ['ab/2', 'ab/3']],
		[
			'after a key that does not exist',
			{ prefix: 'ab/', after: 'ab/11', limit: 9 },
			['ab/2', 'ab/3'],
		],
		['after the prefix itself', { prefix: 'b/', after: 'b/', limit: 99 }, ['b/0', 'b/z']],
		[
			'after what is before the prefix',
			{ prefix: 'ab/', after: 'a', limit: 99 },
			['ab/1', 'ab/2', 'ab/3'],
		],
		['after what is beyond the prefix', { prefix: 'ab/', after: 'b', limit: 99 }, []],
		['before', { prefix: 'ab/', before: 'ab/3', limit: 99 }, ['ab/1', 'ab/2']],
		['before the first', { prefix: 'ab/', before: 'ab/', limit: 99 }, []],
		['before what is before the prefix', { prefix: 'ab/', before: 'a', limit: 99 }, []],
		[
			'before what is beyond the prefix',
			{ prefix: 'ab/', before: 'zz', limit: 99 },
			['ab/1', 'ab/2', 'ab/3'],
		],
		['after and before', { prefix: 'ab/', after: 'ab/1', before: 'ab/3', limit: 99 }, ['ab/2']],
		['nothing in between', { prefix: 'ab/', after: 'ab/2', before: 'ab/2', limit: 99 }, []],
		['the wrong way round', { prefix: 'ab/', after: 'ab/3', before: 'ab/1', limit: 99 }, []],
		['a limit', { prefix: 'ab/', limit: 2 }, ['ab/1', 'ab/2']],
		['a limit of none', { prefix: 'ab/', limit: 0 }, []],
		['newest first', { prefix: 'ab/', limit: 2, newestFirst: true }, ['ab/3', 'ab/2']],
		[
			'newest first, before',
			{ prefix: 'ab/', before: 'ab/3', limit: 9, newestFirst: true },
			['ab/2', 'ab/1'],
		],
		[
			'newest first, after',
			{ prefix: 'ab/', after: 'ab/1', limit: 9, newestFirst: true },
			['ab/3', 'ab/2'],
		],
		['newest first, no room', { prefix: 'ab/', limit: 0, newestFirst: true }, []],
	])('%s', async (_title, range, expected) => {
		expect(await list(range)).toEqual(expected);
	});

	test('values come with their keys', async () => {
		expect(await subject().list(SHELF, { prefix: 'b/', limit: 2 })).toEqual([
			{ key: 'b/', value: 'text of b/' },
			{ key: 'b/0', value: 'text of b/0' },
		]);
	});

	test('a transaction lists what it wrote itself', async () => {
		const outcome = await subject().transact(async (tx) => {
			tx.delete(SHELF, 'ab/1');
			tx.put(SHELF, 'ab/2', 'changed');
			tx.put(SHELF, 'ab/4', 'new');
			tx.put(SHELF, 'zz', 'elsewhere');
			const all = await tx.list(SHELF, { prefix: 'ab/', limit: 99 });
			const first = await tx.list(SHELF, { prefix: 'ab/', limit: 1 });
			const last = await tx.list(SHELF, { prefix: 'ab/', limit: 2, newestFirst: true });
			return { all: all.map(({ value }) => value), first: keysOf(first), last: keysOf(last) };
		});
		expect(outcome).toEqual({
			ok: true,
			value: { all: ['changed', 'text of ab/3', 'new'], first: ['ab/2'], last: ['ab/4', 'ab/3'] },
		});
	});
}

interface Subject {
	readonly subject: StoreUnderTest;
	readonly store: Store;
}

function transactionRules(given: () => Subject): void {
	test('what is absent is undefined', async () => {
		expect(await given().store.get(SHELF, 'nowhere')).toBeUndefined();
	});

	test('a transaction reads what it wrote, and others only what is committed', async () => {
		const { store } = given();
		await store.transact(async (tx) => {
			tx.put(SHELF, 'a', 'one');
			expect(await tx.get(SHELF, 'a')).toBe('one');
			expect(await store.get(SHELF, 'a')).toBeUndefined();
			tx.delete(SHELF, 'a');
			expect(await tx.get(SHELF, 'a')).toBeUndefined();
			tx.put(SHELF, 'a', 'two');
		});
		expect(await store.get(SHELF, 'a')).toBe('two');
	});

	test('a body that throws writes nothing', async () => {
		const { store } = given();
		await put(store, { a: 'before' });
		const attempt = store.transact((tx) => {
			tx.put(SHELF, 'a', 'after');
			return Promise.reject(new Error('a bug'));
		});
		await expect(attempt).rejects.toThrow('a bug');
		expect(await store.get(SHELF, 'a')).toBe('before');
	});

	test('rows of several shelves change at once', async () => {
		const { store } = given();
		await store.transact((tx) => {
			tx.put(SHELF, 'a', 'text');
			tx.put('carried', 'id', 'key');
			tx.put('seen', 'envelope', 5);
			tx.put('clock', 'only', { skew: -3 });
			return Promise.resolve();
		});
		expect(await store.get('carried', 'id')).toBe('key');
		expect(await store.get('seen', 'envelope')).toBe(5);
		expect(await store.get('clock', 'only')).toEqual({ skew: -3 });
	});

	/** Lets another handle write after this body has read, once. */
	async function raced(
		read: (tx: Transaction) => Promise<unknown>,
		interfere: (other: Store) => Promise<unknown>,
	): Promise<{ runs: number; seen: unknown[] }> {
		const { subject, store } = given();
		const other = await subject.open();
		const seen: unknown[] = [];
		await store.transact(async (tx) => {
			seen.push(await read(tx));
			if (seen.length === 1) await interfere(other);
			tx.put(SHELF, 'result', String(seen.length));
		});
		return { runs: seen.length, seen };
	}

	test('a row that changed after it was read makes the body run again', async () => {
		await put(given().store, { a: 'old' });
		const { seen } = await raced(
			(tx) => tx.get(SHELF, 'a'),
			(other) => put(other, { a: 'new' }),
		);
		expect(seen).toEqual(['old', 'new']);
		expect(await given().store.get(SHELF, 'result')).toBe('2');
	});

	test('a row that appeared after its absence was read makes the body run again', async () => {
		const { seen } = await raced(
			(tx) => tx.get(SHELF, 'a'),
			(other) => put(other, { a: 'new' }),
		);
		expect(seen).toEqual([undefined, 'new']);
	});

	test('deletion, and deletion with re-creation, are noticed', async () => {
		await put(given().store, { a: 'same', b: 'same' });
		const { runs } = await raced(
			(tx) => tx.get(SHELF, 'a'),
			(other) => other.transact((tx) => Promise.resolve(tx.delete(SHELF, 'a'))),
		);
		expect(runs).toBe(2);
		const again = await raced(
			(tx) => tx.get(SHELF, 'b'),
			async (other) => {
				await other.transact((tx) => Promise.resolve(tx.delete(SHELF, 'b')));
				await put(other, { b: 'same' });
			},
		);
		expect(again.runs).toBe(2);
	});

	test('a row that nobody read may change meanwhile', async () => {
		await put(given().store, { a: 'old', b: 'old' });
		const { runs } = await raced(
			(tx) => tx.get(SHELF, 'a'),
			(other) => put(other, { b: 'new' }),
		);
		expect(runs).toBe(1);
	});

	test('a row read twice with a change in between is not believed', async () => {
		const { subject, store } = given();
		await put(store, { a: 'old' });
		const other = await subject.open();
		const pairs: unknown[] = [];
		await store.transact(async (tx) => {
			const first = await tx.get(SHELF, 'a');
			if (pairs.length === 0) await put(other, { a: 'new' });
			pairs.push([first, await tx.get(SHELF, 'a')]);
			tx.put(SHELF, 'result', 'done');
		});
		expect(pairs.at(-1)).toEqual(['new', 'new']);
	});

	test('many writers of one counter lose nothing', async () => {
		const { subject, store } = given();
		const handles = [store, await subject.open(), await subject.open()];
		const increment = (handle: Store) =>
			handle.transact(async (tx) => {
				tx.put(SHELF, 'n', String(Number((await tx.get(SHELF, 'n')) ?? 0) + 1));
			});
		await Promise.all(Array.from({ length: 24 }, (_, at) => increment(handles[at % 3] ?? store)));
		expect(await store.get(SHELF, 'n')).toBe('24');
	});
}

/** A message in a conversation, `at` in its order. */
function messageIn(conversation: string, at: number, text = 'text') {
	const id = toBase64Url(new Uint8Array(16).fill(7)) as MessageId;
	const row = {
		...{ id, conversation: conversation as ConversationId, position: positionOf(orderAt(at), id) },
		...{ author: 'author' as AccountId, device: 'device' as DeviceId, mine: false },
		...{ sent: at, received: at, body: { kind: 'text', text, replyTo: undefined } },
		...{ delivery: { kind: 'received' }, carrier: undefined },
	} satisfies MessageRow;
	return { id, row, key: messageKey(row.conversation, row.position) };
}

const orderAt = (at: number) => at.toString(16).padStart(16, '0');

function placeRules(given: () => Subject): void {
	const keep = (store: Store, ...messages: ReturnType<typeof messageIn>[]) =>
		store.transact((tx) => {
			for (const { key, row } of messages) tx.put('messages', key, row);
			return Promise.resolve();
		});
	const kept = () => given().store.list('messages', { prefix: '', limit: 9 });

	test('a message is found where it is, by every handle, until it is gone', async () => {
		const { subject, store } = given();
		const other = await subject.open();
		const { id, key, ...message } = messageIn('one', 1);
		expect(await store.locate(id)).toBeUndefined();
		await keep(store, { id, key, ...message });
		expect([await store.locate(id), await other.locate(id)]).toEqual([key, key]);
		await store.transact((tx) => Promise.resolve(tx.delete('messages', key)));
		expect(await other.locate(id)).toBeUndefined();
	});

	test('a transaction finds what it wrote itself, and not what it deleted', async () => {
		const { store } = given();
		const [before, after] = [messageIn('one', 1), messageIn('one', 2)];
		const found: unknown[] = [];
		await keep(store, before);
		await store.transact(async (tx) => {
			tx.delete('messages', before.key);
			found.push(await tx.locate(before.id));
			tx.put('messages', after.key, after.row);
			found.push(await tx.locate(after.id));
		});
		expect(found).toEqual([undefined, after.key]);
		expect(await store.locate(after.id)).toBe(after.key);
		expect(await kept()).toHaveLength(1);
	});

	test('a message may change its place in whichever order it is said', async () => {
		const { store } = given();
		const [before, after] = [messageIn('one', 1), messageIn('two', 2)];
		await keep(store, before);
		await store.transact(async (tx) => {
			tx.put('messages', after.key, after.row);
			tx.delete('messages', before.key);
			expect(await tx.locate(after.id)).toBe(after.key);
		});
		expect(await store.locate(after.id)).toBe(after.key);
		expect(await kept()).toHaveLength(1);
	});

	test('a message that came after it was looked for makes the body run again', async () => {
		const { subject, store } = given();
		const other = await subject.open();
		const message = messageIn('one', 1);
		const found: unknown[] = [];
		await store.transact(async (tx) => {
			found.push(await tx.locate(message.id));
			if (found.length === 1) await keep(other, message);
			tx.put(SHELF, 'result', String(found.length));
		});
		expect(found).toEqual([undefined, message.key]);
	});

	test('a message that went after it was found makes the body run again', async () => {
		const { subject, store } = given();
		const other = await subject.open();
		const message = messageIn('one', 1);
		await keep(store, message);
		const found: unknown[] = [];
		await store.transact(async (tx) => {
			found.push(await tx.locate(message.id));
			if (found.length === 1) {
				await other.transact((theirs) => Promise.resolve(theirs.delete('messages', message.key)));
			}
			tx.put(SHELF, 'result', String(found.length));
		});
		expect(found).toEqual([message.key, undefined]);
	});

	test.each([
		['under the same key', messageIn('one', 1, 'again')],
		['under another key', messageIn('two', 2, 'again')],
	])(
		'a message presumed new that is there %s is noticed, and not doubled',
		async (_where, twin) => {
			const { store } = given();
			const message = messageIn('one', 1);
			await keep(store, message);
			const found: unknown[] = [];
			await store.transact(async (tx) => {
				tx.presumeNew(twin.id);
				const place = await tx.locate(twin.id);
				found.push(place);
				if (place === undefined) tx.put('messages', twin.key, twin.row);
				tx.put(SHELF, 'result', 'done');
			});
			expect(found).toEqual([undefined, message.key]);
			expect((await kept()).map(({ value }) => value)).toEqual([message.row]);
		},
	);

	test('a message presumed new is noticed where nothing is written of it', async () => {
		const { store } = given();
		const message = messageIn('one', 1);
		await keep(store, message);
		const found: unknown[] = [];
		await store.transact(async (tx) => {
			tx.presumeNew(message.id);
			found.push(await tx.locate(message.id));
			tx.put(SHELF, 'result', 'done');
		});
		expect(found).toEqual([undefined, message.key]);
	});

	test('a message presumed new that is new costs one run', async () => {
		const { store } = given();
		const message = messageIn('one', 1);
		let runs = 0;
		await store.transact(async (tx) => {
			runs++;
			tx.presumeNew(message.id);
			expect(await tx.locate(message.id)).toBeUndefined();
			tx.put('messages', message.key, message.row);
		});
		expect(runs).toBe(1);
		expect(await store.locate(message.id)).toBe(message.key);
	});

	test('what was found before is not presumed away', async () => {
		const { store } = given();
		const message = messageIn('one', 1);
		await keep(store, message);
		await store.transact(async (tx) => {
			const before = await tx.locate(message.id);
			tx.presumeNew(message.id);
			expect([before, await tx.locate(message.id)]).toEqual([message.key, message.key]);
		});
	});
}

function watchRules(given: () => Subject): void {
	test('every handle hears of a commit, until it stops', async () => {
		const { subject, store } = given();
		const other = await subject.open();
		const own: Touched[] = [];
		const heard = new Promise<readonly Touched[]>((resolve) => other.watch(resolve));
		const stop = store.watch((touched) => own.push(...touched));
		await put(store, { a: 'text' });
		expect(own).toEqual([{ store: SHELF, key: 'a' }]);
		expect(await heard).toEqual([{ store: SHELF, key: 'a' }]);
		stop();
		await put(store, { b: 'text' });
		expect(own).toHaveLength(1);
	});

	test('reading alone, or failing, tells nobody', async () => {
		const { store } = given();
		const own: Touched[] = [];
		store.watch((touched) => own.push(...touched));
		await store.transact((tx) => tx.get(SHELF, 'a'));
		await store.transact(() => Promise.reject(new Error('a bug'))).catch(() => undefined);
		expect(own).toEqual([]);
	});
}
