// `relay doctor` against what it is about: the relay, Debian's Caddy, coturn, and their absence.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stunFault } from '../../server/commands/stun.ts';
import { iceServers } from '../../server/edge/turn.ts';
import { relayCommand } from '../support/relay-command.ts';
import { RelayProcess } from '../support/relay-process.ts';

const PATIENT = { timeout: 30_000 };
const SECRET = 'a secret of this test';
const isInstalled = (program: string, option: string) =>
	spawnSync(program, [option]).error === undefined;

let directory: string;
let children: ChildProcess[];
let pushService: Server;
let offset: number;
const at = (name: string) => join(directory, name);
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), 'kith-doctor-'));
	children = [];
	offset = 0;
	pushService = createHttpServer((_, response) => {
		response.setHeader('date', new Date(Date.now() + offset).toUTCString()).end();
	});
	await new Promise<void>((resolve) => pushService.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
	const gone = children.map((child) => new Promise((resolve) => child.on('close', resolve)));
	for (const child of children) child.kill('SIGKILL');
	await Promise.all(gone);
	pushService.close();
	rmSync(directory, { recursive: true });
});

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const port = portOf(server);
	await new Promise((resolve) => server.close(resolve));
	return port;
}

const local = () => ({
	KITH_PUSH_CONTACT: 'mailto:me@kith.chat',
	KITH_PUSH_HOSTS: `http://127.0.0.1:${portOf(pushService)}`,
});

describe('the doctor', () => {
	it('finds a relay that is well, and what it is asked', async () => {
		const relay = await RelayProcess.start();
		chmodSync(relay.dataDirectory, 0o700);
		const settings = { ...local(), KITH_DATA: relay.dataDirectory };
		const { code, said } = await relayCommand(['doctor', relay.origin], settings);
		for (const about of [
			'settings',
			'data directory',
			'disk',
			'pages',
			'WebSocket',
			'push contact',
			'clock',
		])
			expect(said).toMatch(new RegExp(`^ok +${about}: `, 'm'));
		expect(said).toMatch(new RegExp(`^\\w+ +open files: process ${relay.pid} may open \\d+`, 'm'));
		expect(said).toMatch(/^doubt +TLS: without https/m);
		expect(code).toBe(0);
		await relay.stop();
	});

	it('says what is wrong, each with its mend, and what it could not see', async () => {
		offset = 600_000;
		const nobody = `http://127.0.0.1:${await freePort()}`;
		const settings = {
			...{ ...local(), KITH_DATA: at('data'), KITH_PUSH_CONTACT: 'mailto:me@localhost' },
			...{ KITH_ICE: `stun:127.0.0.1:${await freePort()},stuns:127.0.0.1:5349` },
		};
		const { code, said } = await relayCommand(['doctor', nobody], settings);
		expect(code).toBe(1);
		expect(said).toMatch(/^WRONG +pages: .*See whether the relay and the proxy run/m);
		expect(said).toMatch(/^WRONG +WebSocket: .*The proxy must pass/m);
		expect(said).toMatch(/^WRONG +push contact: .*Set KITH_PUSH_CONTACT/m);
		expect(said).toMatch(/^WRONG +clock: (599|600|601) s off\. timedatectl/m);
		expect(said).toMatch(/^WRONG +stun:127.*: .*See coturn/m);
		expect(said).toMatch(/^unseen +stuns:127/m);
		expect(said).toMatch(/^unseen +open files: no relay answers/m);
		const broken = await relayCommand(['doctor'], { KITH_PORT: 'x' });
		expect(broken.said).toMatch(/KITH_PORT must be a whole number/);
	});

	it.skipIf(!isInstalled('caddy', 'version'))(
		'sees the relay through Caddy, with the configuration that we hand out',
		async () => {
			const relay = await RelayProcess.start({ KITH_TRUST_PROXY: 'true' });
			const port = await freePort();
			const ours = fileURLToPath(new URL('../../server/Caddyfile', import.meta.url));
			const global = '{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n';
			writeFileSync(at('Caddyfile'), `${global}import ${ours}\n`);
			const caddy = spawn('caddy', ['run', '--config', at('Caddyfile')], {
				env: {
					...{ ...process.env, HOME: directory, XDG_DATA_HOME: directory },
					...{ KITH_SITE: `localhost:${port}`, KITH_UPSTREAM: new URL(relay.origin).host },
				},
				stdio: 'ignore',
			});
			children.push(caddy);
			const root = at('caddy/pki/authorities/local/root.crt');
			await expect.poll(() => existsSync(root), PATIENT).toBe(true);
			const settings = { ...local(), KITH_DATA: relay.dataDirectory, NODE_EXTRA_CA_CERTS: root };
			const asked = () => relayCommand(['doctor', `https://localhost:${port}`], settings);
			await expect
				.poll(async () => (await asked()).said, { timeout: 30_000, interval: 500 })
				.toMatch(/^ok +pages: .*\nok +WebSocket: comes through/m);
			expect((await asked()).said).toMatch(/^(ok|doubt) +TLS: the certificate is good for/m);
			await relay.stop();
		},
	);
});

describe.skipIf(!isInstalled('turnserver', '--help'))('coturn', () => {
	it('with the configuration that we make relays for devices of this relay, and for nobody else', async () => {
		const made = await relayCommand(['turn', 'turn.kith.test'], { KITH_TURN_SECRET: SECRET });
		expect(made.code).toBe(0);
		expect(made.said).toMatch(/^# +KITH_ICE=stun:turn\.kith\.test:3478,turn:/m);
		expect(made.said).toMatch(/^denied-peer-ip=127\.0\.0\.0-127\.255\.255\.255$/m);
		const port = await freePort();
		writeFileSync(
			at('turnserver.conf'),
			[
				made.said.replace('listening-port=3478', `listening-port=${port}`),
				...['listening-ip=127.0.0.1', 'relay-ip=127.0.0.1', `userdb=${at('users')}`, 'pidfile='],
			].join('\n'),
		);
		children.push(spawn('turnserver', ['-c', at('turnserver.conf')], { stdio: 'ignore' }));
		const server = { host: '127.0.0.1', port };
		const free = { username: null, credential: null };
		await expect.poll(() => stunFault(server, free), PATIENT).toBe(undefined);

		const url = `turn:127.0.0.1:${port}`;
		const [ours] = iceServers([url], SECRET, Date.now());
		const [theirs] = iceServers([url], 'another secret', Date.now());
		expect(await stunFault(server, ours ?? free)).toBe(undefined);
		expect(await stunFault(server, theirs ?? free)).toMatch(/^refuses the credentials \(401/);

		const settings = { ...local(), KITH_DATA: at('data'), KITH_ICE: url };
		const well = await relayCommand(['doctor'], { ...settings, KITH_TURN_SECRET: SECRET });
		expect(well.said).toMatch(/^ok +turn:127\S+: relays for us$/m);
		const wrong = await relayCommand(['doctor'], { ...settings, KITH_TURN_SECRET: 'x' });
		expect(wrong.said).toMatch(
			/^WRONG +turn:127\S+: refuses the credentials .*See coturn, its secret/m,
		);
	});

	it('gets a new secret where there is none, and no half certificate', async () => {
		const [one, other] = [
			await relayCommand(['turn', 'a.test']),
			await relayCommand(['turn', 'a.test']),
		];
		const secret = /^static-auth-secret=(\S{40,})$/m;
		expect(secret.exec(one.said)?.[1]).not.toBe(secret.exec(other.said)?.[1]);
		expect(one.said).toMatch(secret);
		const half = await relayCommand(['turn', 'a.test', '--cert', 'a.pem']);
		expect(half).toMatchObject({ code: 1 });
		const whole = await relayCommand(['turn', 'a.test', '--cert', 'a.pem', '--key', 'b.pem']);
		expect(whole.said).toMatch(/tls-listening-port=5349\ncert=a\.pem\npkey=b\.pem/);
	});
});
