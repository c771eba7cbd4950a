// What BroadcastChannel does for the stores of one origin, without a browser.
import type { Touched } from '../../src/core/ports.ts';
import type { TouchedChannel } from '../../src/core/storage/idb-store.ts';

/** Channels that hear each other, but not themselves. */
export function createTouchedAir(): () => TouchedChannel {
	const all = new Set<(touched: readonly Touched[]) => void>();
	return () => {
		let own: ((touched: readonly Touched[]) => void) | undefined;
		return {
			publish(touched) {
				for (const listener of all) if (listener !== own) listener(touched);
			},
			subscribe(listener) {
				own = listener;
				all.add(listener);
				return () => all.delete(listener);
			},
		};
	};
}
