// The store in IndexedDB. Rows are sealed before a transaction opens and opened after it closed, because IndexedDB
// ends a transaction that waits for anything else.
import { unwrap } from 'idb';
import type { MessageId } from '../../protocol/ids.ts';
import type { Entry, KeyRange, Store, StoreFailure, Touched } from '../ports.ts';
import { messageOf, type Rows, type StoreName } from '../records.ts';
import { DatabaseUnavailable, type IdbDatabase, type Opened } from './idb-database.ts';
import {
	createListeners,
	transactOn,
	type Backend,
	type Check,
	type Commit,
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
const PLAIN: ReadonlySet<StoreName> = new Set<StoreName>(['seen', 'heard']);

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
			const row: StoredRow = { revision, sealed };
			return { store, key, row: store === 'messages' ? { ...row, message: messageOf(key) } : row };
		},
	};
}

type Closed = Awaited<ReturnType<ReturnType<typeof createRowBox>['close']>>;

function backendOf(database: IdbDatabase, sealer: RowSealer, durability: Durability): Backend {
	const box = createRowBox(sealer);
	const readRow = inOneGo<Place, StoredRow>((wanted) =>
		database.use((db) => {
			const stores = new Set(wanted.map(({ store }) => store));
			return readRows(unwrap(db).transaction([...stores]), wanted);
		}),
	);
	const readPlace = inOneGo<MessageId, string>((wanted) =>
		database.use((db) => readPlaces(unwrap(db).transaction('messages'), wanted)),
	);

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
			const row = await readRow({ store, key });
			if (!row) return undefined;
			const versioned: Versioned<Name> = {
				revision: row.revision,
				value: await box.open(store, key, row),
			};
			return versioned;
		},
		locate: readPlace,
		async commit({ checks, located, writes }) {
			const revision = newRevision();
			const closed = await Promise.all(writes.map((write) => box.close(write, revision)));
			try {
				return await database.use((db) => {
					return commitRows(db, { checks, located, closed, durability });
				});
			} catch (error) {
				return failureOf(error);
			}
		},
	};
}

type Place = Pick<Check, 'store' | 'key'>;

/** Asks for what is wanted in one go together: a transaction costs far more than a read. */
function inOneGo<Wanted, Found>(
	findAll: (wanted: readonly Wanted[]) => Promise<readonly (Found | undefined)[]>,
): (wanted: Wanted) => Promise<Found | undefined> {
	interface Waiting {
		readonly wanted: Wanted;
		resolve(found: Found | undefined): void;
		reject(error: unknown): void;
	}
	let waiting: Waiting[] = [];

	async function ask(): Promise<void> {
		const asked = waiting;
		waiting = [];
		try {
			const found = await findAll(asked.map(({ wanted }) => wanted));
			for (const [index, { resolve }] of asked.entries()) resolve(found[index]);
		} catch (error) {
			for (const { reject } of asked) reject(error);
		}
	}

	return (wanted) =>
		new Promise((resolve, reject) => {
			if (waiting.length === 0) queueMicrotask(() => void ask());
			waiting.push({ wanted, resolve, reject });
		});
}

/**
 * The rows under these keys. On bare requests, whose answers come in order: only the last one is waited for, because a
 * batch has hundreds and a promise for each costs more than the reading.
 */
function readRows(
	tx: IDBTransaction,
	wanted: readonly Place[],
): Promise<readonly (StoredRow | undefined)[]> {
	return answersOf(
		tx,
		wanted.map(({ store, key }) => tx.objectStore(store).get(key)),
	);
}

/** The keys under which these messages are stored, in the same way. */
async function readPlaces(
	tx: IDBTransaction,
	wanted: readonly MessageId[],
): Promise<readonly (string | undefined)[]> {
	if (wanted.length === 0) return [];
	const index = tx.objectStore('messages').index('message');
	return answersOf(
		tx,
		wanted.map((id) => index.getKey(id)),
	);
}

function answersOf<Answer>(
	tx: IDBTransaction,
	requests: readonly IDBRequest[],
): Promise<readonly Answer[]> {
	return new Promise((resolve, reject) => {
		const last = requests.at(-1);
		if (!last) resolve([]);
		last?.addEventListener('success', () => {
			resolve(requests.map(({ result }) => result as Answer));
		});
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

interface ClosedCommit extends Omit<Commit, 'writes'> {
	readonly closed: readonly Closed[];
	readonly durability: Durability;
}

/** One IndexedDB transaction: it compares, and only then writes; on disk before it says so. */
async function commitRows(db: Opened, commit: ClosedCommit): Promise<'done' | 'conflict'> {
	const { checks, located, closed, durability } = commit;
	const names = new Set([...checks, ...closed].map(({ store }) => store));
	if (located.length > 0) names.add('messages');
	const tx = unwrap(db).transaction([...names], 'readwrite', { durability });
	const ended = endOf(tx);
	const added = rowsToAdd(commit);
	const compared = checks.filter(({ store, key }) => !added.has(`${store}/${key}`));
	const placed = located.filter(({ id, key }) => key !== undefined || !added.has(id));
	const ids = placed.map(({ id }) => id);
	const [current, places] = await Promise.all([readRows(tx, compared), readPlaces(tx, ids)]);
	const moved =
		compared.some(({ revision }, index) => current[index]?.revision !== revision) ||
		placed.some(({ key }, index) => places[index] !== key);
	if (!moved) write(tx, closed, added);
	const end = await ended;
	return moved ? 'conflict' : end;
}

/** What must be new is added, which fails where it is not, instead of looked for: by place, and messages also by id. */
function rowsToAdd({ checks, located, closed }: ClosedCommit): ReadonlySet<string> {
	const written = new Map<string, StoredRow>();
	for (const { store, key, row } of closed) if (row) written.set(`${store}/${key}`, row);
	const added = new Set<string>();
	for (const { store, key, revision } of checks) {
		const name = `${store}/${key}`;
		if (revision === undefined && written.has(name)) added.add(name);
	}
	const absent = new Set(located.flatMap(({ id, key }) => (key === undefined ? [id] : [])));
	for (const [name, { message }] of written) {
		if (message === undefined || !absent.has(message)) continue;
		added.add(name);
		added.add(message);
	}
	return added;
}

/** What goes makes room first: a message may change its place. */
function write(tx: IDBTransaction, closed: readonly Closed[], added: ReadonlySet<string>): void {
	for (const { store, key, row } of closed) if (!row) tx.objectStore(store).delete(key);
	for (const { store, key, row } of closed) {
		if (!row) continue;
		if (added.has(`${store}/${key}`)) tx.objectStore(store).add(row, key);
		else tx.objectStore(store).put(row, key);
	}
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
		locate: backend.locate,
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
