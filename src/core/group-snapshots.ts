// The state of a group as the relay keeps it for its members: sealed under the group's secret, and that secret for every
// leaf. So who lost their state finds back also when somebody was taken out meanwhile and the secret is another (SPEC CH-11).
import { snapshots, type GroupContext } from '../protocol/content.ts';
import type { ChannelId } from '../protocol/ids.ts';
import { MAX_BODY_BYTES, MAX_SNAPSHOT_KEYS } from '../protocol/limits.ts';
import type { Work } from './context.ts';
import { sightOf } from './group-sight.ts';
import type { LeafBox, StagedCommit } from './ports.ts';
import type { GroupMending, SnapshotKeys } from './group-records.ts';

const SECRET_BYTES = 32;
/** Own commits of one epoch whose keys are kept: one that passed unheard, and what was staged to come back from it. */
const MOST_STAGED = 8;

function scopeOf(channel: ChannelId, epoch: number): string {
	return `kith snapshot ${channel} ${epoch}`;
}

/**
 * The snapshot that goes with a commit, whose keys are kept beside the state that may be lost; undefined for a channel that
 * is not a group's.
 */
export async function sealSnapshot(
	work: Pick<Work, 'groups' | 'crypto' | 'tx'>,
	{ next, groupInfo }: StagedCommit,
): Promise<Uint8Array | undefined> {
	const { groups, crypto } = work;
	const context = sightOf(groups, next)?.context;
	if (!context) return undefined;
	const { secret } = context;
	await keepKeys(work, context, { secret, own: groups.leafKey(next) });
	const scope = scopeOf(next.channel, next.epoch);
	const isSmall = groups.members(next).length <= MAX_SNAPSHOT_KEYS;
	const keys = isSmall ? await groups.sealToLeaves(next, scope, secret) : [];
	const state = await crypto.sealUnder(secret, scope, groupInfo);
	return snapshots.encode({ type: 'snapshot', keys: [...keys], state });
}

async function keepKeys(
	{ tx }: Pick<Work, 'tx'>,
	{ group: id, generation }: GroupContext,
	keys: SnapshotKeys,
): Promise<void> {
	const group = await tx.get('groups', id);
	if (group?.mending?.generation !== generation) return; // a channel that is only being founded
	const staged = [...(group.mending.staged ?? []), keys].slice(-MOST_STAGED);
	tx.put('groups', id, { ...group, mending: { ...group.mending, staged } });
}

/** The GroupInfo in a snapshot; undefined for one that is not for this device. */
export async function openSnapshot(
	work: Pick<Work, 'groups' | 'crypto'>,
	mending: GroupMending,
	kept: Kept,
): Promise<Uint8Array | undefined> {
	const decoded = snapshots.decode(kept.sealed, MAX_BODY_BYTES);
	if (!decoded.ok) return undefined;
	const scope = scopeOf(kept.channel, kept.epoch);
	for (const keys of [mending, ...(mending.staged ?? [])]) {
		const opened = await openWith(work, keys, { ...decoded.value, scope });
		if (opened) return opened;
	}
	return undefined;
}

async function openWith(
	{ groups, crypto }: Pick<Work, 'groups' | 'crypto'>,
	{ secret, own }: SnapshotKeys,
	{ scope, keys, state }: Sealed,
): Promise<Uint8Array | undefined> {
	const opened = await crypto.openUnder(secret, scope, state);
	if (opened) return opened;
	const later = await groups.openAsLeaf(own, scope, keys);
	return later?.length === SECRET_BYTES ? crypto.openUnder(later, scope, state) : undefined;
}

interface Sealed {
	readonly scope: string;
	/** The secret, for each leaf. */
	readonly keys: readonly LeafBox[];
	readonly state: Uint8Array;
}

interface Kept {
	readonly channel: ChannelId;
	readonly epoch: number;
	readonly sealed: Uint8Array;
}
