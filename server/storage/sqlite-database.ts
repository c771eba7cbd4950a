// The relay's tables and what is done to them. Synchronous: it runs in a worker thread, inside transactions that
// the worker opens and closes (sqlite-worker.ts).
import type { DatabaseSync, StatementResultingChanges, StatementSync } from 'node:sqlite';
import { DELIVERY_KINDS, type PushSubscriptionData } from '../../src/protocol/frames.ts';
import type {
	Address,
	ChannelId,
	DeviceId,
	EnvelopeId,
	MailboxSeq,
} from '../../src/protocol/ids.ts';
import { Slab } from '../../src/protocol/slab.ts';
import type { DatabaseFigures } from '../relay/figures.ts';
import type {
	AddressRecord,
	CapsuleRecord,
	ChannelChange,
	ChannelOutcome,
	ChannelRecord,
	ExpiredMessage,
	HeldCapsule,
	Message,
	Posting,
	RelayStore,
	StoredMessage,
	StoreResult,
} from '../relay/ports.ts';
import { lockFile, openDatabase, roomIn, usedBytes, type DatabaseOptions } from './sqlite-file.ts';

/** The store's operations without the waiting: what a promise of the port brings, they return. */
export type SyncOperations = {
	[Name in Exclude<keyof RelayStore, 'close'>]: (
		...parameters: Parameters<RelayStore[Name]>
	) => Awaited<ReturnType<RelayStore[Name]>> extends StoreResult<infer Value> ? Value : never;
};

/** What a row takes beside what it carries, with its index entries, bytes; rather too much than too little. */
const ROW_BYTES = 512;

/**
 * Messages are numbered as they come, so the first are the oldest, but for a clock that was set back. This many that are
 * too young are looked past; mail behind more of them expires once they do.
 */
const CLOCK_DISORDER = 256;

/** What an operation would add has no room below the bound. It has changed nothing. */
export class NoRoom extends Error {}

/** Mailboxes whose use is kept in memory. */
const MAX_KNOWN_USES = 100_000;

interface MessageColumns {
	sender: DeviceId;
	envelope: EnvelopeId;
	kind: number;
	channel: ChannelId;
	epoch: number;
	at: number;
}

type Row = Record<string, unknown>;

export class SqliteDatabase implements SyncOperations {
	readonly #database: DatabaseSync;
	readonly #lock: DatabaseSync;
	readonly #options: DatabaseOptions;
	/** For bodies on their way to the relay. */
	readonly #bodies = new Slab();
	readonly #statements = new Map<string, StatementSync>();
	/** How much each mailbox holds; forgotten when a transaction fails. */
	readonly #uses = new Map<DeviceId, { messages: number; bytes: number }>();
	/** Bytes that this transaction may add. */
	#room = Infinity;

	/** Throws an Error with a sentence for the operator when the file is not a healthy database of ours. */
	constructor(options: DatabaseOptions) {
		this.#options = options;
		this.#lock = lockFile(options.path);
		this.#database = openDatabase(options);
	}

	begin(): void {
		this.#run('BEGIN');
		this.#room = roomIn(this.#database, this.#options.maxBytes);
	}

	commit(): void {
		this.#run('COMMIT');
	}

	rollback(): void {
		this.#uses.clear();
		if (this.#database.isTransaction) this.#run('ROLLBACK');
	}

	close(): void {
		this.#database.close();
		this.#lock.close();
	}

	reserve(count: number): MailboxSeq {
		const row = this.#row('UPDATE sequence SET next = next + ? RETURNING next', count);
		return Number(row?.next) - count;
	}

	openMailbox(mailbox: DeviceId, create: boolean): boolean {
		const known = this.#row('SELECT 1 FROM mailboxes WHERE mailbox = ?', mailbox) !== undefined;
		if (known || !create) return known;
		this.#grow(0);
		this.#run('INSERT INTO mailboxes VALUES (?)', mailbox);
		return true;
	}

	append(posting: Posting): { full: DeviceId[] } {
		const size = sizeOf(posting);
		// What is known already takes no room.
		if (this.#room < ROW_BYTES + size && this.#knows(posting.message)) return { full: [] };
		this.#grow(size);
		return this.#append(posting);
	}

	#append({ message, targets }: Posting): { full: DeviceId[] } {
		const full: DeviceId[] = [];
		const { sender, envelope, kind, channel, epoch, at, body } = message;
		const kindNumber = DELIVERY_KINDS.indexOf(kind);
		const fitting = targets.filter(({ mailbox }) => {
			const fits = this.#hasRoom(mailbox, body.length);
			if (!fits) full.push(mailbox);
			return fits;
		});
		if (fitting.length === 0) return { full: this.#knows(message) ? [] : full };
		const waitsIn = JSON.stringify(fitting.map(({ mailbox, seq }) => [mailbox, seq]));
		const inserted = this.#run(
			`INSERT INTO messages (sender, envelope, kind, channel, epoch, at, holders, body, targets)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			...[sender, envelope, kindNumber, channel, epoch, at, fitting.length, body, waitsIn],
		);
		if (inserted.changes === 0) return { full: [] };
		const number = Number(inserted.lastInsertRowid);
		for (const { mailbox, seq } of fitting) {
			this.#run('INSERT INTO waiting VALUES (?, ?, ?, ?)', mailbox, seq, number, body.length);
			this.#use(mailbox, 1, body.length);
		}
		return { full };
	}

	read(
		mailbox: DeviceId,
		after: MailboxSeq,
		room: { rows: number; bytes: number },
	): StoredMessage[] {
		const rows = this.#prepare(
			`SELECT seq, sender, envelope, kind, channel, epoch, at, body
			FROM waiting JOIN messages ON number = message
			WHERE mailbox = ? AND seq > ? ORDER BY seq LIMIT ?`,
		).iterate(mailbox, after, room.rows);
		const page: StoredMessage[] = [];
		let bytes = 0;
		for (const row of rows as Iterable<Row>) {
			const body = this.#bodies.copy(row.body as Uint8Array);
			page.push({ seq: Number(row.seq), message: { ...messageOf(row), body } });
			bytes += body.length;
			if (bytes >= room.bytes) break;
		}
		return page;
	}

	acknowledge(mailbox: DeviceId, seq: MailboxSeq): void {
		const gone = this.#prepare(
			'DELETE FROM waiting WHERE mailbox = ? AND seq <= ? RETURNING message, size',
		).all(mailbox, seq);
		for (const row of gone) this.#release(mailbox, row);
	}

	expired(before: number, rows: number): ExpiredMessage[] {
		const inOrder = this.#prepare(
			`SELECT number, sender, envelope, kind, channel, epoch, at, targets
			FROM messages ORDER BY number`,
		).iterate();
		const found: ExpiredMessage[] = [];
		let younger = 0;
		for (const row of inOrder as Iterable<Row>) {
			if (Number(row.at) >= before) {
				if (++younger > CLOCK_DISORDER) break;
				continue;
			}
			const message = messageOf(row);
			for (const [mailbox, seq] of this.#waitsIn(row)) found.push({ mailbox, seq, message });
			if (found.length >= rows) break;
		}
		return found.sort((a, b) => a.message.at - b.message.at).slice(0, rows);
	}

	drop(expired: readonly ExpiredMessage[], notices: readonly Posting[]): void {
		for (const { mailbox, seq } of expired) {
			const row = this.#row(
				'DELETE FROM waiting WHERE mailbox = ? AND seq = ? RETURNING message, size',
				...[mailbox, seq],
			);
			if (row) this.#release(mailbox, row);
		}
		for (const notice of notices) this.#append(notice);
	}

	readChannel(channel: ChannelId): ChannelRecord | undefined {
		const row = this.#row('SELECT record FROM channels WHERE channel = ?', channel);
		return row && (JSON.parse(String(row.record)) as ChannelRecord);
	}

	changeChannel(change: ChannelChange): ChannelOutcome {
		const { channel, revision, next, addresses, postings, snapshot } = change;
		const found = this.#row('SELECT revision FROM channels WHERE channel = ?', channel);
		const current = found ? Number(found.revision) : null;
		if (current !== revision || addresses.some((record) => !this.#follows(record)))
			return { is: 'conflict' };
		for (const { message, targets } of postings)
			for (const { mailbox, required } of targets)
				if (required && !this.#hasRoom(mailbox, message.body.length)) return { is: 'full' };
		const record = next && JSON.stringify(next);
		const sizes = [record?.length ?? 0, snapshot?.length ?? 0, ...postings.map(sizeOf)];
		const cards = addresses.map(({ card }) => ROW_BYTES + (card?.length ?? 0));
		this.#grow([...sizes, ...cards].reduce((sum, size) => sum + size, 0));
		if (next)
			this.#run(
				'INSERT OR REPLACE INTO channels VALUES (?, ?, ?)',
				...[channel, next.revision, record],
			);
		else this.#run('DELETE FROM channels WHERE channel = ?', channel);
		if (snapshot) this.#run('INSERT OR REPLACE INTO snapshots VALUES (?, ?)', channel, snapshot);
		else if (snapshot === null || !next)
			this.#run('DELETE FROM snapshots WHERE channel = ?', channel);
		for (const record of addresses) this.#writeAddress(record);
		return { is: 'changed', full: postings.flatMap((posting) => this.#append(posting).full) };
	}

	readSnapshot(channel: ChannelId): Uint8Array | undefined {
		const row = this.#row('SELECT sealed FROM snapshots WHERE channel = ?', channel);
		return row && new Uint8Array(row.sealed as Uint8Array);
	}

	readAddresses(addresses: readonly Address[]): (AddressRecord | undefined)[] {
		return addresses.map((address) => {
			const row = this.#row('SELECT record, card FROM addresses WHERE address = ?', address);
			if (!row) return undefined;
			const card = row.card === null ? null : new Uint8Array(row.card as Uint8Array);
			return { ...(JSON.parse(String(row.record)) as AddressRecord), card };
		});
	}

	putAddress(record: AddressRecord, max: number): 'put' | 'conflict' | 'too-many' {
		if (!this.#follows(record)) return 'conflict';
		if (record.version === 1) {
			const count = 'SELECT count(*) AS held FROM addresses WHERE owner = ?';
			if (Number(this.#row(count, record.owner)?.held) >= max) return 'too-many';
		}
		this.#grow(record.card?.length ?? 0);
		this.#writeAddress(record);
		return 'put';
	}

	purgeAddresses(before: number): void {
		this.#run('DELETE FROM addresses WHERE ends < ?', before);
	}

	readPush(mailbox: DeviceId): PushSubscriptionData | undefined {
		const row = this.#row('SELECT subscription FROM push WHERE mailbox = ?', mailbox);
		return row && (JSON.parse(String(row.subscription)) as PushSubscriptionData);
	}

	writePush(mailbox: DeviceId, subscription: PushSubscriptionData | null): void {
		if (subscription) {
			this.#grow(ROW_BYTES);
			this.#run('INSERT OR REPLACE INTO push VALUES (?, ?)', mailbox, JSON.stringify(subscription));
		} else this.#run('DELETE FROM push WHERE mailbox = ?', mailbox);
	}

	readCapsule(place: string): Uint8Array | undefined {
		const row = this.#row(
			'SELECT sealed FROM capsules WHERE place = ?1 UNION SELECT sealed FROM pointers WHERE place = ?1',
			place,
		);
		return row && new Uint8Array(row.sealed as Uint8Array);
	}

	putCapsule(record: CapsuleRecord, takesOver: boolean): 'put' | 'taken' {
		const { place, keeper, at, sealed, pointer } = record;
		const others = [this.#keeperOf(place), pointer && this.#keeperOfPointer(pointer.place)];
		if (!takesOver && others.some((other) => other !== undefined && other !== keeper))
			return 'taken';
		this.#grow(sealed.length + (pointer?.sealed.length ?? 0));
		this.#run('DELETE FROM capsules WHERE keeper = ? OR place = ?', keeper, place);
		this.#run(
			'INSERT INTO capsules (place, keeper, at, sealed) VALUES (?, ?, ?, ?)',
			...[place, keeper, at, sealed],
		);
		if (pointer) {
			this.#run(
				'INSERT OR REPLACE INTO pointers (place, capsule, sealed) VALUES (?, ?, ?)',
				...[pointer.place, place, pointer.sealed],
			);
		}
		return 'put';
	}

	keepCapsule({ place, keeper, at }: HeldCapsule): 'kept' | 'taken' | 'unknown' {
		const known = this.#keeperOf(place);
		if (known !== keeper) return known === undefined ? 'unknown' : 'taken';
		this.#run('UPDATE capsules SET at = ? WHERE place = ?', at, place);
		return 'kept';
	}

	dropCapsule(place: string, keeper: DeviceId): 'dropped' | 'taken' {
		if ((this.#keeperOf(place) ?? keeper) !== keeper) return 'taken';
		this.#run('DELETE FROM capsules WHERE place = ?', place);
		return 'dropped';
	}

	purgeCapsules(before: number): void {
		this.#run('DELETE FROM capsules WHERE at < ?', before);
	}

	/** Counts rows, so it is for the operator, once in a while. */
	figures(): DatabaseFigures {
		const count = (table: string) => Number(this.#row(`SELECT count(*) AS n FROM ${table}`)?.n);
		const waiting = this.#row('SELECT count(*) AS n, sum(size) AS bytes FROM waiting');
		return {
			...{ mailboxes: count('mailboxes'), channels: count('channels') },
			...{ waitingMessages: Number(waiting?.n), waitingBytes: Number(waiting?.bytes ?? 0) },
			databaseBytes: usedBytes(this.#database),
			maxBytes: this.#options.maxBytes,
		};
	}

	/** Takes room for a row that carries `bytes`; throws {@link NoRoom}, so it comes before all changes. */
	#grow(bytes: number): void {
		if (this.#room < ROW_BYTES + bytes) throw new NoRoom();
		this.#room -= ROW_BYTES + bytes;
	}

	/** The mailboxes in which a message still waits, and under which number. */
	#waitsIn({ number, targets }: Row): (readonly [DeviceId, MailboxSeq])[] {
		// A relay of before wrote it.
		if (typeof targets !== 'string')
			return this.#prepare('SELECT mailbox, seq FROM waiting WHERE message = ?')
				.all(Number(number))
				.map(({ mailbox, seq }) => [mailbox as DeviceId, Number(seq)]);
		const waits = 'SELECT 1 FROM waiting WHERE mailbox = ? AND seq = ?';
		const all = JSON.parse(targets) as [DeviceId, MailboxSeq][];
		return all.filter(([mailbox, seq]) => this.#row(waits, mailbox, seq) !== undefined);
	}

	#keeperOf(place: string): unknown {
		return this.#row('SELECT keeper FROM capsules WHERE place = ?', place)?.keeper;
	}

	#keeperOfPointer(place: string): unknown {
		const pointed = 'SELECT capsule FROM pointers WHERE place = ?';
		return this.#row(`SELECT keeper FROM capsules WHERE place = (${pointed})`, place)?.keeper;
	}

	#prepare(sql: string): StatementSync {
		const known = this.#statements.get(sql);
		if (known) return known;
		const statement = this.#database.prepare(sql);
		this.#statements.set(sql, statement);
		return statement;
	}

	#run(sql: string, ...values: (string | number | Uint8Array | null)[]): StatementResultingChanges {
		return this.#prepare(sql).run(...values);
	}

	#row(sql: string, ...values: (string | number | Uint8Array)[]): Row | undefined {
		return this.#prepare(sql).get(...values);
	}

	#knows({ sender, envelope, kind }: Message): boolean {
		const sql = 'SELECT 1 FROM messages WHERE sender = ? AND envelope = ? AND kind = ?';
		return this.#row(sql, sender, envelope, DELIVERY_KINDS.indexOf(kind)) !== undefined;
	}

	#follows({ address, version }: AddressRecord): boolean {
		const row = this.#row('SELECT version FROM addresses WHERE address = ?', address);
		return Number(row?.version ?? 0) === version - 1;
	}

	#writeAddress({ card, ...record }: AddressRecord): void {
		const ends = record.revoked ? record.changedAt : record.policy.expires;
		this.#run(
			'INSERT OR REPLACE INTO addresses VALUES (?, ?, ?, ?, ?, ?)',
			...[record.address, record.owner, record.version, JSON.stringify(record), card, ends],
		);
	}

	/** One mailbox fewer holds a message; the last one takes it along. */
	#release(mailbox: DeviceId, { message, size }: Row): void {
		this.#use(mailbox, -1, -Number(size));
		const last = this.#prepare('DELETE FROM messages WHERE number = ? AND holders = 1');
		if (last.run(Number(message)).changes === 0)
			this.#run('UPDATE messages SET holders = holders - 1 WHERE number = ?', Number(message));
	}

	#usesOf(mailbox: DeviceId): { messages: number; bytes: number } {
		let use = this.#uses.get(mailbox);
		if (!use) {
			const sql = 'SELECT count(*) AS messages, sum(size) AS bytes FROM waiting WHERE mailbox = ?';
			const row = this.#row(sql, mailbox);
			use = { messages: Number(row?.messages ?? 0), bytes: Number(row?.bytes ?? 0) };
			if (this.#uses.size >= MAX_KNOWN_USES) this.#uses.clear();
			this.#uses.set(mailbox, use);
		}
		return use;
	}

	#use(mailbox: DeviceId, messages: number, bytes: number): void {
		const use = this.#uses.get(mailbox);
		if (!use) return; // counted from the rows when it matters
		use.messages += messages;
		use.bytes += bytes;
	}

	#hasRoom(mailbox: DeviceId, size: number): boolean {
		const use = this.#usesOf(mailbox);
		const { quota } = this.#options;
		return use.messages < quota.messages && use.bytes + size <= quota.bytes;
	}
}

function sizeOf({ message, targets }: Posting): number {
	return message.body.length + targets.length * ROW_BYTES;
}

function messageOf(row: Row): Omit<Message, 'body'> {
	const { sender, envelope, kind, channel, epoch, at } = row as unknown as MessageColumns;
	const name = DELIVERY_KINDS[kind];
	if (!name) throw new Error(`the database holds a message of unknown kind ${kind}`);
	return { kind: name, sender, envelope, channel, epoch, at };
}
