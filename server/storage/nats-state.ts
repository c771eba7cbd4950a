// What is kept by name: the newest value of a key, replaced only by who has seen the one before (compare and swap).
import { randomUUID } from 'node:crypto';
import * as cborg from 'cborg';
import { allShards, shardOf, type Streams } from './nats-streams.ts';

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
		const shard = shardOf(key);
		const found = await this.#streams.last(`KITH_STATE_${shard}`, this.#subject(shard, key));
		return (
			found && { key, revision: found.seq, at: found.at, value: cborg.decode(found.data) as Value }
		);
	}

	/** The new revision, or undefined when the key has moved on. */
	async write(key: string, value: Value, revision: number): Promise<number | undefined> {
		const subject = this.#subject(shardOf(key), key);
		const options = { id: randomUUID(), expected: revision };
		return (await this.#streams.publish(subject, cborg.encode(value), options))?.seq;
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
	remove({ key, revision }: Pick<Entry<Value>, 'key' | 'revision'>): Promise<boolean> {
		return this.#streams.remove(`KITH_STATE_${shardOf(key)}`, revision);
	}

	/** The next `most` entries of each shard, from where the last call stopped, and over again from the start. */
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
				const key = found.subject.slice(found.subject.lastIndexOf('.') + 1);
				yield { key, revision: seq, at: found.at, value: cborg.decode(found.data) as Value };
			}
			this.#walked.set(shard, seq);
		}
	}

	#subject(shard: number, key: string): string {
		return `kith.state.${shard}.${this.#kind}.${key}`;
	}
}
