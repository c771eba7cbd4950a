// A chat of another messenger becomes a conversation to read. Ids are made from what is in the file, so that the same
// file, or a newer export of the same chat, adds only what is not there yet.
import {
	idFrom,
	type AccountId,
	type ConversationId,
	type DeviceId,
	type MessageId,
} from '../protocol/ids.ts';
import type { ForeignChat, ForeignMessage } from './foreign.ts';
import type { ImportChoice, ImportOutcome, Progress } from './files.ts';
import { BATCH, History, NoRoom, newestIn, removeConversation } from './histories.ts';
import type { Participant } from './model.ts';
import { highestOf, positionOf } from './positions.ts';
import type { Clock, Result, SmallCrypto, Store, Transaction } from './ports.ts';
import {
	inConversation,
	ONLY,
	type ConversationRow,
	type MeRow,
	type MessageRow,
} from './records.ts';
import { newConversation } from './threads.ts';

export interface ImportPorts {
	readonly store: Store;
	readonly crypto: Pick<SmallCrypto, 'sha256'>;
	readonly clock: Clock;
}

const MOST_CONVERSATIONS = 10_000;
/** Messages of the file that are looked for in the histories already here. */
const SAMPLES = 64;
/** So many found again make it the same chat: two chats may share a wish for the new year. */
const ENOUGH = 3;
/** Messages at the beginning of a file that its conversation is named by. */
const NAMED_BY = 16;
const COUNTER_LIMIT = 0xffff;

const encoder = new TextEncoder();

/** Writes `chat` as a conversation to read; only what is not there yet. Needs `start` first. */
export async function importChat(
	ports: ImportPorts,
	{ chat, choice, progress }: { chat: ForeignChat; choice: ImportChoice; progress?: Progress },
): Promise<Result<ImportOutcome, 'storage-full'>> {
	const { store } = ports;
	const me = await store.get('me', ONLY);
	if (!me) throw new Error('start first');
	const keys = keysOf(chat.messages);
	const conversation = await conversationFor(ports, chat, keys);
	const range = { prefix: inConversation(conversation), limit: 1 };
	const nothingKnown = (await store.list('messages', range)).length === 0;
	const history = new History(store, { nothingKnown });
	const participants = await participantsOf(ports, chat, { choice, me });
	const places = placesOf(chat.messages);
	try {
		for (let at = 0; at < keys.length; at += BATCH) {
			const rows = chat.messages.slice(at, at + BATCH).map(async (message, index) => {
				const id = await messageId(ports, conversation, keys[at + index] ?? '');
				const place = places[at + index] ?? { sent: 0, order: '' };
				return rowOf({ id, conversation, place, message, participants, me });
			});
			await history.add(await Promise.all(rows));
			progress?.(Math.min(at + BATCH, keys.length), keys.length);
		}
		await history.finish(async (tx) => {
			const known = await tx.get('conversations', conversation);
			const base = known ?? newConversation(conversation, undefined, places[0]?.sent ?? 0);
			const imported = {
				source: chat.source,
				title: known?.imported?.title ?? choice.title,
				participants: together(known?.imported?.participants ?? [], participants),
				at: ports.clock.now(),
			};
			tx.put('conversations', conversation, await readToEnd(tx, { ...base, imported }));
		});
	} catch (error) {
		if (error instanceof NoRoom) return { ok: false, error: 'storage-full' };
		throw error;
	}
	const { added } = history;
	return { ok: true, value: { conversation, added, known: keys.length - added } };
}

/** Removes an imported history; anything else stays. */
export async function forgetImported(store: Store, id: ConversationId): Promise<void> {
	const row = await store.get('conversations', id);
	if (row?.imported) await removeConversation(store, id);
}

/** Old messages are no news: all of it counts as read. */
async function readToEnd(tx: Transaction, row: ConversationRow): Promise<ConversationRow> {
	const last = await newestIn(tx, row.id);
	const end = last?.position ?? '';
	return { ...row, last, unread: 0, readTo: end, highest: highestOf('', end.slice(0, 16)) };
}

/** What makes a message this one: when, what, and which of several that are alike. Not who: contacts are renamed. */
function keysOf(messages: readonly ForeignMessage[]): string[] {
	const counts = new Map<string, number>();
	return messages.map(({ wall, body }) => {
		const what = body.kind === 'text' ? 'text' : body.what;
		const key = `${wall}|${what}|${'text' in body ? body.text : ''}`;
		const nth = counts.get(key) ?? 0;
		counts.set(key, nth + 1);
		return `${nth}|${key}`;
	});
}

async function hash({ crypto }: ImportPorts, label: string, text: string): Promise<Uint8Array> {
	return crypto.sha256(encoder.encode(`kith import ${label}\0${text}`));
}

async function messageId(
	ports: ImportPorts,
	conversation: ConversationId,
	key: string,
): Promise<MessageId> {
	const digest = await hash(ports, 'message', `${conversation}\0${key}`);
	return idFrom<MessageId>(digest.slice(0, 16));
}

/** The history here that already holds messages of this file, or the one that this file begins. */
async function conversationFor(
	ports: ImportPorts,
	chat: ForeignChat,
	keys: readonly string[],
): Promise<ConversationId> {
	const step = Math.max(1, Math.floor(keys.length / SAMPLES));
	const samples = keys.filter((_, index) => index % step === 0).slice(0, SAMPLES);
	const rows = await ports.store.list('conversations', { prefix: '', limit: MOST_CONVERSATIONS });
	for (const { value } of rows) {
		if (value.imported?.source !== chat.source) continue;
		const found = await Promise.all(
			samples.map(async (key) => {
				return ports.store.locate(await messageId(ports, value.id, key));
			}),
		);
		const count = found.filter((key) => key !== undefined).length;
		if (count >= Math.min(ENOUGH, samples.length)) return value.id;
	}
	const names = chat.participants.slice(0, NAMED_BY).map(({ name }) => name);
	const first = [...keys.slice(0, NAMED_BY), ...names].join('\0');
	return idFrom<ConversationId>((await hash(ports, 'conversation', first)).slice(0, 16));
}

async function participantsOf(
	ports: ImportPorts,
	chat: ForeignChat,
	{ choice, me }: { choice: ImportChoice; me: MeRow },
): Promise<Participant[]> {
	return Promise.all(
		chat.participants.map(async ({ name }, index) => {
			const who = choice.people[index];
			if (who === 'me') return { account: me.account, name };
			if (who !== undefined) return { account: who, name };
			return { account: idFrom<AccountId>(await hash(ports, 'participant', name)), name };
		}),
	);
}

function together(before: readonly Participant[], now: readonly Participant[]): Participant[] {
	const all = new Map<string, Participant>();
	for (const each of [...before, ...now]) all.set(`${each.account}/${each.name}`, each);
	return [...all.values()];
}

interface Place {
	readonly sent: number;
	readonly order: string;
}

/** One order that goes forward as the file does, whatever its clocks did. */
function placesOf(messages: readonly ForeignMessage[]): Place[] {
	let ms = 0;
	let counter = 0;
	return messages.map(({ wall }) => {
		const sent = instantOf(wall);
		if (sent > ms) [ms, counter] = [sent, 0];
		else if (counter < COUNTER_LIMIT) counter++;
		else [ms, counter] = [ms + 1, 0];
		return {
			sent,
			order: ms.toString(16).padStart(12, '0') + counter.toString(16).padStart(4, '0'),
		};
	});
}

/** The file knows no time zones: its clock is taken for the one on this device's wall. */
function instantOf(wall: number): number {
	const at = new Date(wall);
	return new Date(
		at.getUTCFullYear(),
		at.getUTCMonth(),
		at.getUTCDate(),
		at.getUTCHours(),
		at.getUTCMinutes(),
		at.getUTCSeconds(),
	).getTime();
}

interface Made {
	readonly id: MessageId;
	readonly conversation: ConversationId;
	readonly place: Place;
	readonly message: ForeignMessage;
	readonly participants: readonly Participant[];
	readonly me: MeRow;
}

function rowOf({ id, conversation, place, message, participants, me }: Made): MessageRow {
	const author = message.author === undefined ? undefined : participants[message.author]?.account;
	const { body } = message;
	return {
		id,
		conversation,
		position: positionOf(place.order, id),
		author: author ?? me.account,
		// No device of Kith wrote it.
		device: '' as DeviceId,
		mine: author === me.account,
		body: body.kind === 'text' ? { ...body, replyTo: undefined } : body,
		sent: place.sent,
		received: place.sent,
		delivery: { kind: 'received' },
		carrier: undefined,
	};
}
