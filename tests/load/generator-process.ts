// The load generator, as a benchmark sees it.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { GENERATOR_CORE } from './servers.ts';
import type { PROTOCOLS, Result, Task } from './tasks.ts';

const GENERATOR = fileURLToPath(new URL('./generator.ts', import.meta.url));
const NODE = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));

export class Generator {
	readonly #child;

	/** Device n speaks to the ports in turn, by its number and its thousands. */
	constructor(protocol: (typeof PROTOCOLS)[number], ports: readonly number[]) {
		const parameters = ['-c', GENERATOR_CORE, NODE, GENERATOR, protocol, ports.join(',')];
		this.#child = spawn('taskset', parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
	}

	do(task: Task): Promise<Result> {
		return new Promise((resolve, reject) => {
			const ended = () => reject(new Error(`the generator ended during ${task.do}`));
			this.#child.once('exit', ended);
			this.#child.once('message', (message: { result?: Result; failed?: string }) => {
				this.#child.off('exit', ended);
				if (message.result) resolve(message.result);
				else reject(new Error(`${task.do}: ${message.failed}`));
			});
			this.#child.send(task);
		});
	}

	end(): void {
		this.#child.removeAllListeners();
		this.#child.kill();
	}
}
