// The thread that owns the database file. Each message is a batch of operations that waited together: one
// transaction, one sync of the disk, then all the answers.
import { parentPort, workerData } from 'node:worker_threads';
import type { StoredMessage } from '../relay/ports.ts';
import { NoRoom, SqliteDatabase, type SyncOperations } from './sqlite-database.ts';
import { explained, isDamage, type DatabaseOptions } from './sqlite-file.ts';
import { NO_ROOM, postingOf, rowOfPage, type PostingRow } from './sqlite-rows.ts';

/** The name of an operation, and then its parameters; those of an `append` are its row. */
export type Operation = readonly [name: keyof SyncOperations | 'figures', ...unknown[]];

export type FromWorker =
	| { readonly is: 'open' }
	/** The thread holds no file and no lock: it has just begun, or was told to let go of them. */
	| { readonly is: 'released' }
	/** A sentence for the operator; nothing is open. */
	| { readonly is: 'failed'; readonly sentence: string }
	/**
	 * One value per operation of the batch, or undefined when nothing of it was stored. Of an `append` it is undefined
	 * where no mailbox was full, and of a `read` the page as a row. Of what had no room, alone among others that did
	 * not need any, it is {@link NO_ROOM}.
	 */
	| { readonly is: 'done'; readonly values: readonly unknown[] | undefined };

/** Primary result codes of SQLite that may pass by themselves: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN. */
const PASSING = new Set([5, 6, 7, 8, 10, 13, 14]);

const port = parentPort;
if (!port) throw new Error('sqlite-worker.ts runs in a worker thread only');
const options = workerData as DatabaseOptions;
const answer = (message: FromWorker) => port.postMessage(message);

function performOne(database: SqliteDatabase, operation: Operation): unknown {
	try {
		return valueOf(database, operation);
	} catch (error) {
		if (error instanceof NoRoom) return NO_ROOM;
		throw error;
	}
}

function valueOf(database: SqliteDatabase, [name, ...parameters]: Operation): unknown {
	if (name === 'append') {
		const { full } = database.append(postingOf(parameters as unknown as PostingRow));
		return full.length > 0 ? full : undefined;
	}
	const operation = database[name] as (...parameters: unknown[]) => unknown;
	const value = operation.apply(database, parameters);
	return name === 'read' ? rowOfPage(value as StoredMessage[]) : value;
}

function perform(database: SqliteDatabase, batch: readonly Operation[]): unknown[] | undefined {
	try {
		database.begin();
		const values = batch.map((operation) => performOne(database, operation));
		database.commit();
		return values;
	} catch (error) {
		const code = (error as { errcode?: number }).errcode;
		// What is read from a damaged page fails only when it is needed.
		if (isDamage(error)) throw new Error(explained(options.path, error), { cause: error });
		database.rollback();
		if (code !== undefined && PASSING.has(code & 0xff)) return undefined;
		throw error;
	}
}

/** `reopen`: another relay had the files until now, so they need not be read through. */
export type ToWorker = readonly Operation[] | 'open' | 'reopen' | 'release' | 'close';

let database: SqliteDatabase;

function open(checks: boolean): void {
	try {
		database = new SqliteDatabase({ ...options, checks });
		answer({ is: 'open' });
	} catch (error) {
		answer({ is: 'failed', sentence: error instanceof Error ? error.message : String(error) });
	}
}

port.on('message', (message: ToWorker) => {
	if (message === 'open' || message === 'reopen') return open(message === 'open');
	if (message !== 'close' && message !== 'release')
		return answer({ is: 'done', values: perform(database, message) });
	database.close();
	if (message === 'release') answer({ is: 'released' });
	else port.close();
});
answer({ is: 'released' });
