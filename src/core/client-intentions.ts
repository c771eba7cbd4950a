// What people want, written down in one transaction each. The engine sees the rows and does the rest.
import { MAX_TEXT_BYTES } from '../protocol/limits.ts';
import { soundMentions } from '../protocol/mentions.ts';
import { shownName } from '../protocol/names.ts';
import { idFrom, type ConversationId, type MessageId } from '../protocol/ids.ts';
import { blockedPeople, isBlocked } from './blocking.ts';
import type { Client, ClientPorts } from './client.ts';
import { viewMe } from './client-queries.ts';
import { mayWrite, roleIn } from './group-rights.ts';
import {
	DEFAULT_SETTINGS,
	MAX_MENTIONS,
	type Position,
	type Profile,
	type SendRefusal,
	type Written,
	writtenOf,
} from './model.ts';
import { nextOrder, positionOf } from './positions.ts';
import type { Result, Store, Transaction } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import {
	messageKey,
	MOST_INVITES,
	ONLY,
	outboxKey,
	type ConversationRow,
	type MeRow,
	type MessageRow,
} from './records.ts';
import {
	addMessage,
	isNotes,
	newConversation,
	queueReceipt,
	readUpTo,
	removeMessage,
	writeDelivery,
} from './threads.ts';

/** A text that has to be sealed yet. */
const UNSEALED = { kind: 'text', sealed: undefined, replaces: undefined } as const;

type Intentions = Pick<
	Client,
	| 'start'
	| 'setProfile'
	| 'send'
	| 'retry'
	| 'discard'
	| 'saveDraft'
	| 'markRead'
	| 'setFlags'
	| 'changeSettings'
	| 'newRecoveryCode'
	| 'useRecoveryCode'
	| 'usePasskey'
>;

class StoreUnwritable extends Error {
	override readonly name = 'StoreUnwritable';
}

/** For intentions that have no own way to say that there is no room. */
export async function must<Value>(
	store: Store,
	body: (tx: Transaction) => Promise<Value>,
): Promise<Value> {
	const outcome = await store.transact(body);
	if (outcome.ok) return outcome.value;
	throw new StoreUnwritable(outcome.error);
}

function textRefusal(text: string): SendRefusal | undefined {
	if (text.trim() === '') return { kind: 'empty' };
	const bytes = new TextEncoder().encode(text).length;
	if (bytes > MAX_TEXT_BYTES) return { kind: 'too-long', bytes, limit: MAX_TEXT_BYTES };
	return undefined;
}

export function createIntentions(ports: ClientPorts): Intentions {
	return { ...messageIntentions(ports), ...ownIntentions(ports) };
}

function messageIntentions({
	store,
	clock,
	random,
}: ClientPorts): Pick<Intentions, 'send' | 'retry' | 'discard' | 'saveDraft' | 'markRead'> {
	let last: Promise<unknown> = Promise.resolve();
	/** In the order asked, or a draft saved a moment before would come back after its message left. */
	function inOrder<Value>(work: () => Promise<Value>): Promise<Value> {
		const next = last.then(work, work);
		last = next;
		return next;
	}

	async function send(
		id: ConversationId,
		said: string | Written,
		replyTo: MessageId | undefined,
	): Promise<Result<MessageId, SendRefusal>> {
		const written = writtenOf(said);
		const refusal = textRefusal(written.text);
		if (refusal) return { ok: false, error: refusal };
		const message = {
			id: idFrom<MessageId>(random.bytes(16)),
			written,
			replyTo,
			sent: clock.now(),
		};
		const outcome = await store.transact((tx) => writeText(tx, id, message));
		return outcome.ok ? outcome.value : { ok: false, error: { kind: 'storage-full' } };
	}

	return {
		send: (id, said, replyTo) => inOrder(() => send(id, said, replyTo)),
		retry: (id) => must(store, (tx) => queueFailed(tx, id)),
		discard: (id) => must(store, (tx) => discardFailed(tx, id)),
		saveDraft: (id, draft) =>
			inOrder(() =>
				must(store, (tx) => {
					const { text, mentions } = writtenOf(draft);
					if (text === '') tx.delete('drafts', id);
					else tx.put('drafts', id, mentions.length > 0 ? { text, mentions } : text);
					return Promise.resolve();
				}),
			),
		markRead: (id, upTo) => must(store, (tx) => markRead(tx, id, upTo)),
	};
}

function ownIntentions(
	ports: ClientPorts,
): Omit<Intentions, keyof ReturnType<typeof messageIntentions>> {
	const { store } = ports;
	return {
		newRecoveryCode: () => ports.crypto.newRecoveryCode(),
		useRecoveryCode: (code) =>
			must(store, async (tx) => {
				const before = await tx.get('recovery', ONLY);
				if (before?.code === code) return;
				tx.put('recovery', ONLY, {
					...{ code, made: ports.clock.now(), takesOver: before?.takesOver ?? false, leftOut: 0 },
					...{ digest: undefined, savedAt: undefined, passkey: before?.passkey },
				});
			}),
		usePasskey: (chosen) =>
			must(store, async (tx) => {
				const row = await tx.get('recovery', ONLY);
				if (!row) return;
				const passkey = chosen && { ...chosen, made: ports.clock.now() };
				tx.put('recovery', ONLY, { ...row, passkey, digest: undefined });
			}),
		async start(name) {
			const keys = await ports.createIdentity();
			const notes = idFrom<ConversationId>(ports.random.bytes(16));
			const created = ports.clock.now();
			const me = await must(store, async (tx) => {
				const known = await tx.get('me', ONLY);
				if (known) return known;
				const profile = { name: shownName(name), picture: null };
				const fresh: MeRow = { ...keys, profile, created, profileVersion: 1 };
				tx.put('me', ONLY, fresh);
				tx.put('conversations', notes, newConversation(notes, undefined, created));
				return fresh;
			});
			return viewMe(me);
		},
		setProfile: (profile) => must(store, (tx) => changeProfile(tx, profile)),
		setFlags: (id, flags) =>
			must(store, async (tx) => {
				const conversation = await tx.get('conversations', id);
				if (conversation) tx.put('conversations', id, { ...conversation, ...flags });
			}),
		changeSettings: (change) =>
			must(store, async (tx) => {
				const before = await tx.get('settings', ONLY);
				tx.put('settings', ONLY, { ...DEFAULT_SETTINGS, ...before, ...change });
			}),
	};
}

async function changeProfile(tx: Transaction, profile: Profile): Promise<void> {
	const me = await tx.get('me', ONLY);
	if (!me) return;
	const cleaned = { ...profile, name: shownName(profile.name) };
	tx.put('me', ONLY, { ...me, profile: cleaned, profileVersion: me.profileVersion + 1 });
	// The cards of open links show it too.
	for (const { key } of await tx.list('invites', { prefix: '', limit: MOST_INVITES })) {
		const row = await tx.get('invites', key);
		if (row?.invite.state === 'open') tx.put('invites', key, { ...row, todo: 'put' });
	}
}

async function writeText(
	tx: Transaction,
	id: ConversationId,
	message: Pick<MessageRow, 'id' | 'sent'> & {
		readonly written: Written;
		readonly replyTo: MessageId | undefined;
	},
): Promise<Result<MessageId, SendRefusal>> {
	const me = await tx.get('me', ONLY);
	const conversation = await tx.get('conversations', id);
	const group = await tx.get('groups', conversation?.group ?? '');
	// What was imported is to read; what was restored has no way to the other side yet.
	const isOpen = conversation?.state.kind === 'open' || conversation?.state.kind === 'inviting';
	const mayNot =
		(conversation?.imported ?? (group && me && !mayWrite(group, me.account))) ||
		(await isBlocked(tx, conversation?.account));
	if (!me || me.signedOut !== undefined || !conversation || !isOpen || mayNot)
		return { ok: false, error: { kind: 'closed' } };
	const relayTime = message.sent - ((await tx.get('clock', ONLY))?.skew ?? 0);
	const position = positionOf(nextOrder(conversation.highest, relayTime), message.id);
	const isNote = isNotes(conversation);
	const { sent, replyTo, written } = message;
	const mentions = mentionsIn(written, group);
	await addMessage(tx, {
		id: message.id,
		body: {
			...{ kind: 'text', text: written.text, replyTo },
			...(mentions.length > 0 && { mentions }),
		},
		sent,
		received: sent,
		conversation: id,
		position,
		author: me.account,
		device: me.device,
		mine: true,
		// A note goes nowhere: it has no ticks.
		delivery: { kind: isNote ? 'received' : 'queued' },
		carrier: undefined,
	});
	if (!isNote) tx.put('outbox', outboxKey.text(id, position), UNSEALED);
	else if (me.self) {
		const key = messageKey(id, position);
		tx.put('outbox', outboxKey.note(me.self, message.id), { kind: 'note', key });
	}
	tx.delete('drafts', id);
	return { ok: true, value: message.id };
}

/** Those that everybody will take (SPEC CO-11); the rest of the text stays what it is. */
function mentionsIn({ text, mentions }: Written, group: GroupRow | undefined): Written['mentions'] {
	const members = mentions.filter(({ account }) => group && roleIn(group, account));
	return soundMentions(text, members.slice(0, MAX_MENTIONS));
}

async function failedMessage(tx: Transaction, id: MessageId): Promise<MessageRow | undefined> {
	const key = await tx.locate(id);
	const message = key === undefined ? undefined : await tx.get('messages', key);
	return message?.delivery.kind === 'failed' ? message : undefined;
}

async function queueFailed(tx: Transaction, id: MessageId): Promise<void> {
	const message = await failedMessage(tx, id);
	if (!message) return;
	await writeDelivery(tx, message, { kind: 'queued' });
	tx.put('outbox', outboxKey.text(message.conversation, message.position), UNSEALED);
	const conversation = await tx.get('conversations', message.conversation);
	// The link that was refused may work again (a limit per day, a relay that was repaired): it is asked once more.
	if (conversation?.state.kind !== 'refused') return;
	tx.put('conversations', conversation.id, { ...conversation, state: { kind: 'inviting' } });
}

/** Only what failed: anything else may be on its way, and would come back from the other side. */
async function discardFailed(tx: Transaction, id: MessageId): Promise<void> {
	const message = await failedMessage(tx, id);
	if (!message) return;
	tx.delete('outbox', outboxKey.text(message.conversation, message.position));
	await removeMessage(tx, id);
}

async function markRead(tx: Transaction, id: ConversationId, upTo: Position): Promise<void> {
	const ids = await readUpTo(tx, id, upTo);
	const conversation = await tx.get('conversations', id);
	if (!conversation || !(await isHeard(tx, conversation))) return;
	const told = await notOfBlocked(tx, ids);
	if (told.length === 0) return;
	const settings = await tx.get('settings', ONLY);
	if (settings?.readReceipts !== false) await queueReceipt(tx, id, { read: told });
}

/** Whether there is somebody to tell. Where a link would have to be used first, reading is no reason to use it (AD-6). */
async function isHeard(tx: Transaction, conversation: ConversationRow): Promise<boolean> {
	const { kind } = conversation.state;
	if (isNotes(conversation) || (kind !== 'open' && kind !== 'frozen')) return false;
	return !(await isBlocked(tx, conversation.account));
}

/** Who was blocked in a group meanwhile is not told what was read of them before. */
async function notOfBlocked(tx: Transaction, ids: readonly MessageId[]): Promise<MessageId[]> {
	if ((await blockedPeople(tx)).size === 0) return [...ids];
	const told: MessageId[] = [];
	for (const id of ids) {
		const message = await tx.get('messages', (await tx.locate(id)) ?? '');
		if (message && !(await isBlocked(tx, message.author))) told.push(id);
	}
	return told;
}
