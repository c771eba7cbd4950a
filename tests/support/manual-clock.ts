// Time that passes only when a test says so.
interface Timer {
	readonly at: number;
	readonly order: number;
	readonly fn: () => void;
}

export class ManualClock {
	#now: number;
	#order = 0;
	#timers: Timer[] = [];

	/** `start` in ms since 1970. */
	constructor(start = Date.UTC(2026, 0, 1)) {
		this.#now = start;
	}

	now(): number {
		return this.#now;
	}

	schedule(ms: number, fn: () => void): () => void {
		const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
		this.#timers.push(timer);
		return () => {
			this.#timers = this.#timers.filter((other) => other !== timer);
		};
	}

	/** Moves time on by `ms` and fires what falls due, in order, each at its own time. */
	advance(ms: number): void {
		const end = this.#now + ms;
		for (let next = this.#due(end); next; next = this.#due(end)) {
			this.#now = Math.max(this.#now, next.at);
			next.fn();
		}
		this.#now = end;
	}

	/** Sets the clock without firing anything, as when an operator corrects it. */
	set(now: number): void {
		this.#now = now;
	}

	#due(end: number): Timer | undefined {
		this.#timers.sort((a, b) => a.at - b.at || a.order - b.order);
		const first = this.#timers[0];
		return first && first.at <= end ? this.#timers.shift() : undefined;
	}
}
