// Random numbers that a seed decides (mulberry32): a failing run can be had again.
import type { Random } from '../../../src/core/ports.ts';

export class Seeded implements Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** How far it was drawn: equal in two runs that took the same way. */
	get state(): number {
		return this.#state;
	}

	fraction(): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let mixed = this.#state;
		mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	}

	/** Whole number from 0 to `limit` - 1. */
	below(limit: number): number {
		return Math.floor(this.fraction() * limit);
	}

	chance(probability: number): boolean {
		return this.fraction() < probability;
	}

	pick<Item>(items: readonly Item[]): Item {
		const item = items[this.below(items.length)];
		if (item === undefined) throw new Error('nothing to pick from');
		return item;
	}

	bytes(length: number): Uint8Array<ArrayBuffer> {
		return Uint8Array.from({ length }, () => this.below(256));
	}
}
