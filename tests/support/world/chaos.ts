// One seeded run of the world: people write while everything that can fail does; then all is mended, and nothing may be
// lost, doubled, out of order, unreadable or left over.
import type { MessageId } from '../../../src/core/model.ts';
import type { Device } from './device.ts';
import { chatWith, connect } from './people.ts';
import type { Seeded } from './seeded.ts';
import { World } from './world.ts';

const DAY = 24 * 60 * 60_000;
const HEALING = 15 * 60_000;

/** What somebody wrote and the app took. */
interface Said {
	readonly by: Device;
	readonly to: Device;
	readonly id: MessageId;
	readonly text: string;
}

interface Run {
	readonly world: World;
	readonly random: Seeded;
	readonly pairs: readonly (readonly [Device, Device])[];
	readonly said: Said[];
	/** Highest delivery seen of each message: it must never fall. */
	readonly highest: Map<MessageId, number>;
}

type Action = (run: Run) => Promise<void> | void;

const RANK: Record<string, number> = { queued: 0, failed: 0, sent: 1, delivered: 2, read: 3 };

const running = ({ world }: Run) => world.devices.filter((device) => device.running);

const write: Action = async (run) => {
	const { random } = run;
	const [a, b] = random.pick(run.pairs);
	const [by, to] = random.chance(0.5) ? [a, b] : [b, a];
	const chat = by.running && (await chatWith(by, to));
	if (!chat) return;
	const text = `${by.name} ${run.said.length}`;
	const sent = await by.client.send(chat, text);
	if (sent.ok) run.said.push({ by, to, id: sent.value, text });
};

const move: Action = async ({ world, random }) => {
	for (let frames = random.below(12); frames >= 0; frames--) {
		const wires = world.allWires().filter(({ waiting }) => waiting);
		if (wires.length > 0) random.pick(wires).step(random.chance(0.5), random.chance(0.1));
		if (random.chance(0.4)) await world.settled();
	}
};

const wait: Action = ({ world, random }) => {
	world.clock.advance(Math.floor(10 ** (1 + random.fraction() * 3.6)));
};

const read: Action = async (run) => {
	const device = run.random.pick(run.world.devices);
	if (!device.running) return;
	for (const { id, last } of await device.client.conversations()) {
		if (last && !device.disk.full) await device.client.markRead(id, last.position);
	}
};

const cut: Action = ({ world, random }) => {
	const wires = world.allWires();
	if (wires.length > 0) random.pick(wires).cut();
};

const unplug: Action = ({ world, random }) => {
	const device = random.pick(world.devices);
	device.offline = !device.offline;
	if (device.offline) device.wire?.cut();
};

const crash: Action = (run) => {
	const devices = running(run);
	if (devices.length === 0) return;
	const device = run.random.pick(devices);
	if (run.random.chance(0.3)) device.crash();
	else device.crash({ commitsLeft: run.random.below(4), made: run.random.chance(0.5) });
};

const restart: Action = async ({ world }) => {
	for (const device of world.devices) if (!device.running) await device.start();
};

const killRelay: Action = ({ world, random }) => {
	if (world.relay && random.chance(0.5)) world.killRelay();
	else if (!world.relay) world.startRelay();
};

const fillDisk: Action = ({ world, random }) => {
	const device = random.pick(world.devices);
	device.disk.full = !device.disk.full;
};

/** The state of one encrypted channel is lost, as a damaged database loses it; only at rest, as rows are. */
const loseState: Action = async ({ world, random }) => {
	const device = random.pick(world.devices);
	device.crash();
	const shelf = device.disk.shelves.get(random.chance(0.7) ? 'trees' : 'channels');
	const keys = [...(shelf?.rows.keys() ?? [])];
	if (!shelf || keys.length === 0) return;
	shelf.rows.delete(random.pick(keys));
	shelf.sorted = undefined;
	await device.start();
};

const ACTIONS: readonly (readonly [number, Action])[] = [
	[30, write],
	[45, move],
	[12, wait],
	[5, read],
	[4, cut],
	[3, unplug],
	[4, crash],
	[5, restart],
	[2, killRelay],
	[1, fillDisk],
	[1, loseState],
];
const TOTAL = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

function choose(random: Seeded): Action {
	let at = random.below(TOTAL);
	for (const [weight, action] of ACTIONS) {
		if (at < weight) return action;
		at -= weight;
	}
	return move;
}

async function watchDelivery(run: Run): Promise<void> {
	for (const { by, id } of run.said.slice(-20)) {
		const message = await by.client.message(id);
		const rank = RANK[message?.delivery.kind ?? ''] ?? -1;
		const before = run.highest.get(id) ?? 0;
		if (rank < before) throw new Error(`delivery of ${id} fell from ${before} to ${rank}`);
		run.highest.set(id, rank);
	}
}

async function heal({ world }: Run): Promise<void> {
	for (const device of world.devices) {
		device.offline = false;
		device.disk.full = false;
	}
	if (!world.relay) world.startRelay();
	for (const device of world.devices) {
		// A crash that was planned and never came must not come now.
		device.crash();
		await device.start();
	}
	await world.flush();
	await world.pass(HEALING, 5_000);
}

/** Everything that must be true in the end; each broken rule is one line. */
async function complaints({ world, pairs, said }: Run): Promise<string[]> {
	const broken: string[] = [];
	for (const [a, b] of pairs) {
		const logs = [];
		for (const [own, other] of [
			[a, b],
			[b, a],
		] as const) {
			const chat = await chatWith(own, other);
			if (!chat) {
				broken.push(`${own.name} has no conversation with ${other.name}`);
				continue;
			}
			const rows = await own.client.messages(chat, { at: 'end', limit: 200 });
			logs.push(rows.messages.map(({ id }) => id).join(' '));
			for (const { body } of rows.messages) {
				if (body.kind !== 'text') broken.push(`${own.name} shows ${body.kind} from ${other.name}`);
			}
			const ids = rows.messages.map(({ id }) => id);
			if (new Set(ids).size !== ids.length) broken.push(`${own.name} shows a message twice`);
		}
		if (logs[0] !== logs[1]) broken.push(`${a.name} and ${b.name} see different conversations`);
	}
	for (const { by, to, id, text } of said) {
		const sent = await by.client.message(id);
		const arrived = await to.client.message(id);
		if (sent?.body.kind !== 'text') broken.push(`${by.name} lost "${text}"`);
		if (arrived?.body.kind !== 'text' || arrived.body.text !== text) {
			broken.push(`"${text}" did not reach ${to.name}`);
		}
		if ((RANK[sent?.delivery.kind ?? ''] ?? 0) < 2) {
			broken.push(`"${text}" is ${sent?.delivery.kind ?? 'gone'} at ${by.name}`);
		}
	}
	for (const { name, disk } of world.devices) {
		const left = disk.shelves.get('outbox')?.rows.size ?? 0;
		if (left > 0) broken.push(`${left} rows are left in the outbox of ${name}`);
		const parked = disk.shelves.get('parked')?.rows.size ?? 0;
		if (parked > 0) broken.push(`${parked} envelopes stay parked at ${name}`);
	}
	if (world.relayDisk.waiting > 0) {
		broken.push(`${world.relayDisk.waiting} messages are left at the relay`);
	}
	return broken;
}

export interface ChaosOutcome {
	readonly complaints: readonly string[];
	readonly said: number;
	readonly notes: readonly string[];
	readonly fingerprint: string;
}

/** Runs the world of `seed` to its end. */
export async function runChaos(seed: number): Promise<ChaosOutcome> {
	const world = new World({ seed, skew: DAY });
	const { random } = world;
	const count = 2 + random.below(5);
	for (let index = 0; index < count; index++) await world.addDevice(`P${index}`);
	const pairs: [Device, Device][] = [];
	for (let index = 1; index < count; index++) {
		const a = random.pick(world.devices.slice(0, index));
		const b = world.devices[index];
		if (!b) continue;
		await connect(world, a, b);
		pairs.push([a, b]);
	}
	const run: Run = { world, random, pairs, said: [], highest: new Map() };
	for (let steps = 40 + random.below(120); steps > 0; steps--) {
		await choose(random)(run);
		await world.settled();
		await watchDelivery(run);
	}
	await heal(run);
	const broken = await complaints(run);
	for (const device of world.devices) device.crash();
	return {
		complaints: broken,
		said: run.said.length,
		notes: world.notes,
		fingerprint: world.fingerprint,
	};
}
