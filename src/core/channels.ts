// Channels in the store: loading and saving the group behind one, and which channel of a conversation is in use.
import { channelContexts } from '../protocol/content.ts';
import type { ChannelId, DeviceId } from '../protocol/ids.ts';
import type { FrozenGroup, GroupCrypto, GroupState, Transaction } from './ports.ts';
import type { ChannelRow, ConversationRow, StagedRow } from './records.ts';

export interface LoadedChannel {
	readonly row: ChannelRow;
	readonly state: GroupState;
}

/** Undefined for a channel that this device does not have, or lost the state of. */
export async function loadChannel(
	tx: Pick<Transaction, 'get'>,
	groups: GroupCrypto,
	channel: ChannelId,
): Promise<LoadedChannel | undefined> {
	const row = await tx.get('channels', channel);
	if (!row) return undefined;
	const tree = await tx.get('trees', channel);
	if (!tree) return undefined;
	const { epoch, treeId, ratchet } = row;
	return { row, state: groups.thaw({ epoch, treeId, tree, ratchet }) };
}

/** Writes the tree only where it changed: it is large, and most messages leave it alone. */
export function saveChannel(tx: Transaction, row: ChannelRow, frozen: FrozenGroup): ChannelRow {
	const { epoch, treeId, tree, ratchet } = frozen;
	if (treeId !== row.treeId) tx.put('trees', row.channel, tree);
	const next = { ...row, epoch, treeId, ratchet };
	tx.put('channels', row.channel, next);
	return next;
}

/** The staged commit passed: its state is the channel's now. */
export function adoptStaged(tx: Transaction, row: ChannelRow, staged: StagedRow): ChannelRow {
	const open: ChannelRow = { ...row, status: 'open', others: staged.others, staged: undefined };
	return saveChannel(tx, open, staged.next);
}

export function othersIn(groups: GroupCrypto, state: GroupState, self: DeviceId): DeviceId[] {
	return groups.members(state).flatMap(({ device }) => (device === self ? [] : [device]));
}

export function encodeGeneration(generation: number): Uint8Array {
	return channelContexts.encode({ type: 'about', generation });
}

/** 0 for a context that we cannot read: then only the channel id decides. */
export function decodeGeneration(context: Uint8Array): number {
	const decoded = channelContexts.decode(context, 1024);
	return decoded.ok ? decoded.value.generation : 0;
}

/**
 * Adds `channel` to its conversation, or notes its new standing, and puts the one to send on first (SPEC CH-9). A newer
 * generation comes before an older one even when it is broken: whoever founded it no longer reads the older.
 */
export async function rankChannel(
	tx: Transaction,
	conversation: ConversationRow,
	channel: ChannelRow,
): Promise<ConversationRow> {
	const rows = [channel];
	for (const other of conversation.channels) {
		const row = other === channel.channel ? undefined : await tx.get('channels', other);
		if (row) rows.push(row);
	}
	const standing = { open: 0, founding: 1, broken: 2 };
	rows.sort(
		(a, b) =>
			b.generation - a.generation ||
			standing[a.status] - standing[b.status] ||
			(a.channel < b.channel ? -1 : 1),
	);
	const ranked = {
		...conversation,
		channels: rows.map((row) => row.channel),
		generation: Math.max(conversation.generation, channel.generation),
	};
	tx.put('conversations', conversation.id, ranked);
	return ranked;
}
