// Operations on one thing happen in the order of their calls; those on different things beside each other.
export class Lanes {
	readonly #ends = new Map<string, Promise<unknown>>();

	/** Operations that are not settled. */
	waiting = 0;

	/** Runs `operation` once all that was called before for `key` is settled. */
	async run<Value>(key: string, operation: () => Promise<Value>): Promise<Value> {
		const before = this.#ends.get(key);
		this.waiting++;
		const running = before ? before.then(operation, operation) : operation();
		this.#ends.set(key, running);
		try {
			return await running;
		} finally {
			this.waiting--;
			if (this.#ends.get(key) === running) this.#ends.delete(key);
		}
	}

	/** Resolves when everything called before is settled. */
	async settled(): Promise<void> {
		await Promise.allSettled(this.#ends.values());
	}
}
