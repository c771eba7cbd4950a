// What opened content does to the conversation. Everything runs inside the inbox's transaction.
import { contents, type Content, type TextContent } from '../protocol/content.ts';
import type { ConversationId, DeviceId, EnvelopeId, MessageId } from '../protocol/ids.ts';
import { MAX_FRAME_BYTES, MAX_RECEIPT_IDS } from '../protocol/limits.ts';
import type { EngineContext } from './context.ts';
import type { Incoming } from './incoming.ts';
import { nextOrder, positionOf } from './positions.ts';
import type { Opened, Transaction } from './ports.ts';
import {
	carriedKey,
	outboxKey,
	type ChannelRow,
	type CountRow,
	type MessageRow,
} from './records.ts';
import { addMessage, queueReceipt, raiseDelivery, removeMessage } from './threads.ts';

/** Holes remembered per device; a sender that leaves more is not worth more rows. */
const MOST_HOLES = 256;
/** Placeholders in one conversation: a relay that injects garbage must not fill the log. */
const MOST_UNREADABLE = 50;

export interface OpenedMessage {
	readonly row: ChannelRow;
	readonly opened: Extract<Opened, { kind: 'message' }>;
	readonly incoming: Incoming;
}

/** Returns the channel's row as it stands afterwards. */
export async function applyContent(
	context: EngineContext,
	tx: Transaction,
	message: OpenedMessage,
): Promise<ChannelRow> {
	const decoded = contents.decode(message.opened.plaintext, MAX_FRAME_BYTES);
	if (!decoded.ok) {
		await placeNewer(context, tx, message);
		return message.row;
	}
	return applyDecoded(context, tx, message, decoded.value);
}

async function applyDecoded(
	context: EngineContext,
	tx: Transaction,
	message: OpenedMessage,
	content: Content,
): Promise<ChannelRow> {
	const { row } = message;
	switch (content.type) {
		case 'text':
			return applyText(context, tx, message, content);
		case 'receipt':
			await applyReceipt(tx, row.conversation, content);
			return row;
		case 'profile':
			await applyProfile(tx, message, content);
			return row;
		case 'repair':
			if (content.device === context.identity.device) await sendAgain(tx, row, content);
			return row;
		case 'settled':
			for (const envelope of content.envelopes) {
				await removeMessage(tx, placeholderId(envelope));
			}
			return closeHoles(tx, row, message.opened.sender.device, content.counts);
		default:
			return content satisfies never;
	}
}

/** The message id under which an envelope that cannot be opened stands in the log. */
function placeholderId(envelope: EnvelopeId): MessageId {
	return envelope as string as MessageId;
}

async function applyText(
	context: EngineContext,
	tx: Transaction,
	{ row, opened, incoming }: OpenedMessage,
	content: TextContent,
): Promise<ChannelRow> {
	if (content.replaces) await removeMessage(tx, placeholderId(content.replaces));
	const mine = opened.sender.account === context.identity.account;
	await addMessage(tx, {
		id: content.message,
		conversation: row.conversation,
		position: positionOf(content.order, content.message),
		author: opened.sender.account,
		device: opened.sender.device,
		mine,
		body: { kind: 'text', text: content.text, replyTo: content.replyTo ?? undefined },
		sent: content.sent,
		received: context.clock.now(),
		delivery: mine ? { kind: 'sent' } : { kind: 'received' },
		carrier: undefined,
	});
	// Also for a twin: the first receipt may have been lost with the channel that carried it.
	if (!mine) await queueReceipt(tx, row.conversation, { delivered: [content.message] });
	await seen(tx, opened.sender.account, incoming.at);
	return countText(tx, row, opened.sender.device, content.count);
}

async function seen(tx: Transaction, account: MessageRow['author'], at: number): Promise<void> {
	const person = await tx.get('people', account);
	if (person && (person.lastSeen ?? 0) < at) tx.put('people', account, { ...person, lastSeen: at });
}

/** Notes which of a device's messages came (SPEC CO-6); what is missing is asked for after a while. */
function countText(tx: Transaction, row: ChannelRow, device: DeviceId, count: number): ChannelRow {
	const before: CountRow = row.counts[device] ?? { to: 0, holes: [] };
	let { to, holes } = before;
	if (count > to) {
		const missing = [];
		for (let each = Math.max(to + 1, count - MOST_HOLES); each < count; each++) missing.push(each);
		holes = [...holes, ...missing].slice(-MOST_HOLES);
		to = count;
	} else {
		holes = holes.filter((hole) => hole !== count);
	}
	const next = { ...row, counts: { ...row.counts, [device]: { to, holes } } };
	tx.put('channels', row.channel, next);
	return next;
}

function closeHoles(
	tx: Transaction,
	row: ChannelRow,
	device: DeviceId,
	counts: readonly number[],
): ChannelRow {
	const before = row.counts[device];
	if (!before || counts.length === 0) return row;
	const holes = before.holes.filter((hole) => !counts.includes(hole));
	const next = { ...row, counts: { ...row.counts, [device]: { ...before, holes } } };
	tx.put('channels', row.channel, next);
	return next;
}

async function applyReceipt(
	tx: Transaction,
	conversation: ConversationId,
	receipt: Extract<Content, { type: 'receipt' }>,
): Promise<void> {
	const raise = async (ids: readonly MessageId[], kind: 'delivered' | 'read') => {
		for (const id of ids) {
			// A receipt speaks for its own conversation only.
			const key = await tx.get('messageKeys', id);
			if (key?.startsWith(`${conversation}/`)) await raiseDelivery(tx, id, { kind });
		}
	};
	await raise(receipt.delivered, 'delivered');
	await raise(receipt.read, 'read');
}

async function applyProfile(
	tx: Transaction,
	{ opened }: OpenedMessage,
	content: Extract<Content, { type: 'profile' }>,
): Promise<void> {
	const person = await tx.get('people', opened.sender.account);
	if (!person) return;
	tx.put('people', person.account, {
		...person,
		profile: content.profile,
		entry: { address: content.address, keyPackage: content.keyPackage },
	});
	// The list shows the name: whoever watches the conversation must hear of it.
	const conversation = await tx.get('conversations', person.conversation);
	if (conversation) tx.put('conversations', conversation.id, { ...conversation });
}

/** Queues own messages again that did not arrive readable; the rest is reported as settled. */
async function sendAgain(
	tx: Transaction,
	row: ChannelRow,
	request: Extract<Content, { type: 'repair' }>,
): Promise<void> {
	const settled = { envelopes: [] as EnvelopeId[], counts: [] as number[] };
	for (const envelope of request.envelopes) {
		const key = await tx.get('carried', carriedKey.envelope(envelope));
		if (!(await queueAgain(tx, key, envelope))) settled.envelopes.push(envelope);
	}
	for (const count of request.counts) {
		const key = await tx.get('carried', carriedKey.count(row.conversation, row.channel, count));
		if (!(await queueAgain(tx, key, undefined))) settled.counts.push(count);
	}
	if (settled.envelopes.length + settled.counts.length === 0) return;
	tx.put('outbox', outboxKey.settled(row.conversation), { kind: 'settled', ...settled });
}

async function queueAgain(
	tx: Transaction,
	key: string | undefined,
	replaces: EnvelopeId | undefined,
): Promise<boolean> {
	const message = key === undefined ? undefined : await tx.get('messages', key);
	if (!message?.mine || message.delivery.kind === 'failed') return false;
	const outbox = outboxKey.text(message.conversation, message.position);
	tx.put('outbox', outbox, { kind: 'text', sealed: undefined, replaces });
	return true;
}

/** A visible gap, and the request to fill it: "cannot open" is never silent (encryption.md 12). */
export async function placeUnreadable(
	context: EngineContext,
	tx: Transaction,
	row: ChannelRow,
	incoming: Incoming,
): Promise<void> {
	const conversation = await tx.get('conversations', row.conversation);
	const [other] = row.others;
	if (!conversation?.account || !other) return;
	const key = outboxKey.repair(row.conversation, other);
	const asked = await tx.get('outbox', key);
	const before = asked?.kind === 'repair' ? asked : { envelopes: [], counts: [] };
	if (before.envelopes.length >= Math.min(MOST_UNREADABLE, MAX_RECEIPT_IDS)) return;
	const id = placeholderId(incoming.envelope);
	await addMessage(tx, {
		id,
		conversation: row.conversation,
		position: positionOf(nextOrder('', incoming.at), id),
		author: conversation.account,
		device: other,
		mine: false,
		body: { kind: 'unreadable', state: 'asked' },
		sent: incoming.at,
		received: context.clock.now(),
		delivery: { kind: 'received' },
		carrier: undefined,
	});
	tx.put('outbox', key, {
		kind: 'repair',
		device: other,
		envelopes: [...before.envelopes, incoming.envelope],
		counts: before.counts,
	});
}

/** Content of a newer Kith: kept in its place, so that nothing disappears (SPEC CO-1). */
async function placeNewer(
	context: EngineContext,
	tx: Transaction,
	{ row, opened, incoming }: OpenedMessage,
): Promise<void> {
	const id = placeholderId(incoming.envelope);
	await addMessage(tx, {
		id,
		conversation: row.conversation,
		position: positionOf(nextOrder('', incoming.at), id),
		author: opened.sender.account,
		device: opened.sender.device,
		mine: opened.sender.account === context.identity.account,
		body: { kind: 'newer' },
		sent: incoming.at,
		received: context.clock.now(),
		delivery: { kind: 'received' },
		carrier: undefined,
	});
}
