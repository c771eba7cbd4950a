// Tells "new here" from "this browser cleared Kith's storage". The mark lives in localStorage, the identity in
// IndexedDB; browsers that evict a site's data do not always take both, and people who clear a site's data
// by hand do.

/**
 * - `known`: the identity is here.
 * - `new`: nothing is known of an earlier visit.
 * - `cleared`: Kith was used here and its data is gone.
 */
export type Visit = 'known' | 'new' | 'cleared';

const KEY = 'kith.used';

export interface Canary {
	/** `persistent`: false when this browser keeps nothing at all, so that nothing can have been cleared. */
	visit(found: { readonly hasIdentity: boolean; readonly persistent: boolean }): Visit;
	/** Call once an identity is stored. */
	set(): void;
	/** The person starts again: what was lost is lost. */
	forget(): void;
}

/** `storage`: localStorage, or undefined where the browser denies it. */
export function createCanary(storage: Storage | undefined): Canary {
	return {
		visit({ hasIdentity, persistent }) {
			if (hasIdentity) return 'known';
			return persistent && read(storage) === '1' ? 'cleared' : 'new';
		},
		set: () => attempt(() => storage?.setItem(KEY, '1')),
		forget: () => attempt(() => storage?.removeItem(KEY)),
	};
}

/** localStorage, where merely naming it may throw (cookies blocked, sandboxed frames). */
export function localStorageIfAllowed(): Storage | undefined {
	try {
		return globalThis.localStorage;
	} catch {
		return undefined;
	}
}

function read(storage: Storage | undefined): string | null {
	try {
		return storage?.getItem(KEY) ?? null;
	} catch {
		return null;
	}
}

/** A full or forbidden localStorage only means that a later loss is not recognised. */
function attempt(write: () => void): void {
	try {
		write();
	} catch {
		return;
	}
}
