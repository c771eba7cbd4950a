// A world of people with one to three devices, in up to twelve groups, where everything happens at once: people come, go and
// change things, devices are linked and taken out, browsers are cleared, state is lost, everything fails that can, and the
// relay lies. Then all is mended, and whoever is there sees the same, and who is out sees no more.
import type { ConversationId } from '../../../src/core/model.ts';
import type { Counts, Stage } from './chaos-actions.ts';
import type { Device } from './device.ts';
import { foundBy, type TestGroup } from './group-people.ts';
import { link } from './own-devices.ts';
import { connect } from './people.ts';
import { tellLies, type Lies } from './town-lies.ts';
import { World } from './world.ts';

const DAY = 24 * 60 * 60_000;

export interface Person {
	readonly name: string;
	/** All that ever were; those that were cleared are blank. */
	readonly devices: Device[];
	/** Devices that others of this person wanted out, and which did. */
	readonly unwanted: Map<Device, Device>;
	/** What somebody wrote down who wants to be able to come back. */
	readonly code: string | undefined;
	/** Came back by the code: messages are not among what it brings. */
	cameBack: boolean;
}

/** Something that was said, to a person alone or in a group. */
export interface Word {
	readonly author: Person;
	readonly by: Device;
	readonly to: Person | TownGroup;
	readonly id: string;
	readonly text: string;
	/** Said when all was mended. */
	readonly isLast: boolean;
	/** Accounts that it was ever sealed for. */
	readonly audience: Set<string>;
}

export interface TownGroup extends TestGroup {
	readonly people: readonly Person[];
	/** Came later, or were out of it for a while: they need not have everything. */
	readonly unsteady: Set<Person>;
	/** Lost the state of it once: what nobody says again who is gone by now, is shown as lost. */
	readonly losers: Set<Device>;
}

export interface TownCounts extends Counts {
	devices: number;
	groups: number;
	/** Changes of groups that were wanted, by what they are. */
	changes: Record<string, number>;
	linked: number;
	unlinked: number;
	recovered: number;
	lies: Record<string, number>;
}

export interface Town extends Stage {
	readonly counts: TownCounts;
	readonly people: Person[];
	/** Who has talked to whom. */
	readonly pairs: (readonly [Person, Person])[];
	readonly groups: TownGroup[];
	/** How many groups there are to be. */
	readonly mostGroups: number;
	readonly mostDevices: number;
	readonly words: Word[];
	/** Browsers that were shown to a device, and are on their way. */
	readonly arriving: Map<Device, { readonly person: Person; cancel(): void }>;
	/** Those that have become somebody's. */
	readonly arrived: Device[];
	readonly lies: Lies;
}

const FULL = { people: 20, devices: 40, groups: 12 };

/** Most towns are villages, which are quick. */
function sizeOf(seed: number, { random }: World) {
	if (seed % 50 === 0) return FULL;
	if (seed % 10 === 0) return { people: 6 + random.below(4), devices: 16, groups: 6 };
	return { people: 2 + random.below(4), devices: 4 + random.below(5), groups: 1 + random.below(3) };
}

/** A town in which everybody has met, and the first half of its groups is there. */
export async function buildTown(seed: number): Promise<Town> {
	const world = new World({ seed, skew: DAY, direct: seed % 3 === 0 });
	const { random } = world;
	const size = sizeOf(seed, world);
	const town: Town = {
		...{ world, random, people: [], pairs: [], groups: [], words: [] },
		...{ mostGroups: size.groups, mostDevices: Math.max(size.devices, size.people) },
		...{ arriving: new Map(), arrived: [], counts: nothing(), lies: tellLies(world) },
	};
	for (let index = 0; index < size.people; index++) await settle(town, index);
	const fewest = size.devices === FULL.devices ? 1 : 0;
	for (const person of town.people) {
		const [own] = person.devices;
		for (let more = fewest + random.below(3 - fewest); more > 0 && own && hasRoom(town); more--) {
			const { name, devices } = person;
			devices.push(await link(world, own, `${name}/${devices.length}`));
		}
	}
	// Now that everybody has met: what is kept under a code may be some minutes old.
	for (const { code, devices } of town.people) {
		if (code !== undefined) await devices[0]?.client.useRecoveryCode(code);
	}
	for (let left = Math.ceil(size.groups / 2); left > 0; left--) await foundGroup(town);
	await world.flush();
	await world.pass(90_000, 5_000);
	return town;
}

function nothing(): TownCounts {
	return {
		...{ messages: 0, crashes: 0, cuts: 0, losses: 0, direct: 0, relayKills: 0, rotations: 0 },
		...{ devices: 0, groups: 0, changes: {}, linked: 0, unlinked: 0, recovered: 0, lies: {} },
	};
}

/** One more person, who knows the first, and sometimes another one. */
async function settle({ world, random, people, pairs }: Town, index: number): Promise<void> {
	const device = await world.addDevice(`P${index}`);
	const code = random.chance(0.5) ? codeOf(index) : undefined;
	const person: Person = {
		...{ name: device.name, devices: [device], unwanted: new Map(), code, cameBack: false },
	};
	const known = people.filter((_, at) => at === 0 || random.chance(1 / (2 * index)));
	for (const other of known) {
		const [there] = other.devices;
		if (!there) continue;
		await connect(world, there, device);
		pairs.push([other, person]);
	}
	people.push(person);
}

/** Of Crockford's letters (SPEC CP-1). */
function codeOf(index: number): string {
	return String(index).padStart(32, '0');
}

/** A group of somebody and some of those they know. */
export async function foundGroup(town: Town): Promise<void> {
	const { random, groups, people, mostGroups } = town;
	if (groups.length >= mostGroups) return;
	const founder = random.pick(people);
	const by = random.pick(founder.devices);
	if (!isUsable(by)) return;
	const others = people.filter((person) => person !== founder && random.chance(0.6));
	const reachable = new Set((await by.client.contacts()).map(({ account }) => account));
	const members = others.filter((person) => reachable.has(accountOf(person)));
	const group = await foundBy(by, { name: `G${groups.length}`, people: members.map(accountOf) });
	const all = [founder, ...members];
	groups.push({ ...group, people: all, unsteady: new Set(), losers: new Set() });
}

export function accountOf({ devices: [first] }: Person) {
	if (!first) throw new Error('a person without a device');
	return first.identity.account;
}

export function hasRoom({ world, arriving, mostDevices }: Town): boolean {
	return world.devices.filter(({ isBlank }) => !isBlank).length + arriving.size < mostDevices;
}

export const isUsable = ({ running, disk }: Device) => running && !disk.full;

/** Those that are in the list of this device's person, as it knows it; all, where none was ever added. */
export async function devicesNow({ devices }: Person): Promise<Device[]> {
	const there = devices.filter((device) => !device.isBlank);
	const inside: Device[] = [];
	for (const device of there) {
		if ((await device.client.me())?.signedOut === undefined) inside.push(device);
	}
	return inside;
}

/** The group's conversation on this device; undefined where it never heard of it. */
export async function chatIn(
	group: TestGroup,
	device: Device,
): Promise<ConversationId | undefined> {
	return (await device.openStore().get('groups', group.id))?.conversation;
}

/** How this device stands in the group. */
export async function standingIn(group: TestGroup, device: Device): Promise<string> {
	const chat = await chatIn(group, device);
	return (chat && (await device.client.conversation(chat))?.state.kind) ?? 'none';
}
