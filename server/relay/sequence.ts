// Where sequence numbers come from (SPEC MB-1): blocks set aside durably ahead of need, so that a message which
// never touches the disk still gets a number that no earlier run of the relay has used.
import type { MailboxSeq } from '../../src/protocol/ids.ts';
import type { Clock, RelayStore } from './ports.ts';

/** 2^53 numbers in blocks of a million last for nine thousand million restarts. */
const BLOCK = 1_000_000;
const RETRY = 1000;

export class Sequence {
	readonly #store: RelayStore;
	readonly #clock: Clock;
	#next = 0;
	#end = 0;
	#following: number | undefined;
	#asking = false;

	constructor(store: RelayStore, clock: Clock) {
		this.#store = store;
		this.#clock = clock;
		void this.#reserve();
	}

	/** `count` rising numbers, or undefined while the store cannot set more aside. */
	take(count: number): MailboxSeq[] | undefined {
		const first = this.first(count);
		return first === undefined
			? undefined
			: Array.from({ length: count }, (_, index) => first + index);
	}

	/** The first of `count` numbers that follow each other, or undefined as above. */
	first(count: number): MailboxSeq | undefined {
		if (this.#end - this.#next < count) {
			if (this.#following === undefined || count > BLOCK) return undefined;
			this.#next = this.#following;
			this.#end = this.#following + BLOCK;
			this.#following = undefined;
		}
		const first = this.#next;
		this.#next += count;
		if (this.#following === undefined && this.#end - this.#next < BLOCK / 2) void this.#reserve();
		return first;
	}

	async #reserve(): Promise<void> {
		if (this.#asking) return;
		this.#asking = true;
		const reserved = await this.#store.reserve(BLOCK);
		this.#asking = false;
		if (reserved.ok) this.#following = reserved.value;
		else this.#clock.schedule(RETRY, () => void this.#reserve());
	}
}
