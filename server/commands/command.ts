// What a command of the operator is (see ../command.ts).
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { readConfig, type Config } from '../config.ts';

export interface Command {
	/** What follows the name, as the help shows it. */
	readonly usage: string;
	/** One line. */
	readonly summary: string;
	/** What else its help says. */
	readonly details?: string;
	/** Names of switches (`--replace`). */
	readonly switches?: readonly string[];
	/** Names of options that take a value (`--days 7`). */
	readonly options?: readonly string[];
	/** How many words it takes, at least and at most. */
	readonly words: readonly [least: number, most: number];
	/** Throws an Error whose message is a sentence for the operator. Returns the exit code. */
	run(given: Given): Promise<number> | number;
}

export interface Given {
	readonly words: readonly string[];
	readonly switches: ReadonlySet<string>;
	readonly options: Readonly<Record<string, string>>;
}

/** The settings that the relay itself would read. */
export function settings(): Config {
	const read = readConfig(process.env);
	if (!read.ok) throw new Error(read.mistakes.join('\n'));
	return read.config;
}

/** The relay's data directory; a sentence where there is none. */
export function dataDirectory({ data }: Config): string {
	const directory = resolve(data);
	if (existsSync(directory)) return directory;
	throw new Error(
		`There is no data directory ${directory}. Set KITH_DATA to the one that the relay uses.`,
	);
}

/** A path as whoever typed it meant it: npm runs scripts in the root of the checkout. */
export function placeOf(path: string): string {
	return resolve(process.env.INIT_CWD ?? '.', path);
}

/** The same, of a relay that keeps its data itself. */
export function settingsOfDatabase(): Config {
	const config = settings();
	if (config.cluster.length === 0) return config;
	throw new Error(
		'With KITH_CLUSTER the data lies in NATS: copy its streams with NATS’ own tool (nats account backup).',
	);
}
