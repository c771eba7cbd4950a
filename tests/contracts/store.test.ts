import 'fake-indexeddb/auto';
import { createMemoryDisk, createMemoryStore } from '../../src/core/storage/memory-store.ts';
import { createTouchedAir } from '../support/touched.ts';
import { idbRules, openIdbSubject } from './idb-store.ts';
import { storeContract } from './store.ts';

storeContract('memory', () => {
	const disk = createMemoryDisk();
	return Promise.resolve({
		open: () => Promise.resolve(createMemoryStore(disk)),
		fill: () => Promise.resolve(void (disk.full = true)),
		free: () => Promise.resolve(void (disk.full = false)),
		dispose: () => Promise.resolve(),
	});
});

storeContract('IndexedDB', () => openIdbSubject(createTouchedAir()));
idbRules();
