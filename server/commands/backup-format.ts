// A backup is a directory: the files that a data directory needs, and a list of them with what they should hold.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { INVITATION_KEY } from '../edge/invitations.ts';

export const DATABASE = 'relay.db';
/** Everything else of a data directory that is lost with it; each may be missing. */
export const KEPT_FILES = ['vapid.json', INVITATION_KEY];
export const LIST = 'backup.json';

const listSchema = v.object({
	format: v.literal(1),
	software: v.string(),
	/** ISO 8601, when the backup began. */
	taken: v.string(),
	files: v.record(
		v.picklist([DATABASE, ...KEPT_FILES]),
		v.object({ bytes: v.number(), sha256: v.string() }),
	),
});
export type BackupList = v.InferOutput<typeof listSchema>;

/** Size and hash of a file. */
export function measured(path: string): { bytes: number; sha256: string } {
	const hash = createHash('sha256');
	const chunk = Buffer.alloc(1024 * 1024);
	const file = openSync(path, 'r');
	try {
		for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk))
			hash.update(chunk.subarray(0, read));
	} finally {
		closeSync(file);
	}
	return { bytes: statSync(path).size, sha256: hash.digest('hex') };
}

/** The list of a backup whose files are all there and unchanged; throws a sentence otherwise. */
export function readBackup(directory: string): BackupList {
	const list = readList(directory);
	for (const [name, { bytes, sha256 }] of Object.entries(list.files)) {
		const path = join(directory, name);
		if (!existsSync(path))
			throw new Error(`The backup ${directory} lacks ${name}. Take another one.`);
		const found = measured(path);
		if (found.bytes !== bytes || found.sha256 !== sha256)
			throw new Error(
				`${path} is not what was backed up: it was changed or damaged. Take another one.`,
			);
	}
	return list;
}

function readList(directory: string): BackupList {
	const path = join(directory, LIST);
	if (!existsSync(path))
		throw new Error(`${directory} is no backup: it has no ${LIST}, which is written last.`);
	try {
		const list = v.parse(listSchema, JSON.parse(readFileSync(path, 'utf8')));
		if (DATABASE in list.files) return list;
	} catch {
		// said below
	}
	throw new Error(`${path} cannot be understood: it is damaged, or of a newer version of Kith.`);
}
