// The database of this origin and how it grew. Migrations are append-only: the index is the version, and each has a
// test that opens a stored database of the version before.
import type { DBSchema, IDBPDatabase, IDBPObjectStore, IDBPTransaction, StoreNames } from 'idb';
import type { MessageId } from '../../protocol/ids.ts';
import { messageOf, type StoreName } from '../records.ts';

/** A row at rest: `sealed` is CBOR under the device's data key, bound to store and key. */
export interface StoredRow {
	readonly revision: number;
	readonly sealed: Uint8Array<ArrayBuffer>;
	/** Of a message, by which it is found; its key says it, too. */
	readonly message?: MessageId;
}

type RowStores = { [Name in StoreName]: { key: string; value: StoredRow } };

export interface Database extends DBSchema, RowStores {
	messages: { key: string; value: StoredRow; indexes: { message: string } };
	/** Key handles, structured-cloned: a CryptoKey that cannot be exported cannot be anything else. */
	vault: { key: string; value: unknown };
}

type Upgrade = IDBPTransaction<Database, StoreNames<Database>[], 'versionchange'>;
type Migration = (db: IDBPDatabase<Database>, tx: Upgrade) => void | Promise<void>;

/** Stores as they were made, some of which a later version took away. */
const VERSION_1 = [
	'me',
	'settings',
	'clock',
	'conversations',
	'people',
	'messages',
	'messageKeys',
	'drafts',
	'outbox',
	'channels',
	'trees',
	'parked',
	'seen',
	'carried',
	'keyPackages',
	'invites',
	'contactAddresses',
	'vault',
] as const;

const VERSION_2: readonly StoreName[] = ['groups', 'entrances', 'receipts'];

const VERSION_3: readonly StoreName[] = ['recovery'];
const VERSION_4: readonly StoreName[] = ['requests'];
const VERSION_5: readonly StoreName[] = ['blocks', 'reports'];
const VERSION_6: readonly StoreName[] = [
	...(['siblings', 'deviceLists', 'offers', 'transfer', 'agreed'] as const),
];

export const MIGRATIONS: readonly Migration[] = [
	(db) => {
		for (const name of VERSION_1) db.createObjectStore(name as StoreName);
	},
	// Groups.
	(db) => {
		for (const name of VERSION_2) db.createObjectStore(name);
	},
	// Recovery codes.
	(db) => {
		for (const name of VERSION_3) db.createObjectStore(name);
	},
	// Requests to join a group.
	(db) => {
		for (const name of VERSION_4) db.createObjectStore(name);
	},
	// Blocking, reports.
	(db) => {
		for (const name of VERSION_5) db.createObjectStore(name);
	},
	// Several devices of one person.
	(db) => {
		for (const name of VERSION_6) db.createObjectStore(name);
	},
	// Messages are found by an index instead of a row each; what was heard is kept in pages.
	async (db, tx) => {
		db.createObjectStore('heard');
		db.deleteObjectStore('messageKeys' as StoreName);
		await nameMessages(tx.objectStore('messages'));
	},
];

/** Brings a database of version `from` up to date. */
export async function migrate(
	db: IDBPDatabase<Database>,
	tx: Upgrade,
	from: number,
): Promise<void> {
	for (const each of MIGRATIONS.slice(from)) await each(db, tx);
}

/** Rows that are rewritten at a time. */
const PAGE = 500;

/** Gives the rows what they are found by. A second row of one message would keep the database from ever opening: it goes. */
async function nameMessages(
	shelf: IDBPObjectStore<Database, StoreNames<Database>[], 'messages', 'versionchange'>,
): Promise<void> {
	const named = new Set<MessageId>();
	for (let range: IDBKeyRange | null = null; ;) {
		const [keys, rows] = await Promise.all([
			shelf.getAllKeys(range, PAGE),
			shelf.getAll(range, PAGE),
		]);
		for (const [index, row] of rows.entries()) {
			const key = keys[index] ?? '';
			const message = messageOf(key);
			void (named.has(message) ? shelf.delete(key) : shelf.put({ ...row, message }, key));
			named.add(message);
		}
		const last = keys.at(-1);
		if (last === undefined || keys.length < PAGE) break;
		range = IDBKeyRange.lowerBound(last, true);
	}
	shelf.createIndex('message', 'message', { unique: true });
}
