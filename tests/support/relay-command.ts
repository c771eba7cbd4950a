// The operator's commands, as a process of their own.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Ended {
	readonly code: number | null;
	/** Both streams. */
	readonly said: string;
}

/** `relay COMMAND`, with the settings in `environment`. Resolves when it has ended. */
export function relayCommand(
	words: readonly string[],
	environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
	const child = spawn(at('node_modules/.bin/node'), [at('server/command.ts'), ...words], {
		cwd: at('.'),
		env: { ...process.env, ...environment },
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let said = '';
	for (const stream of [child.stdout, child.stderr])
		stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
	return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}
