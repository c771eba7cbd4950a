// What people do when all is over: whoever finds a group frozen does what the screens offer for it. Who came back by a code
// is let in without anybody's help (SPEC DE-13).
import type { Device } from './device.ts';
import { accountOf, chatIn, devicesNow, standingIn } from './town.ts';
import type { Person, Town, TownGroup } from './town.ts';

/** Who may do it, what they see, and how. */
interface Hand {
	readonly person: Person;
	readonly device: Device;
	readonly role: string;
	readonly standing: string;
}

const RANK: Readonly<Record<string, number>> = { owner: 2, admin: 1, member: 0 };

/** One look at every group; true if somebody did something. */
export async function mendGroups(town: Town): Promise<boolean> {
	let isMended = false;
	for (const group of town.groups) {
		const stuck = await stuckIn(town, group);
		if (stuck.size === 0) continue;
		if (await mendOne(town, group, stuck)) isMended = true;
	}
	return isMended;
}

/** People with a device that does not follow the group any more. */
async function stuckIn({ people }: Town, group: TownGroup): Promise<ReadonlySet<Person>> {
	const stuck = new Set<Person>();
	for (const person of people) {
		for (const device of await devicesNow(person)) {
			if ((await standingIn(group, device)) === 'frozen') stuck.add(person);
		}
	}
	return stuck;
}

async function handsIn({ people }: Town, group: TownGroup): Promise<Hand[]> {
	const hands: Hand[] = [];
	for (const person of people) {
		for (const device of await devicesNow(person)) {
			const chat = await chatIn(group, device);
			const members = chat ? await device.client.members(chat) : [];
			const role = members.find(({ me }) => me)?.role ?? 'none';
			hands.push({ person, device, role, standing: await standingIn(group, device) });
		}
	}
	return hands.sort((a, b) => (RANK[b.role] ?? -1) - (RANK[a.role] ?? -1));
}

/** Who is still in it takes them out and in again; where nobody is who may, an admin founds it anew. */
async function mendOne(town: Town, group: TownGroup, stuck: ReadonlySet<Person>): Promise<boolean> {
	const hands = await handsIn(town, group);
	const open = hands.filter(({ person, role, standing }) => {
		return standing === 'open' && role in RANK && role !== 'member' && !stuck.has(person);
	});
	let isDone = false;
	for (const person of stuck) if (await bringBack(group, open, person)) isDone = true;
	if (isDone) return true;
	const frozen = hands.find(({ role, standing }) => standing === 'frozen' && role !== 'member');
	const chat = frozen && (await chatIn(group, frozen.device));
	if (!frozen || !chat) return false;
	for (const person of town.people) group.unsteady.add(person);
	return (await frozen.device.client.changeGroup(chat, { kind: 'recreate' })).ok;
}

/** By whoever may and has them as a contact: others know no more than the device they were in the group with. */
async function bringBack(
	group: TownGroup,
	hands: readonly Hand[],
	person: Person,
): Promise<boolean> {
	const account = accountOf(person);
	for (const { device: by } of hands) {
		const chat = await chatIn(group, by);
		const isContact = (await by.client.contacts()).some((each) => each.account === account);
		if (!chat || !isContact) continue;
		const { ok } = await by.client.changeGroup(chat, { kind: 'remove', account });
		if (!ok) continue;
		group.unsteady.add(person);
		await by.client.changeGroup(chat, { kind: 'add', people: [account] });
		return true;
	}
	return false;
}
