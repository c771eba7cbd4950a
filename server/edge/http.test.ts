import { createHash } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { downFrames } from '../../src/protocol/frames.ts';
import { idFrom, type CapsuleId } from '../../src/protocol/ids.ts';
import { RelayRoom, someBytes } from '../../tests/support/relay-fixture.ts';
import { createHttp, type HttpOptions, type HttpRequest, type HttpResponse } from './http.ts';
import { loadApp } from './static-app.ts';

const FIGURES = {
	...{ software: 'Kith 1', since: 0, now: 90_000_000 },
	storage: {
		...{ mailboxes: 12, waitingMessages: 345, waitingBytes: 1024 * 1024, channels: 6 },
		...{ databaseBytes: 7 * 1024 * 1024, maxBytes: 1024 ** 3, freeBytes: 8 * 1024 * 1024 * 1024 },
	},
};

let build: string;
let options: HttpOptions;

beforeAll(() => {
	build = mkdtempSync(join(tmpdir(), 'kith-build-'));
	mkdirSync(join(build, '_app/immutable'), { recursive: true });
	writeFileSync(join(build, 'index.html'), '<!doctype html>shell');
	writeFileSync(join(build, 'index.html.br'), 'brotli shell');
	writeFileSync(join(build, '_app/immutable/app.abc.js'), 'script');
	writeFileSync(join(build, '_app/immutable/app.abc.js.gz'), 'gzip script');
	writeFileSync(join(build, '_app/version.json'), '{}');
	writeFileSync(join(build, 'manifest.webmanifest'), '{}');
	writeFileSync(join(build, 'ünï code.txt'), 'text');
	const { relay } = new RelayRoom();
	options = {
		...{ app: loadApp(build), metricsToken: null, trustProxy: false },
		hasCertificate: false,
		invitation: () => undefined,
		figures: () => Promise.resolve({ ...FIGURES, stats: relay.stats() }),
		lookUp: (address, network) => relay.lookUp(address, network),
		fetchCapsule: (capsule, network) => relay.fetchCapsule(capsule, network),
		healthy: () => true,
	};
});
afterAll(() => rmSync(build, { recursive: true }));

interface Asked {
	method?: string;
	headers?: Record<string, string>;
	network?: string;
	body?: Uint8Array;
	with?: Partial<HttpOptions>;
}

async function ask(path: string, asked: Asked = {}): Promise<HttpResponse> {
	const request: HttpRequest = {
		...{ method: asked.method ?? 'GET', path, network: asked.network ?? '127.0.0.1' },
		...{ header: (name) => asked.headers?.[name] ?? '', body: asked.body },
	};
	return createHttp({ ...options, ...asked.with })(request);
}

const navigate = { 'sec-fetch-mode': 'navigate' };

describe('the app over HTTP', () => {
	it('serves the shell anew each time and hashed files for ever', async () => {
		const shell = await ask('/');
		expect(shell).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } });
		expect(String(shell.body)).toBe('<!doctype html>shell');
		expect(await ask('/_app/immutable/app.abc.js')).toMatchObject({
			headers: {
				'cache-control': 'public, max-age=31536000, immutable',
				'content-type': 'text/javascript; charset=utf-8',
			},
		});
		expect((await ask('/_app/version.json')).headers['cache-control']).toBe('no-cache');
		expect((await ask('/manifest.webmanifest')).headers['content-type']).toBe(
			'application/manifest+json',
		);
		expect((await ask('/%C3%BCn%C3%AF%20code.txt')).status).toBe(200);
	});

	it('sends what the build compressed to those who take it', async () => {
		const both = { 'accept-encoding': 'gzip, deflate, br' };
		expect(await ask('/', { headers: both })).toMatchObject({
			headers: { 'content-encoding': 'br', vary: 'accept-encoding' },
			body: Buffer.from('brotli shell'),
		});
		expect((await ask('/_app/immutable/app.abc.js', { headers: both })).headers).toMatchObject({
			'content-encoding': 'gzip',
		});
		expect((await ask('/')).headers).not.toHaveProperty('content-encoding');
	});

	it('answers 304 for what the browser has', async () => {
		const { etag = '' } = (await ask('/')).headers;
		const again = await ask('/', { headers: { 'if-none-match': etag } });
		expect(again).toMatchObject({ status: 304, body: '' });
		expect((await ask('/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
	});

	it('gives the shell to navigations only; what is missing is missing', async () => {
		expect((await ask('/chat/abc', { headers: navigate })).status).toBe(200);
		expect((await ask('/i', { headers: { accept: 'text/html,*/*' } })).status).toBe(200);
		expect((await ask('/chat/abc')).status).toBe(404);
		expect(
			(await ask('/chat', { headers: { 'sec-fetch-mode': 'cors', accept: 'text/html' } })).status,
		).toBe(404);
		expect((await ask('/_app/immutable/gone.js', { headers: navigate })).status).toBe(404);
		expect((await ask('/v1/nothing', { headers: navigate })).status).toBe(404);
	});

	it.each([
		'/../package.json',
		'/%2e%2e/package.json',
		'/..%2fpackage.json',
		'/index.html%00',
		'/%',
	])('%s leads nowhere', async (path) => {
		expect((await ask(path)).status).toBe(404);
	});

	it('sets the headers that keep others out, on everything', async () => {
		for (const path of ['/', '/missing', '/healthz', '/metrics', '/v1/look', '/v1/capsule'])
			expect((await ask(path)).headers).toMatchObject({
				'x-content-type-options': 'nosniff',
				'referrer-policy': 'no-referrer',
				'cross-origin-opener-policy': 'same-origin',
				'cross-origin-resource-policy': 'same-origin',
				'content-security-policy': "frame-ancestors 'none'",
			});
	});

	it('asks for https for ever only behind a trusted proxy that speaks it', async () => {
		const headers = { 'x-forwarded-proto': 'https' };
		expect((await ask('/', { headers })).headers).not.toHaveProperty('strict-transport-security');
		const trusted = await ask('/', { headers, with: { trustProxy: true } });
		expect(trusted.headers).toHaveProperty('strict-transport-security');
	});

	it('takes no other methods', async () => {
		for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])
			expect((await ask('/', { method })).status).toBe(405);
		expect((await ask('/', { method: 'HEAD' })).status).toBe(200);
	});

	it('says plainly that the app was not built', async () => {
		const missing = loadApp(join(build, 'nowhere'));
		const page = await ask('/', { with: { app: missing } });
		expect(page.status).toBe(503);
		expect(String(page.body)).toContain('npm run build');
	});
});

describe('operating over HTTP', () => {
	it('is healthy until it drains', async () => {
		expect(await ask('/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
		expect((await ask('/healthz', { with: { healthy: () => false } })).status).toBe(503);
	});

	it('shows figures to this machine alone, or to who knows the token', async () => {
		expect((await ask('/metrics')).status).toBe(200);
		expect((await ask('/metrics', { network: '192.0.2.1' })).status).toBe(403);
		const proxied = { 'x-forwarded-for': '192.0.2.1' };
		expect((await ask('/metrics', { headers: proxied })).status).toBe(403);
		const metricsToken = 'secret';
		const asked = (authorization: string) =>
			ask('/metrics', { headers: { authorization }, network: '192.0.2.1', with: { metricsToken } });
		expect((await asked('Bearer secret')).status).toBe(200);
		expect((await asked('Bearer secreT')).status).toBe(403);
		expect((await asked('')).status).toBe(403);
	});

	it('CP-4 a capsule is had by its id alone, and fetching is limited by network', async () => {
		const room = new RelayRoom({ limits: { looks: { perSecond: 0.1, burst: 8 } } });
		const fetchCapsule: HttpOptions['fetchCapsule'] = (capsule, network) =>
			room.relay.fetchCapsule(capsule, network);
		const fetch = (body: Uint8Array) =>
			ask('/v1/capsule', { method: 'POST', body, with: { fetchCapsule } });
		const [id, sealed] = [someBytes(16), someBytes(2000)];
		const alice = await room.device().login();
		await alice.request({
			...{ type: 'putCapsule', capsule: idFrom<CapsuleId>(id), sealed, takesOver: false },
			pointer: undefined,
		});
		expect((await fetch(id.subarray(1))).status).toBe(400);
		const found = await fetch(id);
		expect(found).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
		expect(downFrames.decode(found.body as Uint8Array, 1e6)).toMatchObject({ value: { sealed } });
		const other = await fetch(someBytes(16));
		expect(downFrames.decode(other.body as Uint8Array, 1e6)).toMatchObject({
			value: { type: 'capsule', sealed: null },
		});
		expect(await fetch(id)).toMatchObject({ status: 429, headers: { 'retry-after': '40' } });
	});

	it('LI-2 looks are limited by network, and the answer names the wait', async () => {
		const { relay } = new RelayRoom({ limits: { looks: { perSecond: 0.1, burst: 1 } } });
		const lookUp: HttpOptions['lookUp'] = (address, network) => relay.lookUp(address, network);
		const body = new Uint8Array(16);
		const look = () => ask('/v1/look', { method: 'POST', body, with: { lookUp } });
		expect((await look()).status).toBe(200);
		expect(await look()).toMatchObject({ status: 429, headers: { 'retry-after': '10' } });
	});
});

describe("the operator's page", () => {
	const basic = (password: string) => ({
		headers: { authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}` },
	});

	it('shows load, queues, storage and versions, and runs nothing', async () => {
		const page = await ask('/operator');
		expect(page).toMatchObject({
			status: 200,
			headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
		});
		const text = String(page.body).replace(/<[^>]+>/g, ' ');
		expect(text).toMatch(
			/Messages that wait +345 .*Database, of it at most +7\.0 MiB \/ 1\.0 GiB .*Free on that disk +8\.0 GiB/,
		);
		expect(text).toMatch(/Relay +Kith 1 .*Runs for +1 d 1 h 0 min/);
		const policy = page.headers['content-security-policy'] ?? '';
		expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-/);
		const [, style = ''] = /<style>(.*)<\/style>/.exec(String(page.body)) ?? [];
		expect(policy).toContain(createHash('sha256').update(style).digest('base64'));
	});

	it('is for who knows the token, as a password or as a bearer; without one for this machine', async () => {
		expect((await ask('/operator', { network: '192.0.2.1' })).status).toBe(401);
		const token = { with: { metricsToken: 'se:cret' } };
		const refused = await ask('/operator', token);
		expect(refused).toMatchObject({ status: 401 });
		expect(refused.headers['www-authenticate']).toMatch(/^Basic /);
		expect((await ask('/operator', { ...token, ...basic('wrong') })).status).toBe(401);
		expect((await ask('/operator', { ...token, ...basic('se:cret') })).status).toBe(200);
		const bearer = { headers: { authorization: 'Bearer se:cret' } };
		expect((await ask('/operator', { ...token, ...bearer })).status).toBe(200);
	});

	it('says so where the store does not answer', async () => {
		const { relay } = new RelayRoom();
		const figures = { ...FIGURES, storage: undefined, stats: relay.stats() };
		const page = await ask('/operator', { with: { figures: () => Promise.resolve(figures) } });
		expect(String(page.body)).toContain('does not answer');
	});
});
