// One seeded run of the world: people write while everything that can fail does; then all is mended, and nothing may be
// lost, doubled, out of order, unreadable or left over.
import { ACTIONS, choose, WEIGHTS, type Counts, type Run, type Stage } from './chaos-actions.ts';
import { broken, complaints } from './chaos-rules.ts';
import type { Device } from './device.ts';
import { connect } from './people.ts';
import { World } from './world.ts';

const DAY = 24 * 60 * 60_000;
/** Longer than the wait before a gap is asked for again. */
const HEALING = 8 * 60_000;

export interface ChaosOutcome {
	readonly complaints: readonly string[];
	readonly counts: Counts;
	readonly notes: readonly string[];
	/** Equal for two runs of one seed. */
	readonly fingerprint: string;
}

/** Runs the world of `seed` to its end. */
export async function runChaos(seed: number): Promise<ChaosOutcome> {
	const world = new World({ seed, skew: DAY });
	const run: Run = {
		world,
		random: world.random,
		pairs: [],
		said: [],
		rivals: undefined,
		names: new Map(),
		highest: new Map(),
		counts: { messages: 0, crashes: 0, cuts: 0, losses: 0, direct: 0, relayKills: 0, rotations: 0 },
	};
	await meet(run);
	if (run.random.chance(0.3)) await directPhase(run);
	const found: string[] = [];
	for (let steps = 40 + run.random.below(120); steps > 0 && found.length === 0; steps--) {
		await choose(run.random, WEIGHTS)(run);
		await world.settled();
		found.push(...(await broken(run)));
	}
	await heal(run);
	found.push(...(await complaints(run)));
	const { counts } = run;
	counts.messages = run.said.length;
	counts.direct = world.air.carried;
	for (const device of world.devices) device.crash();
	return { complaints: found, counts, notes: world.notes, fingerprint: world.fingerprint };
}

/** Everybody gets to know somebody: over a link, over two crossing links, or as one of two who open the same link. */
async function meet(run: Run): Promise<void> {
	const { world, random } = run;
	const count = 2 + random.below(5);
	for (let index = 0; index < count; index++) await world.addDevice(`P${index}`);
	for (let index = 1; index < count; index++) {
		const a = random.pick(world.devices.slice(0, index));
		const b = world.devices[index];
		if (!b) continue;
		if (random.chance(0.3)) await meetCrossing(run, a, b);
		else await connect(world, a, b);
		run.pairs.push([a, b]);
	}
	if (random.chance(0.3)) await openOneLinkTwice(run);
}

/** Both open the other's link at once; nothing of it has moved when the faults begin. */
async function meetCrossing({ world, said }: Run, a: Device, b: Device): Promise<void> {
	const ofA = await a.client.createInvite({ kind: 'one-time' });
	const ofB = await b.client.createInvite({ kind: 'reusable' });
	await world.flush();
	for (const [by, to, { fragment }] of [
		[a, b, ofB],
		[b, a, ofA],
	] as const) {
		const accepted = await by.client.acceptInvite(fragment);
		if (!accepted.ok) throw new Error(`the crossing link is ${accepted.error.kind}`);
		const text = `${by.name} opens`;
		const sent = await by.client.send(accepted.value, text);
		if (sent.ok) said.push({ by, to, id: sent.value, text });
	}
}

/** A one-time link that two people hold: one of them gets through, the other is told. */
async function openOneLinkTwice(run: Run): Promise<void> {
	const { world } = run;
	const owner = await world.addDevice('Owner');
	const { fragment } = await owner.client.createInvite({ kind: 'one-time' });
	await world.flush();
	const devices = [await world.addDevice('First'), await world.addDevice('Second')];
	await world.flush();
	const rivals = [];
	for (const device of devices) {
		const accepted = await device.client.acceptInvite(fragment);
		if (!accepted.ok) throw new Error(`the shared link is ${accepted.error.kind}`);
		const text = `${device.name} was here`;
		const sent = await device.client.send(accepted.value, text);
		if (sent.ok) rivals.push({ by: device, to: owner, id: sent.value, text });
	}
	run.rivals = rivals;
}

/** The relay stops while direct links stand: those who are linked go on talking, and it arrives. */
async function directPhase(run: Run): Promise<void> {
	const { world, random, pairs } = run;
	await world.flush();
	await world.pass(60_000, 5_000);
	world.killRelay();
	const before = run.said.length;
	const linked = pairs.filter(([a, b]) => world.air.between(a.identity.device, b.identity.device));
	for (let steps = random.below(20); steps > 0; steps--) {
		await ACTIONS.write(run);
		await ACTIONS.move(run);
	}
	await world.flush();
	await world.pass(1_500, 500);
	for (const { by, to, id, text } of run.said.slice(before)) {
		if (!linked.some((pair) => pair.includes(by) && pair.includes(to))) continue;
		const arrived = await to.client.message(id);
		if (!arrived) throw new Error(`"${text}" did not go directly to ${to.name}`);
	}
	world.startRelay();
}

export async function heal({ world, random }: Pick<Stage, 'world' | 'random'>): Promise<void> {
	if (!world.relay) world.startRelay();
	world.relayDisk.full = false;
	const everybody = random.chance(0.5);
	for (const device of world.devices) {
		device.offline = false;
		device.disk.full = false;
		device.spare();
		if (everybody && device.running) device.crash();
		if (device.isOff) await device.start();
		// Most put the app away, which spares the world its small talk.
		if (random.chance(0.7)) device.engine?.setVisible(false);
	}
	await world.flush();
	await world.pass(HEALING, 5_000);
	for (const device of world.devices) {
		for (const { id, last } of await device.client.conversations()) {
			if (last) await device.client.markRead(id, last.position);
		}
	}
	// An acknowledgement that met a full disk of the relay is made good with the next login.
	for (const device of world.devices) device.wire?.cut();
	await world.pass(60_000, 5_000);
}
