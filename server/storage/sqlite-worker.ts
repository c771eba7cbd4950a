// The thread that owns the database file. Each message is a batch of operations that waited together: one
// transaction, one sync of the disk, then all the answers.
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteDatabase, type SyncOperations } from './sqlite-database.ts';
import { explained, isDamage, type DatabaseOptions } from './sqlite-file.ts';

export interface Operation {
	readonly name: keyof SyncOperations | 'figures';
	readonly parameters: readonly unknown[];
}

export type FromWorker =
	| { readonly is: 'open' }
	/** The thread holds no file and no lock: it has just begun, or was told to let go of them. */
	| { readonly is: 'released' }
	/** A sentence for the operator; nothing is open. */
	| { readonly is: 'failed'; readonly sentence: string }
	/** One value per operation of the batch, or undefined when nothing of it was stored. */
	| { readonly is: 'done'; readonly values: readonly unknown[] | undefined };

/** Primary result codes of SQLite that may pass by themselves: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN. */
const PASSING = new Set([5, 6, 7, 8, 10, 13, 14]);

const port = parentPort;
if (!port) throw new Error('sqlite-worker.ts runs in a worker thread only');
const options = workerData as DatabaseOptions;
const answer = (message: FromWorker) => port.postMessage(message);

function perform(database: SqliteDatabase, batch: readonly Operation[]): unknown[] | undefined {
	try {
		database.begin();
		const values = batch.map(({ name, parameters }) =>
			(database[name] as (...parameters: unknown[]) => unknown).apply(database, [...parameters]),
		);
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
