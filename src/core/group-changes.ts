// Carrying out what was wanted of a group: one commit at a time per channel, each planned against the group as it then is.
// Runs in the conversation's lane; what is staged here the commit desk submits.
import type { AccountId, ChannelId, ConversationId, DeviceId, GroupId } from '../protocol/ids.ts';
import { idFrom } from '../protocol/ids.ts';
import { commitNotes, type GroupContext } from '../protocol/content.ts';
import { loadChannel, queueProfile, rankChannel, type LoadedChannel } from './channels.ts';
import { newEnvelopeId, type Work } from './context.ts';
import { ownList } from './device-pins.ts';
import { planDevices } from './group-devices.ts';
import { contactEntrances, siblingEntrances } from './own-devices.ts';
import { closeGroup } from './group-commits.ts';
import { noteOf, placeEvents, type Coming } from './group-log.ts';
import { planChange, planSweep, type GroupStep } from './group-plan.ts';
import { encodeContext, entranceOf, sightOf } from './group-sight.ts';
import { turnAway } from './group-requests.ts';
import { sealSnapshot } from './group-snapshots.ts';
import { leavesOf, sayAgain, stagedRow } from './groups.ts';
import type { GroupIntention } from './model.ts';
import type { StagedCommit } from './ports.ts';
import { isDeviceIntention, type DeviceIntention } from './device-records.ts';
import type { GroupRow } from './group-records.ts';
import {
	inConversation,
	outboxKey,
	type ChannelRow,
	type ConversationRow,
	type Entrance,
	type StagedRow,
} from './records.ts';

const MOST_CHANGES = 64;
const SECRET_BYTES = 32;

/** The staged commit with its snapshot. */
async function stagedGroupRow(
	work: Work,
	staged: StagedCommit,
	{
		add,
		...more
	}: Pick<StagedRow, 'add' | 'expected' | 'remove' | 'change' | 'rest' | keyof Coming>,
): Promise<StagedRow> {
	return { ...stagedRow(work, staged, add), ...more, snapshot: await sealSnapshot(work, staged) };
}

/** The channel with the next commit that this group needs, if it needs any: a change, somebody who leaves, own keys. */
export async function stageNext(work: Work, id: ConversationId): Promise<ChannelRow | undefined> {
	const { tx } = work;
	const conversation = await tx.get('conversations', id);
	const channel = conversation?.channels[0];
	const loaded = channel && (await loadChannel(tx, work.groups, channel));
	if (loaded?.row.status !== 'open') return undefined;
	if (loaded.row.staged) return loaded.row;
	const prefix = outboxKey.changes(id);
	for (const { key } of await tx.list('outbox', { prefix, limit: MOST_CHANGES })) {
		const row = await tx.get('outbox', key);
		if (row?.kind !== 'change') continue;
		const { intention } = row;
		if (intention.kind === 'found' || intention.kind === 'recreate') {
			tx.delete('outbox', key); // it is there
			continue;
		}
		const staged = isDeviceIntention(intention)
			? await stageDevices(work, loaded, { key, intention })
			: await stageChange(work, loaded, { key, intention });
		if (staged !== 'nothing') return staged;
	}
	return (await stageSweep(work, loaded)) ?? stageDueRotation(work, loaded);
}

async function stageChange(
	work: Work,
	loaded: LoadedChannel,
	{
		key,
		intention,
	}: { readonly key: string; readonly intention: Exclude<GroupIntention, { kind: 'recreate' }> },
): Promise<ChannelRow | undefined | 'nothing'> {
	const { tx, identity, random } = work;
	const sight = sightOf(work.groups, loaded.state);
	if (!sight) return undefined;
	const wanted = intention.kind === 'add' ? intention.people : [];
	const entrances = await entrancesFor(work, sight.context.group, wanted);
	const plan = planChange(sight, intention, {
		me: identity.account,
		reachable: new Set([...entrances.values()].map(({ account }) => account)),
		secret: random.bytes(SECRET_BYTES),
	});
	switch (plan.kind) {
		case 'step': {
			const coming = plan.add.length > 0 ? comingBy(intention) : {};
			const row = await stageStep(work, loaded, { step: plan, entrances, change: key, coming });
			if (row) return row;
			break;
		}
		case 'done':
			tx.delete('outbox', key);
			return 'nothing';
		case 'alone':
			if (loaded.row.others.length > 0) {
				const { step } = plan;
				return stageStep(work, loaded, { step, entrances, change: key });
			}
			await closeGroup(work, loaded.row, { kind: 'left', at: work.relayTime() });
			return undefined;
		case 'refused':
			break;
		default:
			return plan satisfies never;
	}
	tx.delete('outbox', key);
	await tellNotDone(work, loaded.row.conversation, intention);
	return 'nothing';
}

/** What they are given is what somebody chose who added them; by a link nobody is given anything. */
function comingBy(intention: GroupIntention): Coming {
	if (intention.kind !== 'add') return {};
	return intention.byLink ? { byLink: true } : { history: intention.history };
}

/** Own change that does not happen: a line for this person alone, and an answer for who asked to join. */
export async function tellNotDone(
	work: Work,
	conversation: ConversationId,
	wanted: GroupIntention,
): Promise<void> {
	const intention = wanted.kind;
	const { group: id } = (await work.tx.get('conversations', conversation)) ?? {};
	const group = await work.tx.get('groups', id ?? '');
	if (group && wanted.kind === 'add' && wanted.byLink) {
		await turnAway(work.tx, group, wanted.people);
	}
	const happening = { envelope: newEnvelopeId(work), at: work.relayTime(), by: work.identity };
	await placeEvents(work, conversation, { happening, events: [{ kind: 'not-done', intention }] });
}

/** Own devices in or out, by their own rules (SPEC DE-5, DE-6). */
async function stageDevices(
	work: Work,
	loaded: LoadedChannel,
	{ key, intention }: { readonly key: string; readonly intention: DeviceIntention },
): Promise<ChannelRow | 'nothing'> {
	const { tx, groups } = work;
	const { row, state } = loaded;
	const sight = sightOf(groups, state);
	const members = groups.members(state);
	const step = sight && (await planDevices(work, { ...sight, members }, intention));
	const staged =
		step &&
		(await groups.stage(state, {
			remove: step.remove,
			add: [...step.add.values()].map(({ keyPackage }) => keyPackage),
			...(step.context && { context: encodeContext(step.context) }),
			authenticated: step.note,
		}));
	if (!staged?.ok) {
		tx.delete('outbox', key);
		return 'nothing';
	}
	const add = leavesOf(groups, staged.value, step?.add ?? new Map<DeviceId, Entrance>());
	const going = members.filter(({ device }) => step?.remove.includes(device));
	const remove = going.map(({ leaf }) => leaf);
	const details = { add, remove, change: key, expected: row.epoch };
	const next = { ...row, staged: await stagedGroupRow(work, staged.value, details) };
	tx.put('channels', row.channel, next);
	return next;
}

interface Reachable extends Entrance {
	readonly account: AccountId;
}

/** The key packages at hand that hold and are theirs, by device. */
async function entrancesFor(
	work: Work,
	group: GroupId,
	people: readonly AccountId[],
): Promise<Map<DeviceId, Reachable>> {
	const entrances = new Map<DeviceId, Reachable>();
	for (const account of people) {
		const known = await contactEntrances(work, account, await entranceOf(work.tx, group, account));
		for (const [device, entrance] of known) entrances.set(device, { ...entrance, account });
	}
	return entrances;
}

async function stageStep(
	work: Work,
	loaded: LoadedChannel,
	{
		step,
		entrances,
		change,
		coming = {},
	}: {
		readonly step: GroupStep;
		readonly entrances: ReadonlyMap<DeviceId, Reachable>;
		readonly change: string | undefined;
		readonly coming?: Coming;
	},
): Promise<ChannelRow | undefined> {
	const { tx, groups } = work;
	const { row, state } = loaded;
	const going = groups.members(state).filter(({ account }) => step.remove.includes(account));
	const adding = new Map([...entrances].filter(([, { account }]) => step.add.includes(account)));
	const note = noteOf(coming);
	const staged = await groups.stage(state, {
		remove: going.map(({ device }) => device),
		add: [...adding.values()].map(({ keyPackage }) => keyPackage),
		...(step.context && { context: encodeContext(step.context) }),
		...(note && { authenticated: commitNotes.encode(note) }),
	});
	if (!staged.ok) return undefined;
	const add = leavesOf(groups, staged.value, adding);
	const remove = going.map(({ leaf }) => leaf);
	const details = { add, remove, change, ...coming, rest: step.rest, expected: row.epoch };
	const next = { ...row, staged: await stagedGroupRow(work, staged.value, details) };
	tx.put('channels', row.channel, next);
	return next;
}

async function stageSweep(work: Work, loaded: LoadedChannel): Promise<ChannelRow | undefined> {
	const key = outboxKey.sweep(loaded.row.conversation);
	const row = await work.tx.get('outbox', key);
	if (row?.kind !== 'sweep') return undefined;
	const isDue = row.due <= work.clock.now();
	if (!isDue && !(await wantsToSpeak(work, loaded))) return undefined;
	const sight = sightOf(work.groups, loaded.state);
	const secret = work.random.bytes(SECRET_BYTES);
	const step = sight && planSweep(sight, { me: work.identity.account, secret });
	if (step?.kind === 'step') {
		return stageStep(work, loaded, { step, entrances: new Map(), change: undefined });
	}
	work.tx.delete('outbox', key);
	return undefined;
}

/** Something waits to be said, which would be sealed for those who leave: their turn is now. */
async function wantsToSpeak({ tx }: Work, { row }: LoadedChannel): Promise<boolean> {
	const prefix = inConversation(row.conversation);
	const newest = { prefix, limit: MOST_CHANGES, newestFirst: true };
	const waiting = await tx.list('outbox', newest);
	return waiting.some(({ value }) => value.kind === 'text' && !value.sealed);
}

async function stageDueRotation(
	work: Work,
	{ row, state }: LoadedChannel,
): Promise<ChannelRow | undefined> {
	const key = outboxKey.rotate(row.conversation, row.channel);
	const rotate = await work.tx.get('outbox', key);
	if (rotate?.kind !== 'rotate' || (rotate.due ?? 0) > work.clock.now()) return undefined;
	const staged = await work.groups.stage(state, {});
	if (!staged.ok) return undefined;
	const details = { add: [], expected: row.epoch };
	const next = { ...row, staged: await stagedGroupRow(work, staged.value, details) };
	work.tx.put('channels', row.channel, next);
	return next;
}

/** Stages the first channel of a group that was just made, or the next of one that is frozen. */
export async function stageGroupFounding(
	work: Work,
	conversation: ConversationRow,
): Promise<ChannelRow | undefined> {
	const { tx } = work;
	const prefix = outboxKey.changes(conversation.id);
	const waiting = await tx.list('outbox', { prefix, limit: MOST_CHANGES });
	const wanted = waiting.find(({ value }) => {
		if (value.kind !== 'change') return false;
		return value.intention.kind === 'found' || value.intention.kind === 'recreate';
	});
	const group = await tx.get('groups', conversation.group ?? '');
	if (!wanted || !group) return undefined;
	const me = work.identity.account;
	const others = group.members.filter(({ account }) => account !== me);
	const accounts = others.map(({ account }) => account);
	const reached = await entrancesFor(work, group.group, accounts);
	const present = [me, ...new Set([...reached.values()].map(({ account }) => account))];
	const entrances = new Map<DeviceId, Entrance>([...reached, ...(await siblingEntrances(work))]);
	const channel = idFrom<ChannelId>(work.random.bytes(16));
	const generation = conversation.generation + 1;
	const devices = conversation.hidden ? await ownList(work) : undefined;
	const context = { ...foundingContext(work, group, { generation, present }), devices };
	const alone = await work.groups.found(channel, encodeContext(context));
	const keyPackages = [...entrances.values()].map(({ keyPackage }) => keyPackage);
	const staged = await work.groups.stage(alone, { add: keyPackages });
	if (!staged.ok) return undefined;
	const frozen = work.groups.freeze(alone);
	const add = leavesOf(work.groups, staged.value, entrances);
	const details = { add, change: wanted.key, expected: frozen.epoch };
	const { epoch, treeId, ratchet, tree } = frozen;
	const row: ChannelRow = {
		...{ channel, conversation: conversation.id, status: 'founding', generation },
		...{ epoch, treeId, ratchet, others: [], sentCount: 0, counts: {}, parked: 0, joined: 0 },
		staged: await stagedGroupRow(work, staged.value, details),
	};
	tx.put('channels', channel, row);
	tx.put('trees', channel, tree);
	await rankChannel(tx, conversation, row);
	queueProfile(tx, conversation.id);
	await sayAgain(work, conversation);
	return row;
}

/** Roles stay with those who come along; an owner who cannot be reached is followed by whoever founds it. */
function foundingContext(
	{ identity, random }: Work,
	{ group, about, policy, members }: GroupRow,
	{ generation, present }: { readonly generation: number; readonly present: readonly AccountId[] },
): GroupContext {
	const kept = members.filter(({ account }) => present.includes(account));
	const hasOwner = kept.some(({ role }) => role === 'owner');
	const roles = kept.flatMap(({ account, role }) => {
		const next = !hasOwner && account === identity.account ? 'owner' : role;
		return next === 'member' ? [] : [{ account, role: next }];
	});
	return {
		...{ type: 'group', group, generation, ...about, policy },
		...{ roles, leaving: [], secret: random.bytes(SECRET_BYTES), devices: undefined },
	};
}
