// What an engine looks after when it starts and now and then: channels whose state is lost, contacts that do not know
// the own profile yet, links that ran out, and records that are only needed for a while.
import type { ChannelId, ConversationId } from '../protocol/ids.ts';
import { breakUpTo, forgetChannel, loseChannel, queueProfile } from './channels.ts';
import { isStale } from './contact-kit.ts';
import type { EngineContext, Work } from './context.ts';
import { isOutOfGroup } from './model.ts';
import { ONLY, type ConversationRow, type Rows, type StoreName } from './records.ts';
import { giveUpAsking, missingIn } from './repairs.ts';

const DAY = 24 * 60 * 60_000;
/** Twice as long as a relay keeps mail by default: a twin cannot come later. */
const SEEN_KEPT = 60 * DAY;
const PAGE = 1_000;
/** A reusable key package lives for a year, and mail for it waits a month. */
const KEYS_KEPT = 400 * DAY;
const EVERYTHING = { prefix: '', limit: 10_000 };

/**
 * Finds conversations with a channel whose state is lost, and lets the outbox found a new one: also where another channel
 * is in use here, for the other side may send on any. Returns those in which something is missing.
 */
export async function mendChannels(context: EngineContext): Promise<ConversationId[]> {
	const { store, persist } = context;
	const incomplete: ConversationId[] = [];
	for (const { key, value } of await store.list('conversations', EVERYTHING)) {
		if (value.state.kind === 'refused') continue; // nobody to found one with
		if (isOutOfGroup(value.state)) continue;
		for (const channel of value.channels) {
			const row = await store.get('channels', channel);
			if (row?.status === 'broken' || row?.status === 'lost') continue;
			if (row && (await store.get('trees', channel))) continue;
			await persist((tx) => replaceLost({ ...context, tx }, value.id, channel));
		}
		const row = await store.get('channels', value.channels[0] ?? '');
		if (row && (await missingIn(store, value, row)).length > 0)
			incomplete.push(key as ConversationId);
	}
	return incomplete;
}

/** A channel whose row is gone has an unknown generation, at most the highest ever. */
async function replaceLost(work: Work, id: ConversationId, lost: ChannelId): Promise<void> {
	const { tx } = work;
	const conversation = await tx.get('conversations', id);
	if (!conversation) return;
	if (conversation.group) {
		await loseGroupState(work, conversation, lost);
		return;
	}
	const channels = conversation.channels.filter((channel) => channel !== lost);
	tx.put('conversations', id, { ...conversation, channels });
	await forgetChannel(tx, lost);
	await breakUpTo(work, id, conversation.generation);
}

/** Of a group all is known that a new state needs; an older channel of it is nobody's any more. */
async function loseGroupState(
	work: Work,
	conversation: ConversationRow,
	lost: ChannelId,
): Promise<void> {
	const { tx } = work;
	const row = await tx.get('channels', lost);
	const { mending } = (await tx.get('groups', conversation.group ?? '')) ?? {};
	if (conversation.channels[0] !== lost || !mending || row?.status === 'founding') {
		await forgetChannel(tx, lost);
		const channels = conversation.channels.filter((channel) => channel !== lost);
		tx.put('conversations', conversation.id, { ...conversation, channels });
		return;
	}
	const { generation, epoch } = mending;
	tx.delete('trees', lost); // half a state is none
	loseChannel(work, {
		...{ channel: lost, conversation: conversation.id, generation, epoch, status: 'lost' },
		...{ treeId: '', ratchet: new Uint8Array(), others: [], sentCount: 0, counts: {}, parked: 0 },
		...row,
		staged: undefined,
	});
}

/** This device is not its person's any more: it is answered nothing, so what it still asked for is lost. */
export async function giveUpEverything({ store, persist }: EngineContext): Promise<void> {
	for (const { value } of await store.list('conversations', EVERYTHING)) {
		if (value.unreadable.length === 0) continue;
		await persist((tx) => giveUpAsking(tx, value.id, () => true));
	}
}

/** Queues the own profile for contacts that were told an older one. */
export async function tellProfile({ store, persist }: EngineContext): Promise<void> {
	const me = await store.get('me', ONLY);
	if (!me) return;
	for (const { value } of await store.list('people', EVERYTHING)) {
		// The first time it goes with the channel.
		const { conversation, toldProfile } = value;
		if (!conversation || toldProfile === 0 || toldProfile >= me.profileVersion) continue;
		await persist((tx) => Promise.resolve(queueProfile(tx, conversation)));
	}
	for (const { value } of await store.list('groups', EVERYTHING)) {
		if (!value.mending || value.toldProfile === 0) continue;
		if (value.toldProfile >= me.profileVersion) continue;
		const { kind } = (await store.get('conversations', value.conversation))?.state ?? {};
		if (kind !== 'open') continue;
		await persist((tx) => Promise.resolve(queueProfile(tx, value.conversation)));
	}
}

/** Gives contacts a new key package of ours long before the one they have runs out. */
async function renewKits({ store, persist, clock }: EngineContext): Promise<void> {
	for (const { key, value } of await store.list('contactAddresses', EVERYTHING)) {
		const keys = await store.get('keyPackages', value.keyPackageRef);
		const known = (await store.get('people', key)) ?? (await store.get('groups', key));
		const conversation = known?.conversation;
		if (!conversation || (keys && !isStale(keys, clock.now()))) continue;
		await persist((tx) => Promise.resolve(queueProfile(tx, conversation)));
	}
}

/** Links whose time is over say so; those that stay open get new keys long before theirs run out. */
async function lookAfterInvites(context: EngineContext): Promise<void> {
	const { store, persist, clock } = context;
	for (const { key } of await store.list('invites', EVERYTHING)) {
		await persist(async (tx) => {
			const row = await tx.get('invites', key);
			if (row?.invite.state !== 'open') return;
			const { expires } = row.invite;
			if (expires !== undefined && expires <= context.relayTime()) {
				tx.put('invites', key, { ...row, invite: { ...row.invite, state: 'expired' } });
				return;
			}
			const keys = row.keyPackageRef && (await tx.get('keyPackages', row.keyPackageRef));
			if (keys && !isStale(keys, clock.now())) return;
			tx.put('invites', key, { ...row, keyPackageRef: undefined, todo: 'put' });
		});
	}
}

/** Nobody founds a channel with a key package that ran out, nor is a welcome for one still under way. */
async function forgetKeys({ store, persist, clock }: EngineContext): Promise<void> {
	const before = clock.now() - KEYS_KEPT;
	const all = await store.list('keyPackages', EVERYTHING);
	const old = all.filter(({ value }) => value.created < before);
	if (old.length === 0) return;
	await persist((tx) => {
		for (const { key } of old) tx.delete('keyPackages', key);
		return Promise.resolve();
	});
}

async function forgetOld<Name extends StoreName>(
	{ store, persist }: EngineContext,
	name: Name,
	isOld: (value: Rows[Name]) => boolean,
): Promise<void> {
	for (let after = ''; ;) {
		const page = await store.list(name, { prefix: '', after, limit: PAGE });
		const old = page.filter(({ value }) => isOld(value));
		await persist((tx) => {
			for (const { key } of old) tx.delete(name, key);
			return Promise.resolve();
		});
		after = page.at(-1)?.key ?? after;
		if (page.length < PAGE) return;
	}
}

/** What is due once a day. */
export async function upkeep(context: EngineContext): Promise<void> {
	await lookAfterInvites(context);
	await renewKits(context);
	await forgetKeys(context);
	const before = context.relayTime() - SEEN_KEPT;
	await forgetOld(context, 'seen', (at) => at < before);
	await forgetOld(context, 'heard', ({ at }) => at < before);
}
