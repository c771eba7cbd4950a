// NATS as an operator runs it: Debian's nats-server, one process or three that form a cluster, each with a directory of
// its own that lasts over restarts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

const PROGRAM = 'nats-server';

interface Ports {
	readonly clients: number;
	readonly health: number;
	readonly routes: number;
}

export class NatsServer {
	readonly #directory: string;
	readonly #configuration: string;
	readonly #port: number;
	readonly #health: string;
	#child: ChildProcess | undefined;
	#exited: Promise<unknown> = Promise.resolve();

	private constructor(name: string, ports: Ports, all: readonly Ports[]) {
		this.#directory = mkdtempSync(join(tmpdir(), 'kith-nats-'));
		this.#port = ports.clients;
		this.#health = `http://127.0.0.1:${ports.health}/healthz`;
		this.#configuration = join(this.#directory, 'nats.conf');
		const routes = all.map(({ routes }) => `nats://127.0.0.1:${routes}`).join(', ');
		const cluster = `cluster { name: kith, listen: "127.0.0.1:${ports.routes}", routes: [${routes}] }`;
		writeFileSync(
			this.#configuration,
			`server_name: ${name}
			listen: "127.0.0.1:${ports.clients}"
			http: "127.0.0.1:${ports.health}"
			max_payload: 8MB
			jetstream { store_dir: "${join(this.#directory, 'data')}" }
			${all.length > 1 ? cluster : ''}`,
		);
	}

	static isInstalled(): boolean {
		return spawnSync(PROGRAM, ['--version']).status === 0;
	}

	/** Starts `count` servers; more than one form a cluster. Resolves when JetStream answers. */
	static async start(count: number): Promise<NatsServer[]> {
		const ports: Ports[] = [];
		for (let at = 0; at < count; at++)
			ports.push({
				...{ clients: await freePort(), routes: await freePort(), health: await freePort() },
			});
		const servers = ports.map((own, at) => new NatsServer(`nats-${at}`, own, ports));
		await Promise.all(servers.map((server) => server.restart()));
		return servers;
	}

	get url(): string {
		return `nats://127.0.0.1:${this.#port}`;
	}

	get pid(): number {
		const pid = this.#child?.pid;
		if (pid === undefined) throw new Error('the server is not running');
		return pid;
	}

	/** Starts it again on the same ports and data; resolves when it takes connections. */
	async restart(): Promise<void> {
		const child = spawn(PROGRAM, ['-c', this.#configuration], { stdio: 'ignore' });
		this.#child = child;
		this.#exited = new Promise((resolve) => child.on('close', resolve));
		while (!(await this.#answers()) && child.exitCode === null);
	}

	/** Resolves when it has caught up with the others: until then the cluster cannot spare another one. */
	async healthy(): Promise<void> {
		const asks = () => fetch(this.#health, { signal: AbortSignal.timeout(1000) });
		for (;;) {
			const answer = await asks().catch(() => undefined);
			if (answer?.ok) return;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}

	async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
		this.#child?.kill(signal);
		await this.#exited;
	}

	/** It answers nobody, and hears nobody, until {@link thaw}: to the others it is cut off. */
	freeze(): void {
		this.#child?.kill('SIGSTOP');
	}

	thaw(): void {
		this.#child?.kill('SIGCONT');
	}

	/** Ends it and removes its data. */
	async stop(): Promise<void> {
		await this.kill('SIGKILL');
		rmSync(this.#directory, { recursive: true, force: true });
	}

	#answers(): Promise<boolean> {
		return new Promise((resolve) => {
			const socket = connect(this.#port, '127.0.0.1');
			const settle = (answers: boolean) => {
				socket.destroy();
				// What refuses at once would be asked a thousand times.
				setTimeout(resolve, answers ? 0 : 20, answers);
			};
			socket.once('data', () => settle(true)).once('error', () => settle(false));
		});
	}
}
