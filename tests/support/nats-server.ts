// NATS as an operator runs it: Debian's nats-server, one process or three that form a cluster, each with a directory of
// its own that lasts over restarts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { THIS_MACHINE, type Machine } from './machine.ts';

const PROGRAM = 'nats-server';

interface Place {
	readonly machine: Machine;
	readonly clients: number;
	readonly health: number;
	readonly routes: number;
}

/** What the monitoring of NATS tells of streams. */
interface Streams {
	readonly account_details?: readonly {
		readonly stream_detail?: readonly { readonly cluster?: { readonly leader?: string } }[];
	}[];
}

export class NatsServer {
	readonly #directory: string;
	readonly #configuration: string;
	readonly #place: Place;
	readonly #name: string;
	#child: ChildProcess | undefined;
	#exited: Promise<unknown> = Promise.resolve();

	private constructor(name: string, place: Place, all: readonly Place[]) {
		this.#directory = mkdtempSync(join(tmpdir(), 'kith-nats-'));
		this.#name = name;
		this.#place = place;
		this.#configuration = join(this.#directory, 'nats.conf');
		const { listen } = place.machine;
		const route = ({ machine, routes }: Place) => `nats://${machine.back}:${routes}`;
		// Relays reach the servers where they reach each other, not where the test reaches them.
		const cluster = `cluster {
				name: kith, listen: "${place.machine.back}:${place.routes}", no_advertise: true,
				routes: [${all.map(route).join(', ')}]
			}`;
		writeFileSync(
			this.#configuration,
			`server_name: ${name}
			listen: "${listen}:${place.clients}"
			http: "${listen}:${place.health}"
			max_payload: 8MB
			jetstream { store_dir: "${join(this.#directory, 'data')}" }
			${all.length > 1 ? cluster : ''}`,
		);
	}

	static isInstalled(): boolean {
		return spawnSync(PROGRAM, ['--version']).status === 0;
	}

	/**
	 * Starts `count` servers, or one on each of these machines; more than one form a cluster. Resolves when they take
	 * connections.
	 */
	static async start(on: number | readonly Machine[]): Promise<NatsServer[]> {
		const machines = typeof on === 'number' ? Array<Machine>(on).fill(THIS_MACHINE) : on;
		const places: Place[] = [];
		for (const machine of machines)
			places.push({
				...{
					machine,
					clients: await freePort(),
					routes: await freePort(),
					health: await freePort(),
				},
			});
		const servers = places.map((own, at) => new NatsServer(`nats-${at}`, own, places));
		await Promise.all(servers.map((server) => server.restart()));
		return servers;
	}

	/** For relays. */
	get url(): string {
		return `nats://${this.#place.machine.back}:${this.#place.clients}`;
	}

	get pid(): number {
		const pid = this.#child?.pid;
		if (pid === undefined) throw new Error('the server is not running');
		return pid;
	}

	/** Starts it again on the same ports and data; resolves when it takes connections. */
	async restart(): Promise<void> {
		const { program, parameters } = this.#place.machine.words(PROGRAM, ['-c', this.#configuration]);
		const child = spawn(program, parameters, { stdio: 'ignore' });
		this.#child = child;
		this.#exited = new Promise((resolve) => child.on('close', resolve));
		while (!(await this.#answers()) && child.exitCode === null);
	}

	/** Resolves when it has caught up with the others: until then the cluster cannot spare another one. */
	async healthy(): Promise<void> {
		await this.#asked('healthz', ({ ok }) => ok);
	}

	/** How many streams this one leads, as far as it knows. */
	async leads(): Promise<number> {
		return (await this.#leaders()).filter((leader) => leader === this.#name).length;
	}

	/** Resolves when every stream that this one knows is led by another than `former`. */
	async elected(former: NatsServer): Promise<void> {
		const settled = (leaders: readonly string[]) =>
			leaders.length > 0 && leaders.every((leader) => leader !== '' && leader !== former.#name);
		while (!settled(await this.#leaders()))
			await new Promise((resolve) => setTimeout(resolve, 100));
	}

	async #leaders(): Promise<string[]> {
		const { account_details: accounts = [] } = await this.#asked<Streams>(
			'jsz?accounts=true&streams=true',
			async (answer) => answer.ok && ((await answer.json()) as Streams),
		);
		return accounts.flatMap(({ stream_detail: streams = [] }) =>
			streams.map(({ cluster }) => cluster?.leader ?? ''),
		);
	}

	/** Asks until the answer is one that is wanted. */
	async #asked<Wanted>(
		what: string,
		wanted: (answer: Response) => Wanted | false | Promise<Wanted | false>,
	): Promise<Wanted> {
		const { machine, health } = this.#place;
		const url = `http://${machine.front}:${health}/${what}`;
		for (;;) {
			const answer = await fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
			const found = answer && (await wanted(answer));
			if (found) return found;
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
			const socket = connect(this.#place.clients, this.#place.machine.front);
			const settle = (answers: boolean) => {
				socket.destroy();
				// What refuses at once would be asked a thousand times.
				setTimeout(resolve, answers ? 0 : 20, answers);
			};
			socket.once('data', () => settle(true)).once('error', () => settle(false));
		});
	}
}
