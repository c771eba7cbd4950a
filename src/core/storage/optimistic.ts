// Optimistic transactions over any backend that can read a row with its revision and commit a set of writes under
// the condition that the rows read are unchanged. This is what keeps a second writer from corrupting anything: tabs
// write intentions while the engine works, and whoever comes second runs again on what the first one left.
import type { Entry, KeyRange, Result, StoreFailure, Touched, Transaction } from '../ports.ts';
import type { MessageId } from '../../protocol/ids.ts';
import { messageOf, type Rows, type StoreName } from '../records.ts';

/** A row and the mark of its last change; a row that is absent has revision undefined. */
export interface Versioned<Name extends StoreName> {
	readonly revision: number;
	readonly value: Rows[Name];
}

export interface Check {
	readonly store: StoreName;
	readonly key: string;
	readonly revision: number | undefined;
}

/** Where a message was found to be stored, or that it is not. */
export interface Located {
	readonly id: MessageId;
	readonly key: string | undefined;
}

export interface Write {
	readonly store: StoreName;
	readonly key: string;
	/** Undefined deletes. */
	readonly value: Rows[StoreName] | undefined;
}

export interface Backend {
	read<Name extends StoreName>(store: Name, key: string): Promise<Versioned<Name> | undefined>;
	list<Name extends StoreName>(store: Name, range: KeyRange): Promise<readonly Entry<Name>[]>;
	/** The key of the message with this id. */
	locate(id: MessageId): Promise<string | undefined>;
	/** All or nothing, durable when it resolves. A second row for one message is a conflict. */
	commit(commit: Commit): Promise<'done' | 'conflict' | StoreFailure>;
}

export interface Commit {
	readonly checks: readonly Check[];
	readonly located: readonly Located[];
	readonly writes: readonly Write[];
}

/** So many conflicts in a row mean a body that conflicts with itself: a bug. */
const MOST_ATTEMPTS = 50;

function isIn({ prefix, after, before }: KeyRange, key: string): boolean {
	if (after !== undefined && key <= after) return false;
	return key.startsWith(prefix) && (before === undefined || key < before);
}

const nameOf = (store: StoreName, key: string) => `${store}/${key}`;

/** One attempt: what it read, and what it wants written. */
class Attempt implements Transaction {
	readonly checks = new Map<string, Check>();
	readonly located = new Map<MessageId, Located>();
	readonly writes = new Map<string, Write>();
	/** Where own writes put a message, or that they took it away. */
	readonly #placed = new Map<MessageId, string | undefined>();
	readonly #locating = new Map<MessageId, Promise<string | undefined>>();
	/** Reads under way or done: each row is read once, and stays for this attempt what it was. */
	readonly #reads = new Map<string, Promise<Versioned<StoreName> | undefined>>();
	readonly #backend: Backend;
	readonly #mayPresume: boolean;

	constructor(backend: Backend, mayPresume: boolean) {
		this.#backend = backend;
		this.#mayPresume = mayPresume;
	}

	async get<Name extends StoreName>(store: Name, key: string): Promise<Rows[Name] | undefined> {
		const name = nameOf(store, key);
		const written = this.writes.get(name);
		if (written) return written.value as Rows[Name] | undefined;
		let reading = this.#reads.get(name);
		if (!reading) {
			reading = this.#backend.read(store, key);
			this.#reads.set(name, reading);
		}
		const row = await reading;
		this.checks.set(name, { store, key, revision: row?.revision });
		// It may have been written while it was read.
		const now = this.writes.get(name);
		return (now ? now.value : row?.value) as Rows[Name] | undefined;
	}

	async list<Name extends StoreName>(
		store: Name,
		range: KeyRange,
	): Promise<readonly Entry<Name>[]> {
		const own = [...this.writes.values()].filter((write) => write.store === store);
		// Rows deleted here must not leave less than was asked for.
		const limit = range.limit + own.length;
		const stored = await this.#backend.list(store, { ...range, limit });
		if (own.length === 0) return stored;
		const rows = new Map(stored.map(({ key, value }) => [key, value]));
		for (const { key, value } of own) {
			if (value === undefined) rows.delete(key);
			else if (isIn(range, key)) rows.set(key, value as Rows[Name]);
		}
		const keys = [...rows.keys()].sort();
		if (range.newestFirst) keys.reverse();
		return keys.slice(0, range.limit).map((key) => ({ key, value: rows.get(key) as Rows[Name] }));
	}

	async locate(id: MessageId): Promise<string | undefined> {
		if (this.#placed.has(id)) return this.#placed.get(id);
		let locating = this.#locating.get(id);
		if (!locating) {
			locating = this.#backend.locate(id);
			this.#locating.set(id, locating);
		}
		const key = await locating;
		this.located.set(id, { id, key });
		// It may have been written while it was looked for.
		return this.#placed.has(id) ? this.#placed.get(id) : key;
	}

	presumeNew(id: MessageId): void {
		if (this.#mayPresume && !this.#locating.has(id)) {
			this.#locating.set(id, Promise.resolve(undefined));
		}
	}

	put<Name extends StoreName>(store: Name, key: string, value: Rows[Name]): void {
		this.writes.set(nameOf(store, key), { store, key, value });
		if (store === 'messages') this.#placed.set(messageOf(key), key);
	}

	delete(store: StoreName, key: string): void {
		this.writes.set(nameOf(store, key), { store, key, value: undefined });
		if (store !== 'messages') return;
		const id = messageOf(key);
		// Unless it was put elsewhere before.
		if ((this.#placed.get(id) ?? key) === key) this.#placed.set(id, undefined);
	}
}

/** Runs `body` until its commit passes. */
export async function transactOn<Value>(
	backend: Backend,
	body: (tx: Transaction) => Promise<Value>,
	committed: (touched: readonly Touched[]) => void,
): Promise<Result<Value, StoreFailure>> {
	for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
		// What was presumed may be what was wrong.
		const tx = new Attempt(backend, attempt === 0);
		const value = await body(tx);
		const writes = [...tx.writes.values()];
		if (writes.length === 0) return { ok: true, value };
		const outcome = await backend.commit({
			checks: [...tx.checks.values()],
			located: [...tx.located.values()],
			writes,
		});
		if (outcome === 'conflict') continue;
		if (outcome !== 'done') return { ok: false, error: outcome };
		committed(writes.map(({ store, key }) => ({ store, key })));
		return { ok: true, value };
	}
	throw new Error('a transaction conflicted too often');
}

/** Listeners of one store; a listener that throws must not keep the others from hearing. */
export function createListeners(): {
	add(listener: (touched: readonly Touched[]) => void): () => void;
	tell: (touched: readonly Touched[]) => void;
} {
	const listeners = new Set<(touched: readonly Touched[]) => void>();
	return {
		add(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		tell(touched) {
			for (const listener of [...listeners]) listener(touched);
		},
	};
}
