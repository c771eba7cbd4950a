// Many things that wait equally long, on one timer: the first in is the first due, so a queue is enough.
import type { Clock } from './ports.ts';

/** Calls `due` for each item, `delay` ms after it was added. Items that settled earlier are told apart by `due`. */
export class Deadlines<Item> {
	readonly #clock: Clock;
	readonly #delay: number;
	readonly #due: (item: Item) => void;
	#queue: { item: Item; at: number }[] = [];
	#head = 0;
	#cancel: (() => void) | undefined;

	constructor(clock: Clock, delay: number, due: (item: Item) => void) {
		this.#clock = clock;
		this.#delay = delay;
		this.#due = due;
	}

	add(item: Item): void {
		this.#queue.push({ item, at: this.#clock.now() + this.#delay });
		if (!this.#cancel) this.#arm(this.#delay);
	}

	/** Forgets all that waits. */
	clear(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		this.#queue = [];
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
		for (let next = this.#queue[this.#head]; next; next = this.#queue[this.#head]) {
			if (next.at > now && next.at - now <= this.#delay) break;
			this.#head++;
			this.#due(next.item);
		}
		if (this.#head > 1024 || this.#head === this.#queue.length) {
			this.#queue = this.#queue.slice(this.#head);
			this.#head = 0;
		}
		const first = this.#queue[this.#head];
		if (first && !this.#cancel) this.#arm(first.at - now);
	}
}
