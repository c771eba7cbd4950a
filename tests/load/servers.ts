// The servers that are compared, each a process of its own on one core, on a loopback port, with data of its own that
// is removed afterwards. All are ended by their process id.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import type { PROTOCOLS } from './tasks.ts';

const NODE = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
const ECHO = fileURLToPath(new URL('./echo.ts', import.meta.url));

/** The server's core; the generator has the other one. */
export const SERVER_CORE = '0';
export const GENERATOR_CORE = '1';
const START_PATIENCE = 60_000;
const MQTT_PORT = 18_883;
const XMPP_PORT = 15_222;

export interface Server {
	readonly name: string;
	readonly protocol: (typeof PROTOCOLS)[number];
	/** How it was set up, for whoever doubts the figures. */
	readonly settings: string;
	/** Messages for each device that is away: a few seconds' worth. */
	readonly backlog: number;
	port(): number;
	pid(): number;
	start(): Promise<void>;
	/** Ends it and starts it again on its data, with fresh memory. */
	restart(): Promise<void>;
	stop(): Promise<void>;
	/** What it said, where it says anything. */
	output(): string;
}

export function kithServer(): Server {
	let relay: RelayProcess | undefined;
	const running = () => {
		if (!relay) throw new Error('the relay was not started');
		return relay;
	};
	const pin = () => execFileSync('taskset', ['-acp', SERVER_CORE, String(running().pid)]);
	return {
		name: 'Kith',
		protocol: 'kith',
		backlog: 1000,
		settings: 'defaults, but for the limits per device and network; every answer is a durable one',
		port: () => Number(new URL(running().origin).port),
		pid: () => running().pid,
		start: async () => {
			relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
			pin();
		},
		restart: async () => {
			await running().kill('SIGTERM');
			await running().restart();
			pin();
		},
		stop: () => running().stop(),
		output: () => running().output,
	};
}

/** Not a peer: what the generator can do at most (echo.ts). */
export function echoServer(): Server {
	let child: ChildProcess | undefined;
	let port = 0;
	const start = async () => {
		child = spawn('taskset', ['-c', SERVER_CORE, NODE, ECHO], {
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		const said = child.stdout;
		port = await new Promise((resolve) => said?.once('data', (line) => resolve(Number(line))));
	};
	return {
		...{ name: 'echo', protocol: 'kith', backlog: 0, start },
		settings: 'stores, routes and checks nothing',
		port: () => port,
		pid: () => child?.pid ?? 0,
		restart: start,
		stop: () => ended(child),
		output: () => '',
	};
}

/** Where Debian installs it, or undefined. */
export function mosquittoServer(): Server | undefined {
	if (!existsSync('/usr/sbin/mosquitto')) return undefined;
	return peer({
		...{ name: 'Mosquitto', protocol: 'mqtt', port: MQTT_PORT, backlog: 1000 },
		settings:
			'QoS 1, lasting sessions, persistence on (written every 30 min and at exit), no passwords',
		prepare: (directory) => {
			writeFileSync(
				join(directory, 'mosquitto.conf'),
				[
					`listener ${MQTT_PORT} 127.0.0.1`,
					...['allow_anonymous true', 'user root', 'log_dest none', 'set_tcp_nodelay true'],
					...['persistence true', `persistence_location ${directory}/`],
					...['max_inflight_messages 512', 'max_queued_messages 0'],
				].join('\n'),
			);
			return { command: ['mosquitto', '-c', join(directory, 'mosquitto.conf')] };
		},
	});
}

/** As above. */
export function ejabberdServer(): Server | undefined {
	if (!existsSync('/usr/sbin/ejabberdctl')) return undefined;
	return peer({
		...{ name: 'ejabberd', protocol: 'xmpp', port: XMPP_PORT, backlog: 50 },
		settings: 'Mnesia, stream management with an acknowledgement per message, no TLS, no shapers',
		prepare: (directory) => {
			writeFileSync(join(directory, 'ejabberd.yml'), EJABBERD);
			const spool = ['-mnesia', 'dir', `"${join(directory, 'spool')}"`];
			// One core, so one scheduler; it must not spin while it waits.
			const machine = ['+K', 'true', '+P', '250000', '+Q', '65536', '+S', '1:1', '+sbwt', 'none'];
			return {
				command: ['erl', ...machine, '-noinput', ...spool, '-s', 'ejabberd'],
				environment: {
					ERL_LIBS: '/usr/lib/x86_64-linux-gnu',
					EJABBERD_CONFIG_PATH: join(directory, 'ejabberd.yml'),
					EJABBERD_LOG_PATH: join(directory, 'ejabberd.log'),
					HOME: directory,
				},
			};
		},
	});
}

const EJABBERD = `
hosts: [localhost]
loglevel: error
listen:
  - port: ${XMPP_PORT}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 4096
auth_method: internal
auth_password_format: plain
registration_timeout: infinity
shaper_rules:
  max_user_offline_messages:
    - 1000000
modules:
  mod_offline:
    access_max_user_messages: max_user_offline_messages
  mod_register:
    ip_access: all
    access: all
  mod_stream_mgmt:
    resume_timeout: 0
`;

interface PeerOptions {
	readonly name: string;
	readonly protocol: (typeof PROTOCOLS)[number];
	readonly port: number;
	readonly backlog: number;
	readonly settings: string;
	prepare(directory: string): {
		readonly command: readonly string[];
		readonly environment?: Readonly<Record<string, string>>;
	};
}

function peer({ prepare, ...options }: PeerOptions): Server {
	const { name, protocol, port, backlog, settings } = options;
	let [directory, child]: [string | undefined, ChildProcess | undefined] = [undefined, undefined];
	const start = async () => {
		directory ??= mkdtempSync(join(tmpdir(), `kith-${protocol}-`));
		const { command, environment } = prepare(directory);
		child = spawn('taskset', ['-c', SERVER_CORE, ...command], {
			cwd: directory,
			env: { ...process.env, ...environment },
			stdio: 'ignore',
		});
		await listening(port);
	};
	return {
		...{ name, protocol, backlog, settings, start },
		port: () => port,
		pid: () => child?.pid ?? 0,
		output: () => '',
		restart: async () => {
			await ended(child);
			await start();
		},
		stop: async () => {
			await ended(child);
			if (directory) rmSync(directory, { recursive: true, force: true });
		},
	};
}

async function ended(child: ChildProcess | undefined): Promise<void> {
	if (!child || child.exitCode !== null) return;
	const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
	child.kill('SIGTERM');
	await exited;
}

async function listening(port: number): Promise<void> {
	const deadline = performance.now() + START_PATIENCE;
	while (performance.now() < deadline) {
		const open = await new Promise<boolean>((resolve) => {
			const socket = connect(port, '127.0.0.1');
			socket.on('connect', () => resolve(socket.destroy() === socket));
			socket.on('error', () => setTimeout(() => resolve(false), 100));
		});
		if (open) return;
	}
	throw new Error(`nothing listens on port ${port}`);
}

/** What the kernel says of a process (Linux). */
export function usageOf(pid: number): { resident: number; peak: number; cpuMs: number } {
	const status = readFileSync(`/proc/${pid}/status`, 'utf8');
	const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) * 1024;
	const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
	const [user, system] = fields.split(' ').slice(11, 13).map(Number);
	return { resident: kib('VmRSS'), peak: kib('VmHWM'), cpuMs: ((user ?? 0) + (system ?? 0)) * 10 };
}

/** Memory that the kernel keeps for itself on this machine: sockets are most of what changes. */
export function kernelBytes(): number {
	const memory = readFileSync('/proc/meminfo', 'utf8');
	return Number(/^Slab:\s+(\d+)/m.exec(memory)?.[1]) * 1024;
}

/** CPU that all programs of this machine together have used, ms. */
export function machineCpuMs(): number {
	const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = readFileSync(
		'/proc/stat',
		'utf8',
	)
		.split('\n', 1)
		.join()
		.split(/\s+/)
		.map(Number);
	return (user + nice + system + irq + softIrq) * 10;
}
