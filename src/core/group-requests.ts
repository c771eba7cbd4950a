// Requests to join a group, as rows: those of others that came by a link of this device are let in, turned away, settled;
// the own one ends. The engine and the person's own screens write the same ones.
import type { AccountId, ChannelId, ConversationId, GroupId } from '../protocol/ids.ts';
import { forgetChannel } from './channels.ts';
import { mayInvite } from './group-rights.ts';
import { nextOrder } from './positions.ts';
import type { Entry, Transaction } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import {
	entranceKey,
	outboxKey,
	requestKey,
	type ConversationRow,
	type SealedEnvelope,
} from './records.ts';
import { putPerson } from './threads.ts';
import type { RequestRow, WaitingRow } from './request-records.ts';

/** People who may wait to be let into one group (SPEC JO-4). */
export const MOST_WAITING = 64;
const EVERYBODY = { limit: 10_000 };
/** Changes of one group that may wait. */
const MOST_CHANGES = 64;

/** All of a group, those who asked first first. */
export async function requestsOf(
	tx: Pick<Transaction, 'list'>,
	group: GroupId,
): Promise<{ readonly key: string; readonly row: WaitingRow }[]> {
	const entries = await tx.list('requests', { prefix: requestKey.group(group), ...EVERYBODY });
	return entries.flatMap(waitingOf).sort((a, b) => a.row.at - b.row.at);
}

function waitingOf({ key, value }: Entry<'requests'>) {
	return value.kind === 'over' ? [] : [{ key, row: value }];
}

/** The group's list of who waits, as whoever watches the conversation hears of it. */
export async function putRequest(
	tx: Transaction,
	{ group, conversation }: Pick<GroupRow, 'group' | 'conversation'>,
	row: RequestRow,
): Promise<void> {
	const key = requestKey.of(group, row.channel);
	const before = await tx.get('requests', key);
	tx.put('requests', key, row);
	const here = await tx.get('conversations', conversation);
	const change = Number(row.kind === 'waiting') - Number(before?.kind === 'waiting');
	if (!here || change === 0) return;
	tx.put('conversations', conversation, { ...here, requests: (here.requests ?? 0) + change });
}

/** What is left of a request that is decided: its channel, and what is to be said there. */
export function over(channel: ChannelId, answer: SealedEnvelope | undefined): RequestRow {
	return { kind: 'over', channel, answer };
}

/** Wants them added, with the others who came by the link and are not on their way yet (SPEC JO-5). */
export async function letIn(tx: Transaction, group: GroupRow, row: WaitingRow): Promise<void> {
	const { account, profile, entrance } = row;
	await putRequest(tx, group, { ...row, kind: 'adding' });
	tx.put('entrances', entranceKey.of(group.group, account), entrance);
	const person = await tx.get('people', account);
	const isNew = !person || (!person.conversation && person.profileVersion === 0);
	if (isNew) putPerson(tx, account, { conversation: undefined, profile, lastSeen: undefined });
	await queueAdding(tx, group.conversation, account);
}

async function queueAdding(
	tx: Transaction,
	conversation: ConversationId,
	account: AccountId,
): Promise<void> {
	const prefix = outboxKey.changes(conversation);
	const waiting = await tx.list('outbox', { prefix, limit: MOST_CHANGES, newestFirst: true });
	const channel = (await tx.get('conversations', conversation))?.channels[0];
	const underway = (await tx.get('channels', channel ?? ''))?.staged?.change;
	for (const { key } of waiting) {
		const row = key === underway ? undefined : await tx.get('outbox', key);
		if (row?.kind !== 'change') continue;
		const { intention } = row;
		if (intention.kind !== 'add' || !intention.byLink) continue;
		const people = [...new Set([...intention.people, account])];
		tx.put('outbox', key, { kind: 'change', intention: { ...intention, people } });
		return;
	}
	const created = (await tx.get('conversations', conversation))?.created ?? 0;
	let order = nextOrder(waiting[0]?.key.slice(prefix.length) ?? '', created);
	// Asked for, so that two who write at once do not both take it.
	while (await tx.get('outbox', outboxKey.change(conversation, order))) order = nextOrder(order, 0);
	const intention = { kind: 'add', people: [account], byLink: true } as const;
	tx.put('outbox', outboxKey.change(conversation, order), { kind: 'change', intention });
}

/** They hear that they are not let in. */
export async function turnAway(
	tx: Transaction,
	group: Pick<GroupRow, 'group' | 'conversation'>,
	people: readonly AccountId[],
): Promise<void> {
	for (const { row } of await requestsOf(tx, group.group)) {
		if (people.includes(row.account)) await putRequest(tx, group, over(row.channel, row.answer));
	}
}

/** Brings link and requests in line with the group as it is now (SPEC JO-1, JO-8). */
export async function followLink(
	tx: Transaction,
	{ before, next, me }: { before: GroupRow | undefined; next: GroupRow; me: AccountId },
): Promise<void> {
	const isIn = (account: AccountId) => next.members.some((each) => each.account === account);
	if (before?.members.length !== next.members.length) {
		for (const { row } of await requestsOf(tx, next.group)) {
			if (isIn(row.account)) await putRequest(tx, next, over(row.channel, undefined));
		}
	}
	if (!next.link) return;
	if (!mayInvite(next, me)) {
		await closeDoor(tx, next);
		return;
	}
	const row = await tx.get('invites', next.link);
	const isSame = before?.members.length === next.members.length && sameShown(before, next);
	if (!row?.group || row.invite.state !== 'open' || isSame) return;
	const group = { ...row.group, version: row.group.version + 1 };
	tx.put('invites', next.link, { ...row, group, todo: 'put' });
}

function sameShown({ about: a }: GroupRow, { about: b }: GroupRow): boolean {
	const [old, next] = [a.picture, b.picture];
	const samePicture =
		old && next ? old.length === next.length && old.every((x, at) => x === next[at]) : old === next;
	return a.name === b.name && samePicture;
}

/** The link works no more, and nobody waits in vain. Whoever is let in already comes in. */
export async function closeDoor(tx: Transaction, group: GroupRow): Promise<void> {
	await revokeLink(tx, group);
	const waiting = (await requestsOf(tx, group.group)).filter(({ row }) => row.kind === 'waiting');
	await turnAway(
		tx,
		group,
		waiting.map(({ row }) => row.account),
	);
}

/** Nobody can ask by it from now on; who has asked already waits on. */
export async function revokeLink(tx: Transaction, { link }: Pick<GroupRow, 'link'>): Promise<void> {
	const row = link && (await tx.get('invites', link));
	if (!link || !row || (row.todo === 'revoke' && row.invite.state === 'revoked')) return;
	if (row.todo === undefined && row.invite.state === 'revoked') return;
	const invite = { ...row.invite, state: 'revoked' } as const;
	tx.put('invites', link, { ...row, todo: 'revoke', invite });
}

/** Nobody is asked any more: the channel is left, and nobody can add this person by what they were given. */
export async function stopAsking(
	tx: Transaction,
	conversation: ConversationRow,
	state: ConversationRow['state'],
): Promise<void> {
	const next = await endAsking(tx, conversation);
	tx.put('conversations', next.id, { ...next, state });
	if (next.group) await withdrawEntrance(tx, next.group);
}

/** The conversation without its request. */
export async function endAsking(
	tx: Transaction,
	conversation: ConversationRow,
): Promise<ConversationRow> {
	const { asking, group, id } = conversation;
	tx.delete('outbox', outboxKey.ask(id));
	if (asking?.channel && group) {
		await forgetChannel(tx, asking.channel);
		tx.put('requests', requestKey.of(group, asking.channel), over(asking.channel, undefined));
	}
	return { ...conversation, asking: undefined };
}

/** What others could found this group with, with this person in it, is void. */
export async function withdrawEntrance(tx: Transaction, group: GroupId): Promise<void> {
	const kit = await tx.get('contactAddresses', group);
	if (!kit) return;
	tx.delete('keyPackages', kit.keyPackageRef);
	tx.delete('contactAddresses', group);
	tx.put('contactAddresses', kit.address, { ...kit, revoked: true });
}
