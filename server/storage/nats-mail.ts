// Mailboxes in JetStream: a row is one message of one subject, its number the place in the stream. There is no
// consumer per mailbox; the next row is asked for by subject, and what was acknowledged is deleted by number.
import * as cborg from 'cborg';
import { DELIVERY_KINDS } from '../../src/protocol/frames.ts';
import type { DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import type { ExpiredMessage, Message, StoredMessage } from '../relay/ports.ts';
import { Recent } from '../relay/recent.ts';
import type { MailboxQuota } from './memory-store.ts';
import { allShards, shardOf, type StreamMessage, type Streams } from './nats-streams.ts';

/**
 * Numbers that a relay may give, after each row, to messages which never become rows. 2^53 / 2^12 rows of a stream
 * last for fourteen years at five thousand a second.
 */
export const NUMBERS_PER_ROW = 4096;
/** Mailboxes whose use, and whose rows that were read, are kept in memory. */
const MAX_KNOWN = 100_000;
/** Messages of a mailbox by which copies are known: a sender that got no answer sends again within seconds. */
const KNOWN_MESSAGES = 4096;
export const TALLY = 'Kith-Tally';
const NO_TALLY = { messages: 0, bytes: 0 };

/** Rows and bytes, counted since the mailbox was made. */
interface Tally {
	readonly messages: number;
	readonly bytes: number;
}

/** What is known of a mailbox without asking. */
interface Known {
	/** Of the newest row. */
	newest: Tally;
	/** Of what was deleted so far, at least. */
	gone: Tally;
}

/** What was read of a mailbox since its device came. */
interface Read {
	/** Not acknowledged yet, oldest first, and complete. */
	readonly rows: StreamMessage[];
	/** The place of the first copy of each message. */
	readonly places: Recent<string, number>;
}

type Columns = [kind: number, ...Pick5, body: Uint8Array];
type Pick5 = [Message['sender'], Message['envelope'], Message['channel'], number, number];

export class Mail {
	readonly #streams: Streams;
	readonly #quota: MailboxQuota;
	readonly #known = new Map<DeviceId, Known>();
	readonly #read = new Map<DeviceId, Read>();

	constructor(streams: Streams, quota: MailboxQuota) {
		this.#streams = streams;
		this.#quota = quota;
	}

	/** True when the mailbox exists, or was made because `create` asked for it. */
	async open(mailbox: DeviceId, create: boolean): Promise<boolean> {
		const shard = shardOf(mailbox);
		const subject = `kith.box.${shard}.${mailbox}`;
		if (await this.#streams.last(streamOf(mailbox), subject)) return true;
		if (create) await this.#streams.publish(subject, new Uint8Array(0));
		return create;
	}

	async hasRoom(mailbox: DeviceId, size: number): Promise<boolean> {
		if (this.#fits(await this.#knownOf(mailbox), size)) return true;
		// Another relay may have deleted what this one still counts.
		this.#known.delete(mailbox);
		return this.#fits(await this.#knownOf(mailbox), size);
	}

	/** False when there is no room. The same message again is {@link read} once. */
	async append(mailbox: DeviceId, message: Message): Promise<boolean> {
		if (!(await this.hasRoom(mailbox, message.body.length))) return false;
		const known = await this.#knownOf(mailbox);
		const tally = plus(known.newest, message.body.length);
		const { sender, envelope, kind, channel, epoch, at, body } = message;
		const place = DELIVERY_KINDS.indexOf(kind);
		const columns: Columns = [place, sender, envelope, channel, epoch, at, body];
		await this.#streams.publish(subjectOf(mailbox), cborg.encode(columns), [
			[TALLY, `${tally.messages} ${tally.bytes}`],
		]);
		known.newest = tally;
		return true;
	}

	async read(
		mailbox: DeviceId,
		after: MailboxSeq,
		room: { rows: number; bytes: number },
	): Promise<StoredMessage[]> {
		const page: StoredMessage[] = [];
		const before = this.#read.get(mailbox);
		const places = before?.places ?? new Recent<string, number>(KNOWN_MESSAGES);
		const read: Read | undefined = after === 0 ? { rows: [], places } : before;
		let bytes = 0;
		let place = Math.floor(after / NUMBERS_PER_ROW);
		while (page.length < room.rows && (page.length === 0 || bytes < room.bytes)) {
			const row = await this.#next(mailbox, place + 1);
			if (!row) break;
			const message = messageOf(row);
			place = row.seq;
			if (read && !isNew(read, message, row.seq)) {
				// Its first copy is among those that were read; left behind, this one is met again at the next login.
				this.#streams.remove(streamOf(mailbox), row.seq).catch(() => undefined);
				continue;
			}
			bytes += message.body.length;
			page.push({ seq: numberOf(row), message });
			read?.rows.push(row);
		}
		if (after === 0 && read) this.#remember(mailbox, read);
		return page;
	}

	async acknowledge(mailbox: DeviceId, seq: MailboxSeq): Promise<void> {
		const place = Math.floor(seq / NUMBERS_PER_ROW);
		const rows = this.#read.get(mailbox)?.rows;
		if (!rows) return this.#acknowledgeUnread(mailbox, place);
		const gone: Promise<unknown>[] = [];
		for (let row = rows[0]; row && row.seq <= place; row = rows[0]) {
			rows.shift();
			gone.push(this.#remove(mailbox, row));
		}
		await Promise.all(gone);
	}

	/** Rows taken before `before`, each stream's oldest first; `most` at most. */
	async expired(before: number, most: number): Promise<ExpiredMessage[]> {
		const found: ExpiredMessage[] = [];
		for (const shard of allShards) {
			let place = 0;
			for (let left = most; left > 0; left--) {
				const stream = `KITH_MAIL_${shard}`;
				const row = await this.#streams.next(stream, place + 1, `kith.mail.${shard}.*`);
				if (!row) break;
				const { body: _, ...message } = messageOf(row);
				if (message.at >= before) break;
				place = row.seq;
				const mailbox = row.subject.slice(row.subject.lastIndexOf('.') + 1) as DeviceId;
				found.push({ mailbox, seq: numberOf(row), message });
			}
		}
		return found.sort((a, b) => a.message.at - b.message.at).slice(0, most);
	}

	async drop({ mailbox, seq }: ExpiredMessage): Promise<void> {
		await this.#streams.remove(streamOf(mailbox), Math.floor(seq / NUMBERS_PER_ROW));
		this.#known.delete(mailbox);
	}

	/** Some relay, perhaps this one, has stored a row. */
	seen(mailbox: DeviceId, tally: string): void {
		const known = this.#known.get(mailbox);
		const newest = tallyFrom(tally);
		if (known && known.newest.messages < newest.messages) known.newest = newest;
	}

	/** Rows from before this store was opened, or that it has forgotten to have read. */
	async #acknowledgeUnread(mailbox: DeviceId, place: number): Promise<void> {
		for (let row = await this.#next(mailbox, 1); row && row.seq <= place;) {
			await this.#remove(mailbox, row);
			row = await this.#next(mailbox, row.seq + 1);
		}
	}

	async #remove(mailbox: DeviceId, row: StreamMessage): Promise<void> {
		await this.#streams.remove(streamOf(mailbox), row.seq);
		const known = this.#known.get(mailbox);
		if (known) known.gone = tallyOf(row);
	}

	#remember(mailbox: DeviceId, read: Read): void {
		if (this.#read.size >= MAX_KNOWN) this.#read.clear();
		this.#read.set(mailbox, read);
	}

	async #knownOf(mailbox: DeviceId): Promise<Known> {
		const found = this.#known.get(mailbox);
		if (found) return found;
		const last = await this.#streams.last(streamOf(mailbox), subjectOf(mailbox));
		const first = last && (await this.#next(mailbox, 1));
		const newest = last ? tallyOf(last) : NO_TALLY;
		const gone = first ? minus(tallyOf(first), messageOf(first).body.length) : newest;
		if (this.#known.size >= MAX_KNOWN) this.#known.clear();
		const known = { newest, gone };
		this.#known.set(mailbox, known);
		return known;
	}

	#fits({ newest, gone }: Known, size: number): boolean {
		const messages = newest.messages - gone.messages;
		const bytes = newest.bytes - gone.bytes;
		return messages < this.#quota.messages && bytes + size <= this.#quota.bytes;
	}

	#next(mailbox: DeviceId, place: number): Promise<StreamMessage | undefined> {
		return this.#streams.next(streamOf(mailbox), place, subjectOf(mailbox));
	}
}

/** False for a copy of what is at another place. */
function isNew({ places }: Read, { sender, envelope, kind }: Message, place: number): boolean {
	const message = `${sender} ${envelope} ${kind}`;
	const first = places.get(message);
	if (first === undefined) places.set(message, place);
	return first === undefined || first === place;
}

const streamOf = (mailbox: DeviceId) => `KITH_MAIL_${shardOf(mailbox)}`;
const subjectOf = (mailbox: DeviceId) => `kith.mail.${shardOf(mailbox)}.${mailbox}`;
const numberOf = ({ seq }: StreamMessage) => seq * NUMBERS_PER_ROW;

const plus = ({ messages, bytes }: Tally, size: number): Tally => ({
	messages: messages + 1,
	bytes: bytes + size,
});
const minus = ({ messages, bytes }: Tally, size: number): Tally => ({
	messages: messages - 1,
	bytes: bytes - size,
});

const tallyOf = ({ headers }: StreamMessage) => tallyFrom(headers.get(TALLY) ?? '');

function tallyFrom(text: string): Tally {
	const [messages = 0, bytes = 0] = text.split(' ').map(Number);
	return { messages, bytes };
}

function messageOf({ data }: StreamMessage): Message {
	const [place, sender, envelope, channel, epoch, at, body] = cborg.decode(data) as Columns;
	const kind = DELIVERY_KINDS[place];
	if (!kind) throw new Error(`a stream holds a message of unknown kind ${place}`);
	return { kind, sender, envelope, channel, epoch, at, body };
}
