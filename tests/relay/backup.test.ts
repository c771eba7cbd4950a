import {
	cpSync,
	existsSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelId, EnvelopeId } from '../../src/protocol/ids.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { relayCommand } from '../support/relay-command.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const SETTINGS = { KITH_LIMITS: NO_LIMITS };
const BODY = new Uint8Array(300).fill(120);

/** Submits one after the other, `width` at a time, until told to stop. */
class Load {
	readonly accepted: EnvelopeId[] = [];
	#stopped = false;
	#waiting: { count: number; resolve: () => void }[] = [];
	readonly #lanes: Promise<void>[];

	constructor(client: RelayClient, channel: ChannelId, width = 8) {
		this.#lanes = Array.from({ length: width }, () => this.#run(client, channel));
		for (const lane of this.#lanes) lane.catch(() => undefined); // said by stop()
	}

	/** Resolves once so many were accepted. */
	reach(count: number): Promise<void> {
		return new Promise((resolve) => this.#waiting.push({ count, resolve }));
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await Promise.all(this.#lanes);
	}

	async #run(client: RelayClient, channel: ChannelId): Promise<void> {
		while (!this.#stopped) {
			const envelope = newEnvelope();
			const answer = await client.submit(channel, BODY, envelope);
			if (answer.type !== 'accepted') throw new Error(JSON.stringify(answer));
			this.accepted.push(envelope);
			for (const { count, resolve } of this.#waiting) if (this.accepted.length >= count) resolve();
		}
	}
}

let directory: string;
let relay: RelayProcess;
let bob: DeviceKeys;
let sender: RelayClient;
let channel: ChannelId;
let lastSeq: number;
const at = (name: string) => join(directory, name);

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), 'kith-backup-'));
	relay = await RelayProcess.start(SETTINGS);
	bob = await newDeviceKeys();
	const reader = await RelayClient.login(relay.socketUrl, bob);
	sender = await RelayClient.login(relay.socketUrl, await newDeviceKeys());
	channel = await sender.found([await reader.putAddress()]);
	lastSeq = (await reader.received(1)).at(-1)?.seq ?? 0;
	await reader.close();
});
afterEach(async () => {
	await relay.stop();
	rmSync(directory, { recursive: true });
});

const backUp = (to: string) => relayCommand(['backup', at(to)], { KITH_DATA: relay.dataDirectory });
const restore = (from: string, to: string, ...more: string[]) =>
	relayCommand(['restore', at(from), ...more], { KITH_DATA: at(to) });

describe('backup and restore', () => {
	it('MB-1 MB-2 restored data holds all that was accepted before the backup began, under load', async () => {
		const load = new Load(sender, channel);
		await load.reach(500);
		const before = [...load.accepted];
		expect(await backUp('copy')).toMatchObject({ code: 0 });
		await load.reach(load.accepted.length + 100);
		await load.stop();
		expect(await restore('copy', 'restored')).toMatchObject({ code: 0 });

		const again = await RelayProcess.start({ ...SETTINGS, KITH_DATA: at('restored') });
		const reader = await RelayClient.login(again.socketUrl, bob);
		const got = reader.deliveries.map(({ envelope }) => envelope);
		expect(before.filter((envelope) => !got.includes(envelope))).toEqual([]);
		expect(got).toHaveLength(new Set(got).size);
		// What is sent now is numbered above all that the first relay may have handed out since.
		const other = await RelayClient.login(again.socketUrl, await newDeviceKeys());
		await other.found([await reader.putAddress()]);
		const welcome = (await reader.received(got.length + 1)).at(-1);
		expect(welcome?.seq).toBeGreaterThan(lastSeq + 1e11);
		await again.stop();
	});

	it('brings the keys of the pushes back', async () => {
		await backUp('copy');
		await restore('copy', 'restored');
		const vapid = (data: string) => readFileSync(join(data, 'vapid.json'), 'utf8');
		expect(vapid(at('restored'))).toBe(vapid(relay.dataDirectory));
	});

	it('writes only into a directory that it makes', async () => {
		await backUp('copy');
		const again = await backUp('copy');
		expect(again.code).toBe(1);
		expect(again.said).toMatch(/copy is there already/);
		const nowhere = await relayCommand(['backup', at('other')], { KITH_DATA: at('nothing') });
		expect(nowhere.said).toMatch(/There is no data directory .*nothing/);
		expect(existsSync(at('other'))).toBe(false);
	});

	it('does not restore below a running relay, nor over data unless asked to, and deletes nothing', async () => {
		await backUp('copy');
		const running = await relayCommand(['restore', at('copy'), '--replace'], {
			KITH_DATA: relay.dataDirectory,
		});
		expect(running).toMatchObject({ code: 1 });
		expect(running.said).toMatch(/Another relay is using/);

		await restore('copy', 'restored');
		const refused = await restore('copy', 'restored');
		expect(refused).toMatchObject({ code: 1 });
		expect(refused.said).toMatch(/Restore with --replace/);
		expect(await restore('copy', 'restored', '--replace')).toMatchObject({ code: 0 });
		const aside = readdirSync(at('restored')).find((name) => name.startsWith('replaced-'));
		expect(readdirSync(at(`restored/${aside ?? ''}`)).sort()).toEqual(['relay.db', 'vapid.json']);
	});

	it('checks a backup before it touches anything', async () => {
		await backUp('copy');
		const broken = (name: string, change: (copy: string) => void) => {
			cpSync(at('copy'), at(name), { recursive: true });
			change(at(name));
			return restore(name, 'restored');
		};
		const damage = (copy: string) => {
			const bytes = readFileSync(join(copy, 'relay.db'));
			bytes.fill(0xff, 3 * 4096, 3 * 4096 + 16);
			writeFileSync(join(copy, 'relay.db'), bytes);
		};
		expect((await broken('flipped', damage)).said).toMatch(/changed or damaged/);
		const unfinished = await broken('unfinished', (copy) => rmSync(join(copy, 'backup.json')));
		expect(unfinished.said).toMatch(/is no backup/);
		const lacking = await broken('lacking', (copy) => rmSync(join(copy, 'vapid.json')));
		expect(lacking).toMatchObject({ code: 1 });
		expect(lacking.said).toMatch(/lacks vapid\.json/);
		expect(existsSync(at('restored'))).toBe(false);
	});

	it('says how it is used', async () => {
		const help = await relayCommand(['--help']);
		expect(help).toMatchObject({ code: 0 });
		expect(help.said).toMatch(/backup DIR .*\n.*restore DIR \[--replace\]/);
		expect(await relayCommand(['restore', '--help'])).toMatchObject({ code: 0 });
		for (const words of [
			[],
			['bakup'],
			['backup'],
			['backup', 'a', 'b'],
			['backup', 'a', '--replace'],
		])
			expect(await relayCommand(words)).toMatchObject({ code: 2 });
	});
});
