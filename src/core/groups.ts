// Channels come and go here: founding one with a person, joining from a welcome, renewing own keys, and starting anew
// when a channel is broken. The relay orders commits; what is staged is stored before it leaves (encryption.md 7, 8).
import { isBlocked } from './blocking.ts';
import { channelContexts, MAX_CONTEXT_BYTES } from '../protocol/content.ts';
import type { AccountId, ChannelId, ConversationId, DeviceId } from '../protocol/ids.ts';
import { idFrom } from '../protocol/ids.ts';
import { MAX_RECEIPT_IDS } from '../protocol/limits.ts';
import { NO_NAME } from '../protocol/names.ts';
import {
	decodeGeneration,
	encodeAbout,
	loadChannel,
	othersIn,
	queueProfile,
	rankChannel,
	type LoadedChannel,
	type ShownList,
} from './channels.ts';
import { newEnvelopeId, type Work } from './context.ts';
import { receiveJoining } from './device-offers.ts';
import { isStranger, learnDevices, sayRefused } from './device-pins.ts';
import { tellJoined } from './group-commits.ts';
import { asGroupInvite, receiveRequest } from './group-links.ts';
import { endAsking } from './group-requests.ts';
import { mayInvite, mayRecreate, rosterOf, unsoundness, type GroupSight } from './group-rights.ts';
import { sightOf } from './group-sight.ts';
import type { Incoming } from './incoming.ts';
import { isOutOfGroup, type Profile } from './model.ts';
import { standingOf } from './requests.ts';
import {
	contactEntrances,
	hasWrongDevices,
	listsFor,
	queueDevices,
	siblingEntrances,
} from './own-devices.ts';
import type { GroupMember, GroupState, StagedCommit, Transaction } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import {
	carriedKey,
	inConversation,
	ONLY,
	outboxKey,
	type ChannelRow,
	type ConversationRow,
	type Entrance,
	type KeyPackageRow,
	type StagedRow,
} from './records.ts';
import { isNews, newConversation, putPerson, queueReceipt } from './threads.ts';
import { catchUp, catchUpWithGroup } from './transfer.ts';

/** Messages sent and not confirmed that one conversation may hold. */
const MOST_CARRIED = 10_000;
/** People who join a group renew their keys one after the other, on average this far apart (ms). */
const ROTATION_SPREAD = 2_000;
const LATEST_ROTATION = 60 * 60_000;
/** Until their profile arrives, moments later, somebody who joined has no name. */
const UNNAMED: Profile = { name: NO_NAME, picture: null };

export function stagedRow(
	context: Work,
	staged: StagedCommit,
	add: StagedRow['add'],
): Omit<StagedRow, 'expected'> {
	return {
		commit: staged.commit,
		hash: staged.hash,
		envelope: newEnvelopeId(context),
		add,
		welcome: staged.welcome,
		others: othersIn(context.groups, staged.next, context.identity.device),
		next: context.groups.freeze(staged.next),
	};
}

/**
 * Stages a new channel with the devices of this conversation's person and the other own ones. Undefined if nobody of the
 * other side can be reached: no key package holds and is theirs.
 */
export async function stageFounding(
	context: Work,
	conversation: ConversationRow,
): Promise<ChannelRow | undefined> {
	const { tx } = context;
	const { account } = conversation;
	const theirs = account && (await contactEntrances(context, account, conversation.entry));
	if (!account || !theirs || theirs.size === 0) return undefined;
	const entrances = new Map([...theirs, ...(await siblingEntrances(context))]);
	const channel = idFrom<ChannelId>(context.random.bytes(16));
	const generation = conversation.generation + 1;
	const about = encodeAbout(generation, await listsFor(context, account));
	const alone = await context.groups.found(channel, about);
	const keyPackages = [...entrances.values()].map(({ keyPackage }) => keyPackage);
	const staged = await context.groups.stage(alone, { add: keyPackages });
	if (!staged.ok) return undefined;
	const frozen = context.groups.freeze(alone);
	const add = leavesOf(context.groups, staged.value, entrances);
	const row: ChannelRow = {
		channel,
		conversation: conversation.id,
		status: 'founding',
		generation,
		epoch: frozen.epoch,
		treeId: frozen.treeId,
		ratchet: frozen.ratchet,
		staged: { ...stagedRow(context, staged.value, add), expected: frozen.epoch },
		others: [],
		sentCount: 0,
		counts: {},
		parked: 0,
	};
	tx.put('channels', channel, row);
	tx.put('trees', channel, frozen.tree);
	tx.delete('outbox', outboxKey.devices(conversation.id));
	await rankChannel(tx, conversation, row);
	queueProfile(tx, conversation.id);
	await sayAgain(context, conversation);
	return row;
}

/** At which leaf each of the added devices stands, and by which address it is reached. */
export function leavesOf(
	groups: Pick<Work['groups'], 'members'>,
	staged: StagedCommit,
	entrances: ReadonlyMap<DeviceId, Entrance>,
): StagedRow['add'] {
	return groups.members(staged.next).flatMap(({ device, leaf }) => {
		const address = entrances.get(device)?.address;
		return address === undefined ? [] : [{ leaf, address }];
	});
}

/** Stages a commit that renews this device's own keys; undefined if the channel cannot. */
export async function stageRotation(
	context: Work,
	channel: ChannelId,
): Promise<ChannelRow | undefined> {
	const { tx } = context;
	const loaded = await loadChannel(tx, context.groups, channel);
	if (loaded?.row.status !== 'open') return undefined;
	if (loaded.row.staged) return loaded.row;
	const staged = await context.groups.stage(loaded.state, {});
	if (!staged.ok) return undefined;
	const row: ChannelRow = {
		...loaded.row,
		staged: { ...stagedRow(context, staged.value, []), expected: loaded.row.epoch },
	};
	tx.put('channels', channel, row);
	return row;
}

/** The key package of ours that a welcome is for, and what it was given out for. */
async function keysFor(
	{ tx, groups }: Work,
	welcome: Uint8Array,
): Promise<{ ref: string; row: KeyPackageRow } | undefined> {
	const refs = groups.welcomeRefs(welcome);
	if (!refs.ok) return undefined;
	for (const ref of refs.value) {
		const row = await tx.get('keyPackages', ref);
		if (row) return { ref, row };
	}
	return undefined;
}

/** Joins from a welcome. Undefined, with a line in the log, for one that is not for us or does not hold. */
export async function joinFromWelcome(
	context: Work,
	incoming: Incoming,
): Promise<LoadedChannel | undefined> {
	const { tx } = context;
	const keys = await keysFor(context, incoming.body);
	if (!keys) {
		context.log.warn('welcome for unknown keys');
		return undefined;
	}
	const joined = await context.groups.join(incoming.body, { ref: keys.ref, ...keys.row });
	if (!joined.ok || joined.value.channel !== incoming.channel) {
		context.log.warn('welcome that does not hold', {
			reason: joined.ok ? 'other channel' : joined.error,
		});
		return undefined;
	}
	const state = joined.value;
	const { purpose } = keys.row;
	const invite = purpose.kind === 'invite' ? await tx.get('invites', purpose.address) : undefined;
	const link = asGroupInvite(invite);
	if (link) {
		await receiveRequest(context, { incoming, state, link });
		return undefined;
	}
	if (purpose.kind === 'own' && isJoining(context, state)) {
		await receiveJoining(context, { incoming, state });
		return undefined;
	}
	const sight = sightOf(context.groups, state);
	return sight
		? joinGroup(context, { incoming, state, sight, purpose })
		: joinPerson(context, { incoming, state, purpose });
}

function isJoining({ groups }: Work, state: GroupState): boolean {
	const told = channelContexts.decode(groups.context(state), MAX_CONTEXT_BYTES);
	return told.ok && told.value.type === 'joining';
}

interface Joining {
	readonly incoming: Incoming;
	readonly state: GroupState;
	readonly purpose: KeyPackageRow['purpose'];
}

async function joinPerson(
	context: Work,
	{ incoming, state, purpose }: Joining,
): Promise<LoadedChannel | undefined> {
	const { tx, identity } = context;
	const members = context.groups.members(state);
	const others = members.filter(({ account }) => account !== identity.account);
	const [other] = others;
	const told = channelContexts.decode(context.groups.context(state), MAX_CONTEXT_BYTES);
	if (told.ok && told.value.type !== 'about') return undefined;
	// A key package given to one contact must not let anybody else in, nor one for a group whoever is not in it.
	if (!other || others.some(({ account }) => account !== other.account)) return undefined;
	if (purpose.kind === 'contact' && purpose.account !== other.account) return undefined;
	const founder = members[0];
	if (purpose.kind === 'own' && founder?.account !== identity.account) return undefined;
	const standing =
		purpose.kind === 'group'
			? await standingOf(context, { account: other.account, group: purpose.group })
			: ({ kind: 'open' } as const);
	if (!standing) return undefined;
	const lists = told.ok && told.value.type === 'about' ? (told.value.lists ?? []) : [];
	if (!founder || !(await isFoundedByTheirs(context, { incoming, founder, lists })))
		return undefined;
	if (purpose.kind === 'invite') await noteInviteUse(tx, purpose.address, other.account);
	const conversation = await conversationWith(context, other, incoming.at);
	const row = await addJoined(context, { ...conversation, state: standing }, state);
	if (standing.kind === 'open' && (await hasWrongDevices(tx, conversation, row))) {
		await queueDevices(tx, conversation);
	}
	queueProfile(tx, conversation.id);
	// The key package was reusable: its keys must not stay in use (RFC 9420 16.8).
	tx.put('outbox', outboxKey.rotate(conversation.id, row.channel), {
		kind: 'rotate',
		channel: row.channel,
	});
	return { row, state };
}

/** Learns the lists that the channel shows; false if its founder is no device of their account any more (SPEC DE-4). */
async function isFoundedByTheirs(
	work: Work,
	{
		incoming,
		founder,
		lists,
	}: {
		readonly incoming: Incoming;
		readonly founder: GroupMember;
		readonly lists: readonly ShownList[];
	},
): Promise<boolean> {
	const { tx, identity } = work;
	const told = { incoming, by: founder };
	for (const list of lists) await learnDevices(work, list, told);
	const isOwn = founder.account === identity.account;
	const holder = isOwn ? await tx.get('me', ONLY) : await tx.get('people', founder.account);
	if (!isStranger(holder, founder.device)) return true;
	if (!isOwn) await sayRefused(work, founder.account, told);
	return false;
}

/** A contact with the right to invite brought us in, or an admin founded anew what we are in (SPEC GR-2, GR-6). */
async function joinGroup(
	context: Work,
	{ incoming, state, sight, purpose }: Joining & { readonly sight: GroupSight },
): Promise<LoadedChannel | undefined> {
	const { tx, clock, random } = context;
	const { group, generation } = sight.context;
	const known = await tx.get('groups', group);
	const existing = known && (await tx.get('conversations', known.conversation));
	const founder = context.groups.members(state)[0]?.account;
	const isFromOwn = context.groups.members(state).some(({ account, device }) => {
		return account === context.identity.account && device !== context.identity.device;
	});
	const from = { founder, isFromOwn };
	const by = await inviterOf(context, { sight, purpose, known, existing, ...from });
	if (!by) {
		context.log.warn('a group that nobody may bring us into');
		return undefined;
	}
	if (existing && isLivedIn(existing) && generation <= (known?.mending?.generation ?? -1)) {
		return undefined; // we are in it, or in what came after it
	}
	const id = existing?.id ?? idFrom<ConversationId>(random.bytes(16));
	const isHidden = sight.context.devices !== undefined;
	const fresh = {
		...{ ...newConversation(id, undefined, clock.now()), group },
		...(isHidden && { hidden: true as const }),
	};
	const byLink = existing?.state.kind === 'asking' && purpose.kind === 'group';
	const conversation: ConversationRow = existing ? await endAsking(tx, existing) : fresh;
	if (isHidden) {
		const me = await tx.get('me', ONLY);
		if (me) tx.put('me', ONLY, { ...me, self: id });
	}
	const wasOut = !isLivedIn(conversation);
	const row = await addJoined(
		context,
		{ ...conversation, state: { kind: 'open' }, ...(wasOut && { generation: -1 }) },
		state,
	);
	const members = sight.people.length;
	const spread = Math.min(LATEST_ROTATION, members * ROTATION_SPREAD);
	tx.put('outbox', outboxKey.rotate(id, row.channel), {
		...{ kind: 'rotate', channel: row.channel },
		due: clock.now() + Math.floor(random.fraction() * spread),
	});
	await tellJoined(context, { row, state }, { incoming, by, byLink });
	if (by === context.identity.account) await catchUpWithGroup(context, conversation);
	return { row: (await tx.get('channels', row.channel)) ?? row, state };
}

/** What came back from a backup is only history: this device is in no channel of it. */
function isLivedIn({ state }: ConversationRow): boolean {
	return !isOutOfGroup(state) && state.kind !== 'restored' && state.kind !== 'refused';
}

/** Who brought us in; undefined where nobody may have. */
async function inviterOf(
	{ tx, identity }: Work,
	{
		sight,
		purpose,
		known,
		existing,
		founder,
		isFromOwn,
	}: {
		readonly sight: GroupSight;
		readonly purpose: KeyPackageRow['purpose'];
		readonly known: GroupRow | undefined;
		readonly existing: ConversationRow | undefined;
		readonly founder: AccountId | undefined;
		/** Another own device is in it. */
		readonly isFromOwn: boolean;
	},
): Promise<AccountId | undefined> {
	if (unsoundness(sight) || purpose.kind === 'invite') return undefined;
	if (known && existing && isLivedIn(existing)) {
		const isOurs = purpose.kind !== 'group' || purpose.group === known.group;
		return isOurs && founder && mayRecreate(known, sight, founder) ? founder : undefined;
	}
	const asking = existing?.state.kind === 'asking' ? existing.asking : undefined;
	if (purpose.kind === 'own') return isFromOwn ? identity.account : undefined;
	if (purpose.kind === 'group') {
		const isAsked = asking && purpose.group === sight.context.group;
		return isAsked && mayInvite(rosterOf(sight), asking.by) ? asking.by : undefined;
	}
	if (!(await tx.get('people', purpose.account))) return undefined;
	// Nor into one that this person was in before (SPEC BL-4).
	if (await isBlocked(tx, purpose.account)) return undefined;
	// Who came back is a member as before, and whoever is there brings in their new device (SPEC DE-13).
	const isMember = known?.members.some(({ account }) => account === purpose.account);
	const isBack = existing?.state.kind === 'restored' && isMember;
	return isBack || mayInvite(rosterOf(sight), purpose.account) ? purpose.account : undefined;
}

async function noteInviteUse(tx: Transaction, address: string, usedBy: AccountId): Promise<void> {
	const row = await tx.get('invites', address);
	if (row?.invite.kind !== 'one-time' || row.invite.state !== 'open') return;
	tx.put('invites', address, { ...row, usedBy, invite: { ...row.invite, state: 'used' } });
}

async function conversationWith(
	context: Work,
	other: GroupMember,
	at: number,
): Promise<ConversationRow> {
	const { tx } = context;
	const person = await tx.get('people', other.account);
	const existing = await tx.get('conversations', person?.conversation ?? '');
	if (existing) return existing;
	const id = idFrom<ConversationId>(context.random.bytes(16));
	const conversation = newConversation(id, other.account, context.clock.now());
	if (person) tx.put('people', other.account, { ...person, conversation: id, lastSeen: at });
	else putPerson(tx, other.account, { conversation: id, profile: UNNAMED, lastSeen: at });
	tx.put('conversations', id, conversation);
	return conversation;
}

async function addJoined(
	context: Work,
	conversation: ConversationRow,
	joined: GroupState,
): Promise<ChannelRow> {
	const { tx } = context;
	const frozen = context.groups.freeze(joined);
	const { channel } = joined;
	const row: ChannelRow = {
		channel,
		conversation: conversation.id,
		status: 'open',
		generation: decodeGeneration(context.groups.context(joined)),
		epoch: frozen.epoch,
		treeId: frozen.treeId,
		ratchet: frozen.ratchet,
		staged: undefined,
		others: othersIn(context.groups, joined, context.identity.device),
		sentCount: 0,
		counts: {},
		parked: 0,
		joined: frozen.epoch,
	};
	tx.put('channels', channel, row);
	tx.put('trees', channel, frozen.tree);
	await rankChannel(tx, conversation, row);
	await sayAgain(context, conversation);
	return row;
}

/** A channel takes over from one that may be lost on the other side, with everything that was said in it and not heard. */
export async function sayAgain(
	work: Pick<Work, 'tx' | 'clock'>,
	conversation: ConversationRow,
): Promise<void> {
	const { tx } = work;
	if (conversation.generation < 0) return; // the first one
	// What is missing in the one before is not asked for there any more.
	const used = await tx.get('channels', conversation.channels[0] ?? '');
	const isIncomplete = Object.values(used?.counts ?? {}).some(({ holes }) => holes.length > 0);
	if (isIncomplete) await catchUp(work, conversation);
	await sendAgainWhatIsOpen(tx, conversation);
	await tellAgainWhatIsRead(tx, conversation);
}

/** What was sent and never confirmed; its message ids keep it single (SPEC CO-3). */
async function sendAgainWhatIsOpen(tx: Transaction, conversation: ConversationRow): Promise<void> {
	const prefix = carriedKey.inConversation(conversation.id);
	for (const { value: key } of await tx.list('carried', { prefix, limit: MOST_CARRIED })) {
		const message = await tx.get('messages', key);
		if (message?.delivery.kind !== 'sent') continue;
		tx.put('outbox', outboxKey.text(message.conversation, message.position), {
			kind: 'text',
			sealed: undefined,
			replaces: undefined,
		});
	}
}

/** That something was read may have gone unheard; receipts of delivery follow when the other side sends again. */
async function tellAgainWhatIsRead(tx: Transaction, conversation: ConversationRow): Promise<void> {
	if ((await tx.get('settings', ONLY))?.readReceipts === false) return;
	const newest = await tx.list('messages', {
		prefix: inConversation(conversation.id),
		limit: MAX_RECEIPT_IDS,
		newestFirst: true,
	});
	const read = newest.filter(({ value }) => {
		return isNews(value) && value.body.kind === 'text' && value.position <= conversation.readTo;
	});
	await queueReceipt(tx, conversation.id, { read: read.map(({ value }) => value.id) });
}

/** Own commit passed, by its echo or by the relay's answer: what asked for it is done. */
export async function commitSettled(tx: Transaction, row: ChannelRow): Promise<void> {
	tx.delete('outbox', outboxKey.rotate(row.conversation, row.channel));
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation) return;
	await rankChannel(tx, { ...conversation, state: { kind: 'open' } }, row);
}
