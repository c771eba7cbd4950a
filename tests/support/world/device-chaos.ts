// One seeded run of the world with people of several devices: they write, read, link and remove devices while everything that
// can fail does; then all is mended, and every device of a person shows the same.
import { choose, FAULTS, type Run } from './chaos-actions.ts';
import { heal } from './chaos.ts';
import type { Device } from './device.ts';
import { link } from './own-devices.ts';
import { chatWith, connect, textsOf } from './people.ts';
import type { Seeded } from './seeded.ts';
import { World } from './world.ts';

const HOUR = 60 * 60_000;

interface Said {
	readonly by: Device;
	readonly to: Person;
	readonly id: string;
	readonly text: string;
}

interface Person {
	readonly name: string;
	readonly devices: Device[];
	/** Taken out by another of its own devices. */
	readonly removed: Set<Device>;
}

/** Runs the world of `seed` to its end; what is wrong then. */
export async function runDeviceChaos(
	seed: number,
): Promise<{ readonly complaints: readonly string[]; readonly said: number }> {
	const world = new World({ seed, skew: HOUR, direct: seed % 2 === 0 });
	const { random } = world;
	const people = await meet(world, random);
	const said: Said[] = [];
	const run: Run = {
		...{ world, random, pairs: [], said: [], rivals: undefined },
		...{ names: new Map(), highest: new Map() },
		counts: { messages: 0, crashes: 0, cuts: 0, losses: 0, direct: 0, relayKills: 0, rotations: 0 },
	};
	for (let steps = 50 + random.below(100); steps > 0; steps--) {
		const what = random.fraction();
		if (what < 0.3) await say(people, random, said);
		else if (what < 0.31) await removeOne(people, random);
		else await choose(random, FAULTS)(run);
		await world.settled();
	}
	await heal(run);
	await world.pass(10 * 60_000, 5_000);
	const complaints = await complaintsOf(people, said);
	for (const device of world.devices) device.crash();
	return { complaints, said: said.length };
}

async function meet(world: World, random: Seeded): Promise<Person[]> {
	const people: Person[] = [];
	for (let index = 2 + random.below(2); index > 0; index--) {
		const name = `P${index}`;
		people.push({ name, devices: [await world.addDevice(name)], removed: new Set() });
	}
	const [first] = people;
	for (const { devices } of people.slice(1)) {
		const [a, b] = [first?.devices[0], devices[0]];
		if (a && b) await connect(world, a, b);
	}
	for (const { name, devices } of people) {
		const [own] = devices;
		for (let more = random.below(3); more > 0 && own; more--) {
			devices.push(await link(world, own, `${name}/${devices.length}`));
		}
	}
	await world.pass(90_000, 5_000);
	return people;
}

const isUsable = ({ running, disk }: Device) => running && !disk.full;

async function say(people: readonly Person[], random: Seeded, said: Said[]): Promise<void> {
	const [first, ...others] = people;
	const other = random.pick(others);
	if (!first) return;
	const [from, to] = random.chance(0.5) ? [first, other] : [other, first];
	const by = random.pick(from.devices.filter((device) => !from.removed.has(device)));
	const [there] = to.devices;
	const chat = there && isUsable(by) && (await chatWith(by, there));
	if (!chat) return;
	const text = `${by.name} ${said.length}`;
	const sent = await by.client.send(chat, text);
	if (sent.ok) said.push({ by, to, id: sent.value, text });
}

/** One device takes another of its person out; a person keeps at least one. */
async function removeOne(people: readonly Person[], random: Seeded): Promise<void> {
	const { devices, removed } = random.pick(people);
	const left = devices.filter((device) => !removed.has(device));
	const [by] = left;
	const gone = left.at(-1);
	if (!by || !gone || by === gone || !isUsable(by)) return;
	await by.client.removeDevice(gone.identity.device);
	removed.add(gone);
}

async function complaintsOf(people: readonly Person[], said: readonly Said[]): Promise<string[]> {
	const found: string[] = [];
	for (const { devices, removed } of people) {
		for (const device of devices) {
			const isOut = (await device.client.me())?.signedOut !== undefined;
			if (isOut !== removed.has(device)) found.push(`${device.name} is out: ${isOut}`);
			const transfer = await device.client.transfer();
			if (!isOut && transfer && !transfer.complete) found.push(`${device.name} waits for history`);
		}
	}
	const [first, ...others] = people;
	for (const other of others) {
		const seen = new Map<Device, string[]>();
		for (const [own, their] of [
			[first, other],
			[other, first],
		] as const) {
			for (const device of own?.devices ?? []) {
				if (own?.removed.has(device)) continue;
				const [there] = their?.devices ?? [];
				const chat = there && (await chatWith(device, there));
				const texts = chat ? await textsOf(device, chat) : [];
				const words = texts.filter((text) => text !== 'event');
				if (new Set(words).size !== words.length) found.push(`${device.name} sees one twice`);
				if (words.includes('unreadable')) found.push(`${device.name} has a gap`);
				seen.set(device, words);
			}
		}
		const stays = said.filter(({ by, to }) => {
			const owner = to === other ? first : to === first ? other : undefined;
			return owner?.devices.includes(by) === true && !owner.removed.has(by);
		});
		for (const { text } of stays) {
			for (const [device, words] of seen) {
				if (!words.includes(text)) found.push(`"${text}" is not on ${device.name}`);
			}
		}
	}
	return found;
}
