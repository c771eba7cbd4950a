// What people want, written down in one transaction each. The engine sees the rows and does the rest.
import { MAX_TEXT_BYTES } from '../protocol/limits.ts';
import { idFrom, type ConversationId, type MessageId } from '../protocol/ids.ts';
import type { Client, ClientPorts } from './client.ts';
import { DEFAULT_SETTINGS, type Position, type SendRefusal } from './model.ts';
import { nextOrder, positionOf } from './positions.ts';
import type { Result, Store, Transaction } from './ports.ts';
import { inConversation, messageKey, ONLY, outboxKey, type MessageRow } from './records.ts';
import {
	addMessage,
	newConversation,
	queueReceipt,
	removeMessage,
	writeDelivery,
} from './threads.ts';

/** Messages that one reading can cover; more than anybody reads at once. */
const MOST_READ = 20_000;

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
>;

export class StoreUnwritable extends Error {
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
	const { store, clock, random } = ports;

	async function relayTime(): Promise<number> {
		return clock.now() - ((await store.get('clock', ONLY))?.skew ?? 0);
	}

	async function writeText(
		tx: Transaction,
		id: ConversationId,
		message: Pick<MessageRow, 'id' | 'body' | 'sent'> & { readonly relayTime: number },
	): Promise<Result<MessageId, SendRefusal>> {
		const me = await tx.get('me', ONLY);
		const conversation = await tx.get('conversations', id);
		const closed = conversation?.state.kind === 'refused' || conversation?.state.kind === 'blocked';
		if (!me || !conversation || closed) return { ok: false, error: { kind: 'closed' } };
		const order = nextOrder(conversation.highest, message.relayTime);
		const position = positionOf(order, message.id);
		const isNote = conversation.account === undefined;
		await addMessage(tx, {
			id: message.id,
			body: message.body,
			sent: message.sent,
			received: message.sent,
			conversation: id,
			position,
			author: me.account,
			device: me.device,
			mine: true,
			// A note goes nowhere: it has no ticks.
			delivery: { kind: isNote ? 'received' : 'queued' },
			carrier: undefined,
		});
		if (!isNote) {
			const outbox = outboxKey.text(id, position);
			tx.put('outbox', outbox, { kind: 'text', sealed: undefined, replaces: undefined });
		}
		tx.delete('drafts', id);
		return { ok: true, value: message.id };
	}

	return {
		async start(name) {
			const { account, device } = await ports.createIdentity();
			return must(store, async (tx) => {
				const known = await tx.get('me', ONLY);
				const me = known ?? {
					account,
					device,
					profile: { name: name.trim(), picture: null },
					created: clock.now(),
					profileVersion: 1,
				};
				if (!known) {
					const notes = idFrom<ConversationId>(random.bytes(16));
					tx.put('me', ONLY, me);
					tx.put('conversations', notes, newConversation(notes, undefined, me.created));
				}
				return {
					account: me.account,
					device: me.device,
					profile: me.profile,
					created: me.created,
				};
			});
		},
		setProfile: (profile) =>
			must(store, async (tx) => {
				const me = await tx.get('me', ONLY);
				if (!me) return;
				tx.put('me', ONLY, { ...me, profile, profileVersion: me.profileVersion + 1 });
				// The cards of open links show it too.
				for (const { key } of await tx.list('invites', { prefix: '', limit: 1_000 })) {
					const row = await tx.get('invites', key);
					if (row?.invite.state === 'open') tx.put('invites', key, { ...row, todo: 'put' });
				}
			}),
		async send(id, text, replyTo) {
			const refusal = textRefusal(text);
			if (refusal) return { ok: false, error: refusal };
			const message = {
				id: idFrom<MessageId>(random.bytes(16)),
				body: { kind: 'text' as const, text, replyTo },
				sent: clock.now(),
				relayTime: await relayTime(),
			};
			const outcome = await store.transact((tx) => writeText(tx, id, message));
			return outcome.ok ? outcome.value : { ok: false, error: { kind: 'storage-full' } };
		},
		retry: (id) =>
			must(store, async (tx) => {
				const key = await tx.get('messageKeys', id);
				const message = key === undefined ? undefined : await tx.get('messages', key);
				if (message?.delivery.kind !== 'failed') return;
				await writeDelivery(tx, message, { kind: 'queued' });
				const outbox = outboxKey.text(message.conversation, message.position);
				tx.put('outbox', outbox, { kind: 'text', sealed: undefined, replaces: undefined });
			}),
		discard: (id) =>
			must(store, async (tx) => {
				const key = await tx.get('messageKeys', id);
				const message = key === undefined ? undefined : await tx.get('messages', key);
				// Only what failed: anything else may be on its way, and would come back from the other side.
				if (message?.delivery.kind !== 'failed') return;
				tx.delete('outbox', outboxKey.text(message.conversation, message.position));
				await removeMessage(tx, id);
			}),
		saveDraft: (id, text) =>
			must(store, (tx) => {
				if (text === '') tx.delete('drafts', id);
				else tx.put('drafts', id, text);
				return Promise.resolve();
			}),
		markRead: (id, upTo) => must(store, (tx) => markRead(tx, id, upTo)),
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

async function markRead(tx: Transaction, id: ConversationId, upTo: Position): Promise<void> {
	const conversation = await tx.get('conversations', id);
	if (!conversation) return;
	const { readTo, late } = conversation;
	if (upTo <= readTo && late.length === 0) return;
	const prefix = inConversation(id);
	const after = messageKey(id, readTo);
	const since = await tx.list('messages', { prefix, after, limit: MOST_READ });
	const theirs = since.map(({ value }) => value).filter(({ mine }) => !mine);
	const read = theirs.filter(({ position }) => position <= upTo);
	tx.put('conversations', id, {
		...conversation,
		readTo: upTo > readTo ? upTo : readTo,
		late: [],
		unread: theirs.length - read.length,
	});
	const ids = [...late, ...read.filter(({ body }) => body.kind === 'text').map((each) => each.id)];
	const settings = await tx.get('settings', ONLY);
	if (conversation.account && ids.length > 0 && settings?.readReceipts !== false) {
		await queueReceipt(tx, id, { read: ids });
	}
}
