// How much one device or one network may ask for (SPEC LI-2). A limit costs memory only for those who use it.
import type { Rate } from './ports.ts';
import { Recent } from './recent.ts';

interface Bucket {
	tokens: number;
	at: number;
}

/** Keys beyond this are forgotten, the longest unused: a flood of keys must not cost memory. */
const MAX_KEYS = 100_000;

/** Token buckets by key: `burst` at once, `perSecond` in the long run. */
export class RateLimit {
	readonly #rate: Rate;
	readonly #buckets = new Recent<string, Bucket>(MAX_KEYS);

	constructor(rate: Rate) {
		this.#rate = rate;
	}

	/** Takes `cost` tokens and returns 0, or takes none and returns the ms after which they are there. */
	take(key: string, now: number, cost = 1): number {
		const { perSecond, burst } = this.#rate;
		let bucket = this.#buckets.get(key);
		if (!bucket) this.#buckets.set(key, (bucket = { tokens: burst, at: now }));
		// A clock that was set back must not take tokens away.
		const earned = (Math.max(0, now - bucket.at) * perSecond) / 1000;
		bucket.tokens = Math.min(burst, bucket.tokens + earned);
		bucket.at = now;
		// A single request that costs more than the whole burst passes when the bucket is full.
		const needed = Math.min(cost, burst);
		if (bucket.tokens < needed) return Math.ceil(((needed - bucket.tokens) * 1000) / perSecond);
		bucket.tokens -= needed;
		return 0;
	}
}

/** Counts what is in use at one time, by key. */
export class Occupancy {
	readonly #max: number;
	readonly #counts = new Map<string, number>();

	constructor(max: number) {
		this.#max = max;
	}

	enter(key: string): boolean {
		const count = this.#counts.get(key) ?? 0;
		if (count >= this.#max) return false;
		this.#counts.set(key, count + 1);
		return true;
	}

	leave(key: string): void {
		const count = this.#counts.get(key) ?? 0;
		if (count <= 1) this.#counts.delete(key);
		else this.#counts.set(key, count - 1);
	}
}
