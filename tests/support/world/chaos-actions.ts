// What can happen in the simulated world. Each is one step; a seed decides which and when.
import type { ConversationId, MessageId } from '../../../src/core/model.ts';
import { outboxKey } from '../../../src/core/records.ts';
import type { Device } from './device.ts';
import { chatWith } from './people.ts';
import type { Seeded } from './seeded.ts';
import type { World } from './world.ts';

const HOUR = 60 * 60_000;

/** What somebody wrote and the app took. */
export interface Said {
	readonly by: Device;
	readonly to: Device;
	readonly id: MessageId;
	readonly text: string;
}

/** How much happened: a run in which nothing did proves nothing. */
export interface Counts {
	messages: number;
	crashes: number;
	cuts: number;
	/** Channel states lost. */
	losses: number;
	/** Frames between devices. */
	direct: number;
	relayKills: number;
	rotations: number;
}

/** What everything that fails needs. */
export interface Stage {
	readonly world: World;
	readonly random: Seeded;
	readonly counts: Counts;
}

export interface Run extends Stage {
	readonly pairs: (readonly [Device, Device])[];
	readonly said: Said[];
	/** First words of two people who opened the same one-time link. */
	rivals: readonly Said[] | undefined;
	/** The name that each device chose last. */
	readonly names: Map<Device, string>;
	/** Highest delivery seen of each message: it must never fall. */
	readonly highest: Map<MessageId, number>;
}

export type Action<In> = (run: In) => Promise<void> | void;
export type Weighted<In> = readonly [number, Action<In>];

const write: Action<Run> = async (run) => {
	const { random } = run;
	const [a, b] = random.pick(run.pairs);
	const [by, to] = random.chance(0.5) ? [a, b] : [b, a];
	const chat = by.running && (await chatWith(by, to));
	if (!chat) return;
	const text = `${by.name} ${run.said.length}`;
	const sent = await by.client.send(chat, text);
	if (sent.ok) run.said.push({ by, to, id: sent.value, text });
};

const move: Action<Stage> = async ({ world, random }) => {
	for (let frames = random.below(12); frames >= 0; frames--) {
		const wires = world.allWires().filter(({ waiting }) => waiting);
		if (wires.length > 0) random.pick(wires).step(random.chance(0.5), random.chance(0.1));
		if (random.chance(0.4)) await world.settled();
	}
};

const wait: Action<Stage> = ({ world, random }) => {
	world.clock.advance(Math.floor(10 ** (1 + random.fraction() * 3.6)));
};

const read: Action<Stage> = async (run) => {
	const device = run.random.pick(run.world.devices);
	if (!device.running || device.disk.full) return;
	for (const { id, last } of await device.client.conversations()) {
		if (last) await device.client.markRead(id, last.position);
	}
};

const rename: Action<Run> = async (run) => {
	const device = run.random.pick(run.world.devices);
	if (!device.running || device.disk.full) return;
	const name = `${device.name} v${run.random.below(1000)}`;
	await device.client.setProfile({ name, picture: null });
	run.names.set(device, name);
};

const cut: Action<Stage> = ({ world, random, counts }) => {
	const wires = world.allWires();
	if (wires.length === 0) return;
	counts.cuts++;
	const wire = random.pick(wires);
	if (random.chance(0.3)) wire.hang();
	else wire.cut();
};

const unplug: Action<Stage> = ({ world, random }) => {
	const device = random.pick(world.devices);
	device.offline = !device.offline;
	if (device.offline) device.wire?.cut();
};

const crash: Action<Stage> = ({ world, random, counts }) => {
	const devices = world.devices.filter((device) => device.running);
	if (devices.length === 0) return;
	counts.crashes++;
	const device = random.pick(devices);
	if (random.chance(0.3)) device.crash();
	else device.crash({ commitsLeft: random.below(4), made: random.chance(0.5) });
};

const restart: Action<Stage> = async ({ world }) => {
	for (const device of world.devices) if (device.isOff) await device.start();
};

const killRelay: Action<Stage> = ({ world, random, counts }) => {
	if (!world.relay) world.startRelay();
	else if (random.chance(0.5)) {
		counts.relayKills++;
		world.killRelay();
	}
};

const fillDisk: Action<Stage> = ({ world, random }) => {
	if (random.chance(0.3)) {
		world.relayDisk.full = !world.relayDisk.full;
		return;
	}
	const device = random.pick(world.devices);
	device.disk.full = !device.disk.full;
};

const setClock: Action<Stage> = ({ world, random }) => {
	random.pick(world.devices).skew = Math.round((random.fraction() * 2 - 1) * 24 * HOUR);
};

/**
 * The state of one encrypted channel is lost, as a damaged database loses it; only at rest, as rows are. Before both sides
 * told how to found a channel with them nothing could replace it (core/DESIGN.md), so those are spared.
 */
const loseState: Action<Run> = async ({ world, random, counts }) => {
	const device = random.pick(world.devices);
	device.crash();
	const channels = await device.openStore().list('channels', { prefix: '', limit: 100 });
	const keys: string[] = [];
	for (const { key, value } of channels) {
		if (await isReplaceable(world, device, value.conversation)) keys.push(key);
	}
	if (damage(device, random, keys)) counts.losses++;
	await device.start();
};

/** Takes the state of one of these channels off the disk of a device that is at rest; false if none was there. */
export function damage({ disk }: Device, random: Seeded, channels: readonly string[]): boolean {
	const shelf = disk.shelves.get(random.chance(0.7) ? 'trees' : 'channels');
	const isThere = shelf?.rows.delete(channels.length > 0 ? random.pick(channels) : '') === true;
	if (isThere) shelf.sorted = undefined;
	return isThere;
}

async function isReplaceable(world: World, own: Device, chat: ConversationId): Promise<boolean> {
	const account = (await own.openStore().get('conversations', chat))?.account;
	const other = world.devices.find(({ identity }) => identity.account === account);
	if (!account || !other) return false;
	const [theirs, ours] = await Promise.all([
		own.openStore().get('people', account),
		other.openStore().get('people', own.identity.account),
	]);
	return theirs?.entry !== undefined && ours?.entry !== undefined;
}

/** Both sides of a channel renew their keys at once; the relay lets one of them pass. */
const rotateBoth: Action<Run> = async ({ random, pairs, counts }) => {
	counts.rotations++;
	for (const device of random.pick(pairs)) {
		const store = device.openStore();
		const [conversation] = (await store.list('conversations', { prefix: '', limit: 100 })).filter(
			({ value }) => value.channels.length > 0,
		);
		const channel = conversation?.value.channels[0];
		if (!conversation || !channel || device.disk.full) continue;
		const key = outboxKey.rotate(conversation.value.id, channel);
		await store.transact((tx) => {
			tx.put('outbox', key, { kind: 'rotate', channel });
			return Promise.resolve();
		});
	}
};

export const ACTIONS = { write, move };

/** What fails around people who write, whoever they are. */
export const FAULTS: readonly Weighted<Stage>[] = [
	[45, move],
	[12, wait],
	[5, read],
	[4, cut],
	[3, unplug],
	[4, crash],
	[5, restart],
	[2, killRelay],
	[2, fillDisk],
	[1, setClock],
];
export const WEIGHTS: readonly Weighted<Run>[] = [
	[30, write],
	...FAULTS.slice(0, 3),
	[1, rename],
	...FAULTS.slice(3),
	[1, loseState],
	[1, rotateBoth],
];

export function choose<In>(random: Seeded, among: readonly Weighted<In>[]): Action<In> {
	let at = random.fraction() * among.reduce((sum, [weight]) => sum + weight, 0);
	for (const [weight, action] of among) {
		if (at < weight) return action;
		at -= weight;
	}
	throw new Error('nothing to choose from');
}
