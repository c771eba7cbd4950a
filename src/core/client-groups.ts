// Groups from the person's side: making one, wanting it changed, and who is in it. What is wanted is written down; the
// engine carries it out in order, each against the group as it then is.
import { cleanName } from '../protocol/names.ts';
import { idFrom, type ConversationId, type GroupId, type MessageId } from '../protocol/ids.ts';
import { blockedPeople } from './blocking.ts';
import { allows } from './group-rights.ts';
import type { Client, ClientPorts } from './client.ts';
import { viewPerson } from './client-queries.ts';
import {
	DEFAULT_GROUP_MEMBERS,
	DEFAULT_POLICY,
	MAX_DESCRIPTION_CHARACTERS,
	MAX_GROUP_PICTURE_BYTES,
	type AccountId,
	type GroupAbout,
	type GroupIntention,
	type GroupMemberView,
	type GroupRefusal,
	type Profile,
	type Role,
} from './model.ts';
import { nextOrder } from './positions.ts';
import type { Result, Store, Transaction } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import { entranceKey, ONLY, outboxKey } from './records.ts';
import { newConversation } from './threads.ts';

/** Changes of one group that may wait; more is a broken screen. */
const MOST_CHANGES = 64;
const EVERYBODY = { prefix: '', limit: 10_000 };
const UNKNOWN: Profile = { name: '…', picture: null };
const RANK: Record<Role, number> = { owner: 0, admin: 1, member: 2 };

type GroupDoor = Pick<
	Client,
	'createGroup' | 'changeGroup' | 'members' | 'profiles' | 'contacts' | 'receipts'
>;

export function createGroupDoor(ports: ClientPorts): GroupDoor {
	const { store } = ports;
	return {
		createGroup: (group) => createGroup(ports, group),
		changeGroup: (id, intention) => changeGroup(ports, id, intention),
		members: (id) => listMembers(store, id),
		async profiles(accounts) {
			const rows = await Promise.all(accounts.map((account) => store.get('people', account)));
			return rows.flatMap((row) => (row ? [{ account: row.account, profile: row.profile }] : []));
		},
		async contacts() {
			const rows = (await store.list('people', EVERYBODY)).map(({ value }) => value);
			const blocked = await blockedPeople(store);
			const strangers = await strangersOf(store);
			const reachable = rows.filter(({ account, entry, conversation }) => {
				const isKnown = conversation && !strangers.has(conversation);
				return entry && isKnown && !blocked.has(account);
			});
			return reachable.map(viewPerson).sort((a, b) => byName(a.profile, b.profile));
		},
		receipts: (id) => listReceipts(store, id),
	};
}

async function strangersOf(store: Store): Promise<ReadonlySet<ConversationId>> {
	const rows = await store.list('conversations', EVERYBODY);
	return new Set(rows.flatMap(({ value }) => (value.state.kind === 'request' ? [value.id] : [])));
}

function byName(a: Profile, b: Profile): number {
	return a.name.localeCompare(b.name);
}

const refused = (error: GroupRefusal) => ({ ok: false, error }) as const;

/** As it will be shown everywhere: trimmed, and no longer than the protocol takes. */
function tidy(about: Partial<GroupAbout>): Partial<GroupAbout> {
	const { name, description, picture } = about;
	return {
		...(name !== undefined && { name: cleanName(name) }),
		...(description !== undefined && {
			description: description.trim().slice(0, MAX_DESCRIPTION_CHARACTERS).toWellFormed(),
		}),
		...(picture !== undefined && {
			picture: picture && picture.length > MAX_GROUP_PICTURE_BYTES ? null : picture,
		}),
	};
}

async function createGroup(
	{ store, clock, random }: ClientPorts,
	wanted: Parameters<Client['createGroup']>[0],
): Promise<Result<ConversationId, GroupRefusal>> {
	const { name = '', picture = null } = tidy(wanted);
	if (name === '') return refused({ kind: 'empty-name' });
	const conversation = idFrom<ConversationId>(random.bytes(16));
	const group = idFrom<GroupId>(random.bytes(16));
	const created = clock.now();
	const outcome = await store.transact(async (tx) => {
		const me = await tx.get('me', ONLY);
		if (!me) return refused({ kind: 'closed' });
		const people = [...new Set(wanted.people)].filter((account) => account !== me.account);
		const refusal = await cannotAdd(tx, people, 1);
		if (refusal) return refused(refusal);
		tx.put('conversations', conversation, {
			...newConversation(conversation, undefined, created),
			group,
			state: { kind: 'inviting' },
		});
		tx.put('groups', group, {
			group,
			conversation,
			about: { name, description: '', picture },
			policy: DEFAULT_POLICY,
			members: [
				{ account: me.account, role: 'owner' },
				...people.map((account) => ({ account, role: 'member' as const })),
			],
			mending: undefined,
			toldProfile: 0,
		});
		const key = outboxKey.change(conversation, nextOrder('', created));
		tx.put('outbox', key, { kind: 'change', intention: { kind: 'found', people } });
		return { ok: true, value: conversation } as const;
	});
	return outcome.ok ? outcome.value : refused({ kind: 'storage-full' });
}

/** Why these people cannot join `size` others; undefined if they can. */
async function cannotAdd(
	tx: Transaction,
	people: readonly AccountId[],
	size: number,
): Promise<GroupRefusal | undefined> {
	if (size + people.length > DEFAULT_GROUP_MEMBERS) {
		return { kind: 'too-many', limit: DEFAULT_GROUP_MEMBERS };
	}
	const unreachable: AccountId[] = [];
	for (const account of people) {
		if (!(await tx.get('people', account))?.entry) unreachable.push(account);
	}
	return unreachable.length > 0 ? { kind: 'not-reachable', people: unreachable } : undefined;
}

async function changeGroup(
	{ store, clock }: ClientPorts,
	id: ConversationId,
	wanted: GroupIntention,
): Promise<Result<undefined, GroupRefusal>> {
	const intention = wanted.kind === 'about' ? { ...wanted, about: tidy(wanted.about) } : wanted;
	const outcome = await store.transact(async (tx) => {
		const refusal = await refusalOf(tx, id, intention);
		if (refusal) return refused(refusal);
		const prefix = outboxKey.changes(id);
		const waiting = await tx.list('outbox', { prefix, limit: MOST_CHANGES, newestFirst: true });
		if (waiting.length >= MOST_CHANGES) return refused({ kind: 'storage-full' });
		// In the order wanted, whatever the clock does meanwhile.
		const order = nextOrder(waiting[0]?.key.slice(prefix.length) ?? '', clock.now());
		tx.put('outbox', outboxKey.change(id, order), { kind: 'change', intention });
		return { ok: true, value: undefined } as const;
	});
	return outcome.ok ? outcome.value : refused({ kind: 'storage-full' });
}

/** What can be said at once; the engine asks again when the intention's turn comes. */
async function refusalOf(
	tx: Transaction,
	id: ConversationId,
	intention: GroupIntention,
): Promise<GroupRefusal | undefined> {
	const conversation = await tx.get('conversations', id);
	const group = await tx.get('groups', conversation?.group ?? '');
	const me = await tx.get('me', ONLY);
	if (!conversation || !group || !me) return { kind: 'closed' };
	const { kind } = conversation.state;
	const fits = intention.kind === 'recreate' ? kind === 'frozen' : isLive(kind);
	if (!fits) return { kind: 'closed' };
	if (!allows(group, me.account, intention)) return { kind: 'not-allowed' };
	if (intention.kind === 'about' && intention.about.name === '') return { kind: 'empty-name' };
	if (intention.kind !== 'add') return undefined;
	const added = intention.people.filter((account) => !isIn(group, account));
	return cannotAdd(tx, added, group.members.length);
}

const isLive = (kind: string) => kind === 'open' || kind === 'inviting';

function isIn({ members }: GroupRow, account: AccountId): boolean {
	return members.some((member) => member.account === account);
}

async function listMembers(store: Store, id: ConversationId): Promise<GroupMemberView[]> {
	const conversation = await store.get('conversations', id);
	const group = await store.get('groups', conversation?.group ?? '');
	const me = await store.get('me', ONLY);
	if (!group || !me) return [];
	const views = group.members.map(async ({ account, role }): Promise<GroupMemberView> => {
		if (account === me.account) {
			const none = { conversation: undefined, reachable: false };
			return { account, profile: me.profile, role, me: true, ...none };
		}
		const person = await store.get('people', account);
		const { profile = UNKNOWN, conversation: alone } = person ?? {};
		const entrance = await store.get('entrances', entranceKey.of(group.group, account));
		const reachable = entrance !== undefined;
		return { account, profile, role, me: false, conversation: alone, reachable };
	});
	return (await Promise.all(views)).sort(
		(a, b) => RANK[a.role] - RANK[b.role] || byName(a.profile, b.profile),
	);
}

async function listReceipts(store: Store, id: MessageId): ReturnType<Client['receipts']> {
	const row = await store.get('receipts', id);
	return (row?.audience ?? []).map((account) => {
		if (row?.read.includes(account)) return { account, kind: 'read' };
		return { account, kind: row?.delivered.includes(account) ? 'delivered' : 'sent' };
	});
}
