// `relay backup DIR`: everything that the data directory holds and cannot be made anew, while the relay runs.
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { software } from '../software.ts';
import { copyDatabase, toDisk } from '../storage/sqlite-backup.ts';
import { DATABASE, KEPT_FILES, LIST, measured, type BackupList } from './backup-format.ts';
import { dataDirectory, placeOf, settingsOfDatabase, type Command } from './command.ts';

export const backup: Command = {
	usage: 'DIR',
	summary: 'writes a backup into the new directory DIR, while the relay runs or not',
	details:
		'It holds every message that was accepted before it began, and the keys of the pushes: keep it as safe as the data\nitself. A directory named DIR.partial is one that was not finished, and worth nothing.',
	words: [1, 1],
	run({ words: [path = ''] }) {
		const target = placeOf(path);
		const list = takeBackup(dataDirectory(settingsOfDatabase()), target);
		const bytes = Object.values(list.files).reduce((sum, file) => sum + file.bytes, 0);
		console.log(`Backed up to ${target}: ${Object.keys(list.files).join(', ')}, ${bytes} bytes.`);
		return 0;
	},
};

function takeBackup(data: string, target: string): BackupList {
	if (existsSync(target))
		throw new Error(`${target} is there already. Name a directory that does not exist yet.`);
	if (!existsSync(join(data, DATABASE)))
		throw new Error(`${data} holds no ${DATABASE}. Set KITH_DATA to the relay's data directory.`);
	const partial = `${target}.partial`;
	const taken = new Date().toISOString();
	rmSync(partial, { recursive: true, force: true });
	process.umask(0o077);
	mkdirSync(partial, { recursive: true });
	const path = (name: string) => join(partial, name);
	copyDatabase(join(data, DATABASE), path(DATABASE));
	const others = KEPT_FILES.filter((name) => existsSync(join(data, name)));
	for (const name of others) copyFileSync(join(data, name), path(name));
	const files = Object.fromEntries(
		[DATABASE, ...others].map((name) => [name, measured(path(name))]),
	);
	const list: BackupList = { format: 1, software: software(), taken, files };
	writeFileSync(path(LIST), `${JSON.stringify(list, null, '\t')}\n`);
	for (const place of [...others, LIST].map(path)) toDisk(place);
	toDisk(partial);
	renameSync(partial, target);
	toDisk(dirname(target));
	return list;
}
