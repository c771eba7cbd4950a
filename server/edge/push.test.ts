import { createECDH, createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KNOWN_PUSH_HOSTS } from '../config.ts';
import { createPushSender } from './push.ts';

let directory: string;
let service: Server;
let origin: string;
let status: number;
let received: { request: IncomingMessage; length: number }[];

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), 'kith-push-'));
	received = [];
	status = 201;
	service = createServer((request, response) => {
		let length = 0;
		request.on('data', (chunk: Buffer) => (length += chunk.length));
		request.on('end', () => {
			received.push({ request, length });
			response.writeHead(status, status === 307 ? { location: `${origin}/elsewhere` } : {}).end();
		});
	});
	await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
	origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});
afterEach(async () => {
	await new Promise((resolve) => service.close(resolve));
	rmSync(directory, { recursive: true });
});

const sender = (
	hosts: readonly string[] = [origin],
	contact: string | null = 'mailto:me@kith.example',
) => createPushSender({ directory, contact, hosts });

function subscription(endpoint: string) {
	const ecdh = createECDH('prime256v1');
	const p256dh = ecdh.generateKeys().toString('base64url');
	return { endpoint, p256dh, auth: randomBytes(16).toString('base64url') };
}

describe('web push', () => {
	it('PU-1 sends a signed wake without any content', async () => {
		const push = sender();
		expect(await push.send(subscription(`${origin}/device`))).toBe('sent');
		const [{ request, length } = { request: undefined, length: -1 }] = received;
		expect(length).toBe(0);
		expect(request?.method).toBe('POST');
		expect(request?.headers).toMatchObject({ urgency: 'high', topic: 'mail' });
		expect(Number(request?.headers.ttl)).toBeGreaterThan(0);
		const match = /^vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), k=([\w-]+)$/.exec(
			request?.headers.authorization ?? '',
		);
		const [, head = '', claims = '', signature = '', key = ''] = match ?? [];
		expect(key).toBe(push.vapidKey);
		expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
			...{ aud: origin, sub: 'mailto:me@kith.example' },
		});
		const point = Buffer.from(key, 'base64url');
		const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((n) => n.toString('base64url'));
		const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' };
		const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
		const options = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
		const signed = Buffer.from(`${head}.${claims}`);
		expect(verify('sha256', signed, options, Buffer.from(signature, 'base64url'))).toBe(true);
	});

	it('PU-3 tells a subscription that is gone from a service that fails', async () => {
		const outcomes = [];
		for (status of [404, 410, 400, 429, 500, 307])
			outcomes.push(await sender().send(subscription(`${origin}/x`)));
		expect(outcomes).toEqual(['gone', 'gone', 'failed', 'failed', 'failed', 'failed']);
		expect(received.map(({ request }) => request.url)).not.toContain('/elsewhere');
	});

	it('PU-4 a push service out of reach has failed', async () => {
		expect(await sender().send(subscription('http://127.0.0.1:1/x'))).toBe('failed');
	});

	it('PU-2 allows known push services over https, and this machine only when told to', () => {
		const push = sender(KNOWN_PUSH_HOSTS);
		const allowed = [
			'https://fcm.googleapis.com/fcm/send/abc',
			'https://updates.push.services.mozilla.com/wpush/v2/abc',
			'https://web.push.apple.com/abc',
			'https://wns2-par02p.notify.windows.com/w/?token=abc',
		];
		for (const endpoint of allowed)
			expect(push.allows(subscription(endpoint)), endpoint).toBe(true);
		const refused = [
			'http://fcm.googleapis.com/fcm/send/abc',
			'https://fcm.googleapis.com:8443/abc',
			'https://fcm.googleapis.com.evil.example/abc',
			'https://user@fcm.googleapis.com/abc',
			'https://evil.example/fcm.googleapis.com',
			'https://push.apple.com/abc',
			'https://evilpush.apple.com.evil.example/abc',
			'https://127.0.0.1/abc',
			'https://[::1]/abc',
			'https://169.254.169.254/latest',
			'http://localhost:8080/abc',
			`${origin}/abc`,
			'file:///etc/passwd',
			'not a url',
			'',
		];
		for (const endpoint of refused)
			expect(push.allows(subscription(endpoint)), endpoint).toBe(false);
		expect(sender([origin]).allows(subscription(`${origin}/abc`))).toBe(true);
	});

	it('makes its keys once, for this user alone', () => {
		const { vapidKey } = sender();
		expect(sender().vapidKey).toBe(vapidKey);
		expect(statSync(join(directory, 'vapid.json')).mode & 0o777).toBe(0o600);
		expect(readFileSync(join(directory, 'vapid.json'), 'utf8')).toContain('privateKey');
	});

	it('says in a sentence that its keys are damaged', () => {
		for (const text of ['', '{}', 'nonsense']) {
			writeFileSync(join(directory, 'vapid.json'), text);
			expect(() => sender()).toThrow(/vapid\.json is damaged\. Put its backup back/);
		}
	});
});
