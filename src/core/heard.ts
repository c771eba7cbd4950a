// Which envelopes of messages came before. MLS opens none of them twice, so this is asked only where one does not open: a
// twin of what is here already is not a gap. Kept in pages, because a row for each costs as much as the message.
import type { ChannelId, EnvelopeId } from '../protocol/ids.ts';
import type { Entry, Store, Transaction } from './ports.ts';

export interface HeardRow {
	readonly envelopes: readonly EnvelopeId[];
	/** When the last of them came, relay time in ms. */
	readonly at: number;
}

/** A page is full from so many envelopes on: it is written anew with each that is added. */
const FULL = 128;
/** Pages of a channel; of what came before them a twin may be shown as a gap. */
const MOST_PAGES = 2_000;
/** Pages that are read at a time where all of them are. */
const READ_AT_ONCE = 200;
const NUMBER_CHARACTERS = 8;

const pageKey = (channel: ChannelId, page: number): string =>
	`${channel}/${page.toString().padStart(NUMBER_CHARACTERS, '0')}`;

/** What came on one channel before the transaction that asks. */
export class Heard {
	readonly #tx: Transaction;
	readonly #channel: ChannelId;
	readonly #newest: Promise<Entry<'heard'> | undefined>;
	#all: Promise<ReadonlySet<EnvelopeId>> | undefined;

	constructor(tx: Transaction, channel: ChannelId) {
		this.#tx = tx;
		this.#channel = channel;
		const newest = tx.list('heard', { prefix: `${channel}/`, limit: 1, newestFirst: true });
		this.#newest = newest.then(([page]) => page);
		// Who asks hears of a failure; a transaction that fails before has its own to tell.
		this.#newest.catch(() => undefined);
	}

	/** Those that did not come right before, each once: what was told to be stored too late comes again. */
	async notJustNow<Each extends { readonly envelope: EnvelopeId }>(
		incoming: readonly Each[],
	): Promise<Each[]> {
		const known = new Set((await this.#newest)?.value.envelopes);
		return incoming.filter(({ envelope }) => !known.has(envelope) && known.add(envelope));
	}

	async has(envelope: EnvelopeId): Promise<boolean> {
		this.#all ??= heardIn(this.#tx, `${this.#channel}/`);
		// Before there were pages each had a row.
		return (await this.#all).has(envelope) || (await this.#tx.get('seen', envelope)) !== undefined;
	}

	/** Remembers these; the last that is done here. */
	async keep(envelopes: readonly EnvelopeId[], at: number): Promise<void> {
		if (envelopes.length === 0) return;
		const newest = await this.#newest;
		const before = newest?.value.envelopes ?? [];
		const page = newest ? Number(newest.key.slice(-NUMBER_CHARACTERS)) : 0;
		const isFull = before.length >= FULL;
		const key = pageKey(this.#channel, isFull ? page + 1 : page);
		this.#tx.put('heard', key, { envelopes: [...(isFull ? [] : before), ...envelopes], at });
		const oldest = page + 1 - MOST_PAGES;
		if (isFull && oldest >= 0) this.#tx.delete('heard', pageKey(this.#channel, oldest));
	}
}

/** All that is remembered under a prefix: of a channel, or without one of all. */
export async function heardIn(
	store: Pick<Store, 'list'>,
	prefix: string,
): Promise<ReadonlySet<EnvelopeId>> {
	const heard = new Set<EnvelopeId>();
	for (let after = prefix; ;) {
		const pages = await store.list('heard', { prefix, after, limit: READ_AT_ONCE });
		for (const { value } of pages) for (const envelope of value.envelopes) heard.add(envelope);
		const last = pages.at(-1);
		if (!last || pages.length < READ_AT_ONCE) return heard;
		after = last.key;
	}
}
