// Machines that can be cut off from each other while they run: network namespaces of Linux, joined by a bridge in one of
// their own. Each has a second cable to the test, so that its devices still reach it when the others do not.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Machine } from './machine.ts';

const NAMESPACES = '/run/netns';
/** Of a namespace: which process made it, and what for. */
const OURS = /^kith-(\d+)-\w+$/;
/** RFC 2544's, for measuring: no network that a machine is in. */
const FRONT = '198.18';

/** Runs iproute2's `ip`; throws what it says when it fails. */
function ip(...parameters: string[]): string {
	const { status, stdout, stderr, error } = spawnSync('ip', parameters, { encoding: 'utf8' });
	if (status !== 0) throw new Error(`ip ${parameters.join(' ')}: ${error?.message ?? stderr}`);
	return stdout;
}

class Namespace implements Machine {
	readonly listen = '0.0.0.0';
	readonly name: string;
	readonly front: string;
	readonly back: string;
	/** The end of its cable that is at the bridge. */
	readonly socket: string;

	constructor(name: string, at: { front: string; back: string; socket: string }) {
		this.name = name;
		this.front = at.front;
		this.back = at.back;
		this.socket = at.socket;
	}

	words(program: string, parameters: readonly string[]) {
		return { program: 'ip', parameters: ['netns', 'exec', this.name, program, ...parameters] };
	}
}

export class SplitNetwork {
	readonly machines: readonly Namespace[];
	readonly #bridge: string;
	readonly #removes = () => removeAll(process.pid);

	private constructor(bridge: string, machines: readonly Namespace[]) {
		this.#bridge = bridge;
		this.machines = machines;
		process.once('exit', this.#removes);
	}

	/** Why there can be none here, in a few words; undefined where there can. */
	static missing(): string | undefined {
		if (process.platform !== 'linux') return 'needs network namespaces of Linux';
		if (spawnSync('ip', ['-V']).error) return 'needs iproute2';
		const name = `kith-${process.pid}-probe`;
		try {
			ip('netns', 'add', name);
			ip('link', 'add', 'probe', 'netns', name, 'type', 'bridge');
			return undefined;
		} catch {
			return 'may not make network namespaces here (root may)';
		} finally {
			spawnSync('ip', ['netns', 'del', name]);
		}
	}

	/** Makes `count` machines, each of which reaches all others; one network at a time in a process. */
	static make(count: number): SplitNetwork {
		removeForgotten();
		const named = (what: string) => `kith-${process.pid}-${what}`;
		const bridge = named('bridge');
		const front = freeNetwork();
		try {
			ip('netns', 'add', bridge);
			ip('-n', bridge, 'link', 'add', 'bridge', 'type', 'bridge');
			ip('-n', bridge, 'link', 'set', 'bridge', 'up');
			const machines = Array.from({ length: count }, (_, at) => {
				const [outer, inner] = [`${front}.${at * 4 + 1}`, `${front}.${at * 4 + 2}`];
				const socket = `socket${at}`;
				const place = { front: inner, back: `10.0.0.${at + 1}`, socket };
				const machine = new Namespace(named(`machine${at}`), place);
				const { name, back } = machine;
				const outside = `kith${process.pid}-${at}`;
				ip('netns', 'add', name);
				ip('-n', name, 'link', 'set', 'lo', 'up');
				ip(
					...['link', 'add', 'back', 'netns', name, 'type', 'veth', 'peer', 'name', socket],
					...['netns', bridge],
				);
				ip('-n', name, 'addr', 'add', `${back}/24`, 'dev', 'back');
				ip('-n', name, 'link', 'set', 'back', 'up');
				ip('-n', bridge, 'link', 'set', socket, 'master', 'bridge', 'up');
				ip(...['link', 'add', outside, 'type', 'veth', 'peer', 'name', 'front', 'netns', name]);
				ip('-n', name, 'addr', 'add', `${inner}/30`, 'dev', 'front');
				ip('-n', name, 'link', 'set', 'front', 'up');
				ip('addr', 'add', `${outer}/30`, 'dev', outside);
				ip('link', 'set', outside, 'up');
				return machine;
			});
			return new SplitNetwork(bridge, machines);
		} catch (error) {
			removeAll(process.pid);
			throw error;
		}
	}

	/** Pulls its cable to the others: what they send each other from now on is lost, and no connection is told. */
	cut(at: number): void {
		ip('-n', this.#bridge, 'link', 'set', this.machines[at]!.socket, 'down');
	}

	/** Puts the cable back. */
	heal(at: number): void {
		ip('-n', this.#bridge, 'link', 'set', this.machines[at]!.socket, 'up');
	}

	/** Ends what still runs on the machines, and them. */
	remove(): void {
		process.off('exit', this.#removes);
		removeAll(process.pid);
	}
}

function ourNamespaces(): { name: string; maker: number }[] {
	try {
		return readdirSync(NAMESPACES).flatMap((name) => {
			const maker = OURS.exec(name)?.[1];
			return maker === undefined ? [] : [{ name, maker: Number(maker) }];
		});
	} catch {
		return []; // nobody has made one yet
	}
}

/** Everything that the process has made; the cables go with what they were put into. */
function removeAll(maker: number): void {
	for (const { name } of ourNamespaces().filter((one) => one.maker === maker)) {
		for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean)) end(Number(pid));
		ip('netns', 'del', name);
	}
}

/** What a run left behind that was killed. */
function removeForgotten(): void {
	for (const { maker } of ourNamespaces()) if (!isRunning(maker)) removeAll(maker);
}

function end(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		// it has ended meanwhile
	}
}

function isRunning(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
}

/** The first three numbers of a network that this machine is not in: several tests may run beside each other. */
function freeNetwork(): string {
	const taken = Object.values(networkInterfaces()).flatMap((all = []) =>
		all.map(({ address }) => address),
	);
	// Two that start at the same moment begin at different ones.
	for (let tried = 0; tried < 256; tried++) {
		const network = `${FRONT}.${(process.pid + tried) % 256}`;
		if (!taken.some((address) => address.startsWith(`${network}.`))) return network;
	}
	throw new Error(`every network of ${FRONT}.0.0/16 is taken`);
}
