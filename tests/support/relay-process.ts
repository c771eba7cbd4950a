// The relay as people run it: a process of its own on a free port, with a data directory that lasts over restarts.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { THIS_MACHINE, type Machine } from './machine.ts';

const MAIN = fileURLToPath(new URL('../../server/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODE = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));

/** Limits that a test with many devices on one address does not meet. */
export const NO_LIMITS = JSON.stringify({
	requests: { perSecond: 1e6, burst: 1e6 },
	refusals: { perSecond: 1e6, burst: 1e6 },
	whispers: { perSecond: 1e6, burst: 1e6 },
	looks: { perSecond: 1e6, burst: 1e6 },
	connections: { perSecond: 1e6, burst: 1e6 },
	registrations: { perSecond: 1e6, burst: 1e6 },
	registrationsOverall: { perSecond: 1e6, burst: 1e6 },
	capsules: { perSecond: 1e6, burst: 1e6 },
	connectionsPerNetwork: 1e6,
});

export class RelayProcess {
	readonly dataDirectory: string;
	readonly #environment: Readonly<Record<string, string>>;
	readonly #machine: Machine;
	#child: ChildProcess | undefined;
	#exited: Promise<number | string> = Promise.resolve(0);
	#port = 0;
	/** Everything the process wrote, over all its lives. */
	output = '';

	private constructor(environment: Readonly<Record<string, string>>, machine: Machine) {
		this.dataDirectory = mkdtempSync(join(tmpdir(), 'kith-relay-'));
		this.#environment = environment;
		this.#machine = machine;
	}

	/** Starts a relay; `environment` adds to and overrides the settings of tests. */
	static async start(
		environment: Readonly<Record<string, string>> = {},
		machine: Machine = THIS_MACHINE,
	): Promise<RelayProcess> {
		const relay = new RelayProcess(environment, machine);
		relay.#port = Number(environment.PORT ?? (await freePort()));
		await relay.restart();
		return relay;
	}

	/** `http://127.0.0.1:port`, the same over restarts. */
	get origin(): string {
		return `http://${this.#machine.front}:${this.#port}`;
	}

	get socketUrl(): string {
		return `ws://${this.#machine.front}:${this.#port}/v1/socket`;
	}

	get pid(): number {
		const pid = this.#child?.pid;
		if (pid === undefined) throw new Error('the relay is not running');
		return pid;
	}

	/** Resident memory of the process, bytes (Linux). */
	residentBytes(): number {
		const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
		return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
	}

	/** Ends the process with a signal and waits until it is gone; returns its exit code or signal. */
	async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | string> {
		this.#child?.kill(signal);
		return this.#exited;
	}

	/** Starts it again on the same port and data. Call it only while no process runs. */
	async restart(): Promise<void> {
		const { program, parameters } = this.#machine.words(NODE, [MAIN]);
		const child = spawn(program, parameters, {
			cwd: ROOT,
			env: {
				...process.env,
				...{ KITH_DATA: this.dataDirectory, KITH_HOST: this.#machine.listen, KITH_LOG: 'warn' },
				...this.#environment,
				PORT: String(this.#port),
			},
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.#child = child;
		this.#exited = new Promise((resolve) =>
			child.on('close', (code, signal) => resolve(signal ?? code ?? 0)),
		);
		await new Promise<void>((resolve, reject) => {
			let said = '';
			const read = (chunk: Buffer) => {
				said += chunk.toString();
				this.output += chunk.toString();
				if (said.includes('Kith is at')) resolve();
			};
			child.stdout.on('data', read);
			child.stderr.on('data', read);
			void this.#exited.then((how) => reject(new Error(`the relay ended (${how}): ${said}`)));
		});
	}

	/** Ends it in order and removes its data. */
	async stop(): Promise<void> {
		await this.kill('SIGTERM');
		rmSync(this.dataDirectory, { recursive: true, force: true });
	}
}
