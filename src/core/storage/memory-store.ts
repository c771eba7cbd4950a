// The store without a disk: for browsers that have no IndexedDB, and for the simulated world. Values are kept as
// given; nobody changes a row in place.
import type { Entry, KeyRange, Store } from '../ports.ts';
import type { MessageId } from '../../protocol/ids.ts';
import { messageOf, type Rows, type StoreName } from '../records.ts';
import {
	createListeners,
	transactOn,
	type Backend,
	type Versioned,
	type Write,
} from './optimistic.ts';

interface Shelf {
	readonly rows: Map<string, { revision: number; value: Rows[StoreName] }>;
	/** Keys in order; undefined after a key was added or taken away. */
	sorted: string[] | undefined;
}

/** The rows of one device. Several stores may be opened on them, as tabs open one database. */
export interface MemoryDisk {
	readonly shelves: Map<StoreName, Shelf>;
	/** The key of each message. */
	readonly places: Map<MessageId, string>;
	readonly listeners: ReturnType<typeof createListeners>;
	revision: number;
	/** Simulated end of room: commits that write anything fail with `full`. */
	full: boolean;
}

export function createMemoryDisk(): MemoryDisk {
	return {
		shelves: new Map(),
		places: new Map(),
		listeners: createListeners(),
		revision: 0,
		full: false,
	};
}

function shelfOf(disk: MemoryDisk, store: StoreName): Shelf {
	let shelf = disk.shelves.get(store);
	if (!shelf) disk.shelves.set(store, (shelf = { rows: new Map(), sorted: undefined }));
	return shelf;
}

/** Index of the first key that is >= `key`. */
function lowerBound(keys: readonly string[], key: string): number {
	let low = 0;
	let high = keys.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((keys[middle] ?? '') < key) low = middle + 1;
		else high = middle;
	}
	return low;
}

function keysIn(shelf: Shelf, { prefix, after, before, limit, newestFirst }: KeyRange): string[] {
	shelf.sorted ??= [...shelf.rows.keys()].sort();
	const keys = shelf.sorted;
	let from = lowerBound(keys, after !== undefined && after > prefix ? after : prefix);
	if (after !== undefined && keys[from] === after) from++;
	let to = lowerBound(keys, prefix + '\uffff');
	if (before !== undefined) to = Math.min(to, lowerBound(keys, before));
	if (newestFirst) return keys.slice(Math.max(from, to - limit), Math.max(from, to)).reverse();
	return keys.slice(from, Math.min(Math.max(from, to), from + limit));
}

/** Whether a message would stand under two keys. */
function wouldDouble({ places }: MemoryDisk, writes: readonly Write[]): boolean {
	const messages = writes.filter(({ store }) => store === 'messages');
	const deleted = new Set(
		messages.filter(({ value }) => value === undefined).map(({ key }) => key),
	);
	const put = new Set<MessageId>();
	return messages.some(({ key, value }) => {
		if (value === undefined) return false;
		const id = messageOf(key);
		const place = places.get(id);
		const isTwice = put.has(id) || (place !== undefined && place !== key && !deleted.has(place));
		put.add(id);
		return isTwice;
	});
}

function keepPlace({ places }: MemoryDisk, key: string, isThere: boolean): void {
	const id = messageOf(key);
	if (isThere) places.set(id, key);
	else if (places.get(id) === key) places.delete(id);
}

function backendOf(disk: MemoryDisk): Backend {
	return {
		read<Name extends StoreName>(store: Name, key: string) {
			return Promise.resolve(shelfOf(disk, store).rows.get(key) as Versioned<Name> | undefined);
		},
		list<Name extends StoreName>(store: Name, range: KeyRange) {
			const shelf = shelfOf(disk, store);
			return Promise.resolve(
				keysIn(shelf, range).map((key) => ({
					key,
					value: shelf.rows.get(key)?.value,
				})) as Entry<Name>[],
			);
		},
		locate: (id) => Promise.resolve(disk.places.get(id)),
		commit({ checks, located, writes }) {
			const moved =
				checks.some((check) => {
					return shelfOf(disk, check.store).rows.get(check.key)?.revision !== check.revision;
				}) || located.some(({ id, key }) => disk.places.get(id) !== key);
			if (moved || wouldDouble(disk, writes)) return Promise.resolve('conflict');
			if (disk.full && writes.some(({ value }) => value !== undefined)) {
				return Promise.resolve('full');
			}
			for (const { store, key, value } of writes) {
				const shelf = shelfOf(disk, store);
				if (value === undefined ? shelf.rows.has(key) : !shelf.rows.has(key)) {
					shelf.sorted = undefined;
				}
				if (value === undefined) shelf.rows.delete(key);
				else shelf.rows.set(key, { revision: ++disk.revision, value });
				if (store === 'messages') keepPlace(disk, key, value !== undefined);
			}
			return Promise.resolve('done');
		},
	};
}

export function createMemoryStore(disk: MemoryDisk): Store {
	const backend = backendOf(disk);
	const stops: (() => void)[] = [];
	return {
		async get<Name extends StoreName>(store: Name, key: string) {
			return (await backend.read(store, key))?.value;
		},
		list: (store, range) => backend.list(store, range),
		locate: backend.locate,
		transact: (body) => transactOn(backend, body, disk.listeners.tell),
		watch(listener) {
			const stop = disk.listeners.add(listener);
			stops.push(stop);
			return stop;
		},
		close() {
			for (const stop of stops.splice(0)) stop();
		},
	};
}
