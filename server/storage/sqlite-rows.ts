// Postings and pages on their way between the relay's thread and the database's: flat rows. Objects within objects cost
// seven times as much to copy from thread to thread, and that was more than SQLite itself.
import type { DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import type { Message, Posting, StoredMessage, Target } from '../relay/ports.ts';

type MessageRow = readonly [
	kind: Message['kind'],
	sender: Message['sender'],
	envelope: Message['envelope'],
	channel: Message['channel'],
	epoch: number,
	at: number,
	body: Uint8Array,
];
const MESSAGE_COLUMNS = 7;

/** What has no room is answered with, and is no value of any operation. */
export const NO_ROOM = 'no room below the bound';

/** A message, and then for each target its mailbox, its number and whether it is required. */
export type PostingRow = readonly [...MessageRow, ...unknown[]];

export function rowOfPosting({ message, targets }: Posting): PostingRow {
	const row: [...MessageRow, ...unknown[]] = [...rowOf(message)];
	for (const { mailbox, seq, required } of targets) row.push(mailbox, seq, required === true);
	return row;
}

export function postingOf(row: PostingRow): Posting {
	const targets: Target[] = [];
	for (let at = MESSAGE_COLUMNS; at < row.length; at += 3) {
		const [mailbox, seq, required] = row.slice(at, at + 3) as [DeviceId, MailboxSeq, boolean];
		targets.push({ mailbox, seq, required });
	}
	return { message: messageOf(row, 0), targets };
}

/** For each message its number, and then itself. */
export type PageRow = readonly unknown[];

export function rowOfPage(page: readonly StoredMessage[]): PageRow {
	const row: unknown[] = [];
	for (const { seq, message } of page) row.push(seq, ...rowOf(message));
	return row;
}

export function pageOf(row: PageRow): StoredMessage[] {
	const page: StoredMessage[] = [];
	for (let at = 0; at < row.length; at += 1 + MESSAGE_COLUMNS)
		page.push({ seq: row[at] as MailboxSeq, message: messageOf(row, at + 1) });
	return page;
}

function rowOf({ kind, sender, envelope, channel, epoch, at, body }: Message): MessageRow {
	return [kind, sender, envelope, channel, epoch, at, body];
}

function messageOf(row: readonly unknown[], first: number): Message {
	const columns = row.slice(first, first + MESSAGE_COLUMNS) as unknown as MessageRow;
	const [kind, sender, envelope, channel, epoch, at, body] = columns;
	return { kind, sender, envelope, channel, epoch, at, body };
}
