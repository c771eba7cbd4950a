// What opened content does to the conversation. Everything runs inside the inbox's transaction.
import { contents, type Content, type TextContent } from '../protocol/content.ts';
import type { ConversationId, MessageId } from '../protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../protocol/limits.ts';
import type { Work } from './context.ts';
import { putPerson } from './groups.ts';
import type { Incoming } from './incoming.ts';
import { positionOf } from './positions.ts';
import type { Opened, Transaction } from './ports.ts';
import type { ChannelRow, MessageRow } from './records.ts';
import { answerRepair, applySettled, countText, placeLine, removeUnreadable } from './repairs.ts';
import { addMessage, queueReceipt, raiseDelivery } from './threads.ts';

interface OpenedMessage {
	readonly row: ChannelRow;
	readonly opened: Extract<Opened, { kind: 'message' }>;
	readonly incoming: Incoming;
}

/** Returns the channel's row as it stands afterwards. */
export async function applyContent(work: Work, message: OpenedMessage): Promise<ChannelRow> {
	const { row, opened, incoming } = message;
	const decoded = contents.decode(opened.plaintext, MAX_FRAME_BYTES);
	if (decoded.ok) return applyDecoded(work, message, decoded.value);
	// Content of a newer Kith: kept in its place, so that nothing disappears (SPEC CO-1).
	const body = { kind: 'newer' } as const;
	await placeLine(work, row.conversation, { incoming, by: opened.sender, body });
	return row;
}

async function applyDecoded(
	work: Work,
	message: OpenedMessage,
	content: Content,
): Promise<ChannelRow> {
	const { tx, identity } = work;
	const { row, opened } = message;
	switch (content.type) {
		case 'text':
			return applyText(work, message, content);
		case 'receipt':
			await applyReceipt(tx, row.conversation, content);
			return row;
		case 'profile':
			await applyProfile(tx, message, content);
			return row;
		case 'repair':
			if (content.device === identity.device) await answerRepair(tx, row, content);
			return row;
		case 'settled':
			return applySettled(tx, row, { device: opened.sender.device, settled: content });
		case 'roster':
			await applyRoster(tx, content);
			return row;
		default:
			return content satisfies never;
	}
}

async function applyText(
	{ tx, identity, clock }: Work,
	{ row, opened, incoming }: OpenedMessage,
	content: TextContent,
): Promise<ChannelRow> {
	if (content.replaces) await removeUnreadable(tx, row.conversation, [content.replaces]);
	const { account, device } = opened.sender;
	const mine = account === identity.account;
	await addMessage(tx, {
		id: content.message,
		conversation: row.conversation,
		position: positionOf(content.order, content.message),
		author: account,
		device,
		mine,
		body: { kind: 'text', text: content.text, replyTo: content.replyTo ?? undefined },
		sent: content.sent,
		received: clock.now(),
		delivery: mine ? { kind: 'sent' } : { kind: 'received' },
		carrier: undefined,
	});
	// Also for a twin: the first receipt may have been lost with the channel that carried it.
	if (!mine) await queueReceipt(tx, row.conversation, { delivered: [content.message] });
	await seen(tx, account, incoming.at);
	return countText(tx, row, { device, count: content.count });
}

async function seen(tx: Transaction, account: MessageRow['author'], at: number): Promise<void> {
	const person = await tx.get('people', account);
	if (person && (person.lastSeen ?? 0) < at) tx.put('people', account, { ...person, lastSeen: at });
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
	if (!person || content.version < person.profileVersion) return;
	tx.put('people', person.account, {
		...person,
		profile: content.profile,
		profileVersion: content.version,
		entry: { address: content.address, keyPackage: content.keyPackage },
	});
	// The list shows the name: whoever watches the conversation must hear of it.
	const conversation = await tx.get('conversations', person.conversation ?? '');
	if (conversation) tx.put('conversations', conversation.id, { ...conversation });
}

/** Names until each person says their own: hearsay never replaces what somebody said of themselves (SPEC GR-7). */
async function applyRoster(
	tx: Transaction,
	{ people }: Extract<Content, { type: 'roster' }>,
): Promise<void> {
	for (const { account, name } of people) {
		const person = await tx.get('people', account);
		if (person && (person.conversation || person.profileVersion > 0)) continue;
		const profile = { name, picture: null };
		if (person) tx.put('people', account, { ...person, profile });
		else putPerson(tx, account, { conversation: undefined, profile, lastSeen: undefined });
	}
}
