// A group whose state this device lost, or cannot follow: the relay keeps the newest state sealed for its members, and an
// external commit replaces the own leaf (RFC 9420 12.4.3.2, SPEC CH-11 to CH-13).
import type { LoadedChannel } from './channels.ts';
import { entranceToSelf } from './contact-kit.ts';
import type { Work, EngineContext } from './context.ts';
import { newEnvelopeId } from './context.ts';
import { closeGroup, freezeGroup } from './group-commits.ts';
import { unsoundness } from './group-rights.ts';
import { sightOf } from './group-sight.ts';
import { openSnapshot, sealSnapshot } from './group-snapshots.ts';
import { stagedRow } from './groups.ts';
import type { Incoming } from './incoming.ts';
import type { GroupCrypto, Opened, StagedCommit } from './ports.ts';
import type { RelaySession, SnapshotAnswer } from './relay-session.ts';
import type { GroupRow } from './group-records.ts';
import type { ChannelRow, StagedRow } from './records.ts';
import type { ConversationId } from '../protocol/ids.ts';

type Fetched = Extract<SnapshotAnswer, { type: 'snapshot' }>;

/** Fetches the state and stages the commit that takes the own place in it again. Undefined: later, or never. */
export async function stageResync(
	context: EngineContext,
	row: ChannelRow,
	session: RelaySession,
): Promise<ChannelRow | 'later' | undefined> {
	if (row.staged) return row;
	const answer = await session.fetchSnapshot(row.channel);
	if (answer.type === 'unknown') return undefined;
	if (answer.type === 'refused') {
		if (answer.code !== 'not-a-member' && answer.code !== 'channel-unknown') return 'later';
		await context.persist((tx) => giveUp({ ...context, tx }, row, answer.code));
		return undefined;
	}
	return context.persist((tx) => resyncWith({ ...context, tx }, row, answer));
}

async function giveUp(work: Work, row: ChannelRow, why: string): Promise<void> {
	const { tx, identity } = work;
	const fresh = await tx.get('channels', row.channel);
	if (fresh?.status !== 'lost') return;
	const at = work.relayTime();
	if (why === 'not-a-member')
		await closeGroup(work, fresh, { kind: 'removed', by: identity.account, at });
	else {
		const incoming = { envelope: newEnvelopeId(work), at };
		await freezeGroup(work, fresh, { incoming, by: undefined, why });
	}
}

async function resyncWith(
	work: Work,
	row: ChannelRow,
	fetched: Fetched,
): Promise<ChannelRow | undefined> {
	const { tx, groups } = work;
	const fresh = await tx.get('channels', row.channel);
	if (fresh?.status !== 'lost') return undefined;
	if (fresh.staged) return fresh;
	const conversation = await tx.get('conversations', row.conversation);
	const group = await tx.get('groups', conversation?.group ?? '');
	if (!group?.mending) return undefined;
	const { channel } = row;
	const { epoch, sealed } = fetched;
	const isOlder = epoch < group.mending.epoch;
	const opened =
		isOlder || !sealed
			? undefined
			: await openSnapshot(work, group.mending, { channel, epoch, sealed });
	const staged = opened ? await groups.resync(opened) : undefined;
	if (staged && !staged.ok && staged.error === 'not-for-us') {
		await giveUp(work, fresh, 'not-a-member');
		return undefined;
	}
	const refusal = refusalOf(work, group, staged);
	if (refusal !== undefined || !staged?.ok) {
		await giveUp(work, fresh, refusal ?? 'no snapshot');
		return undefined;
	}
	const moved = await movedLeaf(work, row.conversation, staged.value);
	if (!moved) return undefined;
	const next: ChannelRow = {
		...fresh,
		staged: { ...(await stagedResync(work, staged.value, epoch)), ...moved },
	};
	tx.put('channels', row.channel, next);
	return next;
}

/**
 * The first leaf that is free takes the new one: where that is another than before, the relay must know, or it takes the old
 * one for taken for good (SPEC CH-10). Undefined until the relay knows an address of this device.
 */
async function movedLeaf(
	work: Work,
	conversation: ConversationId,
	{ next, replaced }: StagedCommit & { readonly replaced: number },
): Promise<Pick<StagedRow, 'add' | 'remove'> | undefined> {
	const { leaf } = work.groups.leafKey(next);
	if (leaf === replaced) return { add: [], remove: [] };
	const entrance = await entranceToSelf(work, conversation);
	if (!entrance?.registered) return undefined;
	return { add: [{ leaf, address: entrance.address }], remove: [replaced] };
}

/** Why this state cannot be the group's. */
function refusalOf(
	{ groups }: Work,
	group: GroupRow,
	staged: Awaited<ReturnType<GroupCrypto['resync']>> | undefined,
): string | undefined {
	if (!staged) return 'no snapshot that opens';
	if (!staged.ok) return staged.error;
	const sight = sightOf(groups, staged.value.next);
	if (!sight) return 'no group';
	if (sight.context.group !== group.group) return 'another group';
	if (sight.context.generation !== group.mending?.generation) return 'another generation';
	return unsoundness(sight);
}

/** An external commit is public where a member's is not: sealed, it tells the relay no more than any other. */
async function stagedResync(
	work: Work,
	staged: StagedCommit,
	expected: number,
): Promise<StagedRow> {
	const { crypto, groups } = work;
	const secret = sightOf(groups, staged.next)?.context.secret;
	if (!secret) throw new Error('a group without a context');
	const scope = resyncScope(staged.next.channel, expected);
	return {
		...stagedRow(work, staged, []),
		commit: await crypto.sealUnder(secret, scope, staged.commit),
		snapshot: await sealSnapshot(work, staged),
		expected,
	};
}

function resyncScope(channel: string, epoch: number): string {
	return `kith resync ${channel} ${epoch}`;
}

/** No MLS message begins with the version of a box (RFC 9420 6): what does is somebody's resync. */
const BOX_VERSION = 1;

/**
 * Opens a commit as it came. One that is sealed opens in its own epoch only; whether it is of a later or an earlier one, its
 * bytes do not tell, and the relay's word has to do (SPEC CH-13).
 */
export async function openCommit(
	{ groups, crypto }: Work,
	{ row, state }: LoadedChannel,
	{ body, epoch }: Pick<Incoming, 'body' | 'epoch'>,
): Promise<Opened> {
	const secret = body[0] === BOX_VERSION && sightOf(groups, state)?.context.secret;
	if (!secret) return groups.open(state, body);
	const commit = await crypto.openUnder(secret, resyncScope(row.channel, state.epoch), body);
	if (commit) return groups.open(state, commit);
	if (epoch > state.epoch) return { kind: 'future', epoch };
	return epoch < state.epoch ? { kind: 'spent', epoch } : groups.open(state, body);
}
