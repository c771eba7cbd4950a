import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCbor } from '../../src/protocol/codec.ts';
import { downFrames } from '../../src/protocol/frames.ts';
import { fromBase64Url, type EnvelopeId } from '../../src/protocol/ids.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { relayCommand } from '../support/relay-command.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

let relay: RelayProcess;
beforeEach(async () => {
	relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
});
afterEach(() => relay.stop());

async function person(): Promise<{ keys: DeviceKeys; client: RelayClient }> {
	const keys = await newDeviceKeys();
	return { keys, client: await RelayClient.login(relay.socketUrl, keys) };
}

const body = (text: string) => new TextEncoder().encode(text);

describe('the relay process', () => {
	it('carries a message between two devices and answers its sender', async () => {
		const [alice, bob] = [await person(), await person()];
		const channel = await alice.client.found([await bob.client.putAddress()]);
		expect(await alice.client.submit(channel, body('hello'))).toMatchObject({ type: 'accepted' });
		const [welcome, message] = await bob.client.received(2);
		expect(welcome?.kind).toBe('welcome');
		expect(message).toMatchObject({ kind: 'message', channel, body: body('hello') });
	});

	it('MB-2 ER-2 everything accepted is there after kill -9, under load, in order and once', async () => {
		const [alice, bob] = [await person(), await person()];
		const channel = await alice.client.found([await bob.client.putAddress()]);
		await bob.client.received(1);
		await bob.client.close();
		const accepted = new Set<EnvelopeId>();
		const sent: EnvelopeId[] = [];
		for (let life = 0; life < 5; life++) {
			const sender = await RelayClient.login(relay.socketUrl, alice.keys);
			const halfway = Promise.withResolvers<undefined>();
			for (let count = 0; count < 300; count++) {
				const envelope = newEnvelope();
				sent.push(envelope);
				void sender.submit(channel, body('x'.repeat(300)), envelope).then(
					(answer) => {
						if (answer.type === 'accepted') accepted.add(envelope);
						if (accepted.size > 150 * (life + 1)) halfway.resolve(undefined);
					},
					() => undefined, // the relay died before it answered
				);
			}
			await halfway.promise;
			await relay.kill('SIGKILL');
			await sender.closed;
			await relay.restart();
		}
		const reader = await RelayClient.login(relay.socketUrl, bob.keys);
		const got = reader.deliveries.map(({ envelope }) => envelope);
		expect(accepted.size).toBeGreaterThan(750);
		expect([...accepted].filter((envelope) => !got.includes(envelope))).toEqual([]);
		expect(got).toHaveLength(new Set(got).size);
		expect(got).toEqual(sent.filter((envelope) => got.includes(envelope)));
		await reader.close();
	});

	it('stops in order on SIGTERM: devices are told, the exit code is 0', async () => {
		const { client } = await person();
		expect(await relay.kill('SIGTERM')).toBe(0);
		expect(await client.closed).toBe(1012);
		expect(client.bye).toMatchObject({ code: 'shutting-down' });
		await relay.restart();
	});

	it('MB-2 stops in order under load, too, and what it accepted is there', async () => {
		const [alice, bob] = [await person(), await person()];
		const channel = await alice.client.found([await bob.client.putAddress()]);
		await bob.client.received(1);
		await bob.client.close();
		const accepted: EnvelopeId[] = [];
		const loaded = Promise.withResolvers<undefined>();
		const run = async () => {
			for (;;) {
				const envelope = newEnvelope();
				await alice.client.submit(channel, body('x'.repeat(300)), envelope);
				if (accepted.push(envelope) > 300) loaded.resolve(undefined);
			}
		};
		const lanes = Array.from({ length: 50 }, () => run().catch(() => undefined));
		await loaded.promise;
		expect(await relay.kill('SIGTERM')).toBe(0);
		await Promise.all(lanes);
		expect(alice.client.bye).toMatchObject({ code: 'shutting-down' });
		await relay.restart();
		const reader = await RelayClient.login(relay.socketUrl, bob.keys);
		const got = reader.deliveries.map(({ envelope }) => envelope);
		expect(accepted.filter((envelope) => !got.includes(envelope))).toEqual([]);
	});

	it('AD-6 POST /v1/look answers with the CBOR of a looked frame', async () => {
		const { client } = await person();
		const address = await client.putAddress();
		const look = (bytes: Uint8Array<ArrayBuffer>) =>
			fetch(`${relay.origin}/v1/look`, { method: 'POST', body: bytes });
		const response = await look(fromBase64Url(address) ?? new Uint8Array());
		expect(response.headers.get('content-type')).toBe('application/cbor');
		const bytes = new Uint8Array(await response.arrayBuffer());
		expect(downFrames.decode(bytes, 4096)).toMatchObject({
			...{ ok: true, value: { type: 'looked', request: 0, state: 'open', card: null } },
		});
		expect(Array.isArray(parseCbor(bytes))).toBe(true);
		expect((await look(new Uint8Array(15))).status).toBe(400);
		expect((await look(new Uint8Array(100_000))).status).toBe(400);
		expect((await fetch(`${relay.origin}/v1/look`)).status).toBe(405);
	});

	it('HS-5 by invitation lets in who opened a link of the operator, until it ends', async () => {
		const room = await RelayProcess.start({
			KITH_LIMITS: NO_LIMITS,
			KITH_REGISTRATION: 'invitation',
		});
		const settings = { KITH_DATA: room.dataDirectory, KITH_REGISTRATION: 'invitation' };
		const link = async (...more: string[]) =>
			(await relayCommand(['invite', room.origin, ...more], settings)).said.trim();
		const opened = async (url: string) => fetch(url, { redirect: 'manual' });
		const enter = async (keys: DeviceKeys, cookie?: string) => {
			const client = await RelayClient.connect(room.socketUrl, cookie);
			return client.login(keys).then(
				() => 'in',
				() => client.bye?.code,
			);
		};
		const [known, stranger] = [await newDeviceKeys(), await newDeviceKeys()];
		const response = await opened(await link());
		expect(response.headers.get('location')).toBe('/');
		const [cookie = ''] = (response.headers.get('set-cookie') ?? '').split(';');
		expect(await enter(stranger)).toBe('registration-closed');
		expect(await enter(stranger, `${cookie}x`)).toBe('registration-closed');
		expect(await enter(known, `theme=dark; ${cookie}`)).toBe('in');
		expect(await enter(known)).toBe('in');

		const short = await link('--days', '0.00001');
		const kept = ((await opened(short)).headers.get('set-cookie') ?? '').split(';')[0];
		await expect.poll(async () => (await opened(short)).status, { timeout: 30_000 }).toBe(403);
		expect(await enter(stranger, kept)).toBe('registration-closed');
		expect((await opened(`${room.origin}/v1/join/AAAA`)).status).toBe(403);
		expect(await enter(stranger, cookie)).toBe('in');
		await room.stop();
	});

	it('FR-2 a text message is malformed', async () => {
		const { client } = await person();
		client.sendBytes('hello');
		expect(await client.closed).toBe(1002);
		expect(client.bye?.code).toBe('malformed');
	});

	it('FR-3 a message beyond the limit of the socket ends the connection', async () => {
		const { client } = await person();
		client.sendBytes(new Uint8Array(1024 * 1024 + 1));
		expect(await client.closed).toBeGreaterThan(1000);
		await (await person()).client.ping();
	});

	it('refuses sockets of foreign pages, and takes its own and programs', async () => {
		const upgrade = (origin: string | undefined) =>
			new Promise<number | undefined>((resolve, reject) => {
				const headers = {
					...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
					...{ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...(origin ? { origin } : {}) },
				};
				const asked = httpRequest(`${relay.origin}/v1/socket`, { headers });
				asked.on('upgrade', (response, socket) => {
					socket.destroy();
					resolve(response.statusCode);
				});
				asked.on('response', ({ statusCode }) => resolve(statusCode));
				asked.on('error', reject);
				asked.end();
			});
		expect(await upgrade('https://evil.example')).toBe(403);
		expect(await upgrade('null')).toBe(403);
		expect(await upgrade(relay.origin)).toBe(101);
		expect(await upgrade(undefined)).toBe(101);
	});

	it('survives requests that are no HTTP at all', async () => {
		const { hostname, port } = new URL(relay.origin);
		for (const garbage of [
			'\0\0\0\0\r\n\r\n',
			'GET\r\n\r\n',
			'POST /v1/look HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
		]) {
			const socket = connect(Number(port), hostname);
			await new Promise<void>((resolve) => {
				socket.on('close', () => resolve());
				socket.on('error', () => resolve());
				socket.end(garbage);
				socket.resume();
			});
		}
		expect((await fetch(`${relay.origin}/healthz`)).status).toBe(200);
	});

	it('serves figures to this machine', async () => {
		await person();
		const text = await (await fetch(`${relay.origin}/metrics`)).text();
		expect(text).toMatch(/^# TYPE kith_devices gauge\nkith_devices 1$/m);
		const forwarded = { 'x-forwarded-for': '192.0.2.1' };
		expect((await fetch(`${relay.origin}/metrics`, { headers: forwarded })).status).toBe(403);
	});

	it('writes no secret, address or content into its log, and takes at most 150 MB at rest', async () => {
		const secrets = { KITH_TURN_SECRET: 'turn-hush', KITH_METRICS_TOKEN: 'token-hush' };
		const settings = { ...secrets, KITH_ICE: 'turn:127.0.0.1:3478', KITH_TRUST_PROXY: 'true' };
		const told = await RelayProcess.start({
			KITH_LIMITS: NO_LIMITS,
			KITH_LOG: 'info',
			...settings,
		});
		expect(told.residentBytes()).toBeLessThan(150 * 1024 * 1024);
		const keys = await newDeviceKeys();
		const bob = await RelayClient.login(told.socketUrl, keys);
		const alice = await RelayClient.login(told.socketUrl, await newDeviceKeys());
		const address = await bob.putAddress();
		const channel = await alice.found([address]);
		await alice.submit(channel, body('what was said'));
		bob.sendBytes('malformed');
		await bob.closed;
		const headers = { 'x-forwarded-for': '198.51.100.77', authorization: 'Bearer token-hush' };
		expect((await fetch(`${told.origin}/operator`, { headers })).status).toBe(200);
		await fetch(`${told.origin}/v1/look`, { method: 'POST', headers, body: address });
		await told.stop();
		expect(told.output).toMatch(/"event":"stopped"/);
		for (const secret of ['hush', '198.51', 'what was said', address, channel])
			expect(told.output).not.toContain(secret);
	});

	it('refuses to share its data directory or its port', async () => {
		const sameData = RelayProcess.start({ KITH_DATA: relay.dataDirectory });
		await expect(sameData).rejects.toThrow(/Another relay is using/);
		const { port } = new URL(relay.origin);
		const samePort = RelayProcess.start({ PORT: port });
		await expect(samePort).rejects.toThrow(/Port \d+ of 127\.0\.0\.1 cannot be had/);
	});
});
