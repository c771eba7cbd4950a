// The store in IndexedDB: how to have one to test, and what only it must do.
import { deleteDB, openDB } from 'idb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openBox, sealBox } from '../../src/core/crypto/aes-box.ts';
import { createDataKey, createSealer, RowNotAuthentic } from '../../src/core/crypto/sealing.ts';
import { openDatabase, type IdbDatabase } from '../../src/core/storage/idb-database.ts';
import {
	createIdbStore,
	type RowSealer,
	type TouchedChannel,
} from '../../src/core/storage/idb-store.ts';
import { MIGRATIONS, type StoredRow } from '../../src/core/storage/schema.ts';
import type { Store } from '../../src/core/ports.ts';
import { positionOf } from '../../src/core/positions.ts';
import { messageKey } from '../../src/core/records.ts';
import { encodeRow } from '../../src/core/storage/row-codec.ts';
import { fromBase64Url, type ConversationId, type MessageId } from '../../src/protocol/ids.ts';
import added from '../vectors/databases/stores.json' with { type: 'json' };
import golden from '../vectors/databases/version-1.json' with { type: 'json' };
import { createTouchedAir } from '../support/touched.ts';
import type { StoreUnderTest } from './store.ts';

const NAME = 'kith-store-test';
let databases = 0;

/** Handles on a database of its own. */
export async function openIdbSubject(channel: () => TouchedChannel): Promise<StoreUnderTest> {
	const name = `${NAME}-${databases++}`;
	const sealer = await createSealer(await createDataKey());
	const stores: Store[] = [];
	return {
		open() {
			const options = { sealer, changes: channel(), durability: 'relaxed' } as const;
			const store = createIdbStore(openDatabase(name), options);
			stores.push(store);
			return Promise.resolve(store);
		},
		async dispose() {
			for (const store of stores) store.close();
			await deleteDB(name);
		},
	};
}

/** Rules of the IndexedDB store alone; to be called where `indexedDB` is. */
export function idbRules(): void {
	describe('a database', () => {
		let name: string;
		let sealer: RowSealer;
		let database: IdbDatabase;
		let store: Store;
		let outdated: number;

		beforeEach(async () => {
			name = `${NAME}-${databases++}`;
			sealer = await createSealer(await createDataKey());
			outdated = 0;
			database = openDatabase(name, {
				outdated: () => {
					outdated++;
				},
			});
			store = openStore();
		});
		afterEach(async () => {
			store.close();
			await deleteDB(name);
		});

		function openStore(): Store {
			const changes = createTouchedAir()();
			return createIdbStore(database, { sealer, changes, durability: 'relaxed' });
		}

		const write = (key: string, text: string) =>
			store.transact((tx) => Promise.resolve(tx.put('drafts', key, text)));

		test('a connection that is closed behind its back is opened again', async () => {
			await write('a', 'one');
			await database.use((db) => Promise.resolve(db.close()));
			expect(await store.get('drafts', 'a')).toBe('one');
			await database.use((db) => Promise.resolve(db.close()));
			expect(await write('b', 'two')).toMatchObject({ ok: true });
			await database.use((db) => Promise.resolve(db.close()));
			expect(await store.list('drafts', { prefix: '', limit: 9 })).toHaveLength(2);
		});

		test('a connection lost in the middle of a transaction: its work is done again, once', async () => {
			await write('n', '1');
			let runs = 0;
			const outcome = await store.transact(async (tx) => {
				runs++;
				const before = Number(await tx.get('drafts', 'n'));
				if (runs === 1) await database.use((db) => Promise.resolve(db.close()));
				tx.put('drafts', 'n', String(before + 1));
			});
			expect(outcome.ok).toBe(true);
			expect(await store.get('drafts', 'n')).toBe('2');
		});

		test('a newer version of the app is let in, and this one says that it is outdated', async () => {
			await write('a', 'one');
			const newer = await openDB(name, MIGRATIONS.length + 1);
			expect(outdated).toBe(1);
			newer.close();
			// The older code cannot open what the newer one has made.
			await expect(store.get('drafts', 'a')).rejects.toThrow();
		});

		test('after close nothing is read or written, and nothing hangs', async () => {
			await write('a', 'one');
			store.close();
			await expect(store.get('drafts', 'a')).rejects.toThrow('closed');
			expect(await write('b', 'two')).toEqual({ ok: false, error: 'unavailable' });
			store = openStore();
		});

		test('nothing at rest can be read', async () => {
			const secret = 'meet me at the pier';
			await write('a', secret);
			await store.transact((tx) => Promise.resolve(tx.put('seen', 'envelope', 7)));
			const raw = await openDB(name);
			for (const shelf of raw.objectStoreNames) {
				for (const row of (await raw.getAll(shelf)) as StoredRow[]) {
					const text = new TextDecoder('latin1').decode(row.sealed);
					expect(text).not.toContain('pier');
					expect(Object.keys(row).sort()).toEqual(['revision', 'sealed']);
				}
			}
			raw.close();
		});

		test('rows that changed places are refused', async () => {
			await write('a', 'one');
			await write('b', 'two');
			const raw = await openDB(name);
			const [a, b] = [
				(await raw.get('drafts', 'a')) as unknown,
				(await raw.get('drafts', 'b')) as unknown,
			];
			await raw.put('drafts', b, 'a');
			await raw.put('drafts', a, 'b');
			await raw.put('carried', a, 'a');
			raw.close();
			await expect(store.get('drafts', 'a')).rejects.toThrow(RowNotAuthentic);
			await expect(store.list('drafts', { prefix: '', limit: 9 })).rejects.toThrow(RowNotAuthentic);
			await expect(store.get('carried', 'a')).rejects.toThrow(RowNotAuthentic);
		});

		test.each(versions)(
			'a database of version %i opens, and says what it said',
			async (version) => {
				await writeGolden(name, version);
				sealer = await goldenSealer();
				store = openStore();
				for (const { store: shelf, key, value } of golden.values) {
					if (shelf !== GONE) expect(await store.get(shelf as 'drafts', key)).toEqual(value);
				}
				// Every message is found by its id, and those that an older version had twice are there once.
				expect(await store.list('messages', { prefix: '', limit: 2_000 })).toHaveLength(
					SAID.length,
				);
				for (const id of [SAID.at(0), SAID.at(-1)] as MessageId[]) {
					expect(await store.locate(id)).toBe(placeIn('a', id));
				}
				// What came later is there now.
				for (const shelf of versions.flatMap((each) => storesOf(each))) {
					await store.transact((tx) => Promise.resolve(tx.put(shelf, 'k', 'new')));
					expect(await store.get(shelf, 'k')).toBe('new');
				}
			},
		);

		test('the version of today is among those that are tried', () => {
			expect(versions.at(-1)).toBe(MIGRATIONS.length);
		});
	});
}

/** The store that version 7 took away. */
const GONE = 'messageKeys';
/** More than are rewritten at a time. */
const SAID = Array.from({ length: 1_100 }, (_, at) => at.toString().padStart(22, '0') as MessageId);
const TWICE = [['b', SAID[0] as MessageId]] as const;
const placeIn = (conversation: string, id: MessageId) =>
	messageKey(conversation as ConversationId, positionOf('0'.repeat(16), id));

const versions = Object.keys(added).map(Number);

/** Stores that a version brought, as it brought them. */
const storesOf = (version: number) => added[`${version}` as keyof typeof added] as 'drafts'[];

/** As that version made it: its own list of stores, not the code's. */
async function writeGolden(name: string, version: number): Promise<void> {
	const later = versions.filter((each) => each <= version).flatMap((each) => storesOf(each));
	const raw = await openDB(name, version, {
		upgrade(...[db, , , upgrade]) {
			for (const shelf of [...golden.stores, ...later]) {
				if (version < 7 || shelf !== GONE) db.createObjectStore(shelf);
			}
			if (version >= 7) {
				const messages = upgrade.objectStore('messages');
				messages.createIndex('message', 'message', { unique: true });
			}
		},
	});
	for (const { store, key, revision, sealed } of golden.rows) {
		if (version >= 7 && store === GONE) continue;
		await raw.put(store, { revision, sealed: fromBase64Url(sealed) }, key);
	}
	const sealer = await goldenSealer();
	const rows = [...SAID.map((id) => ['a', id] as const), ...(version < 7 ? TWICE : [])];
	const closed = await Promise.all(
		rows.map(async ([conversation, message]) => {
			const key = placeIn(conversation, message);
			const sealed = await sealer.seal(encodeRow({ id: message }), `messages/${key}`);
			return { key, row: { revision: 1, sealed, ...(version >= 7 && { message }) } };
		}),
	);
	const tx = raw.transaction('messages', 'readwrite');
	for (const { key, row } of closed) void tx.store.put(row, key);
	await tx.done;
	raw.close();
}

async function goldenSealer(): Promise<RowSealer> {
	const raw = fromBase64Url(golden.dataKey) ?? new Uint8Array();
	const usages: KeyUsage[] = ['encrypt', 'decrypt'];
	const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, usages);
	const bytes = (text: string) => new TextEncoder().encode(text);
	return {
		seal: (plain, place) => sealBox(key, plain, bytes(place)),
		async open(sealed, place) {
			const plain = await openBox(key, sealed, bytes(place));
			if (!plain) throw new RowNotAuthentic(place);
			return plain;
		},
	};
}
