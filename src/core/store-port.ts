// What the engine needs of the device's database: rows by key, ranges of them, and transactions that notice when what they
// read has changed.
import type { MessageId } from '../protocol/ids.ts';
import type { Result } from './ports.ts';
import type { Rows, StoreName } from './records.ts';

export type StoreFailure =
	/** No room left; nothing of the transaction was written. */
	| 'full'
	/** The database cannot be reached even after reopening it. */
	| 'unavailable';

/** Keys of one store, in text order. Bounds are exclusive. */
export interface KeyRange {
	readonly prefix: string;
	readonly after?: string;
	readonly before?: string;
	readonly limit: number;
	readonly newestFirst?: boolean;
}

export interface Entry<Name extends StoreName> {
	readonly key: string;
	readonly value: Rows[Name];
}

/** Reads are remembered: the commit fails, and the body runs again, if any of those rows changed meanwhile. */
export interface Transaction {
	get<Name extends StoreName>(store: Name, key: string): Promise<Rows[Name] | undefined>;
	/** The key under which this message is stored. */
	locate(id: MessageId): Promise<string | undefined>;
	/**
	 * Says that there will hardly be such a message: `locate` then answers without a look at the disk, and should the
	 * commit find one, the body runs again, with nothing presumed.
	 */
	presumeNew(id: MessageId): void;
	/** Seen at commit like nothing else read: use only where one writer adds (own outbox, own lane). */
	list<Name extends StoreName>(store: Name, range: KeyRange): Promise<readonly Entry<Name>[]>;
	put<Name extends StoreName>(store: Name, key: string, value: Rows[Name]): void;
	delete(store: StoreName, key: string): void;
}

export interface Store {
	get<Name extends StoreName>(store: Name, key: string): Promise<Rows[Name] | undefined>;
	/** The key under which this message is stored: no two are stored under one id. */
	locate(id: MessageId): Promise<string | undefined>;
	list<Name extends StoreName>(store: Name, range: KeyRange): Promise<readonly Entry<Name>[]>;
	/**
	 * Optimistic transaction. The body may await anything (sealing, opening): nothing is locked until all its
	 * writes are made at once. It must be repeatable. Resolves after the writes are on disk.
	 */
	transact<Value>(body: (tx: Transaction) => Promise<Value>): Promise<Result<Value, StoreFailure>>;
	/** Rows touched by commits in any context of this device. Returns how to stop. */
	watch(listener: (touched: readonly Touched[]) => void): () => void;
	close(): void;
}

export interface Touched {
	readonly store: StoreName;
	readonly key: string;
}
