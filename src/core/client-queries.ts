// Reading for the screens: rows joined into what model.ts calls a conversation or a message.
import type { Client, MessagePage, PageRequest } from './client.ts';
import {
	DEFAULT_SETTINGS,
	type Conversation,
	type ConversationId,
	type Message,
	type Position,
} from './model.ts';
import type { Store } from './ports.ts';
import {
	inConversation,
	messageKey,
	ONLY,
	type ConversationRow,
	type MessageRow,
	type PersonRow,
} from './records.ts';

const MOST_CONVERSATIONS = 10_000;
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
	| 'firstUnread'
	| 'invites'
	| 'settings'
>;

export function viewMessage(row: MessageRow): Message {
	const { device: _device, carrier: _carrier, ...message } = row;
	return message;
}

function viewConversation(
	row: ConversationRow,
	person: PersonRow | undefined,
	draft: string | undefined,
): Conversation {
	const {
		account,
		entry: _entry,
		channels: _channels,
		generation: _generation,
		highest: _highest,
		late: _late,
		...rest
	} = row;
	return {
		...rest,
		subject:
			account && person
				? {
						kind: 'person',
						person: {
							account,
							profile: person.profile,
							verification: person.verification,
							lastSeen: person.lastSeen,
						},
					}
				: { kind: 'notes' },
		draft: draft ?? '',
	};
}

function inListOrder(a: Conversation, b: Conversation): number {
	if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
	const at = ({ last, created }: Conversation) =>
		last?.position ?? created.toString(16).padStart(12, '0');
	return at(a) < at(b) ? 1 : -1;
}

export function createQueries(store: Store): Queries {
	async function page(id: ConversationId, request: PageRequest): Promise<MessagePage> {
		const limit = Math.min(request.limit, MOST_MESSAGES);
		if (request.at === 'around') return around(id, request.position, limit);
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

	async function around(
		id: ConversationId,
		position: Position,
		limit: number,
	): Promise<MessagePage> {
		const half = Math.ceil(limit / 2);
		const [older, newer] = await Promise.all([
			page(id, { at: 'before', position, limit: half }),
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

	return {
		async me() {
			const row = await store.get('me', ONLY);
			return (
				row && {
					account: row.account,
					device: row.device,
					profile: row.profile,
					created: row.created,
				}
			);
		},
		async conversations() {
			const everything = { prefix: '', limit: MOST_CONVERSATIONS };
			const [rows, people, drafts] = await Promise.all([
				store.list('conversations', everything),
				store.list('people', everything),
				store.list('drafts', everything),
			]);
			const byAccount = new Map<string, PersonRow>(people.map(({ key, value }) => [key, value]));
			const draftOf = new Map(drafts.map(({ key, value }) => [key, value]));
			return rows
				.map(({ key, value }) => {
					return viewConversation(value, byAccount.get(value.account ?? ''), draftOf.get(key));
				})
				.sort(inListOrder);
		},
		async conversation(id) {
			const row = await store.get('conversations', id);
			if (!row) return undefined;
			const [person, draft] = await Promise.all([
				row.account && store.get('people', row.account),
				store.get('drafts', id),
			]);
			return viewConversation(row, person, draft);
		},
		messages: page,
		async message(id) {
			const key = await store.get('messageKeys', id);
			const row = key === undefined ? undefined : await store.get('messages', key);
			return row && viewMessage(row);
		},
		async firstUnread(id) {
			const row = await store.get('conversations', id);
			if (!row || row.unread === 0) return undefined;
			const next = await store.list('messages', {
				prefix: inConversation(id),
				after: messageKey(id, row.readTo),
				limit: UNREAD_SEARCH,
			});
			return next.find(({ value }) => !value.mine)?.value.position;
		},
		async invites() {
			const rows = await store.list('invites', { prefix: '', limit: MOST_CONVERSATIONS });
			return rows.map(({ value }) => value.invite).sort((a, b) => b.created - a.created);
		},
		async settings() {
			return { ...DEFAULT_SETTINGS, ...(await store.get('settings', ONLY)) };
		},
	};
}

/** A key that sorts right before `key` among keys of the same make. */
function justBefore(key: string): string {
	return key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) - 1) + '\uffff';
}
