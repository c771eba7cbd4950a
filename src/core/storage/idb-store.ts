// The store in IndexedDB. Rows are sealed before a transaction opens and opened after it closed, because IndexedDB
// ends a transaction that waits for anything else.
import { unwrap } from 'idb';
import type { Entry, KeyRange, Store, StoreFailure, Touched } from '../ports.ts';
import type { Rows, StoreName } from '../records.ts';
import { DatabaseUnavailable, type IdbDatabase, type Opened } from './idb-database.ts';
import {
	createListeners,
	transactOn,
	type Backend,
	type Check,
	type Versioned,
	type Write,
} from './optimistic.ts';
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

/**
 * `strict` for the engine: a ratchet must be on disk before its bytes leave. `relaxed` for what a person just did: it
 * survives a killed browser, and is on screen without waiting for the disk.
 */
export type Durability = 'strict' | 'relaxed';

/** A count in IndexedDB is an unsigned long. */
const MOST_ROWS = 2 ** 32 - 1;
/** Rows with nothing to hide, where sealing would only cost time. */
const PLAIN: ReadonlySet<StoreName> = new Set<StoreName>(['seen']);

/** 48 random bits for the rows of one commit: a row that is deleted and made again must not look unchanged. */
function newRevision(): number {
	const words = crypto.getRandomValues(new Uint32Array(2));
	return (words[0] ?? 0) * 0x10000 + ((words[1] ?? 0) & 0xffff) + 1;
}

/** Undefined where nothing can be: IndexedDB throws at an empty range. */
function rangeOf({ prefix, after, before }: KeyRange): IDBKeyRange | undefined {
	const end = `${prefix}\uffff`;
	const lower = after !== undefined && after >= prefix ? after : prefix;
	const upper = before !== undefined && before < end ? before : end;
	if (upper <= lower) return undefined;
	return IDBKeyRange.bound(lower, upper, lower === after, upper === before);
}

/** Turns rows into what stands on the disk, and back. */
function createRowBox(sealer: RowSealer) {
	const place = (store: StoreName, key: string) => `${store}/${key}`;
	return {
		async open<Name extends StoreName>(store: Name, key: string, { sealed }: StoredRow) {
			const plain = PLAIN.has(store) ? sealed : await sealer.open(sealed, place(store, key));
			return decodeRow(plain) as Rows[Name];
		},
		async close({ store, key, value }: Write, revision: number) {
			if (value === undefined) return { store, key, row: undefined };
			const plain = encodeRow(value) as Uint8Array<ArrayBuffer>;
			const sealed = PLAIN.has(store) ? plain : await sealer.seal(plain, place(store, key));
			return { store, key, row: { revision, sealed } };
		},
	};
}

type Closed = Awaited<ReturnType<ReturnType<typeof createRowBox>['close']>>;

function backendOf(database: IdbDatabase, sealer: RowSealer, durability: Durability): Backend {
	const box = createRowBox(sealer);
	const reader = createReader(database);

	async function list<Name extends StoreName>(store: Name, range: KeyRange) {
		const found = await database.use((db) => rowsIn(db, store, range));
		return Promise.all(
			found.map(async ({ key, row }): Promise<Entry<Name>> => ({
				key,
				value: await box.open<Name>(store, key, row),
			})),
		);
	}

	return {
		list,
		async read<Name extends StoreName>(store: Name, key: string) {
			const row = await reader(store, key);
			if (!row) return undefined;
			const versioned: Versioned<Name> = {
				revision: row.revision,
				value: await box.open(store, key, row),
			};
			return versioned;
		},
		async commit(checks, writes) {
			const revision = newRevision();
			const closed = await Promise.all(writes.map((write) => box.close(write, revision)));
			try {
				return await database.use((db) => commitRows(db, { checks, closed, durability }));
			} catch (error) {
				return failureOf(error);
			}
		},
	};
}

interface Wanted {
	readonly store: StoreName;
	readonly key: string;
	resolve(row: StoredRow | undefined): void;
	reject(error: unknown): void;
}

/** Reads single rows; those asked for in one go share a transaction, which costs far more than a read. */
function createReader(database: IdbDatabase) {
	let waiting: Wanted[] = [];

	async function readAll(): Promise<void> {
		const wanted = waiting;
		waiting = [];
		try {
			const rows = await database.use((db) => {
				const tx = unwrap(db).transaction([...new Set(wanted.map(({ store }) => store))]);
				return readRows(tx, wanted);
			});
			for (const [index, { resolve }] of wanted.entries()) resolve(rows[index]);
		} catch (error) {
			for (const { reject } of wanted) reject(error);
		}
	}

	return (store: StoreName, key: string) =>
		new Promise<StoredRow | undefined>((resolve, reject) => {
			if (waiting.length === 0) queueMicrotask(() => void readAll());
			waiting.push({ store, key, resolve, reject });
		});
}

/**
 * The rows under these keys. On bare requests, whose answers come in order: only the last one is waited for, because a
 * batch has hundreds and a promise for each costs more than the reading.
 */
function readRows(
	tx: IDBTransaction,
	wanted: readonly Pick<Check, 'store' | 'key'>[],
): Promise<readonly (StoredRow | undefined)[]> {
	const requests = wanted.map(
		({ store, key }) => tx.objectStore(store).get(key) as IDBRequest<StoredRow | undefined>,
	);
	return new Promise((resolve, reject) => {
		const last = requests.at(-1);
		if (!last) resolve([]);
		last?.addEventListener('success', () => resolve(requests.map(({ result }) => result)));
		tx.addEventListener('abort', () => reject(reasonOf(tx)));
	});
}

async function rowsIn(db: Opened, store: StoreName, wanted: KeyRange) {
	const range = rangeOf(wanted);
	const limit = Math.min(wanted.limit, MOST_ROWS);
	if (!range || limit === 0) return [];
	const shelf = db.transaction(store).store;
	if (!wanted.newestFirst) {
		// Far faster than a cursor; both see the same state, for they are of one transaction.
		const [keys, found] = await Promise.all([
			shelf.getAllKeys(range, limit),
			shelf.getAll(range, limit),
		]);
		return found.map((row, index) => ({ key: keys[index] ?? '', row }));
	}
	// A cursor that steps back row by row is slow: it jumps to where the page begins, and all is read from there.
	const newest = await shelf.openKeyCursor(range, 'prev');
	if (!newest) return [];
	const last = newest.key;
	const start = limit > 1 ? await newest.advance(limit - 1) : newest;
	const page = IDBKeyRange.bound(start ? start.key : range.lower, last, !start && range.lowerOpen);
	const [keys, found] = await Promise.all([shelf.getAllKeys(page), shelf.getAll(page)]);
	return found.map((row, index) => ({ key: keys[index] ?? '', row })).reverse();
}

interface Commit {
	readonly checks: readonly Check[];
	readonly closed: readonly Closed[];
	readonly durability: Durability;
}

/**
 * One IndexedDB transaction: it compares, and only then writes; on disk before it says so. A row that must be new is
 * added instead of looked for.
 */
async function commitRows(
	db: Opened,
	{ checks, closed, durability }: Commit,
): Promise<'done' | 'conflict'> {
	const names = new Set([...checks, ...closed].map(({ store }) => store));
	const tx = unwrap(db).transaction([...names], 'readwrite', { durability });
	const ended = endOf(tx);
	const written = new Set(
		closed.flatMap(({ store, key, row }) => (row ? [`${store}/${key}`] : [])),
	);
	const isNew = ({ store, key, revision }: Check) =>
		revision === undefined && written.has(`${store}/${key}`);
	const added = new Set(checks.filter(isNew).map(({ store, key }) => `${store}/${key}`));
	const compared = checks.filter((check) => !isNew(check));
	const current = await readRows(tx, compared);
	const moved = compared.some(({ revision }, index) => current[index]?.revision !== revision);
	if (!moved) {
		for (const { store, key, row } of closed) {
			const shelf = tx.objectStore(store);
			if (!row) shelf.delete(key);
			else if (added.has(`${store}/${key}`)) shelf.add(row, key);
			else shelf.put(row, key);
		}
	}
	const end = await ended;
	return moved ? 'conflict' : end;
}

/** A row that was to be new is there already: another writer was faster. Rejects with what else went wrong. */
function endOf(tx: IDBTransaction): Promise<'done' | 'conflict'> {
	return new Promise((resolve, reject) => {
		tx.addEventListener('complete', () => resolve('done'));
		tx.addEventListener('abort', () => {
			if (tx.error?.name === 'ConstraintError') resolve('conflict');
			else reject(reasonOf(tx));
		});
	});
}

function reasonOf({ error }: IDBTransaction): DOMException {
	return error ?? new DOMException('The transaction was cut off', 'AbortError');
}

function failureOf(error: unknown): StoreFailure {
	if (error instanceof DatabaseUnavailable) return 'unavailable';
	if (error instanceof DOMException && error.name === 'QuotaExceededError') return 'full';
	throw error;
}

interface IdbStoreOptions {
	readonly sealer: RowSealer;
	readonly changes: TouchedChannel;
	readonly durability: Durability;
}

export function createIdbStore(
	database: IdbDatabase,
	{ sealer, changes, durability }: IdbStoreOptions,
): Store {
	const backend = backendOf(database, sealer, durability);
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
