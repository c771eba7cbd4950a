// Writing what already happened: messages of another messenger, or of a backup. In bounded batches, never twice, and
// taken away again if there is no room for all of it. The conversation's row comes last, so that nobody sees a half.
import type { ConversationId, MessageId } from '../protocol/ids.ts';
import type { Store } from './ports.ts';
import { inConversation, messageKey, type ConversationRow, type MessageRow } from './records.ts';
import { summaryOf } from './threads.ts';
import type { Transaction } from './ports.ts';

/** Messages of one transaction: small enough that other tabs get their turn. */
export const BATCH = 400;
/** Unread messages that are counted; nobody reads more. */
const MOST_UNREAD = 20_000;

/** Thrown by {@link History.add} when there is no room. What was added is gone again by then. */
export class NoRoom extends Error {
	override readonly name = 'NoRoom';
}

/** One run of writing: a file that is imported, a backup that is restored. */
export class History {
	readonly #store: Store;
	readonly #added: { readonly id: MessageId; readonly key: string }[] = [];

	constructor(store: Store) {
		this.#store = store;
	}

	/** How many messages were new so far. */
	get added(): number {
		return this.#added.length;
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
			const fresh: { id: MessageId; key: string }[] = [];
			const keys = await Promise.all(rows.map(({ id }) => tx.get('messageKeys', id)));
			for (const [index, row] of rows.entries()) {
				const key = keys[index];
				if (key !== undefined) {
					const before = await tx.get('messages', key);
					const changed = before && known(before, row);
					if (changed) tx.put('messages', key, changed);
					continue;
				}
				const place = messageKey(row.conversation, row.position);
				tx.put('messages', place, row);
				tx.put('messageKeys', row.id, place);
				fresh.push({ id: row.id, key: place });
			}
			return fresh;
		});
		if (outcome.ok) {
			this.#added.push(...outcome.value);
			return new Set(outcome.value.map(({ id }) => id));
		}
		await this.undo();
		throw new NoRoom();
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
		const all = this.#added.splice(0);
		for (let at = 0; at < all.length; at += BATCH) {
			await this.#store.transact((tx) => {
				for (const { id, key } of all.slice(at, at + BATCH)) {
					tx.delete('messages', key);
					tx.delete('messageKeys', id);
				}
				return Promise.resolve();
			});
		}
	}
}

/** The conversation's row as its messages say, for the list. */
export async function summarise(tx: Transaction, row: ConversationRow): Promise<ConversationRow> {
	const prefix = inConversation(row.id);
	const [newest] = await tx.list('messages', { prefix, limit: 1, newestFirst: true });
	const after = messageKey(row.id, row.readTo);
	const since = await tx.list('messages', { prefix, after, limit: MOST_UNREAD });
	return {
		...row,
		last: newest && summaryOf(newest.value),
		unread: since.filter(({ value }) => !value.mine).length,
	};
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
			for (const { key, value } of rows) {
				tx.delete('messages', key);
				tx.delete('messageKeys', value.id);
			}
			return rows.length;
		});
		if (!outcome.ok || outcome.value < BATCH) return;
	}
}
