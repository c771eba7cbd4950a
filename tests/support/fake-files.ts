// The files of a fake client: read and written for real, on a store of their own.
import type { Files } from '../../src/core/client.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import { createFiles } from '../../src/core/hosts/files.ts';
import { createMemoryDisk, createMemoryStore } from '../../src/core/storage/memory-store.ts';

/** `now`: ms since 1970. */
export function fakeFiles(now: () => number): Files {
	return createFiles({
		store: createMemoryStore(createMemoryDisk()),
		crypto: smallCrypto,
		random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
		clock: {
			now,
			schedule(ms, call) {
				const timer = setTimeout(call, ms);
				return () => clearTimeout(timer);
			},
		},
	});
}
