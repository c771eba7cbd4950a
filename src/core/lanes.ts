// One operation at a time per key, in the order asked; different keys side by side. `idle` lets tests and shutdown
// wait for everything that was started.

export interface Lanes {
	/** Runs `work` after everything asked earlier under `key`. A failure is reported once and blocks nobody. */
	run(key: string, work: () => Promise<void>): void;
	/** Resolves when what was asked so far under `key` is done. */
	after(key: string): Promise<void>;
	/** Resolves when nothing runs or waits, and nothing was started by what ran. */
	idle(): Promise<void>;
}

export function createLanes(failed: (error: unknown) => void): Lanes {
	const tails = new Map<string, Promise<void>>();
	return {
		run(key, work) {
			const tail = (tails.get(key) ?? Promise.resolve()).then(work).catch(failed);
			tails.set(key, tail);
			void tail.then(() => {
				if (tails.get(key) === tail) tails.delete(key);
			});
		},
		after: (key) => tails.get(key) ?? Promise.resolve(),
		async idle() {
			while (tails.size > 0) await Promise.all(tails.values());
		},
	};
}
