// One seeded run of a world with groups: people write, come, go and change things at once while everything that can fail
// does; then all is mended, and everybody who is in a group sees the same of it, and nobody who is out sees more.
import type { GroupIntention, HistoryShare, Role } from '../../../src/core/model.ts';
import { choose, FAULTS, type Counts, type Run } from './chaos-actions.ts';
import { heal, type ChaosOutcome } from './chaos.ts';
import type { Device } from './device.ts';
import {
	gapsIn,
	groupAmong,
	membersOf,
	nameOf,
	stateOf,
	type TestGroup,
	wordsIn,
} from './group-people.ts';
import { connect } from './people.ts';
import type { Seeded } from './seeded.ts';
import { World } from './world.ts';

const DAY = 24 * 60 * 60_000;
const NOTHING: Counts = {
	...{ messages: 0, crashes: 0, cuts: 0, losses: 0, direct: 0, relayKills: 0, rotations: 0 },
};

interface GroupRun {
	readonly group: TestGroup;
	readonly devices: readonly Device[];
	/** Never taken out, and never gone: they have everything. */
	readonly steady: Set<Device>;
	/** Lost their state once: what was said to them by somebody who is gone by now, nobody says again. */
	readonly losers: Set<Device>;
	readonly said: { readonly by: Device; readonly id: string; readonly text: string }[];
	/** What those who are added again get of what was said before. */
	readonly history: HistoryShare | undefined;
}

/** Runs the world of `seed` to its end. Of `counts`, `rotations` are changes that were wanted. */
export async function runGroupChaos(seed: number): Promise<ChaosOutcome> {
	const world = new World({ seed, skew: DAY, direct: seed % 3 === 0 });
	const { random } = world;
	const counts = { ...NOTHING };
	const run: Run = {
		...{ world, random, pairs: [], said: [], rivals: undefined, counts },
		...{ names: new Map(), highest: new Map() },
	};
	const history: HistoryShare | undefined = seed % 7 === 5 ? 'all' : undefined;
	const groups = (await meet(world, random)).map((group) => ({ ...group, history }));
	for (let steps = 60 + random.below(120); steps > 0; steps--) {
		const each = random.pick(groups);
		const what = random.fraction();
		if (what < 0.2) await say(each, random);
		else if (what < 0.27) counts.rotations += await change(each, random);
		else if (what < 0.28) counts.losses += await loseState(each, random);
		else await choose(random, FAULTS)(run);
		await world.settled();
	}
	await heal(run);
	await world.pass(5 * 60_000, 5_000);
	const found: string[] = [];
	for (const each of groups) found.push(...(await complaints(world, each)));
	counts.messages = groups.reduce((sum, { said }) => sum + said.length, 0);
	counts.direct = world.air.carried;
	for (const device of world.devices) device.crash();
	return { complaints: found, counts, notes: world.notes, fingerprint: world.fingerprint };
}

async function meet(world: World, random: Seeded): Promise<Omit<GroupRun, 'history'>[]> {
	const count = 3 + random.below(4);
	for (let index = 0; index < count; index++) await world.addDevice(`P${index}`);
	const [first, ...others] = world.devices;
	if (!first) throw new Error('nobody is there');
	for (const other of others) await connect(world, first, other);
	const groups: Omit<GroupRun, 'history'>[] = [];
	for (let index = 1 + random.below(2); index > 0; index--) {
		const group = await groupAmong(world, first, { name: `G${index}`, others });
		groups.push({
			group,
			devices: [first, ...others],
			steady: new Set(world.devices),
			losers: new Set(),
			said: [],
		});
	}
	return groups;
}

const isUsable = ({ running, disk }: Device) => running && !disk.full;

async function say({ group, devices, said }: GroupRun, random: Seeded): Promise<void> {
	const by = random.pick(devices);
	if (!isUsable(by)) return;
	const text = `${group.name} ${by.name} ${said.length}`;
	const id = await group.say(by, text);
	if (id.length > 20) said.push({ by, id, text });
}

async function change(
	{ group, devices, steady, history }: GroupRun,
	random: Seeded,
): Promise<number> {
	const by = random.pick(devices);
	const other = random.pick(devices);
	if (!isUsable(by)) return 0;
	const { account } = other.identity;
	const intentions: readonly GroupIntention[] = [
		{ kind: 'about', about: { name: `${group.name} by ${by.name} ${random.below(1000)}` } },
		{ kind: 'about', about: { description: `${random.below(1000)}` } },
		{ kind: 'role', account, role: random.pick<Role>(['admin', 'admin', 'member', 'owner']) },
		{ kind: 'policy', policy: { invite: random.pick(['everyone', 'admins']) } },
		{ kind: 'policy', policy: { change: random.pick(['everyone', 'admins']) } },
		{ kind: 'remove', account },
		{ kind: 'add', people: [account], history },
		{ kind: 'leave', successor: undefined },
	];
	const wanted = random.pick(intentions);
	if ((await group.want(by, wanted)) !== 'ok') return 0;
	if (wanted.kind === 'remove') steady.delete(other);
	if (wanted.kind === 'leave') steady.delete(by);
	return 1;
}

/** At rest, as a damaged database loses it. */
async function loseState({ group, devices, losers, steady }: GroupRun, random: Seeded) {
	const device = random.pick(devices);
	device.crash();
	const store = device.openStore();
	const [channel] = (await store.get('conversations', await group.chat(device)))?.channels ?? [];
	const shelf = device.disk.shelves.get(random.chance(0.7) ? 'trees' : 'channels');
	const isLost = shelf?.rows.delete(channel ?? '') === true;
	if (shelf) shelf.sorted = undefined;
	await device.start();
	if (!isLost) return 0;
	losers.add(device);
	steady.delete(device);
	return 1;
}

async function complaints(world: World, run: GroupRun): Promise<string[]> {
	const { group, devices, steady, losers, said } = run;
	const found: string[] = [];
	const states = new Map<Device, string>();
	for (const device of devices) states.set(device, (await stateOf(group, device)) ?? 'none');
	const inside = devices.filter((device) => states.get(device) === 'open');
	for (const [device, state] of states) {
		if (state === 'frozen' || (steady.has(device) && state !== 'open')) {
			found.push(`${device.name} is ${state} in ${group.name}`);
		}
	}
	const alike = async (what: string, see: (device: Device) => Promise<unknown>) => {
		const seen = new Set<string>();
		for (const device of inside) seen.add(String(await see(device)));
		if (seen.size > 1) found.push(`${what} of ${group.name}: ${[...seen].join(' | ')}`);
	};
	await alike('members', (device) => membersOf(group, device));
	await alike('name', (device) => nameOf(group, device));
	const [one] = inside;
	if (one) await group.say(one, 'the last word');
	await world.pass(60_000, 5_000);
	for (const device of devices) {
		const texts = await wordsIn(group, device);
		if (new Set(texts).size !== texts.length) found.push(`${device.name} sees something twice`);
		const gaps = await gapsIn(group, device);
		// Only who lost their state, and asked somebody who was gone by then, does not get everything.
		if (gaps.lost > 0 && !losers.has(device)) found.push(`${device.name} lost ${gaps.lost}`);
		if (gaps.asked > 0) found.push(`${device.name} still asks for ${gaps.asked}`);
		const hears = texts.includes('the last word');
		if (hears !== inside.includes(device))
			found.push(`${device.name} hears the last word: ${hears}`);
		if (!steady.has(device)) continue;
		found.push(...(await missing(run, device, texts)));
	}
	const orders = new Set<string>();
	for (const device of steady) {
		const common = new Set(said.filter(({ by }) => steady.has(by)).map(({ text }) => text));
		orders.add((await wordsIn(group, device)).filter((text) => common.has(text)).join(' '));
	}
	if (orders.size > 1) found.push(`${group.name} is in several orders`);
	return found;
}

/** What somebody said who was there all the time reaches everybody who was. */
async function missing(
	{ said, steady }: GroupRun,
	device: Device,
	texts: readonly string[],
): Promise<string[]> {
	const found: string[] = [];
	for (const { by, id, text } of said) {
		if (!steady.has(by) || texts.includes(text)) continue;
		const kind = (await by.client.message(id as never))?.delivery.kind;
		found.push(`"${text}" (${kind}) did not reach ${device.name}`);
	}
	return found;
}
