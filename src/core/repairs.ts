// What came unreadable or not at all, and how it is mended: placeholders in the log, holes in a sender's counts, the
// request to send again, and answering such a request (SPEC CO-6, CO-7). Runs inside the transaction of what came.
import type { Content } from '../protocol/content.ts';
import { idFrom } from '../protocol/ids.ts';
import type {
	AccountId,
	ConversationId,
	DeviceId,
	EnvelopeId,
	MessageId,
} from '../protocol/ids.ts';
import { DEFAULT_RETENTION, MAX_RECEIPT_IDS } from '../protocol/limits.ts';
import { isBlocked } from './blocking.ts';
import { queueProfile } from './channels.ts';
import type { Work } from './context.ts';
import { claimedAuthor } from './group-sight.ts';
import type { Incoming } from './incoming.ts';
import type { MessageBody } from './model.ts';
import { nextOrder, positionOf } from './positions.ts';
import type { GroupMember, Transaction } from './ports.ts';
import {
	carriedKey,
	inConversation,
	ONLY,
	outboxKey,
	type ChannelRow,
	type ConversationRow,
	type CountRow,
	type MessageRow,
} from './records.ts';
import { addMessage, hasArrived, removeMessage } from './threads.ts';
import { catchUp } from './transfer.ts';

/** Holes remembered per device; a sender that leaves more is not worth more rows. */
const MOST_HOLES = 256;
/** Placeholders in one conversation: a relay that injects garbage must not fill the log. */
const MOST_UNREADABLE = 50;
/** Messages among which one is looked for that somebody has and another device of theirs asks for; the newest ones. */
const MOST_LOOKED_AT = 512;

/** What is missing from one device. */
interface Missing {
	readonly device: DeviceId;
	readonly envelopes: readonly EnvelopeId[];
	readonly counts: readonly number[];
}

interface Counted {
	readonly device: DeviceId;
	readonly count: number;
}

/** Notes that a device got as far as this; whatever is missing before is not asked for. */
export function countOnly(
	tx: Transaction,
	row: ChannelRow,
	{ device, count }: Counted,
): ChannelRow {
	const to = Math.max(row.counts[device]?.to ?? 0, count);
	return putCounts(tx, row, { device, to, holes: [] });
}

/** Notes that a message came and was not kept: it is missing, and asked for like any other. */
export function countMissing(tx: Transaction, row: ChannelRow, counted: Counted): ChannelRow {
	const next = countText(tx, row, counted);
	const { to, holes } = next.counts[counted.device] ?? { to: counted.count, holes: [] };
	const missing = [...holes, counted.count].slice(-MOST_HOLES);
	return putCounts(tx, next, { device: counted.device, to, holes: missing });
}

/** Notes which of a device's messages came; what is missing is asked for after a while. */
export function countText(
	tx: Transaction,
	row: ChannelRow,
	{ device, count }: Counted,
): ChannelRow {
	// Of what was said before we were there nothing is missing.
	const first = (row.joined ?? 0) > 1 ? Math.max(0, count - 1) : 0;
	const before: CountRow = row.counts[device] ?? { to: first, holes: [] };
	let { to, holes } = before;
	if (count > to) {
		const missing = [];
		for (let each = Math.max(to + 1, count - MOST_HOLES); each < count; each++) missing.push(each);
		holes = [...holes, ...missing].slice(-MOST_HOLES);
		to = count;
	} else {
		holes = holes.filter((hole) => hole !== count);
	}
	return putCounts(tx, row, { device, to, holes });
}

function putCounts(
	tx: Transaction,
	row: ChannelRow,
	{ device, ...counts }: CountRow & { readonly device: DeviceId },
): ChannelRow {
	const next = { ...row, counts: { ...row.counts, [device]: counts } };
	tx.put('channels', row.channel, next);
	return next;
}

/** A line in the log for something that is not text, under the id of the envelope it came in. */
export async function placeLine(
	{ tx, clock, identity }: Work,
	conversation: ConversationId,
	{
		incoming,
		by,
		body,
		quiet = false,
	}: {
		readonly incoming: Incoming;
		readonly by: Pick<GroupMember, 'account' | 'device'>;
		readonly body: MessageBody;
		readonly quiet?: boolean;
	},
): Promise<void> {
	const id = lineId(incoming.envelope);
	await addMessage(tx, {
		id,
		conversation,
		position: positionOf(nextOrder('', incoming.at), id),
		author: by.account,
		device: by.device,
		mine: by.account === identity.account,
		body,
		sent: incoming.at,
		received: clock.now(),
		delivery: { kind: 'received' },
		...(quiet && { quiet }),
		carrier: undefined,
	});
}

function lineId(envelope: EnvelopeId): MessageId {
	return envelope as string as MessageId;
}

/** A visible gap, and the request to fill it: "cannot open" is never silent (encryption.md 12). */
export async function placeUnreadable(
	work: Work,
	row: ChannelRow,
	incoming: Incoming,
): Promise<void> {
	const { tx } = work;
	const conversation = await tx.get('conversations', row.conversation);
	const by = conversation && (await authorOf(work, row, { conversation, body: incoming.body }));
	if (!by || by.device === work.identity.device) return;
	if (await isBlocked(tx, by.account)) return;
	const { device } = by;
	const body = { kind: 'unreadable', state: 'asked' } as const;
	const { envelope } = incoming;
	// Beyond the bound the count of the next readable message tells what is missing.
	if (conversation.unreadable.length >= MOST_UNREADABLE) return;
	await placeLine(work, row.conversation, { incoming, by, body });
	const fresh = await tx.get('conversations', row.conversation);
	if (!fresh) return;
	const unreadable = [...fresh.unreadable, envelope];
	tx.put('conversations', fresh.id, { ...fresh, unreadable });
	// In a group that came apart every question is unreadable too: there the next look for gaps asks.
	if (conversation.group) return;
	await askAgain(tx, row.conversation, { device, envelopes: [envelope], counts: [] });
}

/** Where there are several devices a message claims to be of one; else it is of the one there is. */
async function authorOf(
	work: Work,
	{ others }: ChannelRow,
	{ conversation, body }: { readonly conversation: ConversationRow; readonly body: Uint8Array },
): Promise<Pick<GroupMember, 'account' | 'device'> | undefined> {
	if (conversation.group) return claimedAuthor(work, conversation.id, body);
	const { account } = conversation;
	const claim = work.groups.claimOf(body);
	const claimed = claim?.length === 16 ? idFrom<DeviceId>(claim) : undefined;
	const own = (await work.tx.get('me', ONLY))?.devices?.ids ?? [];
	const theirs = others.filter((device) => !own.includes(device));
	const device = claimed && others.includes(claimed) ? claimed : theirs[0];
	if (!account || !device) return undefined;
	return { account: own.includes(device) ? work.identity.account : account, device };
}

/** Takes the placeholders of these envelopes away, and nothing else that an envelope's id may happen to name. */
export async function removeUnreadable(
	tx: Transaction,
	id: ConversationId,
	envelopes: readonly EnvelopeId[],
): Promise<void> {
	for (const envelope of envelopes) {
		const key = await tx.locate(lineId(envelope));
		const message = key === undefined ? undefined : await tx.get('messages', key);
		if (message?.conversation !== id || message.body.kind !== 'unreadable') continue;
		await removeMessage(tx, message.id);
		const conversation = await tx.get('conversations', id);
		if (!conversation) continue;
		const unreadable = conversation.unreadable.filter((each) => each !== envelope);
		tx.put('conversations', id, { ...conversation, unreadable });
	}
}

/** Whoever did not answer for as long as a relay keeps mail will not. */
export function giveUpOld({ tx, clock }: Work, id: ConversationId): Promise<void> {
	const longAgo = clock.now() - DEFAULT_RETENTION;
	return giveUpAsking(tx, id, ({ received }) => received <= longAgo);
}

/** Placeholders that nobody will replace any more say that what they stand for is lost. */
export async function giveUpAsking(
	tx: Transaction,
	id: ConversationId,
	isInVain: (placeholder: MessageRow) => boolean,
): Promise<void> {
	const conversation = await tx.get('conversations', id);
	if (!conversation) return;
	const left: EnvelopeId[] = [];
	for (const envelope of conversation.unreadable) {
		const key = await tx.locate(lineId(envelope));
		const message = key === undefined ? undefined : await tx.get('messages', key);
		if (key === undefined || !message) continue;
		if (!isInVain(message)) left.push(envelope);
		else tx.put('messages', key, { ...message, body: { kind: 'unreadable', state: 'lost' } });
	}
	if (left.length < conversation.unreadable.length) {
		tx.put('conversations', id, { ...conversation, unreadable: left });
	}
}

/** Queues a request, joined with one that waits. */
export async function askAgain(
	tx: Transaction,
	conversation: ConversationId,
	{ device, envelopes, counts }: Missing,
): Promise<void> {
	const key = outboxKey.repair(conversation, device);
	const asked = await tx.get('outbox', key);
	const before = asked?.kind === 'repair' ? asked : { envelopes: [], counts: [] };
	tx.put('outbox', key, {
		kind: 'repair',
		device,
		envelopes: upToLimit(before.envelopes, envelopes),
		counts: upToLimit(before.counts, counts),
	});
}

/** Everything that is missing in the channel in use; another's holes died with it. */
export async function missingIn(
	tx: Pick<Transaction, 'get' | 'locate'>,
	conversation: ConversationRow,
	row: ChannelRow,
): Promise<Missing[]> {
	const missing = new Map<DeviceId, Missing>();
	for (const [id, { holes }] of Object.entries(row.counts)) {
		const device = id as DeviceId;
		if (holes.length > 0) missing.set(device, { device, envelopes: [], counts: holes });
	}
	for (const envelope of conversation.unreadable) {
		const key = await tx.locate(lineId(envelope));
		const device = key === undefined ? undefined : (await tx.get('messages', key))?.device;
		if (!device) continue;
		const { counts, envelopes } = missing.get(device) ?? { counts: [], envelopes: [] };
		missing.set(device, { device, counts, envelopes: [...envelopes, envelope] });
	}
	return [...missing.values()];
}

/** Queues own messages again that did not arrive readable; the rest is reported as settled. */
export async function answerRepair(
	tx: Transaction,
	row: ChannelRow,
	request: Extract<Content, { type: 'repair' }>,
): Promise<void> {
	const envelopes: EnvelopeId[] = [];
	const counts: number[] = [];
	const arrived = arrivedIn(tx, row);
	for (const envelope of request.envelopes) {
		const waiting = await tx.get('carried', carriedKey.envelope(envelope));
		const key = waiting ?? (await arrived()).envelopes.get(envelope);
		if (!(await queueAgain(tx, { row, key, replaces: envelope }))) envelopes.push(envelope);
	}
	for (const count of request.counts) {
		const waiting = await tx.get('carried', carriedKey.count(row.conversation, row.channel, count));
		const key = waiting ?? (await arrived()).counts.get(count);
		if (!(await queueAgain(tx, { row, key, replaces: undefined }))) counts.push(count);
	}
	if (envelopes.length + counts.length === 0) return;
	// It was no message; it may have been this person's name, which nobody counts and nobody would miss.
	if (envelopes.length > 0) queueProfile(tx, row.conversation);
	const key = outboxKey.settled(row.conversation);
	const waiting = await tx.get('outbox', key);
	const before = waiting?.kind === 'settled' ? waiting : { envelopes: [], counts: [] };
	tx.put('outbox', key, {
		kind: 'settled',
		envelopes: upToLimit(before.envelopes, envelopes),
		counts: upToLimit(before.counts, counts),
	});
}

/** Keys of own messages, by how they were sent. */
interface Sent {
	readonly envelopes: ReadonlyMap<EnvelopeId, string>;
	readonly counts: ReadonlyMap<number, string>;
}

/**
 * The newest own messages that somebody confirmed. One device confirms for all of its person, and may be out by now: the
 * others still ask (SPEC DE-12). Looked for at the first question that nothing else answers.
 */
function arrivedIn(tx: Transaction, row: ChannelRow): () => Promise<Sent> {
	let found: Promise<Sent> | undefined;
	return () => (found ??= lookForArrived(tx, row));
}

async function lookForArrived(tx: Transaction, row: ChannelRow): Promise<Sent> {
	const envelopes = new Map<EnvelopeId, string>();
	const counts = new Map<number, string>();
	const prefix = inConversation(row.conversation);
	const here = await membersHere(tx, row);
	for (const { key, value } of await tx.list('messages', {
		...{ prefix, limit: MOST_LOOKED_AT, newestFirst: true },
	})) {
		const { mine, carrier, delivery, id } = value;
		if (!mine || !carrier || !hasArrived(delivery)) continue;
		if (here && !(await isForAll(tx, id, here))) continue;
		envelopes.set(carrier.envelope, key);
		if (carrier.channel === row.channel) counts.set(carrier.count, key);
	}
	return { envelopes, counts };
}

/** Who would read what is said here now; undefined between two people. */
async function membersHere(
	tx: Transaction,
	{ conversation }: ChannelRow,
): Promise<readonly AccountId[] | undefined> {
	const group = (await tx.get('conversations', conversation))?.group;
	return group && (await tx.get('groups', group))?.members.map(({ account }) => account);
}

/** Nobody came since: what was said before somebody was there is not theirs to read. */
async function isForAll(
	tx: Transaction,
	id: MessageId,
	members: readonly AccountId[],
): Promise<boolean> {
	const audience = (await tx.get('receipts', id))?.audience ?? [];
	const me = (await tx.get('me', ONLY))?.account;
	return members.every((account) => account === me || audience.includes(account));
}

async function queueAgain(
	tx: Transaction,
	{
		row,
		key,
		replaces,
	}: {
		readonly row: ChannelRow;
		readonly key: string | undefined;
		readonly replaces: EnvelopeId | undefined;
	},
): Promise<boolean> {
	const message = key === undefined ? undefined : await tx.get('messages', key);
	if (!message?.mine || message.delivery.kind === 'failed') return false;
	// A contact asks for what was said to them, and for nothing else.
	if (message.conversation !== row.conversation) return false;
	const outbox = outboxKey.text(message.conversation, message.position);
	tx.put('outbox', outbox, { kind: 'text', sealed: undefined, replaces });
	return true;
}

/** The sender has nothing more to say about these. */
export async function applySettled(
	work: Pick<Work, 'tx' | 'clock'>,
	row: ChannelRow,
	{
		device,
		settled,
	}: { readonly device: DeviceId; readonly settled: Extract<Content, { type: 'settled' }> },
): Promise<ChannelRow> {
	const { tx } = work;
	await removeUnreadable(tx, row.conversation, settled.envelopes);
	// Its sender cannot say it again, and another device of this person may have it: that one hands it on.
	const conversation = await tx.get('conversations', row.conversation);
	if (conversation) await catchUp(work, conversation);
	const before = row.counts[device];
	if (!before || settled.counts.length === 0) return row;
	const holes = before.holes.filter((hole) => !settled.counts.includes(hole));
	return putCounts(tx, row, { device, to: before.to, holes });
}

/** What one content frame may name; the rest is asked for, or answered, the next time. */
function upToLimit<Item>(before: readonly Item[], added: readonly Item[]): Item[] {
	return [...new Set([...before, ...added])].slice(0, MAX_RECEIPT_IDS);
}
