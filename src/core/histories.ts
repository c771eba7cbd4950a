// Writing what already happened: messages of another messenger, or of a backup. In bounded batches, never twice, and
// taken away again if there is no room for all of it. The conversation's row comes last, so that nobody sees a half.
import type { ConversationId, MessageId } from '../protocol/ids.ts';
import type { MessageSummary, Position } from './model.ts';
import { BEGINNING } from './positions.ts';
import type { Store, Transaction } from './ports.ts';
import {
	inConversation,
	messageKey,
	ONLY,
	type ConversationRow,
	type MessageRow,
} from './records.ts';
import { isMentioned, isNews, isTold, MOST_LINES, MOST_MENTIONS, summaryOf } from './threads.ts';

/** Messages of one transaction: small enough that other tabs get their turn. */
export const BATCH = 1_000;
/** Unread messages that are counted; nobody reads more. */
const MOST_UNREAD = 20_000;

/** Thrown by {@link History.add} when there is no room. What was added is gone again by then. */
export class NoRoom extends Error {
	override readonly name = 'NoRoom';
}

/** One run of writing: a file that is imported, a backup that is restored. */
export class History {
	readonly #store: Store;
	readonly #added = new Map<MessageId, string>();
	readonly #nothingKnown: boolean;

	/** `nothingKnown`: none of what comes can be here already, so nothing is looked up. */
	constructor(store: Store, { nothingKnown }: { readonly nothingKnown: boolean }) {
		this.#store = store;
		this.#nothingKnown = nothingKnown;
	}

	/** How many messages were new so far. */
	get added(): number {
		return this.#added.size;
	}

	/**
	 * Adds those of at most {@link BATCH} messages that are not known, and tells which; `known` may change the row of one
	 * that is.
	 */
	async add(
		rows: readonly MessageRow[],
		known: (before: MessageRow, now: MessageRow) => MessageRow | undefined = () => undefined,
	): Promise<ReadonlySet<MessageId>> {
		const outcome = await this.#store.transact(async (tx) => {
			const fresh = new Map<MessageId, string>();
			const keys = await Promise.all(rows.map(({ id }) => this.#find(tx, id)));
			for (const [index, row] of rows.entries()) {
				const key = keys[index];
				const before = key === undefined ? undefined : await tx.get('messages', key);
				const changed = before && known(before, row);
				if (key !== undefined && changed) tx.put('messages', key, changed);
				if (key !== undefined || fresh.has(row.id)) continue;
				const place = messageKey(row.conversation, row.position);
				tx.put('messages', place, row);
				fresh.set(row.id, place);
			}
			return fresh;
		});
		if (outcome.ok) {
			for (const [id, key] of outcome.value) this.#added.set(id, key);
			return new Set(outcome.value.keys());
		}
		await this.undo();
		throw new NoRoom();
	}

	#find(tx: Transaction, id: MessageId): Promise<string | undefined> {
		const own = this.#added.get(id);
		if (own !== undefined) return Promise.resolve(own);
		if (this.#nothingKnown) tx.presumeNew(id);
		return tx.locate(id);
	}

	/** Runs what completes the writing; everything that was added goes if there is no room for it. */
	async finish<Value>(body: (tx: Transaction) => Promise<Value>): Promise<Value> {
		const outcome = await this.#store.transact(body);
		if (outcome.ok) return outcome.value;
		await this.undo();
		throw new NoRoom();
	}

	/** Takes away what this run added. Deleting needs no room. */
	async undo(): Promise<void> {
		const all = [...this.#added];
		this.#added.clear();
		for (let at = 0; at < all.length; at += BATCH) {
			await this.#store.transact((tx) => {
				for (const [, key] of all.slice(at, at + BATCH)) {
					tx.delete('messages', key);
				}
				return Promise.resolve();
			});
		}
	}
}

/** Where a conversation ends, lines of the system included. */
export async function endOf(tx: Transaction, id: ConversationId): Promise<Position> {
	const range = { prefix: inConversation(id), limit: 1, newestFirst: true };
	const [newest] = await tx.list('messages', range);
	return newest?.value.position ?? BEGINNING;
}

/** The last that somebody said in a conversation, for its row in the list. */
export async function newestIn(
	tx: Transaction,
	id: ConversationId,
): Promise<MessageSummary | undefined> {
	const range = { prefix: inConversation(id), limit: MOST_LINES, newestFirst: true };
	const newest = (await tx.list('messages', range)).find(({ value }) => isTold(value));
	return newest && summaryOf(newest.value);
}

/** Messages of others after `readTo`, and those that mention this person; page by page, for there may be very many. */
export async function unreadIn(
	tx: Transaction,
	id: ConversationId,
	readTo: Position,
): Promise<Pick<ConversationRow, 'unread' | 'mentions'>> {
	const me = await tx.get('me', ONLY);
	const prefix = inConversation(id);
	let after = messageKey(id, readTo);
	let unread = 0;
	const mentions: Position[] = [];
	for (let seen = 0; seen < MOST_UNREAD; seen += BATCH) {
		const page = await tx.list('messages', { prefix, after, limit: BATCH });
		const news = page.map(({ value }) => value).filter(isNews);
		unread += news.length;
		for (const each of news) if (me && isMentioned(me.account, each)) mentions.push(each.position);
		const last = page.at(-1);
		if (!last || page.length < BATCH) break;
		after = last.key;
	}
	return { unread, mentions: mentions.slice(-MOST_MENTIONS) };
}

/** Removes a conversation and all of its messages, the row first: nobody sees a half. */
export async function removeConversation(store: Store, id: ConversationId): Promise<void> {
	await store.transact((tx) => {
		tx.delete('conversations', id);
		tx.delete('drafts', id);
		return Promise.resolve();
	});
	for (;;) {
		const outcome = await store.transact(async (tx) => {
			const rows = await tx.list('messages', { prefix: inConversation(id), limit: BATCH });
			for (const { key } of rows) {
				tx.delete('messages', key);
			}
			return rows.length;
		});
		if (!outcome.ok || outcome.value < BATCH) return;
	}
}
