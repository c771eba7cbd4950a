// A new process takes over from the one that runs, as an upgrade does. The "new version" is the same program with
// other settings in its file, which it reads anew: that is how it is made to fail, too.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelId, EnvelopeId } from '../../src/protocol/ids.ts';
import { Reconnecting } from '../support/reconnecting.ts';
import { newDeviceKeys, newEnvelope } from '../support/relay-client.ts';
import { relayCommand } from '../support/relay-command.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const PATIENT = { timeout: 30_000 };

let directory: string;
let relay: RelayProcess;
const settings = () => join(directory, 'kith.json');
const pidFile = () => join(directory, 'kith.pid');
const servingPid = () => Number(readFileSync(pidFile(), 'utf8'));
const write = (rest: object) =>
	writeFileSync(settings(), JSON.stringify({ host: '127.0.0.1', ...rest }));
const upgrade = () => relayCommand(['upgrade'], { KITH_DATA: relay.dataDirectory });

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), 'kith-upgrade-'));
	write({});
	relay = await RelayProcess.start({
		...{ KITH_LIMITS: NO_LIMITS, KITH_HOST: '', KITH_CONFIG: settings() },
		KITH_PID_FILE: pidFile(),
	});
});
afterEach(async () => {
	process.kill(servingPid(), 'SIGTERM');
	await relay.stop();
	rmSync(directory, { recursive: true });
});

async function device(): Promise<Reconnecting> {
	const person = new Reconnecting(relay.socketUrl, await newDeviceKeys());
	await person.connected();
	return person;
}

/** People who send to one that is connected and to one that is away, until told to stop. */
async function conversation(senders: number) {
	const [reader, away] = [await device(), await device()];
	const awayClient = await away.connected();
	const address = [await (await reader.connected()).putAddress(), await awayClient.putAddress()];
	const accepted: EnvelopeId[] = [];
	const people: Reconnecting[] = [];
	const channels: ChannelId[] = [];
	for (let count = 0; count < senders; count++) {
		const person = await device();
		channels.push(await (await person.connected()).found(address));
		people.push(person);
	}
	await awayClient.close();
	const reached: { count: number; resolve: () => void }[] = [];
	let stopped = false;
	const run = async (index: number) => {
		const [person, channel] = [people[index], channels[index]];
		while (!stopped && person && channel !== undefined) {
			const envelope = newEnvelope();
			await person.submit(channel, envelope);
			accepted.push(envelope);
			for (const { count, resolve } of reached) if (accepted.length >= count) resolve();
		}
	};
	const running = people.map((_, index) => run(index));
	return {
		...{ reader, away, accepted, people },
		more: (count: number) =>
			new Promise<void>((resolve) => reached.push({ count: accepted.length + count, resolve })),
		stop: async () => {
			stopped = true;
			await Promise.all(running);
		},
	};
}

type Conversation = Awaited<ReturnType<typeof conversation>>;

async function expectNothingLost({ reader, away, accepted }: Conversation): Promise<void> {
	for (const person of [reader, away]) {
		await person.connected();
		const missing = () => {
			const got = new Set(person.received.map(({ envelope }) => envelope));
			return accepted.filter((envelope) => !got.has(envelope));
		};
		// What is safe on the disk may still be on its way to who is connected.
		await expect.poll(missing, PATIENT).toEqual([]);
	}
	const numbers = away.received.map(({ seq }) => seq);
	expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
}

describe('an upgrade', () => {
	it('MB-1 MB-2 under load, twice, loses nothing accepted, and devices come back spread', async () => {
		const load = await conversation(20);
		await load.more(200);
		const pids = [servingPid()];
		for (let round = 0; round < 2; round++) {
			expect(await upgrade()).toMatchObject({ code: 0 });
			pids.push(servingPid());
			await load.more(200);
		}
		await load.stop();
		expect(new Set(pids).size).toBe(3);
		await expectNothingLost(load);
		const returns = load.people.flatMap((person) => person.returns);
		expect(returns).toHaveLength(40);
		expect(new Set(returns).size).toBeGreaterThan(10);
		const first = pids[0] ?? 0;
		await expect.poll(() => isAlive(first), PATIENT).toBe(false);
	});

	it('works by SIGUSR2, too', async () => {
		const before = servingPid();
		process.kill(before, 'SIGUSR2');
		await expect.poll(servingPid, PATIENT).not.toBe(before);
		await expect.poll(() => isAlive(before), PATIENT).toBe(false);
		expect((await fetch(`${relay.origin}/healthz`)).status).toBe(200);
	});

	it.each<[when: string, spoil: () => void, why: RegExp]>([
		['before it says a word', () => write({ retentionDays: 0 }), /must be a whole number/],
		[
			'with the database in its hands',
			() => writeFileSync(join(relay.dataDirectory, 'vapid.json'), '{}'),
			/vapid\.json is damaged/,
		],
		['without getting the port', () => write({ host: '203.0.113.1' }), /cannot be had/],
	])('that fails %s leaves the old one as it was, and a later one works', async (_, spoil, why) => {
		const vapid = readFileSync(join(relay.dataDirectory, 'vapid.json'));
		const load = await conversation(3);
		await load.more(50);
		const before = servingPid();
		spoil();
		const failed = await upgrade();
		expect(failed).toMatchObject({ code: 1 });
		expect(failed.said).toMatch(/was not upgraded and goes on\./);
		expect(failed.said).toMatch(why);
		expect(servingPid()).toBe(before);
		await load.more(50);

		write({});
		writeFileSync(join(relay.dataDirectory, 'vapid.json'), vapid);
		expect(await upgrade()).toMatchObject({ code: 0 });
		await load.more(50);
		await load.stop();
		expect(servingPid()).not.toBe(before);
		await expectNothingLost(load);
	});

	it('tells systemd which process serves', async () => {
		const told = join(directory, 'told');
		const script = join(directory, 'systemd-notify');
		writeFileSync(script, `#!/bin/sh\necho "$@" >> ${told}\n`, { mode: 0o755 });
		const other = await RelayProcess.start({
			...{ KITH_CONFIG: settings(), KITH_HOST: '', NOTIFY_SOCKET: '/nowhere' },
			PATH: `${directory}:${process.env.PATH ?? ''}`,
		});
		const first = other.pid;
		const { said } = await relayCommand(['upgrade'], { KITH_DATA: other.dataDirectory });
		const second = Number(/Process (\d+)/.exec(said)?.[1]);
		process.kill(second, 'SIGTERM');
		await other.stop();
		const lines = [first, second].map((pid) => `--ready --pid=${pid}\n`);
		expect(readFileSync(told, 'utf8')).toBe(lines.join(''));
	});

	it('of a relay that does not run says so', async () => {
		const nobody = await relayCommand(['upgrade'], { KITH_DATA: directory });
		expect(nobody).toMatchObject({ code: 1 });
		expect(nobody.said).toMatch(/No relay answers for/);
	});
});

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		// A process that has ended and was not waited for is still listed.
		return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
	} catch {
		return false;
	}
}
