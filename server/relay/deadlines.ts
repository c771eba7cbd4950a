// Many things that wait equally long, on one timer: the first in is the first due, so a queue is enough.
import type { Clock } from './ports.ts';

/** Gone items at the front that are carried along before the queue is moved up. */
const MAX_GONE = 1024;

/** Calls `due` for each item, `delay` ms after it was added. Items that settled earlier are told apart by `due`. */
export class Deadlines<Item> {
	readonly #clock: Clock;
	readonly #delay: number;
	readonly #due: (item: Item) => void;
	/** Items at the front of which it is true are let go of when others come, and not only when they are due. */
	settled: (item: Item) => boolean = () => false;
	/** Beside each other, not in pairs: an object for each message would be one more to collect. */
	#items: (Item | undefined)[] = [];
	#times: number[] = [];
	#head = 0;
	#cancel: (() => void) | undefined;

	constructor(clock: Clock, delay: number, due: (item: Item) => void) {
		this.#clock = clock;
		this.#delay = delay;
		this.#due = due;
	}

	add(item: Item): void {
		for (let first = this.#first; first && this.settled(first); first = this.#first) this.#drop();
		this.#items.push(item);
		this.#times.push(this.#clock.now() + this.#delay);
		if (!this.#cancel) this.#arm(this.#delay);
	}

	/** Forgets all that waits. */
	clear(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		this.#items = [];
		this.#times = [];
		this.#head = 0;
	}

	get #first(): Item | undefined {
		return this.#items[this.#head];
	}

	#drop(): void {
		this.#items[this.#head++] = undefined;
		if (this.#head < this.#items.length && this.#head <= MAX_GONE) return;
		this.#items = this.#items.slice(this.#head);
		this.#times = this.#times.slice(this.#head);
		this.#head = 0;
	}

	#arm(ms: number): void {
		// A clock that was set back would make everything wait; nothing waits longer than the delay itself.
		const wait = Math.min(Math.max(0, ms), this.#delay);
		this.#cancel = this.#clock.schedule(wait, () => this.#run());
	}

	#run(): void {
		this.#cancel = undefined;
		const now = this.#clock.now();
		for (let first = this.#first; first; first = this.#first) {
			const at = this.#times[this.#head] ?? 0;
			if (at > now && at - now <= this.#delay) break;
			this.#drop();
			this.#due(first);
		}
		if (this.#first && !this.#cancel) this.#arm((this.#times[this.#head] ?? 0) - now);
	}
}
