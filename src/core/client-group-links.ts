// The link of a group from the person's side: making, changing and closing it, and answering those who ask by it.
import type { ConversationId } from '../protocol/ids.ts';
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import { newInvite } from './client-invites.ts';
import { letIn, over, putRequest, requestsOf, revokeLink, stopAsking } from './group-requests.ts';
import { mayInvite } from './group-rights.ts';
import {
	isLive,
	type AccountId,
	type GroupLink,
	type GroupRefusal,
	type JoinRequest,
	type LinkTerms,
} from './model.ts';
import type { Clock, Result, Store, Transaction } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import { ONLY, type InviteRow } from './records.ts';

export type GroupLinkDoor = Pick<
	Client,
	| 'groupLink'
	| 'makeGroupLink'
	| 'changeGroupLink'
	| 'closeGroupLink'
	| 'joinRequests'
	| 'answerRequest'
	| 'withdrawRequest'
>;

const DONE = { ok: true, value: undefined } as const;
const refused = (error: GroupRefusal) => ({ ok: false, error }) as const;

export function createGroupLinkDoor(ports: ClientPorts): GroupLinkDoor {
	const { store, clock } = ports;
	return {
		groupLink: (id) => viewLink(store, clock, id),
		makeGroupLink: (id, terms) => makeLink(ports, id, terms),
		changeGroupLink: (id, terms) => must(store, (tx) => changeLink(tx, id, terms)),
		closeGroupLink: (id) =>
			must(store, async (tx) => {
				const group = await groupOf(tx, id);
				if (group) await revokeLink(tx, group);
			}),
		joinRequests: (id) => listRequests(store, id),
		answerRequest: (id, account, answer) =>
			must(store, (tx) => answerRequest(tx, id, { account, answer })),
		withdrawRequest: (id) => must(store, (tx) => withdraw(tx, clock, id)),
	};
}

async function groupOf(
	store: Pick<Transaction, 'get'>,
	id: ConversationId,
): Promise<GroupRow | undefined> {
	const conversation = await store.get('conversations', id);
	return store.get('groups', conversation?.group ?? '');
}

/** Undefined where this person may let people in. */
async function refusalOf(
	tx: Transaction,
	id: ConversationId,
	group: GroupRow | undefined,
): Promise<GroupRefusal | undefined> {
	const me = await tx.get('me', ONLY);
	const state = (await tx.get('conversations', id))?.state.kind;
	if (!me || !group || state !== 'open') return { kind: 'closed' };
	return mayInvite(group, me.account) ? undefined : { kind: 'not-allowed' };
}

async function viewLink(
	store: Store,
	clock: Clock,
	id: ConversationId,
): Promise<GroupLink | undefined> {
	const group = await groupOf(store, id);
	const row = group?.link && (await store.get('invites', group.link));
	return row ? linkOf(row, clock.now()) : undefined;
}

/** A link's time is over at its minute, whenever this device looks after it. `now` by the clock of this device. */
function linkOf({ invite, group }: InviteRow, now: number): GroupLink {
	const { address, fragment, created, expires, state } = invite;
	const { approval = false, uses } = group ?? {};
	const isLate = expires !== undefined && expires <= now && isLive(invite);
	return { address, fragment, created, expires, approval, uses, state: isLate ? 'expired' : state };
}

async function makeLink(
	ports: ClientPorts,
	id: ConversationId,
	{ approval, expires, uses }: LinkTerms,
): Promise<Result<GroupLink, GroupRefusal>> {
	const fresh = await newInvite(ports, {
		kind: 'reusable',
		...(expires !== undefined && { expires }),
	});
	const { address, created } = fresh.invite;
	return must(ports.store, async (tx) => {
		const group = await groupOf(tx, id);
		const refusal = await refusalOf(tx, id, group);
		if (!group || refusal) return refused(refusal ?? { kind: 'closed' });
		await revokeLink(tx, group);
		const row: InviteRow = {
			...fresh,
			group: { group: group.group, approval, uses, used: 0, version: 1 },
		};
		tx.put('invites', address, row);
		tx.put('groups', group.group, { ...group, link: address });
		return { ok: true, value: linkOf(row, created) } as const;
	});
}

async function changeLink(
	tx: Transaction,
	id: ConversationId,
	{ approval, expires, uses }: LinkTerms,
): Promise<Result<undefined, GroupRefusal>> {
	const group = await groupOf(tx, id);
	const refusal = await refusalOf(tx, id, group);
	if (refusal) return refused(refusal);
	const row = group?.link && (await tx.get('invites', group.link));
	if (!row || !row.group || !isLive(row.invite)) return refused({ kind: 'closed' });
	const { version, used } = row.group;
	const isUsedUp = used >= (uses ?? Infinity);
	tx.put('invites', row.invite.address, {
		...row,
		todo: 'put',
		invite: { ...row.invite, expires, state: isUsedUp ? 'used' : row.invite.state },
		group: { ...row.group, approval, uses, version: version + 1 },
	});
	return DONE;
}

async function listRequests(store: Store, id: ConversationId): Promise<JoinRequest[]> {
	const group = await groupOf(store, id);
	if (!group) return [];
	const waiting = (await requestsOf(store, group.group)).filter(
		({ row }) => row.kind === 'waiting',
	);
	return waiting.map(({ row: { account, profile, at } }) => {
		return { account, profile, at, wasRemoved: group.expelled?.includes(account) ?? false };
	});
}

async function answerRequest(
	tx: Transaction,
	id: ConversationId,
	{ account, answer }: { readonly account: AccountId; readonly answer: 'let-in' | 'decline' },
): Promise<Result<undefined, GroupRefusal>> {
	const group = await groupOf(tx, id);
	const refusal = await refusalOf(tx, id, group);
	if (!group || refusal) return refused(refusal ?? { kind: 'closed' });
	for (const { key } of await requestsOf(tx, group.group)) {
		// Read by its key: another tab may have answered meanwhile.
		const row = await tx.get('requests', key);
		if (row?.kind !== 'waiting' || row.account !== account) continue;
		if (answer === 'let-in') await letIn(tx, group, row);
		else await putRequest(tx, group, over(row.channel, row.answer));
	}
	return DONE;
}

async function withdraw(tx: Transaction, clock: Clock, id: ConversationId): Promise<boolean> {
	const conversation = await tx.get('conversations', id);
	const { kind } = conversation?.state ?? {};
	const isAsked = kind === 'asking' || kind === 'turned-away' || kind === 'refused';
	if (!conversation?.group || !isAsked) return false;
	await stopAsking(tx, conversation, { kind: 'left', at: clock.now() });
	// Who was in the group before keeps what was said there.
	if (conversation.highest !== '') return false;
	tx.delete('conversations', id);
	tx.delete('groups', conversation.group);
	tx.delete('drafts', id);
	return true;
}
