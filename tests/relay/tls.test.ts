// The relay with a certificate of its own, which is replaced while it runs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RelayProcess } from '../support/relay-process.ts';

let directory: string;
const at = (name: string) => join(directory, name);
const PATIENT = { timeout: 30_000 };

/** A certificate that signs itself, in the two files. */
function makeCertificate(name: string): void {
	const made = spawnSync('openssl', [
		...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
		...['-days', '2', '-subj', `/CN=${name}`, '-keyout', at('key.new'), '-out', at('cert.new')],
	]);
	if (made.status !== 0) throw new Error(made.stderr.toString());
	writeFileSync(at('key.pem'), readFileSync(at('key.new')));
	writeFileSync(at('cert.pem'), readFileSync(at('cert.new')));
}

const start = () =>
	RelayProcess.start({ KITH_TLS_CERT: at('cert.pem'), KITH_TLS_KEY: at('key.pem') });
const secured = (relay: RelayProcess) =>
	new Promise<TLSSocket>((resolve, reject) => {
		const socket = connect(
			{ port: Number(new URL(relay.origin).port), host: '127.0.0.1', rejectUnauthorized: false },
			() => resolve(socket),
		).on('error', reject);
	});
async function nameOf(relay: RelayProcess): Promise<string | undefined> {
	const socket = await secured(relay);
	const { subject } = socket.getPeerCertificate();
	socket.destroy();
	return String(subject.CN);
}

describe.skipIf(spawnSync('openssl', ['version']).error !== undefined)('a certificate', () => {
	beforeEach(() => {
		directory = mkdtempSync(join(tmpdir(), 'kith-tls-'));
		makeCertificate('first.example');
	});
	afterEach(() => rmSync(directory, { recursive: true }));

	it('is served, and the next one once it lies in the files; who is connected stays', async () => {
		const relay = await start();
		expect(await nameOf(relay)).toBe('first.example');
		const before = await secured(relay);
		let closed = false;
		before.on('close', () => (closed = true));
		writeFileSync(at('key.pem'), 'half a key');
		await expect.poll(() => relay.output, PATIENT).toMatch(/the certificate stays as it was/);
		expect(await nameOf(relay)).toBe('first.example');
		makeCertificate('second.example');
		await expect.poll(() => nameOf(relay), PATIENT).toBe('second.example');
		expect(closed).toBe(false);
		const status = await new Promise((resolve, reject) => {
			const asked = request(`${relay.origin.replace('http:', 'https:')}/healthz`, {
				rejectUnauthorized: false,
			});
			asked.on('response', ({ statusCode, headers }) => {
				expect(headers['strict-transport-security']).toBeDefined();
				resolve(statusCode);
			});
			asked.on('error', reject).end();
		});
		expect(status).toBe(200);
		before.destroy();
		await relay.stop();
	});

	it('that cannot be used is said at start', async () => {
		writeFileSync(at('key.pem'), 'no key');
		await expect(start()).rejects.toThrow(/The certificate .*cert\.pem .*cannot be used/);
	});
});
