// `npm run relay -- COMMAND`: what an operator does beside running the relay. One table of commands; a mistake is a
// sentence and exit code 2, a failure a sentence and exit code 1.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { backup } from './commands/backup.ts';
import type { Command, Given } from './commands/command.ts';
import { doctor } from './commands/doctor.ts';
import { invite } from './commands/invite.ts';
import { restore } from './commands/restore.ts';
import { turn } from './commands/turn.ts';
import { upgrade } from './commands/upgrade.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
	backup,
	restore,
	upgrade,
	doctor,
	turn,
	invite,
};
const CALL = 'npm run relay --';

class Misuse extends Error {}

function help(): string {
	const width = Math.max(
		...Object.entries(COMMANDS).map(([name, { usage }]) => name.length + usage.length),
	);
	const lines = Object.entries(COMMANDS).map(
		([name, { usage, summary }]) => `  ${`${name} ${usage}`.padEnd(width + 3)}${summary}`,
	);
	return [
		`Usage: ${CALL} COMMAND`,
		'',
		...lines,
		'',
		'Commands read the same settings as the relay (KITH_DATA and so on; see server/README.md).',
		`More on one of them: ${CALL} COMMAND --help`,
	].join('\n');
}

function helpOn(name: string, { usage, summary, details }: Command): string {
	const text = `Usage: ${CALL} ${name} ${usage}\n\n${name} ${summary}.`;
	return details === undefined ? text : `${text}\n${details}`;
}

function parse(command: Command, rest: readonly string[]): Given & { readonly help: boolean } {
	const { switches = [], options = [], words } = command;
	const known: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
	for (const name of switches) known[name] = { type: 'boolean' };
	for (const name of options) known[name] = { type: 'string' };
	try {
		const { values, positionals } = parseArgs({
			args: [...rest],
			options: known,
			allowPositionals: true,
		});
		const given = Object.entries(values);
		const asked = values.help === true;
		if (!asked && (positionals.length < words[0] || positionals.length > words[1]))
			throw new Misuse(
				`It takes ${words[0]} word${words[0] === 1 ? '' : 's'}, not ${positionals.length}.`,
			);
		return {
			words: positionals,
			switches: new Set(given.filter(([, value]) => value === true).map(([name]) => name)),
			options: Object.fromEntries(
				given.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
			),
			help: asked,
		};
	} catch (error) {
		throw new Misuse((error as Error).message, { cause: error });
	}
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
	if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
		console.log(help());
		return name === undefined ? 2 : 0;
	}
	const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
	if (!command) {
		console.error(`There is no command "${name}".\n\n${help()}`);
		return 2;
	}
	try {
		const given = parse(command, rest);
		if (!given.help) return await command.run(given);
		console.log(helpOn(name, command));
		return 0;
	} catch (error) {
		console.error(error instanceof Error ? error.message : error);
		if (!(error instanceof Misuse)) return 1;
		console.error(helpOn(name, command));
		return 2;
	}
}

process.exitCode = await main(process.argv.slice(2));
