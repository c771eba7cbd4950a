// Reading for the screens: rows joined into what model.ts calls a conversation or a message.
import { blockedPeople, isBlocked } from './blocking.ts';
import type { Client, MessagePage, PageRequest } from './client.ts';
import {
	DEFAULT_SETTINGS,
	inListOrder,
	isOutOfGroup,
	writtenOf,
	type AccountId,
	type Conversation,
	type ConversationId,
	type ConversationSubject,
	type Me,
	type Message,
	type Person,
	type Recovery,
} from './model.ts';
import type { Store } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import {
	inConversation,
	messageKey,
	ONLY,
	type ConversationRow,
	type MeRow,
	type MessageRow,
	type PersonRow,
	type Rows,
} from './records.ts';
import type { RecoveryRow } from './recovery-model.ts';
import { isNews } from './threads.ts';

const EVERYTHING = { prefix: '', limit: 10_000 };
const MOST_MESSAGES = 200;
/** How far behind the read mark the first unread message of somebody else is looked for. */
const UNREAD_SEARCH = 200;

type Queries = Pick<
	Client,
	| 'me'
	| 'conversations'
	| 'conversation'
	| 'messages'
	| 'message'
	| 'messagesAt'
	| 'firstUnread'
	| 'invites'
	| 'settings'
	| 'recovery'
>;

function viewMessage(row: MessageRow): Message {
	const { device: _device, carrier: _carrier, quiet: _quiet, ...message } = row;
	return message;
}

interface Known {
	readonly person: PersonRow | undefined;
	readonly group: GroupRow | undefined;
	/** Who wrote the newest message. */
	readonly author: PersonRow | undefined;
	readonly draft: Rows['drafts'] | undefined;
	/** The person of this conversation is blocked. */
	readonly blocked: boolean;
	readonly me: AccountId | undefined;
}

export function viewPerson({ account, profile, verification, lastSeen }: PersonRow): Person {
	return { account, profile, verification, lastSeen };
}

function viewSubject(
	{ person, group, me }: Known,
	{ imported, state }: Pick<ConversationRow, 'imported' | 'state'>,
): ConversationSubject {
	if (imported) return { kind: 'imported', ...imported };
	if (person) return { kind: 'person', person: viewPerson(person) };
	if (!group) return { kind: 'notes' };
	const { about, policy, members } = group;
	const role = isOutOfGroup(state)
		? undefined
		: members.find(({ account }) => account === me)?.role;
	return { kind: 'group', about, policy, size: members.length, role };
}

function viewConversation(row: ConversationRow, known: Known): Conversation {
	const {
		account: _account,
		group: _group,
		entry: _entry,
		channels: _channels,
		generation: _generation,
		highest: _highest,
		late: _late,
		unreadable: _unreadable,
		imported: _imported,
		asking: _asking,
		hidden: _hidden,
		...rest
	} = row;
	const draft = writtenOf(known.draft ?? '');
	return {
		...rest,
		mentions: row.mentions ?? [],
		...(known.blocked && { state: { kind: 'blocked' }, unread: 0, mentions: [] }),
		subject: viewSubject(known, row),
		lastBy: row.group !== undefined && !row.last?.mine ? known.author?.profile.name : undefined,
		draft: draft.text,
		draftMentions: draft.mentions,
	};
}

export function viewMe({ account, device, profile, created, signedOut, link }: MeRow): Me {
	return { account, device, profile, created, signedOut, link };
}

function viewRecovery({ made, savedAt, leftOut, passkey, digest }: RecoveryRow): Recovery {
	const shown = passkey && {
		...{ credential: passkey.credential, made: passkey.made },
		kept: digest !== undefined,
	};
	return { made, savedAt, leftOut, passkey: shown };
}

export function createQueries(store: Store): Queries {
	return {
		async me() {
			const row = await store.get('me', ONLY);
			return row && viewMe(row);
		},
		async recovery() {
			const row = await store.get('recovery', ONLY);
			return row && viewRecovery(row);
		},
		conversations: () => listConversations(store),
		async conversation(id) {
			const row = await store.get('conversations', id);
			if (!row || row.hidden) return undefined;
			const [person, group, author, draft, me, blocked] = await Promise.all([
				store.get('people', row.account ?? ''),
				store.get('groups', row.group ?? ''),
				store.get('people', row.last?.author ?? ''),
				store.get('drafts', id),
				store.get('me', ONLY),
				isBlocked(store, row.account),
			]);
			if (isEmpty(row) && (blocked || row.state.kind === 'request')) return undefined;
			const known = { person, group, author, draft, blocked };
			return viewConversation(row, { ...known, me: me?.account });
		},
		messages: (id, request) => {
			const limit = Math.min(request.limit, MOST_MESSAGES);
			return pageOf(store, id, { ...request, limit });
		},
		async message(id) {
			const key = await store.locate(id);
			const row = key === undefined ? undefined : await store.get('messages', key);
			return row && viewMessage(row);
		},
		async messagesAt(id, positions) {
			const keys = [...positions].sort().map((position) => messageKey(id, position));
			const rows = await Promise.all(keys.map((key) => store.get('messages', key)));
			return rows.flatMap((row) => (row ? [viewMessage(row)] : []));
		},
		async firstUnread(id) {
			const row = await store.get('conversations', id);
			if (!row || row.unread === 0) return undefined;
			const next = await store.list('messages', {
				prefix: inConversation(id),
				after: messageKey(id, row.readTo),
				limit: UNREAD_SEARCH,
			});
			return next.find(({ value }) => isNews(value))?.value.position;
		},
		async invites() {
			const rows = await store.list('invites', EVERYTHING);
			const own = rows.filter(({ value }) => !value.group);
			return own.map(({ value }) => value.invite).sort((a, b) => b.created - a.created);
		},
		async settings() {
			return { ...DEFAULT_SETTINGS, ...(await store.get('settings', ONLY)) };
		},
	};
}

async function listConversations(store: Store): Promise<Conversation[]> {
	const [rows, people, groups, drafts, me, blocked] = await Promise.all([
		store.list('conversations', EVERYTHING),
		store.list('people', EVERYTHING),
		store.list('groups', EVERYTHING),
		store.list('drafts', EVERYTHING),
		store.get('me', ONLY),
		blockedPeople(store),
	]);
	const byAccount = new Map(people.map(({ key, value }) => [key, value]));
	const byGroup = new Map(groups.map(({ key, value }) => [key, value]));
	const draftOf = new Map(drafts.map(({ key, value }) => [key, value]));
	return rows
		.filter(({ value }) => {
			const isBlockedNow = value.account !== undefined && blocked.has(value.account);
			const isUnwanted = value.state.kind === 'request' || isBlockedNow;
			return !value.hidden && (!isEmpty(value) || !isUnwanted);
		})
		.map(({ key, value }) => {
			return viewConversation(value, {
				blocked: value.account !== undefined && blocked.has(value.account),
				person: byAccount.get(value.account ?? ''),
				group: byGroup.get(value.group ?? ''),
				author: byAccount.get(value.last?.author ?? ''),
				draft: draftOf.get(key),
				me: me?.account,
			});
		})
		.sort(inListOrder);
}

/** With somebody, and nothing in it: of who is blocked, or waits for an answer, there is nothing to show. */
function isEmpty(row: ConversationRow): boolean {
	return row.account !== undefined && row.last === undefined;
}

async function pageOf(
	store: Store,
	id: ConversationId,
	request: PageRequest,
): Promise<MessagePage> {
	const { limit } = request;
	if (request.at === 'around') return pageAround(store, id, request);
	const forward = request.at === 'after';
	const bound = request.at === 'end' ? undefined : messageKey(id, request.position);
	const rows = await store.list('messages', {
		prefix: inConversation(id),
		limit: limit + 1, // one more tells whether there is more
		newestFirst: !forward,
		...(bound !== undefined && (forward ? { after: bound } : { before: bound })),
	});
	const messages = rows.slice(0, limit).map(({ value }) => viewMessage(value));
	const more = rows.length > limit;
	if (forward) return { messages, olderExist: true, newerExist: more };
	return { messages: messages.reverse(), olderExist: more, newerExist: request.at === 'before' };
}

async function pageAround(
	store: Store,
	id: ConversationId,
	{ position, limit }: Extract<PageRequest, { at: 'around' }>,
): Promise<MessagePage> {
	const half = Math.ceil(limit / 2);
	const [older, newer] = await Promise.all([
		pageOf(store, id, { at: 'before', position, limit: half }),
		// From `position` on: nothing lies between it and the key right before it.
		store.list('messages', {
			prefix: inConversation(id),
			after: justBefore(messageKey(id, position)),
			limit: half + 1,
		}),
	]);
	const here = newer.slice(0, half).map(({ value }) => viewMessage(value));
	return {
		messages: [...older.messages, ...here],
		olderExist: older.olderExist,
		newerExist: newer.length > half,
	};
}

/** A key that sorts right before `key` among keys of the same make. */
function justBefore(key: string): string {
	return key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) - 1) + '\uffff';
}
