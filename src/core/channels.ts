// Channels in the store: loading and saving the group behind one, and which channel of a conversation is in use.
import { channelContexts, MAX_CONTEXT_BYTES } from '../protocol/content.ts';
import type { AccountId, ChannelId, ConversationId, DeviceId } from '../protocol/ids.ts';
import type { Work } from './context.ts';
import { sameBytes } from './group-rights.ts';
import type { FrozenGroup, GroupCrypto, GroupState, Transaction } from './ports.ts';
import { outboxKey, type ChannelRow, type ConversationRow, type StagedRow } from './records.ts';
import { catchUp } from './transfer.ts';

/** Channels kept with one person; whoever still sends on one that is older sends anew on the one in use. */
const MOST_CHANNELS = 8;
/** Messages of epochs to come that one channel keeps. */
export const MOST_PARKED = 2_000;

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

/** Whether both rows hold the group at the same point: after the same commits and the same messages. */
export function isSameState(one: ChannelRow, other: ChannelRow): boolean {
	return one.treeId === other.treeId && sameBytes(one.ratchet, other.ratchet);
}

/** The staged commit passed: its state is the channel's now. */
export function adoptStaged(tx: Transaction, row: ChannelRow, staged: StagedRow): ChannelRow {
	const open: ChannelRow = { ...row, status: 'open', others: staged.others, staged: undefined };
	return saveChannel(tx, open, staged.next);
}

export function othersIn(groups: GroupCrypto, state: GroupState, self: DeviceId): DeviceId[] {
	return groups.members(state).flatMap(({ device }) => (device === self ? [] : [device]));
}

export interface ShownList {
	readonly account: AccountId;
	readonly list: Uint8Array;
}

/** The context of a channel between two people; `lists`: of their devices (SPEC DE-3). */
export function encodeAbout(generation: number, lists: readonly ShownList[]): Uint8Array {
	return channelContexts.encode({ type: 'about', generation, lists: [...lists] });
}

/** 0 for a context that we cannot read: then only the channel id decides. */
export function decodeGeneration(context: Uint8Array): number {
	const decoded = channelContexts.decode(context, MAX_CONTEXT_BYTES);
	return decoded.ok && 'generation' in decoded.value ? decoded.value.generation : 0;
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
	const others = await rowsOf(tx, conversation);
	const rows = [channel, ...others.filter((row) => row.channel !== channel.channel)];
	const standing = { open: 0, founding: 1, lost: 1, broken: 2 };
	rows.sort(
		(a, b) =>
			b.generation - a.generation ||
			standing[a.status] - standing[b.status] ||
			(a.channel < b.channel ? -1 : 1),
	);
	for (const { channel: old } of rows.slice(MOST_CHANNELS)) await forgetChannel(tx, old);
	const ranked = {
		...conversation,
		channels: rows.slice(0, MOST_CHANNELS).map((row) => row.channel),
		generation: Math.max(conversation.generation, channel.generation),
	};
	tx.put('conversations', conversation.id, ranked);
	return ranked;
}

/** Nothing of this channel is kept. */
export async function forgetChannel(tx: Transaction, channel: ChannelId): Promise<void> {
	tx.delete('channels', channel);
	tx.delete('trees', channel);
	await forgetParked(tx, channel);
}

async function forgetParked(tx: Transaction, channel: ChannelId): Promise<void> {
	const parked = await tx.list('parked', { prefix: `${channel}/`, limit: MOST_PARKED });
	for (const { key } of parked) tx.delete('parked', key);
}

export async function rowsOf(
	tx: Transaction,
	{ channels }: ConversationRow,
): Promise<ChannelRow[]> {
	const rows: ChannelRow[] = [];
	for (const channel of channels) {
		const row = await tx.get('channels', channel);
		if (row) rows.push(row);
	}
	return rows;
}

/** This channel cannot be used any more, nor any older one. */
export async function breakChannel(work: Work, channel: ChannelId): Promise<void> {
	const row = await work.tx.get('channels', channel);
	if (!row || row.status === 'broken') return;
	const conversation = await work.tx.get('conversations', row.conversation);
	if (!conversation?.group) await breakUpTo(work, row.conversation, row.generation);
	else if (row.status === 'open' && conversation.channels[0] === channel) loseChannel(work, row);
}

/**
 * Channels up to a generation are not sent on any more: the other side may send on any of them, and only a newer one tells
 * them not to. The profile in the outbox makes the next pump found it. What was parked comes again by that, for its sender
 * sends anew whatever was not confirmed.
 */
export async function breakUpTo(work: Work, id: ConversationId, generation: number): Promise<void> {
	const { tx, log } = work;
	let conversation = await tx.get('conversations', id);
	if (!conversation) return;
	log.warn('a channel is broken');
	for (const row of await rowsOf(tx, conversation)) {
		if (row.generation > generation || row.status === 'broken') continue;
		const broken: ChannelRow = { ...row, status: 'broken', staged: undefined, parked: 0 };
		tx.put('channels', row.channel, broken);
		tx.delete('outbox', outboxKey.rotate(id, row.channel));
		await forgetParked(tx, row.channel);
		conversation = await rankChannel(tx, conversation, broken);
	}
	const [first] = await rowsOf(tx, conversation);
	if (!first || first.status === 'broken') queueProfile(tx, id);
	await catchUp(work, conversation);
}

/** A group's channel whose state is not here, or not the group's any more: the outbox fetches it (SPEC CH-12). */
export function loseChannel({ tx, log }: Work, row: ChannelRow): void {
	log.warn('the state of a group is lost');
	tx.put('channels', row.channel, { ...row, status: 'lost', staged: undefined });
	queueProfile(tx, row.conversation); // the next pump mends it
}

/** The own profile, for who does not have it or has an old one. Where no channel is open, sending it founds one. */
export function queueProfile(tx: Transaction, conversation: ConversationId): void {
	tx.put('outbox', outboxKey.profile(conversation), { kind: 'profile' });
}
