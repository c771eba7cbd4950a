// received -> opened -> committed -> acknowledged. Whatever comes, from the relay or from a peer, goes into its
// channel's lane; a batch is opened and written in one transaction; only then is it acknowledged.
import type { ChannelId, ConversationId } from '../protocol/ids.ts';
import { applyContent, lookAhead, readContent, type Said } from './apply.ts';
import {
	adoptStaged,
	breakChannel,
	loadChannel,
	MOST_PARKED,
	othersIn,
	saveChannel,
	type LoadedChannel,
} from './channels.ts';
import type { EngineContext, Work } from './context.ts';
import { askingArrived, hearAnswer } from './group-asking.ts';
import { stopAsking } from './group-requests.ts';
import { adoptGroupCommit, applyGroupCommit, freezeGroup } from './group-commits.ts';
import { openCommit } from './group-mending.ts';
import { sightOf } from './group-sight.ts';
import { commitSettled, joinFromWelcome } from './groups.ts';
import { Heard } from './heard.ts';
import type { Incoming } from './incoming.ts';
import { isOutOfGroup } from './model.ts';
import { createOpenedAhead, messagesAtHead, type OpenedAhead } from './opened-ahead.ts';
import { placeUnreadable } from './repairs.ts';
import { writeDelivery } from './threads.ts';
import type { Opened, Transaction } from './ports.ts';
import { carriedKey, parkedKey, type ChannelRow } from './records.ts';

export interface Inbox {
	receive(incoming: Incoming): void;
	/** Resolves when everything received so far is stored. */
	drained(): Promise<void>;
}

interface OpenedIncoming {
	readonly incoming: Incoming;
	readonly opened: Opened;
	/** Where it was read before. */
	readonly said?: Said | undefined;
}

/** What is stored in one transaction. */
interface Batch {
	readonly channel: ChannelId;
	readonly batch: readonly Incoming[];
	/** What waits behind it. */
	readonly next: readonly Incoming[];
	readonly ahead: OpenedAhead;
}

/**
 * Envelopes in one transaction: enough to make writing cheap, and a quarter of what the relay sends ahead (SPEC MB-8), so
 * that while one batch is written the next is there to be opened, and more is on its way.
 */
const BATCH = 256;
/** Unreadable messages of one epoch after which a group has come apart: one or two are merely damaged. */
const MOST_UNREADABLE_TOGETHER = 6;

export function createInbox(
	context: EngineContext,
	events: {
		received(conversations: ReadonlySet<ConversationId>): void;
		/** Everything of a batch was told that it is stored. */
		stored(): void;
	},
): Inbox {
	const queues = new Map<ChannelId, Incoming[]>();
	const ahead = createOpenedAhead(context.groups);

	async function drain(channel: ChannelId): Promise<void> {
		const queue = queues.get(channel) ?? [];
		const batch = queue.slice(0, BATCH);
		if (batch.length === 0) return;
		const touched = await context.persist((tx) => {
			const next = queue.slice(BATCH, 2 * BATCH);
			return storeBatch({ ...context, tx }, { channel, batch, next, ahead });
		});
		queue.splice(0, batch.length);
		if (queue.length === 0) {
			queues.delete(channel);
			ahead.forget(channel);
		} else context.lanes.run(channel, () => drain(channel));
		for (const { stored } of batch) stored();
		events.stored();
		if (touched.size > 0) events.received(touched);
	}

	return {
		async drained() {
			while (queues.size > 0) {
				await Promise.all([...queues.keys()].map((channel) => context.lanes.after(channel)));
			}
		},
		receive(incoming) {
			const queue = queues.get(incoming.channel);
			if (queue) {
				queue.push(incoming);
				return; // a drain of this channel is under way or planned
			}
			queues.set(incoming.channel, [incoming]);
			context.lanes.run(incoming.channel, () => drain(incoming.channel));
		},
	};
}

/** Everything that the batch changes, in one transaction. Repeatable: it reads what it needs each time. */
async function storeBatch(
	work: Work,
	{ channel, batch, next, ahead }: Batch,
): Promise<ReadonlySet<ConversationId>> {
	const { tx } = work;
	const touched = new Set<ConversationId>();
	const heard = new Heard(tx, channel);
	let loaded = await loadChannel(tx, work.groups, channel);
	const fresh = await notSeen(work, heard, batch);
	const messages = fresh.filter(({ kind }) => kind === 'message');
	while (fresh.length > 0) {
		// What is said is opened ahead, as far as nothing but messages comes: then one look at the disk is for all of it.
		const run = loaded && !loaded.row.asks ? await openHead(work, loaded, { fresh, ahead }) : [];
		if (loaded && run.length > 0) {
			loaded = await storeRun(work, loaded, await withoutTwins(heard, run));
			touched.add(loaded.row.conversation);
		}
		fresh.splice(0, run.length);
		if (run.length > 0) continue;
		const incoming = fresh.shift();
		if (!incoming) break;
		if (!loaded && incoming.kind === 'message' && (await heard.has(incoming.envelope))) continue;
		if (incoming.kind === 'dropped') {
			await applyDropped(work, incoming);
			loaded = await loadChannel(tx, work.groups, channel);
			continue;
		}
		if (incoming.kind === 'welcome') {
			loaded = (await canJoin(work, loaded)) ? await joinFromWelcome(work, incoming) : loaded;
			if (loaded) touched.add(loaded.row.conversation);
			continue;
		}
		if (loaded?.row.asks) {
			await storeAsked(work, loaded, incoming);
			continue;
		}
		// Nothing of a channel that we never joined, or that was superseded, is ours.
		if (loaded) loaded = await storeCommit(work, loaded, incoming);
		else loaded = await storeBlind(work, incoming);
		if (loaded) touched.add(loaded.row.conversation);
	}
	await heard.keep(
		messages.map(({ envelope }) => envelope),
		work.relayTime(),
	);
	if (loaded && !loaded.row.asks) ahead.begin(loaded, next);
	return touched;
}

/** Those of the batch that did not come before, each once. An older twin of a message shows when it does not open. */
async function notSeen(
	{ tx, relayTime }: Work,
	heard: Heard,
	batch: readonly Incoming[],
): Promise<Incoming[]> {
	const fresh: Incoming[] = [];
	for (const incoming of await heard.notJustNow(batch)) {
		if (incoming.kind !== 'message') {
			if ((await tx.get('seen', incoming.envelope)) !== undefined) continue;
			tx.put('seen', incoming.envelope, relayTime());
		}
		fresh.push(incoming);
	}
	return fresh;
}

/** What came before does not open again, and is no gap. */
async function withoutTwins(
	heard: Heard,
	run: readonly OpenedIncoming[],
): Promise<readonly OpenedIncoming[]> {
	const fresh: OpenedIncoming[] = [];
	for (const each of run) {
		const isOpen = each.opened.kind === 'message' || each.opened.kind === 'commit';
		if (isOpen || !(await heard.has(each.incoming.envelope))) fresh.push(each);
	}
	return fresh;
}

/** Opens the messages at the head of what is fresh, and asks for the rows that storing them will read. */
async function openHead(
	work: Work,
	loaded: LoadedChannel,
	{ fresh, ahead }: { readonly fresh: readonly Incoming[]; readonly ahead: OpenedAhead },
): Promise<OpenedIncoming[]> {
	const messages = messagesAtHead(fresh);
	if (messages.length === 0) return [];
	const run: OpenedIncoming[] = [];
	let { state } = loaded;
	const head = await ahead.take(loaded, messages);
	const plain: readonly Opened[] = head.plain;
	for (const incoming of messages.slice(0, head.looked)) {
		const opened = plain[run.length] ?? (await work.groups.open(state, incoming.body));
		const said = opened.kind === 'message' ? readContent(opened) : undefined;
		run.push({ incoming, opened, said });
		if (opened.kind === 'commit') break;
		if (opened.kind === 'message') state = opened.state;
	}
	await Promise.all(run.flatMap(({ said }) => (said ? [lookAhead(work, said)] : [])));
	return run;
}

/** Applies one after the other. The ratchet is written once, as the last of them left it. */
async function storeRun(
	work: Work,
	loaded: LoadedChannel,
	run: readonly OpenedIncoming[],
): Promise<LoadedChannel> {
	let current = loaded;
	let written = loaded.state;
	const write = () => {
		if (current.state === written) return;
		const { row, state } = current;
		current = { row: saveChannel(work.tx, row, work.groups.freeze(state)), state };
		written = state;
	};
	for (const each of run) {
		if (each.opened.kind !== 'message') write();
		current = await storeOpened(work, current, each);
		if (each.opened.kind !== 'message') written = current.state;
	}
	write();
	return current;
}

/** A channel that we do not have; or one that we were taken out of, and are brought into again. */
async function canJoin({ tx }: Work, loaded: LoadedChannel | undefined): Promise<boolean> {
	if (!loaded) return true;
	const conversation = await tx.get('conversations', loaded.row.conversation);
	return conversation !== undefined && isOutOfGroup(conversation.state);
}

/** In the channel of a request there is its own echo, and the answer. */
async function storeAsked(work: Work, loaded: LoadedChannel, incoming: Incoming): Promise<void> {
	const { row, state } = loaded;
	if (incoming.kind === 'commit') await askingArrived(work, row.channel, incoming.envelope);
	if (incoming.kind !== 'message') return;
	await hearAnswer(work, loaded, await work.groups.open(state, incoming.body));
}

/** For a group's channel whose state is lost: messages are asked for again, and the own resync brings the state back. */
async function storeBlind(work: Work, incoming: Incoming): Promise<LoadedChannel | undefined> {
	const row = await work.tx.get('channels', incoming.channel);
	if (row?.status !== 'lost') return undefined;
	if (incoming.kind === 'message') await placeUnreadable(work, row, incoming);
	if (incoming.kind !== 'commit' || row.staged?.envelope !== incoming.envelope) return undefined;
	const adopted = await adoptGroupCommit(work, row, { staged: row.staged, at: incoming.at });
	return adopted && unpark(work, adopted);
}

/**
 * The relay gave up on an own envelope: it waited too long for the other side. Where it was not a message, the other
 * side may miss a welcome or a commit, and will never read this channel: the next one is founded anew.
 */
async function applyDropped(work: Work, { channel, envelope }: Incoming): Promise<void> {
	const { tx } = work;
	const key = await tx.get('carried', carriedKey.envelope(envelope));
	const message = key === undefined ? undefined : await tx.get('messages', key);
	const row = await tx.get('channels', channel);
	const conversation = await tx.get('conversations', row?.conversation ?? '');
	const isGroup = conversation?.group !== undefined;
	if (row?.asks && conversation?.asking?.channel === channel) {
		await stopAsking(tx, conversation, { kind: 'refused', reason: 'expired' });
	}
	// One of many was away for too long: the others have it, and a group goes on without them.
	if (isGroup) return;
	if (message) await writeDelivery(tx, message, { kind: 'failed', reason: 'expired' });
	else await breakChannel(work, channel);
}

async function storeCommit(
	work: Work,
	loaded: LoadedChannel,
	incoming: Incoming,
): Promise<LoadedChannel> {
	const adopted = await adoptOwn(work, loaded, incoming);
	if (adopted) return unpark(work, adopted);
	const opened = await openCommit(work, loaded, incoming);
	return storeRun(work, loaded, [{ incoming, opened }]);
}

/** Own commit coming back: MLS cannot process its own echo, so it is known by its envelope (encryption.md 8). */
async function adoptOwn(
	work: Work,
	{ row }: LoadedChannel,
	incoming: Incoming,
): Promise<LoadedChannel | undefined> {
	const { tx, groups } = work;
	const { staged } = row;
	if (staged?.envelope !== incoming.envelope) return undefined;
	if ((await tx.get('conversations', row.conversation))?.group) {
		return adoptGroupCommit(work, row, { staged, at: incoming.at });
	}
	const adopted = adoptStaged(tx, row, staged);
	await commitSettled(tx, adopted);
	return loadChannel(tx, groups, adopted.channel);
}

/** A message moves the ratchet, which its caller writes. */
async function storeOpened(
	work: Work,
	loaded: LoadedChannel,
	{ incoming, opened, said }: OpenedIncoming,
): Promise<LoadedChannel> {
	const { row } = loaded;
	const { tx, groups, identity } = work;
	if (await hasLeft(work, row)) return loaded;
	switch (opened.kind) {
		case 'message': {
			const message = { row, opened, incoming };
			const next = await applyContent(work, message, said ?? readContent(opened));
			return { row: next, state: opened.state };
		}
		case 'commit': {
			const isGroup = sightOf(groups, loaded.state) !== undefined;
			if (isGroup) return unpark(work, await applyGroupCommit(work, loaded, { incoming, opened }));
			// Whatever we staged for this epoch lost; its outbox row is still there and plans it again.
			const changed: ChannelRow = {
				...row,
				staged: undefined,
				status: opened.removedSelf ? 'broken' : row.status,
				others: othersIn(groups, opened.state, identity.device),
			};
			const saved = saveChannel(tx, changed, groups.freeze(opened.state));
			return unpark(work, { row: saved, state: opened.state });
		}
		case 'future':
			return { ...loaded, row: park(tx, row, incoming) };
		case 'own':
		case 'spent':
		case 'unreadable':
			return { ...loaded, row: await notOpened(work, row, { incoming, opened }) };
		default:
			return opened satisfies never;
	}
}

/** Who left a group hears no more of it, whatever was on its way: not even who took them out (SPEC GR-4). Nor who asks to
 * be let in again. */
async function hasLeft({ tx }: Work, { status, conversation }: ChannelRow): Promise<boolean> {
	if (status !== 'broken') return false;
	const { kind } = (await tx.get('conversations', conversation))?.state ?? {};
	return kind === 'left' || kind === 'asking' || kind === 'turned-away';
}

/**
 * Beyond the bound nothing is kept; the hole in the sender's count asks for it again (SPEC CO-6). In a broken channel no
 * epoch begins any more: what is said there comes again in the one that takes over.
 */
function park(tx: Transaction, row: ChannelRow, incoming: Incoming): ChannelRow {
	const isOver = row.status === 'broken' || row.parked >= MOST_PARKED;
	if (incoming.kind !== 'message' || isOver) return row;
	const { envelope, epoch, at, body } = incoming;
	tx.put('parked', parkedKey.of(row.channel, epoch, envelope), { envelope, epoch, at, body });
	const next = { ...row, parked: row.parked + 1 };
	tx.put('channels', row.channel, next);
	return next;
}

/** Opens what waited for the epoch that has just begun. */
async function unpark(work: Work, loaded: LoadedChannel): Promise<LoadedChannel> {
	const { tx } = work;
	let current = loaded;
	if (current.row.parked === 0) return current;
	const prefix = `${current.row.channel}/`;
	for (const { key, value } of await tx.list('parked', { prefix, limit: MOST_PARKED })) {
		if (value.epoch > current.state.epoch) break;
		tx.delete('parked', key);
		const row = { ...current.row, parked: current.row.parked - 1 };
		tx.put('channels', row.channel, row);
		const incoming: Incoming = {
			...value,
			kind: 'message',
			channel: row.channel,
			stored: () => undefined,
		};
		const opened = await work.groups.open(current.state, value.body);
		current = await storeRun(work, { ...current, row }, [{ incoming, opened }]);
	}
	return current;
}

async function notOpened(
	work: Work,
	row: ChannelRow,
	{ incoming, opened }: OpenedIncoming,
): Promise<ChannelRow> {
	const isCommit = incoming.kind === 'commit';
	// The echo of a commit that the relay's answer had adopted before; or own words, which MLS cannot open.
	if (isCommit ? opened.kind === 'spent' : opened.kind === 'own') return row;
	// Sealed before we were there: it was never for us.
	if (incoming.epoch < (row.joined ?? 0)) return row;
	work.log.warn('unreadable envelope', { kind: incoming.kind, epoch: incoming.epoch });
	if (!isCommit) {
		await placeUnreadable(work, row, incoming);
		return (await hasComeApart(work, row, incoming)) ? freezeHere(work, row, incoming) : row;
	}
	const isGroup = (await work.tx.get('conversations', row.conversation))?.group !== undefined;
	if (isGroup && opened.kind === 'unreadable') {
		return freezeHere(work, row, incoming);
	}
	// The relay ordered a commit that we cannot follow: this group is over for us, the next one is founded anew.
	await breakChannel(work, row.channel);
	return (await work.tx.get('channels', row.channel)) ?? row;
}

/** Many messages of the present epoch that cannot be opened: others are in another one of the same number. */
async function hasComeApart(work: Work, row: ChannelRow, { epoch }: Incoming): Promise<boolean> {
	const conversation = await work.tx.get('conversations', row.conversation);
	if (!conversation?.group || row.status !== 'open' || epoch !== row.epoch) return false;
	return conversation.unreadable.length >= MOST_UNREADABLE_TOGETHER;
}

async function freezeHere(work: Work, row: ChannelRow, incoming: Incoming): Promise<ChannelRow> {
	await freezeGroup(work, row, { incoming, by: undefined, why: 'unreadable' });
	return (await work.tx.get('channels', row.channel)) ?? row;
}
