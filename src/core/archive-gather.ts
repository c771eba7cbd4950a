// Everything of this device that a backup holds, in the order of its format. Keys are not among it.
import type { ArchiveEntry, ConversationEntry, MessageEntry } from './archive-entries.ts';
import type { AccountId } from './model.ts';
import type { Progress } from './files.ts';
import { isLive, writtenOf } from './model.ts';
import type { ConversationId, Position } from './model.ts';
import type { Clock, Store } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import {
	inConversation,
	messageKey,
	ONLY,
	type ConversationRow,
	type MessageRow,
	type PersonRow,
} from './records.ts';

const EVERYTHING = { prefix: '', limit: 100_000 };
const PAGE = 500;

/**
 * Undefined before `start`. `progress` counts messages; how many there will be is known only at the end. Without it there
 * are none among the entries.
 */
export async function gather(
	{ store, clock }: { readonly store: Store; readonly clock: Clock },
	progress?: Progress,
): Promise<AsyncIterable<ArchiveEntry> | undefined> {
	const me = await store.get('me', ONLY);
	if (!me) return undefined;
	const about = {
		type: 'about',
		account: me.account,
		profile: me.profile,
		created: me.created,
		written: clock.now(),
	} as const;
	return (async function* () {
		yield about;
		const settings = await store.get('settings', ONLY);
		if (settings) yield { type: 'settings', settings } as const;
		const people = await store.list('people', EVERYTHING);
		for (const { value } of people) yield personEntry(value);
		for (const { key, value } of await store.list('blocks', EVERYTHING)) {
			yield { type: 'block', account: key as AccountId, ...value } as const;
		}
		const known = new Set<string>(people.map(({ key }) => key));
		const groups = await store.list('groups', EVERYTHING);
		const groupOf = new Map<string, GroupRow>(groups.map(({ key, value }) => [key, value]));
		const rows = await store.list('conversations', EVERYTHING);
		const conversations = rows.filter(({ value: { account, group, state, last, hidden } }) => {
			// Who was not accepted is not taken along.
			if (hidden || state.kind === 'request') return false;
			// A request to join is this device's own; what was said in the group before is kept.
			if ((state.kind === 'asking' || state.kind === 'turned-away') && !last) return false;
			return (!account || known.has(account)) && (!group || groupOf.has(group));
		});
		for (const { key, value } of conversations) {
			const { text: draft } = writtenOf((await store.get('drafts', key)) ?? '');
			yield conversationEntry(value, { draft, group: groupOf.get(value.group ?? '') });
		}
		const ids = new Set(conversations.map(({ key }) => key));
		if (progress) yield* messageEntries(store, ids, progress);
		yield* linkEntries(store, clock.now());
		for (const { value } of await store.list('reports', EVERYTHING)) {
			yield { type: 'report', ...value } as const;
		}
	})();
}

function personEntry(row: PersonRow): ArchiveEntry {
	const { account, profile, profileVersion, verification, lastSeen, entry } = row;
	return { type: 'person', account, profile, profileVersion, verification, lastSeen, entry };
}

function conversationEntry(
	row: ConversationRow,
	{ draft, group }: { readonly draft: string; readonly group: GroupRow | undefined },
): ConversationEntry {
	const { id, account, imported, state, entry, generation } = row;
	const { readTo, pinned, muted, archived, created } = row;
	return {
		type: 'conversation',
		id,
		subject: subjectOf(row),
		account,
		imported,
		group: group && {
			...{ id: group.group, about: group.about },
			...{ policy: group.policy, members: group.members },
		},
		state: state.kind === 'asking' || state.kind === 'turned-away' ? 'restored' : state.kind,
		stateBy: state.kind === 'removed' ? state.by : undefined,
		stateAt: 'at' in state ? state.at : undefined,
		entry,
		generation,
		readTo,
		pinned,
		muted,
		archived,
		created,
		draft,
	};
}

function subjectOf({ imported, group, account }: ConversationRow): ConversationEntry['subject'] {
	if (imported) return 'imported';
	if (group) return 'group';
	return account ? 'person' : 'notes';
}

async function* messageEntries(
	store: Store,
	conversations: ReadonlySet<string>,
	progress: Progress,
): AsyncGenerator<MessageEntry> {
	let after: string | undefined;
	let done = 0;
	for (;;) {
		const range = { prefix: '', limit: PAGE, ...(after !== undefined && { after }) };
		const page = await store.list('messages', range);
		for (const { value } of page) {
			if (conversations.has(value.conversation) && isKept(value)) yield messageEntry(value);
		}
		done += page.length;
		progress(done, done);
		after = page.at(-1)?.key;
		if (after === undefined) return;
	}
}

/** A page of what was said in a conversation, newest first and from before a place on; with who it is with. */
export async function historyOf(
	store: Store,
	id: ConversationId,
	{ before, limit }: { readonly before: Position; readonly limit: number },
) {
	const row = await store.get('conversations', id);
	if (!row || row.hidden) return undefined;
	const [person, group] = await Promise.all([
		store.get('people', row.account ?? ''),
		store.get('groups', row.group ?? ''),
	]);
	const rows = await store.list('messages', {
		...{ prefix: inConversation(id), limit: limit + 1, newestFirst: true },
		...(before !== '' && { before: messageKey(id, before) }),
	});
	return {
		person: person && personEntry(person),
		conversation: conversationEntry(row, { draft: '', group }),
		messages: rows.slice(0, limit).map(({ value }) => {
			return {
				position: value.position,
				entry: isPassedOn(value) ? messageEntry(value) : undefined,
			};
		}),
		more: rows.length > limit,
	};
}

/** What has not left yet comes by itself once it did. */
function isPassedOn(row: MessageRow): boolean {
	const { kind } = row.delivery;
	return isKept(row) && kind !== 'queued' && kind !== 'failed';
}

/** What could not be opened is asked for again by the device that it came to; elsewhere it would never come. */
function isKept({ body }: MessageRow): boolean {
	return body.kind !== 'unreadable' || body.state === 'lost';
}

function messageEntry(row: MessageRow): MessageEntry {
	const { id, conversation, position, author, mine, body, sent, received, delivery, quiet } = row;
	return {
		type: 'message',
		id,
		conversation,
		position,
		author,
		mine,
		body,
		sent,
		received,
		delivery: delivery.kind,
		...(quiet && { quiet }),
	};
}

async function* linkEntries(store: Store, now: number): AsyncGenerator<ArchiveEntry> {
	for (const { value } of await store.list('invites', EVERYTHING)) {
		const { kind, created, expires } = value.invite;
		if (value.group || !isLive(value.invite) || (expires !== undefined && expires <= now)) continue;
		yield { type: 'link', secret: value.secret, kind, welcome: value.welcome, created, expires };
	}
}
