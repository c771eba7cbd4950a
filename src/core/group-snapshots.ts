// The state of a group as the relay keeps it for its members: sealed under the group's secret, and that secret for every
// leaf. So who lost their state finds back also when somebody was taken out meanwhile and the secret is another (SPEC CH-11).
import { snapshots } from '../protocol/content.ts';
import type { ChannelId } from '../protocol/ids.ts';
import { MAX_BODY_BYTES, MAX_SNAPSHOT_KEYS } from '../protocol/limits.ts';
import type { Work } from './context.ts';
import { sightOf } from './group-sight.ts';
import type { StagedCommit } from './ports.ts';
import type { GroupMending } from './records.ts';

const SECRET_BYTES = 32;

function scopeOf(channel: ChannelId, epoch: number): string {
	return `kith snapshot ${channel} ${epoch}`;
}

/** The snapshot that goes with a commit; undefined for a channel that is not a group's. */
export async function sealSnapshot(
	{ groups, crypto }: Pick<Work, 'groups' | 'crypto'>,
	{ next, groupInfo }: StagedCommit,
): Promise<Uint8Array | undefined> {
	const secret = sightOf(groups, next)?.context.secret;
	if (!secret) return undefined;
	const scope = scopeOf(next.channel, next.epoch);
	const isSmall = groups.members(next).length <= MAX_SNAPSHOT_KEYS;
	const keys = isSmall ? await groups.sealToLeaves(next, scope, secret) : [];
	const state = await crypto.sealUnder(secret, scope, groupInfo);
	return snapshots.encode({ type: 'snapshot', keys: [...keys], state });
}

/** The GroupInfo in a snapshot; undefined for one that is not for this device. */
export async function openSnapshot(
	{ groups, crypto }: Pick<Work, 'groups' | 'crypto'>,
	mending: GroupMending,
	{ channel, epoch, sealed }: Kept,
): Promise<Uint8Array | undefined> {
	const decoded = snapshots.decode(sealed, MAX_BODY_BYTES);
	if (!decoded.ok) return undefined;
	const { keys, state } = decoded.value;
	const scope = scopeOf(channel, epoch);
	const opened = await crypto.openUnder(mending.secret, scope, state);
	if (opened) return opened;
	const secret = await groups.openAsLeaf(mending.own, scope, keys);
	return secret?.length === SECRET_BYTES ? crypto.openUnder(secret, scope, state) : undefined;
}

interface Kept {
	readonly channel: ChannelId;
	readonly epoch: number;
	readonly sealed: Uint8Array;
}
