// The database of this origin and how it grew. Migrations are append-only: the index is the version, and each has a
// test that opens a stored database of the version before.
import type { DBSchema, IDBPDatabase } from 'idb';
import type { StoreName } from '../records.ts';

/** A row at rest: `sealed` is CBOR under the device's data key, bound to store and key. */
export interface StoredRow {
	readonly revision: number;
	readonly sealed: Uint8Array<ArrayBuffer>;
}

type RowStores = { [Name in StoreName]: { key: string; value: StoredRow } };

export interface Database extends DBSchema, RowStores {
	/** Key handles, structured-cloned: a CryptoKey that cannot be exported cannot be anything else. */
	vault: { key: string; value: unknown };
}

type Migration = (db: IDBPDatabase<Database>) => void;

const VERSION_1: readonly (StoreName | 'vault')[] = [
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
];

const VERSION_2: readonly StoreName[] = ['groups', 'entrances', 'receipts'];

const VERSION_3: readonly StoreName[] = ['recovery'];
const VERSION_4: readonly StoreName[] = ['requests'];
const VERSION_5: readonly StoreName[] = ['blocks', 'reports'];
const VERSION_6: readonly StoreName[] = [
	...(['siblings', 'deviceLists', 'offers', 'transfer', 'agreed'] as const),
];

export const MIGRATIONS: readonly Migration[] = [
	(db) => {
		for (const name of VERSION_1) db.createObjectStore(name);
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
];
