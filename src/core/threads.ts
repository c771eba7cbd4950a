// A conversation and its messages as rows: adding a message, raising its delivery, counting what is unread. All of it
// inside the caller's transaction, so that the list, the log and the outbox never disagree.
import { BEGINNING, highestOf } from './positions.ts';
import type { AccountId, Delivery, MessageBody, MessageSummary, Position } from './model.ts';
import type { ConversationId, MessageId } from '../protocol/ids.ts';
import type { Transaction } from './ports.ts';
import {
	carriedKey,
	inConversation,
	messageKey,
	ONLY,
	outboxKey,
	type Carrier,
	type ConversationRow,
	type MessageRow,
	type PersonRow,
} from './records.ts';

const SUMMARY_CHARACTERS = 140;
/** Looked through together; more than anybody has. */
export const MOST_CONVERSATIONS = 20_000;
/** Messages that one reading can cover; more than anybody reads at once. */
const MOST_READ = 20_000;
/** Messages that came late and wait for the next reading; beyond it they count as read. */
const MOST_LATE = 512;
/** Unread mentions that are remembered, the newest ones: more than anybody looks through. */
export const MOST_MENTIONS = 64;
/** Lines of the system that are looked past for the last thing that somebody said. */
export const MOST_LINES = 64;

export function newConversation(
	id: ConversationId,
	account: AccountId | undefined,
	created: number,
): ConversationRow {
	return {
		id,
		account,
		group: undefined,
		state: { kind: 'open' },
		entry: undefined,
		channels: [],
		generation: -1,
		last: undefined,
		unread: 0,
		readTo: BEGINNING,
		failed: 0,
		pinned: false,
		muted: false,
		archived: false,
		created,
		highest: '',
		late: [],
		unreadable: [],
	};
}

/** Somebody who is not known yet. */
export function putPerson(
	tx: Transaction,
	account: AccountId,
	known: Pick<PersonRow, 'conversation' | 'profile' | 'lastSeen'>,
): void {
	tx.put('people', account, {
		account,
		verification: { kind: 'unverified' },
		entry: undefined,
		profileVersion: 0,
		toldProfile: 0,
		...known,
	});
}

/** One line, whole graphemes: a family emoji is not cut in half. */
function summaryText(text: string): string {
	const line = text
		.slice(0, SUMMARY_CHARACTERS * 8)
		.replace(/\s+/gu, ' ')
		.trim();
	if (line.length <= SUMMARY_CHARACTERS) return line;
	let end = 0;
	for (const { index, segment } of new Intl.Segmenter().segment(line)) {
		if (index + segment.length > SUMMARY_CHARACTERS) break;
		end = index + segment.length;
	}
	return line.slice(0, end);
}

function textOf(body: MessageBody): string {
	if (body.kind === 'text') return body.text;
	if (body.kind !== 'foreign' || body.what === 'deleted') return '';
	return body.what === 'media' && body.text === '' ? (body.file ?? '') : body.text;
}

export function summaryOf(message: MessageRow): MessageSummary {
	return {
		id: message.id,
		position: message.position,
		mine: message.mine,
		author: message.author,
		text: summaryText(textOf(message.body)),
		sent: message.sent,
		delivery: message.delivery,
	};
}

/** Said by somebody, and no line of the system. */
function isSaid({ body }: Pick<MessageRow, 'body'>): boolean {
	return body.kind !== 'event';
}

/** Lines of the system wait for nobody to read them, nor does what comes from somebody who is blocked, or was said before. */
export function isNews(message: Pick<MessageRow, 'body' | 'mine' | 'quiet'>): boolean {
	return !message.mine && isTold(message) && !isShared(message);
}

/** Somebody's word for what another said (SPEC HI-5). */
export function isShared({ body }: Pick<MessageRow, 'body'>): boolean {
	return body.kind === 'text' && body.sharedBy !== undefined;
}

/** What the list may show as the newest. */
export function isTold(message: Pick<MessageRow, 'body' | 'quiet'>): boolean {
	return !message.quiet && isSaid(message);
}

/** Whether somebody else mentions `account` in it; somebody who is blocked mentions nobody. */
export function isMentioned(
	account: AccountId,
	message: Pick<MessageRow, 'body' | 'mine' | 'quiet'>,
): boolean {
	const { body } = message;
	if (body.kind !== 'text' || !isNews(message)) return false;
	return (body.mentions ?? []).some((each) => each.account === account);
}

async function mentionsMe(tx: Transaction, message: MessageRow): Promise<boolean> {
	if (message.body.kind !== 'text' || !message.body.mentions) return false;
	const me = await tx.get('me', ONLY);
	return me !== undefined && isMentioned(me.account, message);
}

/** Adds a message and brings the conversation's row up to date. False if this message is already there. */
export async function addMessage(tx: Transaction, message: MessageRow): Promise<boolean> {
	const twin = await tx.locate(message.id);
	if (twin !== undefined && !(await makesWay(tx, twin, message))) return false;
	const conversation = await tx.get('conversations', message.conversation);
	if (!conversation) return false;
	const key = messageKey(message.conversation, message.position);
	tx.put('messages', key, message);
	const isLate = isNews(message) && message.position <= conversation.readTo;
	const isMention = await mentionsMe(tx, message);
	const { mentions = [] } = conversation;
	tx.put('conversations', conversation.id, {
		...conversation,
		last:
			isTold(message) && (!conversation.last || conversation.last.position < message.position)
				? summaryOf(message)
				: conversation.last,
		unread: conversation.unread + (isNews(message) ? 1 : 0),
		mentions: isMention ? [...mentions, message.position].sort().slice(-MOST_MENTIONS) : mentions,
		highest: highestOf(conversation.highest, message.position.slice(0, 16)),
		archived: conversation.archived && (!isNews(message) || (conversation.muted && !isMention)),
		late: isLate ? [...conversation.late, message.id].slice(-MOST_LATE) : conversation.late,
	});
	return true;
}

/** What its author sealed takes the place of what somebody else said that they said (SPEC HI-5). */
async function makesWay(tx: Transaction, twin: string, message: MessageRow): Promise<boolean> {
	const known = await tx.get('messages', twin);
	if (!known || !isShared(known) || isShared(message)) return false;
	await removeMessage(tx, known.id);
	return true;
}

/** Takes a message away, and gives the list the one before it. */
export async function removeMessage(tx: Transaction, id: MessageId): Promise<void> {
	const key = await tx.locate(id);
	const message = key === undefined ? undefined : await tx.get('messages', key);
	if (key === undefined || !message) return;
	tx.delete('messages', key);
	const conversation = await tx.get('conversations', message.conversation);
	if (!conversation) return;
	const prefix = `${message.conversation}/`;
	// More than one, because the one that is being deleted may be the newest, and lines of the system are not told.
	const range = { prefix, limit: MOST_LINES, newestFirst: true };
	const before = (await tx.list('messages', range)).find(
		({ value }) => value.id !== id && isTold(value),
	);
	tx.put('conversations', conversation.id, {
		...conversation,
		last: conversation.last?.id === id ? before && summaryOf(before.value) : conversation.last,
		unread: Math.max(0, conversation.unread - (isNews(message) ? 1 : 0)),
		mentions: (conversation.mentions ?? []).filter((each) => each !== message.position),
		failed: conversation.failed - (message.delivery.kind === 'failed' ? 1 : 0),
		late: conversation.late.filter((late) => late !== id),
	});
}

/** The conversation of what the person writes for themselves. */
export function isNotes({ account, group, imported }: ConversationRow): boolean {
	return !account && !group && !imported;
}

/** Marks as read up to a place, never back; the messages of others that it newly covers. */
export async function readUpTo(
	tx: Transaction,
	id: ConversationId,
	upTo: Position,
): Promise<readonly MessageId[]> {
	const conversation = await tx.get('conversations', id);
	if (!conversation) return [];
	const { readTo, late } = conversation;
	if (upTo <= readTo && late.length === 0) return [];
	const prefix = inConversation(id);
	const after = messageKey(id, readTo);
	const since = await tx.list('messages', { prefix, after, limit: MOST_READ });
	const theirs = since.map(({ value }) => value).filter(isNews);
	const read = theirs.filter(({ position }) => position <= upTo);
	const end = upTo > readTo ? upTo : readTo;
	tx.put('conversations', id, {
		...conversation,
		readTo: end,
		late: [],
		mentions: (conversation.mentions ?? []).filter((position) => position > end),
		unread: theirs.length - read.length,
	});
	return [...late, ...read.filter(({ body }) => body.kind === 'text').map((each) => each.id)];
}

/** What a delivery is worth: it only rises (SPEC CO-5). */
export const RANK: Record<Delivery['kind'], number> = {
	received: 9,
	failed: 0,
	queued: 0,
	sent: 1,
	delivered: 2,
	read: 3,
};

/** Somebody has it whom it is for. */
export function hasArrived({ kind }: Delivery): boolean {
	return RANK[kind] >= RANK.delivered;
}

/** Raises the delivery of an own message; never lowers it (SPEC CO-5). */
export async function raiseDelivery(
	tx: Transaction,
	id: MessageId,
	delivery: Delivery,
): Promise<void> {
	const key = await tx.locate(id);
	const message = key === undefined ? undefined : await tx.get('messages', key);
	if (!message?.mine) return;
	if (RANK[delivery.kind] > RANK[message.delivery.kind]) await writeDelivery(tx, message, delivery);
	// It had been sent again for another device, and one says that it is there.
	else if (hasArrived(delivery) && (await isCarried(tx, message)))
		await writeDelivery(tx, message, message.delivery);
}

async function isCarried(tx: Transaction, { carrier }: MessageRow): Promise<boolean> {
	const key = carrier && (await tx.get('carried', carriedKey.envelope(carrier.envelope)));
	return key !== undefined;
}

/** Sets the delivery where it may also fall: failing, and trying again. */
export async function writeDelivery(
	tx: Transaction,
	message: MessageRow,
	delivery: Delivery,
): Promise<void> {
	// What somebody has did not fail, though it was on its way to another device of theirs.
	if (delivery.kind === 'failed' && hasArrived(message.delivery)) return;
	const arrived = hasArrived(delivery);
	if (arrived && message.carrier) forgetCarrier(tx, message.conversation, message.carrier);
	const next = { ...message, delivery };
	tx.put('messages', messageKey(message.conversation, message.position), next);
	const conversation = await tx.get('conversations', message.conversation);
	if (!conversation) return;
	const failed =
		conversation.failed +
		(delivery.kind === 'failed' ? 1 : 0) -
		(message.delivery.kind === 'failed' ? 1 : 0);
	const isLast = conversation.last?.id === message.id;
	if (!isLast && failed === conversation.failed) return;
	tx.put('conversations', conversation.id, {
		...conversation,
		failed,
		last: isLast ? summaryOf(next) : conversation.last,
	});
}

/** The message needs not be found by this sending any more; its row still knows it. */
export function forgetCarrier(
	tx: Transaction,
	conversation: ConversationId,
	{ channel, envelope, count }: Carrier,
): void {
	tx.delete('carried', carriedKey.envelope(envelope));
	tx.delete('carried', carriedKey.count(conversation, channel, count));
}

/** Under which key a transaction queues its receipts for a conversation. */
const receiptKeys = new WeakMap<Transaction, Map<ConversationId, string>>();

function receiptKeyIn(tx: Transaction, conversation: ConversationId, first: MessageId): string {
	const keys = receiptKeys.get(tx) ?? new Map<ConversationId, string>();
	receiptKeys.set(tx, keys);
	const key = keys.get(conversation) ?? outboxKey.receipt(conversation, first);
	keys.set(conversation, key);
	return key;
}

function withAll(ids: readonly MessageId[], added: readonly MessageId[]): readonly MessageId[] {
	const more = added.filter((id) => !ids.includes(id));
	return more.length > 0 ? [...ids, ...more] : ids;
}

/**
 * Queues a receipt for the other side; a message that is read was also delivered. Each transaction has one row of its own,
 * so that nobody rewrites a long list with each message of a large backlog; sealing joins them.
 */
export async function queueReceipt(
	tx: Transaction,
	conversation: ConversationId,
	added: { readonly delivered?: readonly MessageId[]; readonly read?: readonly MessageId[] },
): Promise<void> {
	const { delivered = [], read = [] } = added;
	const first = delivered[0] ?? read[0];
	if (first === undefined) return;
	const key = receiptKeyIn(tx, conversation, first);
	const row = await tx.get('outbox', key);
	const before = row?.kind === 'receipt' ? row : { delivered: [], read: [] };
	tx.put('outbox', key, {
		kind: 'receipt',
		delivered: withAll(before.delivered, delivered),
		read: withAll(before.read, read),
	});
}
