// A copy of the database while the relay writes it, and a database put back from such a copy.
import { closeSync, copyFileSync, fsyncSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checkDatabase, explained, isDamage } from './sqlite-file.ts';

/**
 * Numbers that a restored database leaves out: more than any relay hands out between a backup and its restore, so
 * that no mailbox sees a number twice (SPEC MB-1), and few enough of 2^53 for thousands of restores.
 */
const NUMBERS_LEFT_OUT = 1e12;

/**
 * Writes a whole and checked copy to `to`, which must not exist. What was committed before the call is in it. A relay
 * that runs goes on meanwhile: it is one long read, and readers stop nobody.
 */
export function copyDatabase(from: string, to: string): void {
	withDatabase(from, (database) => {
		checkDatabase(database, from, 'nothing');
		try {
			database.prepare('VACUUM INTO ?').run(to);
		} catch (error) {
			if (isDamage(error)) throw error;
			throw new Error(`${to} could not be written: ${(error as Error).message}.`, { cause: error });
		}
	});
	toDisk(to);
	checkCopy(to);
}

/** Throws a sentence where the copy is not whole; reads all of it. */
export function checkCopy(path: string): void {
	withDatabase(path, (database) => checkDatabase(database, path, 'integrity_check'));
}

/** Makes a database for a relay at `to` from the copy at `from`. */
export function putCopyBack(from: string, to: string): void {
	copyFileSync(from, to);
	withDatabase(to, (database) => {
		database.prepare('UPDATE sequence SET next = next + ?').run(NUMBERS_LEFT_OUT);
	});
	toDisk(to);
}

/** Returns once the file survives a power cut. */
export function toDisk(path: string): void {
	const file = openSync(path, 'r');
	fsyncSync(file);
	closeSync(file);
}

function withDatabase(path: string, use: (database: DatabaseSync) => void): void {
	let database: DatabaseSync | undefined;
	try {
		database = new DatabaseSync(path);
		use(database);
	} catch (error) {
		throw new Error(explained(path, error), { cause: error });
	} finally {
		if (database?.isOpen) database.close();
	}
}
