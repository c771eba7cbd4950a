// The store in IndexedDB. Rows are sealed before a transaction opens and opened after it closed, because IndexedDB
// ends a transaction that waits for anything else.
import type { Entry, KeyRange, Store, StoreFailure, Touched } from '../ports.ts';
import type { Rows, StoreName } from '../records.ts';
import { DatabaseUnavailable, type IdbDatabase } from './idb-database.ts';
import { createListeners, transactOn, type Backend, type Versioned } from './optimistic.ts';
import { decodeRow, encodeRow } from './row-codec.ts';
import type { StoredRow } from './schema.ts';

/** Sealing of records at rest; `associated` binds a row to its place, so that rows cannot be swapped. */
export interface RowSealer {
	seal(plain: Uint8Array, associated: string): Promise<Uint8Array<ArrayBuffer>>;
	/** Throws on a row that was not sealed for this place by this device. */
	open(sealed: Uint8Array, associated: string): Promise<Uint8Array>;
}

/** Tells other contexts of this origin what was committed here, and hears from them. */
export interface TouchedChannel {
	publish(touched: readonly Touched[]): void;
	subscribe(listener: (touched: readonly Touched[]) => void): () => void;
}

/** Rows with nothing to hide, where sealing would only cost time. */
const PLAIN: ReadonlySet<StoreName> = new Set<StoreName>(['seen']);

/** 48 random bits: a row that is deleted and made again must not look unchanged. */
function newRevision(): number {
	const words = crypto.getRandomValues(new Uint32Array(2));
	return (words[0] ?? 0) * 0x10000 + ((words[1] ?? 0) & 0xffff) + 1;
}

function rangeOf({ prefix, after, before }: KeyRange): IDBKeyRange {
	const lower = after !== undefined && after >= prefix ? after : prefix;
	const upper = before ?? prefix + '\uffff';
	if (upper < lower || (upper === lower && before !== undefined)) {
		return IDBKeyRange.bound(lower, lower, true, false); // empty, without a special case at the caller
	}
	return IDBKeyRange.bound(lower, upper, lower === after, before !== undefined);
}

function backendOf(database: IdbDatabase, sealer: RowSealer): Backend {
	const place = (store: StoreName, key: string) => `${store}/${key}`;

	async function unseal<Name extends StoreName>(store: Name, key: string, row: StoredRow) {
		const plain = PLAIN.has(store) ? row.sealed : await sealer.open(row.sealed, place(store, key));
		return decodeRow(plain) as Rows[Name];
	}

	async function read<Name extends StoreName>(store: Name, key: string) {
		const row = await database.use((db) => db.get(store, key));
		if (!row) return undefined;
		const versioned: Versioned<Name> = {
			revision: row.revision,
			value: await unseal(store, key, row),
		};
		return versioned;
	}

	async function list<Name extends StoreName>(store: Name, range: KeyRange) {
		const found = await database.use(async (db) => {
			const rows: { key: string; row: StoredRow }[] = [];
			const direction = range.newestFirst ? 'prev' : 'next';
			const tx = db.transaction(store);
			let cursor = await tx.store.openCursor(rangeOf(range), direction);
			while (cursor && rows.length < range.limit) {
				rows.push({ key: cursor.key as string, row: cursor.value as StoredRow });
				cursor = rows.length < range.limit ? await cursor.continue() : null;
			}
			return rows;
		});
		return Promise.all(
			found.map(async ({ key, row }): Promise<Entry<Name>> => ({
				key,
				value: await unseal<Name>(store, key, row),
			})),
		);
	}

	return {
		read,
		list,
		async commit(checks, writes) {
			const sealed = await Promise.all(
				writes.map(async ({ store, key, value }) => ({
					store,
					key,
					row: value === undefined ? undefined : await toStored(store, key, value),
				})),
			);
			try {
				return await database.use(async (db) => {
					const names = new Set([...checks, ...writes].map(({ store }) => store));
					const tx = db.transaction([...names], 'readwrite', { durability: 'strict' });
					const current = await Promise.all(
						checks.map(({ store, key }) => tx.objectStore(store).get(key)),
					);
					if (checks.some(({ revision }, index) => current[index]?.revision !== revision)) {
						await tx.done;
						return 'conflict';
					}
					const done = sealed.map(({ store, key, row }) => {
						const shelf = tx.objectStore(store);
						return row ? shelf.put(row, key) : shelf.delete(key);
					});
					await Promise.all([...done, tx.done]);
					return 'done';
				});
			} catch (error) {
				return failureOf(error);
			}
		},
	};

	async function toStored(store: StoreName, key: string, value: unknown): Promise<StoredRow> {
		const plain = encodeRow(value) as Uint8Array<ArrayBuffer>;
		return {
			revision: newRevision(),
			sealed: PLAIN.has(store) ? plain : await sealer.seal(plain, place(store, key)),
		};
	}
}

function failureOf(error: unknown): StoreFailure {
	if (error instanceof DatabaseUnavailable) return 'unavailable';
	if (error instanceof DOMException && error.name === 'QuotaExceededError') return 'full';
	throw error;
}

export function createIdbStore(
	database: IdbDatabase,
	sealer: RowSealer,
	changes: TouchedChannel,
): Store {
	const backend = backendOf(database, sealer);
	const listeners = createListeners();
	const stop = changes.subscribe(listeners.tell);
	return {
		async get<Name extends StoreName>(store: Name, key: string) {
			return (await backend.read(store, key))?.value;
		},
		list: (store, range) => backend.list(store, range),
		transact: (body) =>
			transactOn(backend, body, (touched) => {
				listeners.tell(touched);
				changes.publish(touched);
			}),
		watch: listeners.add,
		close() {
			stop();
			database.close();
		},
	};
}
