// `relay restore DIR`: a data directory from a backup. Nothing is touched before the backup was found whole, and
// nothing that was there is deleted.
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkCopy, putCopyBack, toDisk } from '../storage/sqlite-backup.ts';
import { lockFile } from '../storage/sqlite-file.ts';
import { DATABASE, KEPT_FILES, readBackup } from './backup-format.ts';
import { placeOf, settingsOfDatabase, type Command } from './command.ts';

/** What SQLite keeps beside a database: of no use to another one. */
const COMPANIONS = [`${DATABASE}-wal`, `${DATABASE}-shm`];

export const restore: Command = {
	usage: 'DIR [--replace]',
	summary: 'makes the data directory from the backup in DIR; the relay must be stopped',
	details:
		'With --replace, what the data directory holds is set aside in it first, in a directory of its own. Mail that was\naccepted after the backup is not in it: the devices notice the gap and ask for it again.',
	switches: ['replace'],
	words: [1, 1],
	run({ words: [path = ''], switches }) {
		const source = placeOf(path);
		const { taken, software } = readBackup(source);
		checkCopy(join(source, DATABASE));
		const data = resolve(settingsOfDatabase().data);
		process.umask(0o077);
		mkdirSync(data, { recursive: true });
		const lock = lockFile(join(data, DATABASE));
		try {
			if (holdsData(data)) setAside(data, switches.has('replace'));
			putBack(source, data);
		} finally {
			lock.close();
		}
		console.log(`${data} is as ${software} had it at ${taken}. Start the relay.`);
		return 0;
	},
};

const all = [DATABASE, ...COMPANIONS, ...KEPT_FILES];
const holdsData = (data: string) => all.some((name) => existsSync(join(data, name)));

function setAside(data: string, replace: boolean): void {
	if (!replace)
		throw new Error(
			`${data} holds the data of a relay already. Restore with --replace to set it aside, or set KITH_DATA to another directory.`,
		);
	const aside = join(data, `replaced-${new Date().toISOString().replaceAll(':', '-')}`);
	mkdirSync(aside);
	for (const name of all)
		if (existsSync(join(data, name))) renameSync(join(data, name), join(aside, name));
	console.log(`What was there lies in ${aside}.`);
}

/** The database comes last: without it the directory is plainly not restored. */
function putBack(source: string, data: string): void {
	for (const name of KEPT_FILES.filter((kept) => existsSync(join(source, kept)))) {
		copyFileSync(join(source, name), join(data, name));
		toDisk(join(data, name));
	}
	const restoring = join(data, `${DATABASE}.restoring`);
	putCopyBack(join(source, DATABASE), restoring);
	renameSync(restoring, join(data, DATABASE));
	toDisk(data);
}
