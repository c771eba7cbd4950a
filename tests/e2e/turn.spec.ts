// Networks that let nothing through but a TURN server (RFC 8656): coturn, with the credentials that the relay makes.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RelayProcess, NO_LIMITS } from '../support/relay-process.ts';
import { expect, meet, test as base } from './fixtures.ts';

const SECRET = 'a secret of this test';

class TurnServer {
	readonly #child: ChildProcess;
	readonly #folder = mkdtempSync(join(tmpdir(), 'kith-turn-'));
	readonly port: number;
	output = '';

	private constructor(port: number, secret: string) {
		this.port = port;
		const place = ['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`];
		const access = ['--use-auth-secret', `--static-auth-secret=${secret}`, '--realm=kith.test'];
		const files = ['--pidfile=', `--userdb=${join(this.#folder, 'users.sqlite')}`];
		const bare = ['--verbose', '--no-tls', '--no-dtls', '--no-cli', '--allow-loopback-peers'];
		this.#child = spawn(
			'turnserver',
			['-n', ...place, ...access, ...files, ...bare, '--log-file=stdout'],
			{
				stdio: ['ignore', 'pipe', 'pipe'],
			},
		);
		for (const stream of [this.#child.stdout, this.#child.stderr]) {
			stream?.on('data', (bytes: Buffer) => (this.output += bytes.toString()));
		}
	}

	static isInstalled(): boolean {
		return spawnSync('turnserver', ['--help']).error === undefined;
	}

	static async start(secret: string): Promise<TurnServer> {
		const server = new TurnServer(await freeUdpPort(), secret);
		try {
			await expect.poll(() => answersStun(server.port)).toBe(true);
			return server;
		} catch (error) {
			await server.stop();
			throw error;
		}
	}

	async stop(): Promise<void> {
		const gone = new Promise((resolve) => this.#child.on('close', resolve));
		this.#child.kill('SIGKILL');
		await gone;
		rmSync(this.#folder, { recursive: true });
	}
}

/** Asks for a binding (RFC 8489 section 6): 20 bytes there, more than as many back. */
async function answersStun(port: number): Promise<boolean> {
	const socket = createSocket('udp4');
	const request = Buffer.from('000100002112a4420000000000000000000000ff', 'hex');
	const answer = new Promise<boolean>((resolve) => {
		socket.on('message', (bytes) => resolve(bytes.length > 20)).on('error', () => resolve(false));
		setTimeout(() => resolve(false), 200);
	});
	socket.send(request, port, '127.0.0.1');
	const answered = await answer;
	socket.close();
	return answered;
}

async function freeUdpPort(): Promise<number> {
	const socket = createSocket('udp4');
	await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
	const { port } = socket.address();
	await new Promise<void>((resolve) => void socket.close(resolve));
	return port;
}

const test = base.extend<{ turn: TurnServer; turnSecret: string }>({
	turnSecret: [SECRET, { option: true }],
	// eslint-disable-next-line no-empty-pattern -- Playwright reads which fixtures are needed from it
	turn: async ({}, use) => {
		const turn = await TurnServer.start(SECRET);
		await use(turn);
		await turn.stop();
	},
	relay: async ({ turn, turnSecret }, use) => {
		const relay = await RelayProcess.start({
			KITH_LIMITS: NO_LIMITS,
			KITH_ICE: `turn:127.0.0.1:${turn.port}?transport=udp`,
			KITH_TURN_SECRET: turnSecret,
		});
		await use(relay);
		await relay.stop();
	},
});

test.skip(!TurnServer.isInstalled(), 'turnserver (coturn) is not installed');
test.skip(
	({ browserName }) => browserName === 'firefox',
	'Firefox asks nothing of a loopback address',
);

/** In the page: as behind a network that drops everything but what goes through the TURN server. */
function allowRelayedOnly(): void {
	const Original = RTCPeerConnection;
	window.RTCPeerConnection = class extends Original {
		constructor(configuration?: RTCConfiguration) {
			super({ ...configuration, iceTransportPolicy: 'relay' });
		}
	};
}

test('two people are connected through it, and keep talking with the relay gone', async ({
	newPerson,
	relay,
	turn,
}) => {
	const people = [await newPerson(), await newPerson()] as const;
	const [ana, ben] = people;
	for (const { context } of people) await context.addInitScript(allowRelayedOnly);
	await meet(ana, ben);
	for (const person of people) await expect(person.header).toContainText('direct');
	expect(turn.output).toMatch(/session \d+: .*ALLOCATE processed, success/);
	await relay.kill('SIGKILL');
	await ana.send('through the third one');
	await expect(ben.message('through the third one')).toBeVisible();
	await expect(ana.message('through the third one', 'Read')).toBeVisible();
});

test.describe('with a secret that is not the server’s', () => {
	test.use({ turnSecret: 'another secret' });
	test('nothing goes through it, and the relay carries on', async ({ newPerson, turn }) => {
		const people = [await newPerson(), await newPerson()] as const;
		const [ana, ben] = people;
		for (const { context } of people) await context.addInitScript(allowRelayedOnly);
		await meet(ana, ben);
		await expect
			.poll(() => turn.output)
			.toMatch(/401|[Uu]nauthorized|cannot find credentials|check_stun_auth/);
		await ben.send('by the relay');
		await expect(ana.message('by the relay')).toBeVisible();
		await expect(ana.header).toContainText('via relay');
		expect(turn.output).not.toMatch(/ALLOCATE processed, success/);
	});
});
