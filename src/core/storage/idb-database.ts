// One connection to IndexedDB that survives its own death. WebKit kills connections of pages in the background, any
// browser closes them when a newer version wants to migrate: the handle is dropped, opened again, and the work that
// was under way is done again (it was not committed, or its conditions notice that it was).
import { openDB, type IDBPDatabase } from 'idb';
import { migrate, MIGRATIONS, type Database } from './schema.ts';

const ATTEMPTS = 4;
/** Errors that say nothing about the work, only that this connection is gone. */
const LOST = new Set([
	'InvalidStateError',
	'AbortError',
	'UnknownError',
	'TransactionInactiveError',
]);

export type Opened = IDBPDatabase<Database>;

export class DatabaseUnavailable extends Error {
	override readonly name = 'DatabaseUnavailable';
}

export interface IdbDatabase {
	/** Runs `work` on an open connection, again on a fresh one if it was lost meanwhile. */
	use<Value>(work: (db: Opened) => Promise<Value>): Promise<Value>;
	close(): void;
}

interface DatabaseEvents {
	/** A newer version of the app waits for this one to let go. */
	outdated?(): void;
}

function isLost(error: unknown): boolean {
	return error instanceof DOMException && LOST.has(error.name);
}

export function openDatabase(name: string, events: DatabaseEvents = {}): IdbDatabase {
	let opening: Promise<Opened> | undefined;
	let closed = false;

	function open(): Promise<Opened> {
		const attempt = openDB<Database>(name, MIGRATIONS.length, {
			upgrade(...[db, from, , tx]) {
				migrate(db, tx, from).catch(() => tx.abort());
			},
			blocking(_current, _wanted, event) {
				drop(attempt);
				(event.target as IDBDatabase).close();
				events.outdated?.();
			},
			terminated: () => drop(attempt),
		});
		return attempt;
	}

	function drop(dead: Promise<Opened> | undefined): void {
		if (opening === dead) opening = undefined;
	}

	return {
		async use(work) {
			for (let attempt = 1; ; attempt++) {
				if (closed) throw new DatabaseUnavailable('the database was closed');
				const connection = (opening ??= open());
				try {
					return await work(await connection);
				} catch (error) {
					if (!isLost(error)) {
						// A connection that never opened must not be the one that everybody waits for.
						connection.catch(() => drop(connection));
						throw error;
					}
					drop(connection);
					connection.then((db) => db.close()).catch(() => undefined);
					if (attempt === ATTEMPTS) {
						throw new DatabaseUnavailable('the database does not open', { cause: error });
					}
				}
			}
		},
		close() {
			closed = true;
			opening?.then((db) => db.close()).catch(() => undefined);
			opening = undefined;
		},
	};
}
