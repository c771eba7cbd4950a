import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KNOWN_PUSH_HOSTS, readConfig } from './config.ts';

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), 'kith-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
	const path = join(directory, 'kith.json');
	writeFileSync(path, text);
	return path;
}

function mistakes(environment: Record<string, string>): readonly string[] {
	const result = readConfig(environment);
	return result.ok ? [] : result.mistakes;
}

function config(environment: Record<string, string>) {
	const result = readConfig(environment);
	if (!result.ok) throw new Error(result.mistakes.join(' '));
	return result.config;
}

describe('settings', () => {
	it('needs none', () => {
		expect(config({})).toMatchObject({
			...{ port: 8080, host: null, data: './data', registration: 'open', retentionDays: 30 },
			...{ ice: [], turnSecret: null, pushHosts: KNOWN_PUSH_HOSTS, trustProxy: false },
		});
		expect(config({ PORT: '', KITH_HOST: '' })).toEqual(config({}));
	});

	it('reads the environment', () => {
		const environment = {
			...{ PORT: '9000', KITH_HOST: '127.0.0.1', KITH_DATA: '/srv/kith', KITH_TRUST_PROXY: 'true' },
			...{
				KITH_ICE: 'stun:a:3478, turn:b:3478',
				KITH_TURN_SECRET: 's',
				KITH_REGISTRATION: 'closed',
			},
			...{ KITH_LIMITS: '{"looks":{"perSecond":2,"burst":3}}', KITH_RETENTION_DAYS: '7' },
		};
		expect(config(environment)).toMatchObject({
			...{ port: 9000, host: '127.0.0.1', data: '/srv/kith', trustProxy: true, retentionDays: 7 },
			...{ ice: ['stun:a:3478', 'turn:b:3478'], turnSecret: 's', registration: 'closed' },
			limits: { looks: { perSecond: 2, burst: 3 }, requests: { perSecond: 50 } },
		});
	});

	it('reads the servers of a cluster, and repeats no password of one', () => {
		const KITH_CLUSTER = 'nats://a:4222, nats://kith:secret@b:4222,tls://c';
		expect(config({ KITH_CLUSTER }).cluster).toEqual([
			...['nats://a:4222', 'nats://kith:secret@b:4222', 'tls://c'],
		]);
		expect(config({}).cluster).toEqual([]);
		expect(mistakes({ KITH_CLUSTER: 'http://kith:secret@b' })).toEqual([
			'KITH_CLUSTER must list NATS servers such as nats://10.0.0.1:4222.',
		]);
	});

	it('names what is no setting: a mistyped one would be ignored', () => {
		expect(mistakes({ KITH_PROT: '9000', KITH_DATA: '/srv/kith', PATH: '/bin' })).toEqual([
			'KITH_PROT is not a setting.',
		]);
	});

	it('reads a file, and the environment wins', () => {
		const KITH_CONFIG = file('{"port": 1234, "registration": "closed"}');
		expect(config({ KITH_CONFIG })).toMatchObject({ port: 1234, registration: 'closed' });
		expect(config({ KITH_CONFIG, KITH_PORT: '5', PORT: '6' })).toMatchObject({
			port: 5,
			registration: 'closed',
		});
	});

	it('says one sentence per mistake, and all of them', () => {
		expect(
			mistakes({ KITH_PORT: 'abc', KITH_REGISTRATION: 'maybe', KITH_PUSH_CONTACT: 'me' }),
		).toEqual([
			'KITH_PORT must be a whole number from 0 to 65535, not "abc".',
			'KITH_REGISTRATION must be open, invitation or closed, not "maybe".',
			'KITH_PUSH_CONTACT must be a mailto: or https: address, not "me".',
		]);
		expect(mistakes({ PORT: '70000' })).toEqual([
			'KITH_PORT must be a whole number from 0 to 65535, not 70000.',
		]);
		expect(mistakes({ KITH_ICE: 'http://x' })).toEqual([
			'KITH_ICE must list stun:, turn: or turns: addresses, not "http://x".',
		]);
		expect(mistakes({ KITH_LIMITS: '{"looks":{"perSecond":-1,"burst":3}}' })).toEqual([
			'KITH_LIMITS (looks.perSecond) must be above 0, not -1.',
		]);
	});

	it('names the file where a mistake is in it', () => {
		const KITH_CONFIG = file('{"port": "x", "prot": 1}');
		expect(mistakes({ KITH_CONFIG })).toEqual([
			`"port" in ${KITH_CONFIG} must be a whole number from 0 to 65535, not "x".`,
			`"prot" in ${KITH_CONFIG} is not a setting.`,
		]);
		expect(mistakes({ KITH_CONFIG: file('[]') })[0]).toMatch(/must hold one JSON object/);
		expect(mistakes({ KITH_CONFIG: file('{') })[0]).toMatch(/cannot be read/);
		expect(mistakes({ KITH_CONFIG: join(directory, 'missing') })[0]).toMatch(/cannot be read/);
	});

	it('takes a certificate with its key, and no proxy beside it', () => {
		expect(mistakes({ KITH_TLS_CERT: 'a.pem' })).toEqual([
			'KITH_TLS_CERT and KITH_TLS_KEY belong together: set both, or neither.',
		]);
		const both = { KITH_TLS_CERT: 'a.pem', KITH_TLS_KEY: 'b.pem' };
		expect(config(both)).toMatchObject({ tlsCert: 'a.pem', tlsKey: 'b.pem' });
		expect(mistakes({ ...both, KITH_TRUST_PROXY: 'true' })[0]).toMatch(/set one of them/);
	});

	it('wants a secret where there is a TURN server, and repeats none', () => {
		expect(mistakes({ KITH_ICE: 'turn:b:3478' })).toEqual([
			'KITH_ICE names a TURN server, so KITH_TURN_SECRET is needed too.',
		]);
		const KITH_CONFIG = file('{"turnSecret": 12345, "metricsToken": ["hush"]}');
		expect(mistakes({ KITH_CONFIG }).join()).not.toMatch(/12345|hush/);
	});
});
