// What is kept by name: the newest value of a key, replaced only by who has seen the one before (compare and swap). Each
// message says after which other it was written. The order in the stream decides: of those written after the same one
// the first counts, and what was written after anything older than the newest that counts does not.
import { randomUUID } from 'node:crypto';
import * as cborg from 'cborg';
import {
	allShards,
	shardOf,
	Unavailable,
	type StreamMessage,
	type Streams,
} from './nats-streams.ts';

/** The number of the message that the writer had seen last; 0 where there was none. */
const AFTER = 'Kith-After';
/** Tells a writer its own message, also where NATS' answer was lost and it was sent twice. */
const WRITE = 'Kith-Write';
/** Stands for a key that is gone: what was begun before it went must not bring it back. */
const GONE = new Uint8Array(0);
/** Nothing is under way for so long, ms. */
const GONE_KEPT = 600_000;
/** How often a leader that has not caught up is asked for what another has confirmed. */
const LOOKS = 100;
const LOOK_AGAIN = 50;

export interface Entry<Value> {
	readonly key: string;
	readonly value: Value;
	/** What {@link State.write} expects; 0 stands for nothing. */
	readonly revision: number;
	/** When it was written, by NATS' clock, ms. */
	readonly at: number;
}

/** Values of one kind, by key. Keys are of the letters of base64url. */
export class State<Value> {
	readonly #streams: Streams;
	readonly #kind: string;
	/** Where the walk over old entries goes on, by shard. */
	readonly #walked = new Map<number, number>();

	constructor(streams: Streams, kind: string) {
		this.#streams = streams;
		this.#kind = kind;
	}

	async read(key: string): Promise<Entry<Value> | undefined> {
		const found = await this.#newest(key);
		return found && entryOf<Value>(key, found);
	}

	/** The new revision, or undefined when the key has moved on. */
	write(key: string, value: Value, revision: number): Promise<number | undefined> {
		return this.#put(key, cborg.encode(value), revision);
	}

	/** Reads, changes and writes until nobody else was faster; `next` may return undefined to leave it as it is. */
	async change(
		key: string,
		next: (value: Value | undefined) => Value | undefined,
	): Promise<Value | undefined> {
		for (;;) {
			const found = await this.read(key);
			const value = next(found?.value);
			if (value === undefined) return undefined;
			if (await this.write(key, value, found?.revision ?? 0)) return value;
		}
	}

	/** Deletes exactly this revision; false when the key has moved on. */
	async remove({ key, revision }: Pick<Entry<Value>, 'key' | 'revision'>): Promise<boolean> {
		return (await this.#put(key, GONE, revision)) !== undefined;
	}

	/**
	 * The next `most` entries of each shard, from where the last call stopped, and over again from the start. Some may
	 * have been replaced already: {@link remove} tells.
	 */
	async *walk(most: number): AsyncGenerator<Entry<Value>> {
		for (const shard of allShards) {
			let seq = this.#walked.get(shard) ?? 0;
			for (let left = most; left > 0; left--) {
				const subject = this.#subject(shard, '*');
				const found = await this.#streams.next(`KITH_STATE_${shard}`, seq + 1, subject);
				if (!found) {
					seq = 0;
					break;
				}
				seq = found.seq;
				const entry = entryOf<Value>(
					found.subject.slice(found.subject.lastIndexOf('.') + 1),
					found,
				);
				if (entry) yield entry;
				else if (Date.now() - found.at > GONE_KEPT)
					await this.#streams.remove(`KITH_STATE_${shard}`, found.seq);
			}
			this.#walked.set(shard, seq);
		}
	}

	async #put(key: string, data: Uint8Array, revision: number): Promise<number | undefined> {
		let after = revision;
		if (revision === 0) {
			const found = await this.#newest(key);
			if (found && found.data.length > 0) return undefined;
			after = found?.seq ?? 0;
		}
		const shard = shardOf(key);
		const [stream, subject] = [`KITH_STATE_${shard}`, this.#subject(shard, key)];
		const write = randomUUID();
		const seq = await this.#streams.publish(subject, data, [
			[AFTER, `${after}`],
			[WRITE, write],
		]);
		for (let looks = 0; looks < LOOKS; looks++) {
			const { counting, end } = await this.#chain(key);
			const first = counting[0];
			const ours = counting.find(({ headers }) => headers.get(WRITE) === write);
			if (ours) {
				// What came before takes some room, and means nothing.
				if (after > 0) this.#streams.purge(stream, subject, ours.seq).catch(() => undefined);
				return ours.seq;
			}
			// Replaced already, and purged.
			if (first && first.seq > seq) return afterOf(first) === seq ? seq : undefined;
			if (end >= seq) return undefined;
			// A new leader knows of it in a moment.
			await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
		}
		throw new Unavailable('a message that was confirmed is not there', false);
	}

	async #newest(key: string): Promise<StreamMessage | undefined> {
		return (await this.#chain(key)).counting.at(-1);
	}

	/**
	 * The messages of the key that count, oldest first: the oldest that is there, as only what one that counts has
	 * replaced is purged, and whatever was written after the one before. What lost is left to the next purge: NATS 2.9
	 * does not find the newest message of a subject when one after it was deleted.
	 */
	async #chain(key: string): Promise<{ counting: StreamMessage[]; end: number }> {
		const shard = shardOf(key);
		const [stream, subject] = [`KITH_STATE_${shard}`, this.#subject(shard, key)];
		const counting: StreamMessage[] = [];
		let end = 0;
		for (;;) {
			const found = await this.#streams.next(stream, end + 1, subject);
			if (!found) return { counting, end };
			end = found.seq;
			const newest = counting.at(-1);
			if (!newest || afterOf(found) === newest.seq) counting.push(found);
		}
	}

	#subject(shard: number, key: string): string {
		return `kith.state.${shard}.${this.#kind}.${key}`;
	}
}

const afterOf = ({ headers }: StreamMessage) => Number(headers.get(AFTER) ?? 0);

function entryOf<Value>(key: string, { seq, at, data }: StreamMessage): Entry<Value> | undefined {
	if (data.length === 0) return undefined;
	return { key, revision: seq, at, value: cborg.decode(data) as Value };
}
