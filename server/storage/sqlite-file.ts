// The database as a file: whose it is, which tables stand in it, and whether it is whole. Every failure is a sentence
// for the operator.
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface DatabaseOptions {
	readonly path: string;
	readonly quota: { readonly messages: number; readonly bytes: number };
	/** The file grows no further than this, bytes; what does not fit is `busy`. Null: as far as the disk goes. */
	readonly maxBytes: number | null;
	/** Whether it is read through first, if it is not too large for that. */
	readonly checks?: boolean;
}

/** What the database may take of what its disk has for it: the rest is for its log, backups and everybody else. */
const SHARE_OF_DISK = 0.5;
/** What mail leaves of the bound, so that what makes room again, such as an acknowledgement, finds some itself. */
const SHARE_OF_MAIL = 15 / 16;

/** "kith" in ASCII: tells our file from any other SQLite file. */
const APPLICATION_ID = 0x6b697468;
const SCHEMA_VERSION = 1;
const PAGE_SIZE = 4096;
/** Pages that stay in memory once they were used: what a backlog of some ten thousand messages touches over and over. */
const CACHE_KIB = 16 * 1024;
/** The log's pages that are brought into the database at one time: a page that changed often is written there once. */
const LOGGED_PAGES = 4096;
/** Larger files are not read through at every start; damage there shows when the page is read. */
const CHECKED_AT_START = 1024 * 1024 * 1024;
const SCHEMA = `
	CREATE TABLE sequence (next INTEGER NOT NULL) STRICT;
	INSERT INTO sequence VALUES (1);
	CREATE TABLE mailboxes (mailbox TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
	CREATE TABLE messages (
		number INTEGER PRIMARY KEY,
		sender TEXT NOT NULL, envelope TEXT NOT NULL, kind INTEGER NOT NULL,
		channel TEXT NOT NULL, epoch INTEGER NOT NULL, at INTEGER NOT NULL,
		holders INTEGER NOT NULL, body BLOB NOT NULL, targets TEXT,
		UNIQUE (sender, envelope, kind)
	) STRICT;
	CREATE TABLE waiting (
		mailbox TEXT NOT NULL, seq INTEGER NOT NULL, message INTEGER NOT NULL, size INTEGER NOT NULL,
		PRIMARY KEY (mailbox, seq)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE channels (
		channel TEXT PRIMARY KEY, revision INTEGER NOT NULL, record TEXT NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TABLE snapshots (channel TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
	CREATE TABLE addresses (
		address TEXT PRIMARY KEY, owner TEXT NOT NULL, version INTEGER NOT NULL,
		record TEXT NOT NULL, card BLOB, ends INTEGER
	) STRICT;
	CREATE INDEX addresses_by_owner ON addresses (owner);
	CREATE INDEX addresses_by_end ON addresses (ends) WHERE ends IS NOT NULL;
	CREATE TABLE capsules (
		place TEXT PRIMARY KEY, keeper TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, sealed BLOB NOT NULL
	) STRICT;
	CREATE INDEX capsules_by_age ON capsules (at);
	CREATE TABLE push (mailbox TEXT PRIMARY KEY, subscription TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Came later: made where it is missing. A relay of before does not know it, and SQLite keeps it true all the same. */
const ADDED = `
	CREATE TABLE IF NOT EXISTS pointers (
		place TEXT PRIMARY KEY,
		capsule TEXT NOT NULL UNIQUE REFERENCES capsules (place) ON DELETE CASCADE,
		sealed BLOB NOT NULL
	) STRICT;
`;

/** The bound of a database where the operator set none, bytes: the same at every start, while nobody else takes space. */
export function boundByDisk(path: string): number {
	const { bavail, bsize } = statfsSync(dirname(path));
	const taken = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
	return Math.floor((taken + bavail * bsize) * SHARE_OF_DISK);
}

/** Bytes that may still be added; Infinity without a bound. */
export function roomIn(database: DatabaseSync, maxBytes: number | null): number {
	if (maxBytes === null) return Infinity;
	return maxBytes * SHARE_OF_MAIL - usedBytes(database);
}

/** What the database holds, without the pages that are free for others. */
export function usedBytes(database: DatabaseSync): number {
	const free = pragma(database, 'freelist_count');
	return (pragma(database, 'page_count') - free) * PAGE_SIZE;
}

/**
 * Until expiry walked along the messages, two indexes served it, and each message paid for both. A message now names the
 * mailboxes that it waits in. The version stays: a relay of before, to which an upgrade may fall back, works all the
 * same, and what it writes meanwhile names none.
 */
const WITHOUT_INDEXES = `
	BEGIN;
	ALTER TABLE messages ADD COLUMN targets TEXT;
	UPDATE messages SET targets = (
		SELECT json_group_array(json_array(mailbox, seq)) FROM waiting WHERE message = number
	);
	DROP INDEX messages_by_age;
	DROP INDEX waiting_by_message;
	COMMIT;
`;

function migrate(database: DatabaseSync): void {
	const before = "SELECT count(*) AS count FROM sqlite_schema WHERE name = 'messages_by_age'";
	if (Number(database.prepare(before).get()?.count) > 0) database.exec(WITHOUT_INDEXES);
	database.exec(ADDED);
}

/**
 * One relay per database: two would hand out the same sequence numbers and disagree about channels. The lock is a
 * transaction on a file beside it, which the system ends with the process, however that ends; the database itself
 * stays open to readers, such as a backup.
 */
export function lockFile(path: string): DatabaseSync {
	let lock: DatabaseSync | undefined;
	try {
		lock = new DatabaseSync(`${path}.lock`);
		lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
		return lock;
	} catch (error) {
		lock?.close();
		const SQLITE_BUSY = 5;
		if ((error as { errcode?: number }).errcode !== SQLITE_BUSY)
			throw new Error(explained(path, error), { cause: error });
		throw new Error(
			`Another relay is using ${path}. Stop it, or set KITH_DATA to another directory.`,
			{ cause: error },
		);
	}
}

/** Opens it for the relay, made where there is none yet. */
export function openDatabase({
	path,
	maxBytes,
	checks = true,
}: Omit<DatabaseOptions, 'quota'>): DatabaseSync {
	let database: DatabaseSync | undefined;
	try {
		database = new DatabaseSync(path);
		database.exec(`
			PRAGMA page_size = ${PAGE_SIZE};
			PRAGMA synchronous = FULL;
			PRAGMA secure_delete = FAST;
			PRAGMA journal_size_limit = 67108864;
			PRAGMA cache_size = -${CACHE_KIB};
			PRAGMA wal_autocheckpoint = ${LOGGED_PAGES};
		`);
		checkOrCreate(database, path, checks);
		// Only now: it may write, and a file that is damaged or not ours stays as it is.
		database.exec('PRAGMA journal_mode = WAL');
		migrate(database);
		const pages = maxBytes === null ? 0xfffffffe : Math.ceil(maxBytes / PAGE_SIZE);
		database.exec(`PRAGMA max_page_count = ${pages}`);
		return database;
	} catch (error) {
		if (database?.isOpen) database.close();
		throw new Error(explained(path, error), { cause: error });
	}
}

function checkOrCreate(database: DatabaseSync, path: string, checks: boolean): void {
	const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get();
	if (Number(tables?.count) === 0) {
		database.exec(`BEGIN; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID};
			PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
		return;
	}
	const size = pragma(database, 'page_count') * pragma(database, 'page_size');
	const depth = checks && size <= CHECKED_AT_START ? 'quick_check' : 'nothing';
	checkDatabase(database, path, depth);
}

/**
 * Throws a sentence where the database is not ours, of another version, or damaged as far as `depth` looks:
 * `integrity_check` reads everything, `quick_check` leaves out whether the indexes agree with their tables.
 */
export function checkDatabase(
	database: DatabaseSync,
	path: string,
	depth: 'integrity_check' | 'quick_check' | 'nothing',
): void {
	if (pragma(database, 'application_id') !== APPLICATION_ID)
		throw new Error(`${path} is a database of another program.`);
	const version = pragma(database, 'user_version');
	if (version !== SCHEMA_VERSION)
		throw new Error(
			`${path} has version ${version}, and this relay knows version ${SCHEMA_VERSION}. Start the version of Kith that wrote it.`,
		);
	if (isCutOff(path, pragma(database, 'page_size'))) throw new Error(damaged(path));
	if (depth === 'nothing') return;
	const check = database.prepare(`PRAGMA ${depth}(1)`).get();
	if (check?.[depth] !== 'ok') throw new Error(damaged(path));
}

/** SQLite reads what is missing of a last page as zeros. While there is a log, it may just not be written yet. */
function isCutOff(path: string, pageSize: number): boolean {
	const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
	return (log?.size ?? 0) === 0 && statSync(path).size % pageSize !== 0;
}

function pragma(database: DatabaseSync, name: string): number {
	return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

/** What went wrong with the file, in a sentence that says what to do. */
export function explained(path: string, error: unknown): string {
	if (isDamage(error)) return damaged(path);
	const message = error instanceof Error ? error.message : String(error);
	if ((error as { errcode?: number }).errcode === undefined) return message;
	return `${path} cannot be opened: ${message}.`;
}

/** Whether SQLite found that the file is no healthy database. */
export function isDamage(error: unknown): boolean {
	const SQLITE_CORRUPT = 11;
	const SQLITE_NOTADB = 26;
	const code = (error as { errcode?: number }).errcode;
	// The low byte is the kind of failure; what stands above it says more precisely where.
	return code !== undefined && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}

function damaged(path: string): string {
	return `${path} is damaged. Bring the latest backup back with: npm run relay -- restore DIR --replace (it keeps the damaged files aside). Without a backup, move that file and its -wal and -shm companions away and start: devices keep their own messages and send again what was not delivered.`;
}
