// Who has an own message of a group. It was delivered once everybody has it for whom it was sealed and who is still
// there, and read once they all read it.
import type { AccountId, ConversationId, MessageId } from '../protocol/ids.ts';
import type { Transaction } from './ports.ts';
import { inConversation } from './records.ts';
import { raiseDelivery } from './threads.ts';

/** Own messages that are looked at again when somebody is not there any more. */
const MOST_RECOUNTED = 512;

interface Heard {
	readonly by: AccountId;
	readonly kind: 'delivered' | 'read';
}

/** Notes a receipt of one person; ignored for what is not an own message of a group. */
export async function noteReceipt(
	tx: Transaction,
	id: MessageId,
	{ by, kind }: Heard,
): Promise<void> {
	const row = await tx.get('receipts', id);
	if (!row?.audience.includes(by) || row.read.includes(by)) return;
	const delivered = row.delivered.filter((account) => account !== by);
	const next =
		kind === 'read'
			? { ...row, delivered, read: [...row.read, by] }
			: { ...row, delivered: [...delivered, by] };
	tx.put('receipts', id, next);
	await countReceipts(tx, id);
}

/** Raises the delivery of a message to what its receipts say. */
export async function countReceipts(tx: Transaction, id: MessageId): Promise<void> {
	const row = await tx.get('receipts', id);
	const key = await tx.locate(id);
	const message = key === undefined ? undefined : await tx.get('messages', key);
	if (!row || !message || message.delivery.kind === 'queued') return;
	if (message.delivery.kind === 'failed') return;
	const conversation = await tx.get('conversations', message.conversation);
	const group = await tx.get('groups', conversation?.group ?? '');
	if (!group) return;
	const waiting = row.audience.filter((account) => {
		return (
			group.members.some((member) => member.account === account) && !row.read.includes(account)
		);
	});
	// Touched so that whoever shows the receipts hears of it.
	tx.put('messages', key ?? '', message);
	if (waiting.length === 0) await raiseDelivery(tx, id, { kind: 'read' });
	else if (waiting.every((account) => row.delivered.includes(account))) {
		await raiseDelivery(tx, id, { kind: 'delivered' });
	}
}

/** Nobody waits for those who are gone. */
export async function recountReceipts(tx: Transaction, id: ConversationId): Promise<void> {
	const range = { prefix: inConversation(id), limit: MOST_RECOUNTED, newestFirst: true };
	for (const { value } of await tx.list('messages', range)) {
		if (value.mine && value.body.kind === 'text') await countReceipts(tx, value.id);
	}
}
