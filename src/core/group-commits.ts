// A commit that arrived in a group's channel: judged, then adopted with everything that follows from it, or refused by
// freezing the group (SPEC GR). Runs inside the transaction of what came.
import { commitNotes, MAX_NOTE_BYTES, type CommitNote } from '../protocol/content.ts';
import type { AccountId } from '../protocol/ids.ts';
import {
	adoptStaged,
	loadChannel,
	othersIn,
	queueProfile,
	rankChannel,
	saveChannel,
} from './channels.ts';
import type { LoadedChannel } from './channels.ts';
import type { Work } from './context.ts';
import { learnDevices } from './device-pins.ts';
import { carryThrough, followOwn, listedBy, violationOfOwn } from './group-devices.ts';
import { eventsBetween, noteOf, placeEvents, type Happening } from './group-log.ts';
import { violationOf, type GroupSight } from './group-rights.ts';
import { putGroup, sightOf, withWriters } from './group-sight.ts';
import { recountReceipts } from './group-receipts.ts';
import { queueShares } from './history-sharing.ts';
import { closeDoor, followLink, withdrawEntrance } from './group-requests.ts';
import type { Incoming } from './incoming.ts';
import type { ConversationState } from './model.ts';
import type { GroupMember, Opened } from './ports.ts';
import { isDeviceIntention } from './device-records.ts';
import {
	inConversation,
	outboxKey,
	type ChannelRow,
	type ConversationRow,
	type StagedRow,
} from './records.ts';
import { giveUpAsking } from './repairs.ts';
import { writeDelivery } from './threads.ts';

const MOST_ROWS = 20_000;
/** Whose turn it is to take out somebody who leaves: one after the other, this far apart (ms). */
const SWEEP_TURN = 10_000;
/** Epochs for which a device says its name again to whoever comes after it. */
const NEW_FOR = 2;

type Commit = Extract<Opened, { kind: 'commit' }>;

/** Somebody else's commit. */
export async function applyGroupCommit(
	work: Work,
	{ row, state }: LoadedChannel,
	{ incoming, opened }: { readonly incoming: Incoming; readonly opened: Commit },
): Promise<LoadedChannel> {
	const { groups, tx } = work;
	const before = sightOf(groups, state);
	const after = opened.removedSelf ? undefined : sightOf(groups, opened.state);
	const by = opened.by;
	const { added, removed } = opened;
	const said = commitNotes.decode(opened.authenticated, MAX_NOTE_BYTES);
	const note = said.ok ? said.value : undefined;
	const isJudgeable = before && by && (after ?? opened.removedSelf);
	const listed = by && (await listedBy(work, by, note));
	const members = groups.members(opened.state);
	const violation = isJudgeable
		? (violationOf(before, { by: by.account, added, removed, after, listed }) ??
			(after && (await violationOfOwn(work, { before, after, members }))))
		: 'no group';
	if (!before || !by || violation !== undefined) {
		await freezeGroup(work, row, { incoming, by, why: violation ?? 'nobody' });
		return { row: (await tx.get('channels', row.channel)) ?? row, state };
	}
	// Whatever we staged for this epoch lost; its outbox row is still there and is planned again.
	const saved = saveChannel(tx, { ...row, staged: undefined }, groups.freeze(opened.state));
	const happening = { envelope: incoming.envelope, at: incoming.at, by };
	if (listed) await learnDevices(work, listed, { incoming, by });
	if (!after) {
		await placeEvents(work, row.conversation, {
			...{ happening, events: [{ kind: 'removed', who: [work.identity.account] }] },
		});
		await closeGroup(work, saved, { kind: 'removed', by: by.account, at: incoming.at });
		return { row: (await tx.get('channels', row.channel)) ?? saved, state: opened.state };
	}
	const step = { before, after, happening, note };
	return followGroup(work, { row: saved, state: opened.state }, step);
}

/** Own commit, coming back: its place in the log is known only now. */
export async function adoptGroupCommit(
	work: Work,
	row: ChannelRow,
	{ staged, at }: { readonly staged: StagedRow; readonly at: number },
): Promise<LoadedChannel | undefined> {
	const { tx, groups, identity } = work;
	const earlier = row.status === 'lost' ? undefined : await loadChannel(tx, groups, row.channel);
	const wasFounding = row.status === 'founding';
	const wanted = staged.change === undefined ? undefined : await tx.get('outbox', staged.change);
	const adopted = adoptStaged(tx, row, staged);
	if (staged.change !== undefined) {
		if (staged.rest) tx.put('outbox', staged.change, { kind: 'change', intention: staged.rest });
		else tx.delete('outbox', staged.change);
	}
	tx.delete('outbox', outboxKey.rotate(row.conversation, row.channel));
	const loaded = await loadChannel(tx, groups, row.channel);
	const after = loaded && sightOf(groups, loaded.state);
	const conversation = await tx.get('conversations', row.conversation);
	if (!after || !conversation) return undefined;
	await rankChannel(tx, { ...conversation, state: openState(conversation) }, adopted);
	if (staged.add.length > 0)
		tx.put('outbox', outboxKey.roster(row.conversation), { kind: 'roster' });
	const happening = { envelope: staged.envelope, at, by: identity };
	if (wasFounding) await tellFounded(work, loaded, { conversation, after, happening });
	const before = wasFounding ? undefined : earlier && sightOf(groups, earlier.state);
	const { history } = staged;
	if (history && before && conversation.group) {
		const people = after.people.filter((account) => !before.people.includes(account));
		await queueShares(work, conversation.group, { history, people, at });
	}
	const step = { before, after, happening, note: noteOf(staged) };
	const followed = await followGroup(work, loaded, step);
	const intention = wanted?.kind === 'change' ? wanted.intention : undefined;
	if (intention && isDeviceIntention(intention)) await carryThrough(work, intention);
	return followed;
}

/** A group that is lived in again, whatever it was before; but who is out stays out. */
function openState({ state }: ConversationRow): ConversationRow['state'] {
	return state.kind === 'left' || state.kind === 'removed' ? state : { kind: 'open' };
}

async function tellFounded(
	work: Work,
	{ row }: LoadedChannel,
	{
		conversation,
		after,
		happening,
	}: {
		readonly conversation: ConversationRow;
		readonly after: GroupSight;
		readonly happening: Happening;
	},
): Promise<void> {
	const known = await work.tx.get('groups', conversation.group ?? '');
	const wanted = known?.members.map(({ account }) => account) ?? [];
	const missing = wanted.filter((account) => !after.people.includes(account));
	const first = row.generation === 0;
	const events = [
		{ kind: first ? ('group-created' as const) : ('recreated' as const) },
		...(missing.length > 0
			? [
					first
						? ({ kind: 'not-done', intention: 'add' } as const)
						: ({ kind: 'removed', who: missing } as const),
				]
			: []),
	];
	if (conversation.hidden) return;
	await placeEvents(work, row.conversation, { happening, events });
}

interface Step {
	/** Undefined where this device did not see it. */
	readonly before: GroupSight | undefined;
	readonly after: GroupSight;
	readonly happening: Happening;
	/** What the commit says of those whom it adds. */
	readonly note: CommitNote | undefined;
}

/** The group is at a new epoch: what follows for rows, log, receipts, and for those who leave. */
async function followGroup(
	work: Work,
	{ row, state }: LoadedChannel,
	{ before, after, happening, note }: Step,
): Promise<LoadedChannel> {
	const { tx, groups, identity } = work;
	const devices = new Set(groups.members(state).map(({ device }) => device));
	const counts = Object.fromEntries(
		Object.entries(row.counts).filter(([device]) => devices.has(device as GroupMember['device'])),
	) as ChannelRow['counts'];
	const others = othersIn(groups, state, identity.device);
	const next = withWriters({ ...row, status: 'open', others, counts }, after);
	tx.put('channels', row.channel, next);
	if (before) {
		const events = eventsBetween(before, after, note);
		await placeEvents(work, row.conversation, { happening, events });
	}
	const loaded = { row: next, state };
	const rows = await putGroup(work, loaded);
	if (rows) await followLink(tx, { ...rows, me: identity.account });
	// Who is gone does not answer.
	await giveUpAsking(tx, row.conversation, ({ device }) => !devices.has(device));
	const told = { incoming: happening, by: happening.by };
	const isMore = others.some((device) => !row.others.includes(device));
	await followOwn(work, loaded, { after, told, isMore });
	if (isMore && isNew(next)) queueProfile(tx, row.conversation);
	if (!before || before.people.some((account) => !after.people.includes(account))) {
		await recountReceipts(tx, row.conversation);
	}
	if (after.context.leaving.includes(identity.account)) {
		await closeGroup(work, next, { kind: 'left', at: happening.at });
	} else planSweepTurn(work, next, after);
	return { ...loaded, row: (await tx.get('channels', row.channel)) ?? next };
}

/**
 * Whether what this device said of itself when it came may have been sealed before whoever comes now, and may have been heard
 * by nobody who could say it for it. Founders name everybody whom they begin with.
 */
function isNew({ epoch, joined = 0 }: ChannelRow): boolean {
	return joined > 1 && epoch - joined <= NEW_FOR;
}

function planSweepTurn({ tx, clock, identity }: Work, row: ChannelRow, after: GroupSight): void {
	const key = outboxKey.sweep(row.conversation);
	const { leaving, roles } = after.context;
	if (leaving.length === 0) {
		tx.delete('outbox', key);
		return;
	}
	const admins = new Set(roles.map(({ account }) => account));
	const staying = after.people.filter((account) => !leaving.includes(account));
	const turns = [
		...staying.filter((account) => admins.has(account)),
		...staying.filter((account) => !admins.has(account)),
	];
	const due = clock.now() + Math.max(0, turns.indexOf(identity.account)) * SWEEP_TURN;
	tx.put('outbox', key, { kind: 'sweep', due });
}

/**
 * A commit that must not be followed, or a channel that the relay does not have any more: this device stays where it is,
 * and says so (SPEC GR-6).
 */
export async function freezeGroup(
	work: Work,
	row: ChannelRow,
	{
		incoming,
		by,
		why,
	}: {
		readonly incoming: Pick<Incoming, 'envelope' | 'at'>;
		readonly by: Pick<GroupMember, 'account' | 'device'> | undefined;
		readonly why: string;
	},
): Promise<void> {
	const { tx, log, identity } = work;
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation || row.status === 'broken') return;
	log.warn('a group is frozen', { why });
	tx.put('channels', row.channel, { ...row, status: 'broken', staged: undefined });
	const isUsed = conversation.channels[0] === row.channel;
	if (!isUsed || !isIn(conversation.state)) return;
	const happening = { envelope: incoming.envelope, at: incoming.at, by: by ?? identity };
	await placeEvents(work, conversation.id, { happening, events: [{ kind: 'frozen' }] });
	const fresh = await tx.get('conversations', conversation.id);
	if (!fresh) return;
	tx.put('conversations', fresh.id, { ...fresh, state: { kind: 'frozen', at: incoming.at } });
}

function isIn({ kind }: ConversationState): boolean {
	return kind === 'open' || kind === 'inviting' || kind === 'frozen';
}

/** This person is not in the group any more: history stays, nothing goes out, and what let others add us is void. */
export async function closeGroup(
	work: Work,
	row: ChannelRow,
	state: Extract<ConversationState, { kind: 'removed' | 'left' }>,
): Promise<void> {
	const { tx, identity } = work;
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation?.group || conversation.channels[0] !== row.channel) return;
	tx.put('channels', row.channel, { ...row, status: 'broken', staged: undefined });
	tx.put('conversations', conversation.id, { ...conversation, state });
	await failQueued(work, conversation);
	await giveUpAsking(tx, conversation.id, () => true);
	if (state.kind === 'left') {
		tx.put('outbox', outboxKey.leave(conversation.id, row.channel), {
			kind: 'leave',
			channel: row.channel,
		});
	}
	const group = await tx.get('groups', conversation.group);
	if (group) {
		const members = group.members.filter(({ account }) => account !== identity.account);
		// Its secrets are for members.
		tx.put('groups', group.group, { ...group, members, mending: undefined });
		await closeDoor(tx, group);
	}
	await withdrawEntrance(tx, conversation.group);
}

async function failQueued({ tx }: Work, conversation: ConversationRow): Promise<void> {
	const prefix = inConversation(conversation.id);
	for (const { key } of await tx.list('outbox', { prefix, limit: MOST_ROWS })) {
		tx.delete('outbox', key);
		const message = await tx.get('messages', key);
		if (message) await writeDelivery(tx, message, { kind: 'failed', reason: 'not-a-member' });
	}
}

/** What a newcomer, or who follows a group into its next channel, is told. */
export async function tellJoined(
	work: Work,
	{ row, state }: LoadedChannel,
	{
		incoming,
		by,
		byLink,
	}: { readonly incoming: Incoming; readonly by: AccountId; readonly byLink: boolean },
): Promise<void> {
	const { groups, identity } = work;
	// Brought in by another own device: what there is to tell comes with the history.
	const isOwn = by === identity.account;
	const device = groups.members(state).find(({ account }) => account === by)?.device;
	const happening = {
		...{ envelope: incoming.envelope, at: incoming.at },
		by: { account: by, device: device ?? identity.device },
	};
	const isFounding = incoming.epoch === 1;
	const first = row.generation === 0 ? ('group-created' as const) : ('recreated' as const);
	const events = isFounding
		? [{ kind: first }]
		: [{ kind: byLink ? 'joined-by-link' : 'added', who: [identity.account] } as const];
	if (!isOwn) await placeEvents(work, row.conversation, { happening, events });
	const sight = sightOf(groups, state);
	if (sight) await followOwn(work, { row }, { after: sight, told: { incoming, by: happening.by } });
	if (sight) work.tx.put('channels', row.channel, withWriters(row, sight));
	await putGroup(work, { row, state });
	if (!isFounding && !byLink) await noteJoined(work, row, { incoming, by });
	await recountReceipts(work.tx, row.conversation);
	queueProfile(work.tx, row.conversation);
	if (sight?.context.leaving.length) planSweepTurn(work, row, sight);
}

/** Who added this person may share with them what was said before (SPEC HI-2). */
async function noteJoined(
	{ tx }: Work,
	row: ChannelRow,
	{ incoming: { envelope, at }, by }: { readonly incoming: Incoming; readonly by: AccountId },
): Promise<void> {
	const id = (await tx.get('conversations', row.conversation))?.group;
	const group = await tx.get('groups', id ?? '');
	if (!group) return;
	const joined = { by, envelope, at, shared: 0, isComplete: false };
	tx.put('groups', group.group, { ...group, joined });
}
