// A disk that is full, and files that are damaged, under the real process.
import { spawnSync } from 'node:child_process';
import {
	mkdtempSync,
	readFileSync,
	rmSync,
	statfsSync,
	statSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelId, EnvelopeId } from '../../src/protocol/ids.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type Answer,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const SETTINGS = { KITH_LIMITS: NO_LIMITS };
const PAGE = 4096;

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'kith-disk-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A file system of 4 MiB in memory, where this user may mount one. */
const mounted = () =>
	spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]).status === 0;

interface Away {
	readonly relay: RelayProcess;
	readonly sender: RelayClient;
	readonly channel: ChannelId;
	/** Who is away. */
	readonly keys: DeviceKeys;
}

/** A relay, somebody who sends, and somebody who is away. */
async function away(settings: Readonly<Record<string, string>>): Promise<Away> {
	const relay = await RelayProcess.start({ ...SETTINGS, KITH_DATA: directory, ...settings });
	const keys = await newDeviceKeys();
	const reader = await RelayClient.login(relay.socketUrl, keys);
	const sender = await RelayClient.login(relay.socketUrl, await newDeviceKeys());
	const channel = await sender.found([await reader.putAddress()]);
	await reader.received(1);
	await reader.close();
	return { relay, sender, channel, keys };
}

/** Sends until one is refused; returns what was accepted, and the refusal. */
async function fill({
	sender,
	channel,
}: Away): Promise<{ accepted: EnvelopeId[]; refusal: Answer }> {
	const accepted: EnvelopeId[] = [];
	const body = new Uint8Array(20_000).fill(120);
	for (let count = 0; count < 2000; count++) {
		const envelope = newEnvelope();
		const answer = await sender.submit(channel, body, envelope);
		if (answer.type !== 'accepted') return { accepted, refusal: answer };
		accepted.push(envelope);
	}
	throw new Error('the disk was never full');
}

async function expectAllOf(accepted: readonly EnvelopeId[], { relay, keys }: Away): Promise<void> {
	const reader = await RelayClient.login(relay.socketUrl, keys);
	const got = new Set(reader.deliveries.map(({ envelope }) => envelope));
	expect(accepted.filter((envelope) => !got.has(envelope))).toEqual([]);
	await reader.close();
}

describe('a full disk', () => {
	it.runIf(process.getuid?.() === 0)(
		'ER-2 MB-2 of the system refuses with busy, loses nothing accepted, and ends by itself',
		async (context) => {
			// Where mounting is forbidden, the limit of our own in the next test is what is left to try.
			if (!mounted()) context.skip('no file system may be mounted here');
			const ballast = join(directory, 'ballast');
			try {
				writeFileSync(ballast, Buffer.alloc(1024 * 1024));
				const people = await away({ KITH_MAX_DISK_BYTES: String(1e9) });
				const { accepted, refusal } = await fill(people);
				expect(accepted.length).toBeGreaterThan(10);
				expect(refusal).toMatchObject({ type: 'refused', code: 'busy' });
				rmSync(ballast);
				const late = newEnvelope();
				const answer = await people.sender.submit(people.channel, new Uint8Array(20_000), late);
				expect(answer).toMatchObject({ type: 'accepted' });
				await people.relay.kill('SIGKILL');
				await people.relay.restart();
				await expectAllOf([...accepted, late], people);
				await people.relay.stop();
			} finally {
				spawnSync('umount', ['--lazy', directory]);
			}
		},
	);

	it('ER-2 MB-2 of KITH_MAX_DISK_BYTES does the same, and has room again once mail is read', async () => {
		const people = await away({ KITH_MAX_DISK_BYTES: String(2 * 1024 * 1024) });
		const { accepted, refusal } = await fill(people);
		expect(refusal).toMatchObject({ type: 'refused', code: 'busy' });
		await expectAllOf(accepted, people);
		const answer = await people.sender.submit(people.channel, new Uint8Array(20_000));
		expect(answer).toMatchObject({ type: 'accepted' });
		await people.relay.stop();
	});
});

/** Figures of `/metrics`, by name. */
async function metrics({ relay }: Away): Promise<Map<string, number>> {
	const text = await (await fetch(`${relay.origin}/metrics`)).text();
	const lines = text.split('\n').filter((line) => line.startsWith('kith_'));
	return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

describe('the bound of the database', () => {
	it('ER-2 MB-3 lets mail drain while senders press on, and nothing that was acknowledged comes back', async () => {
		const people = await away({ KITH_MAX_DISK_BYTES: String(2 * 1024 * 1024) });
		const { accepted } = await fill(people);
		const full = await metrics(people);
		expect(full.get('kith_storage_max_bytes')).toBe(2 * 1024 * 1024);
		const used = full.get('kith_storage_bytes') ?? 0;
		expect(used).toBeGreaterThan(1.5 * 1024 * 1024);
		expect(used).toBeLessThan(2 * 1024 * 1024);

		// All the while, so that every batch of the store meets the bound.
		let pressing = true;
		const refused = new Set<string>();
		const large = new Uint8Array(500_000).fill(120);
		const press = async () => {
			while (pressing) {
				const answer = await people.sender.submit(people.channel, large);
				if (answer.type === 'refused') refused.add(answer.code);
			}
		};
		const lanes = [press(), press(), press(), press()];
		const reader = await RelayClient.login(people.relay.socketUrl, people.keys);
		await reader.ping();
		const got = new Set(reader.deliveries.map(({ envelope }) => envelope));
		expect(accepted.filter((envelope) => !got.has(envelope))).toEqual([]);
		pressing = false;
		await Promise.all(lanes);
		expect([...refused]).toEqual(['busy']);
		await reader.close();
		const again = await RelayClient.login(people.relay.socketUrl, people.keys);
		expect(again.deliveries.filter(({ envelope }) => got.has(envelope))).toEqual([]);
		await again.close();
		expect((await people.sender.submit(people.channel, large)).type).toBe('accepted');
		await people.relay.stop();
	});

	it('is half of what the disk has for it where the operator sets none', async () => {
		const people = await away({});
		const { bavail, bsize } = statfsSync(directory);
		const bound = (await metrics(people)).get('kith_storage_max_bytes') ?? 0;
		// Others write to that disk, too.
		expect(bound / ((bavail * bsize) / 2)).toBeCloseTo(1, 1);
		const page = await (await fetch(`${people.relay.origin}/operator`)).text();
		expect(page.replace(/<[^>]+>/g, ' ')).toMatch(/Database, of it at most +0\.\d MiB \/ \d/);
		await people.relay.stop();
	});
});

/** The database of a relay that held mail, all of it in the one file. */
async function databaseWithMail(): Promise<string> {
	const people = await away({});
	const body = new Uint8Array(3000).fill(120);
	for (let count = 0; count < 50; count++) await people.sender.submit(people.channel, body);
	await people.relay.kill('SIGTERM');
	const path = join(directory, 'relay.db');
	new DatabaseSync(path).exec('PRAGMA journal_mode = DELETE');
	return path;
}

function overwrite(path: string, from: number, to: number): void {
	const bytes = readFileSync(path);
	writeFileSync(path, bytes.fill(0xa5, from, to));
}

describe('a damaged database', () => {
	it.each<[what: string, damage: (path: string, size: number) => void]>([
		['its header', (path) => overwrite(path, 0, 100)],
		['its first page', (path) => overwrite(path, 100, PAGE)],
		['pages in the middle', (path) => overwrite(path, 3 * PAGE, 12 * PAGE)],
		['its end, which is cut off', (path, size) => truncateSync(path, size / 2)],
		['its end, in the middle of a page', (path, size) => truncateSync(path, size - 1000)],
	])('is recognised at start by %s, with what to do', async (_what, damage) => {
		const path = await databaseWithMail();
		const { size } = statSync(path);
		damage(path, size);
		const before = readFileSync(path);
		const starting = RelayProcess.start({ ...SETTINGS, KITH_DATA: directory });
		await expect(starting).rejects.toThrow(
			/the relay ended \(1\): .*relay\.db is damaged\. .*npm run relay -- restore/,
		);
		expect(readFileSync(path).equals(before)).toBe(true);
	});

	it('that is met only later ends the relay with the same sentence', async () => {
		const people = await away({});
		const body = new Uint8Array(20_000).fill(120);
		for (let count = 0; count < 200; count++) await people.sender.submit(people.channel, body);
		await people.relay.kill('SIGTERM');
		await people.relay.restart();
		const path = join(directory, 'relay.db');
		// Before: the relay looks into its file by itself, too.
		const reader = await RelayClient.connect(people.relay.socketUrl);
		overwrite(path, 40 * PAGE, statSync(path).size);
		reader.login(people.keys).catch(() => undefined); // it never catches up
		await reader.closed;
		await people.relay.kill('SIGTERM');
		expect(people.relay.output).toMatch(/The database failed, .*relay\.db is damaged\. .*restore/);
	});
});
