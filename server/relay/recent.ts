// Memory with a bound: what was used of late is kept.

/**
 * At most `max` entries, of which the later half used is there for certain. Two halves, of which the older is forgotten
 * as a whole: to forget the oldest entry for each new one means to walk over the holes of all those before, and was a
 * quarter of the relay's time under load.
 */
export class Recent<Key, Value> {
	readonly #half: number;
	#young = new Map<Key, Value>();
	#old = new Map<Key, Value>();

	constructor(max: number) {
		this.#half = Math.max(1, Math.floor(max / 2));
	}

	get size(): number {
		return this.#young.size + this.#old.size;
	}

	get(key: Key): Value | undefined {
		const young = this.#young.get(key);
		if (young !== undefined || this.#old.size === 0) return young;
		const old = this.#old.get(key);
		if (old !== undefined) this.set(key, old);
		return old;
	}

	set(key: Key, value: Value): void {
		if (this.#old.size > 0) this.#old.delete(key);
		this.#young.set(key, value);
		if (this.#young.size < this.#half) return;
		this.#old = this.#young;
		this.#young = new Map();
	}

	delete(key: Key): void {
		this.#young.delete(key);
		this.#old.delete(key);
	}
}
