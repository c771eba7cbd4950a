// What happens in a town. Each is one step; a seed decides which and when.
import type { GroupIntention, Role } from '../../../src/core/model.ts';
import { choose, damage, FAULTS, type Action, type Weighted } from './chaos-actions.ts';
import type { Device } from './device.ts';
import { ask, BY_HAND, OPEN } from './link-people.ts';
import { sayTo, tell } from './town-talk.ts';
import { accountOf, chatIn, devicesNow, hasRoom, isUsable } from './town.ts';
import type { Person, Town, TownGroup } from './town.ts';

const sayAlone: Action<Town> = async (town) => {
	if (town.pairs.length === 0) return;
	const [one, other] = town.random.pick(town.pairs);
	const [from, to] = town.random.chance(0.5) ? [one, other] : [other, one];
	await sayTo(town, town.random.pick(from.devices), { to, isLast: false });
};

const sayInGroup: Action<Town> = async (town) => {
	const somebody = await somebodyIn(town);
	if (somebody) await sayTo(town, somebody.by, { to: somebody.group, isLast: false });
};

/** Whoever is or was in a group, on one of their devices. */
async function somebodyIn({ random, groups, people }: Town) {
	if (groups.length === 0) return undefined;
	const group = random.pick(groups);
	const person = random.pick(random.chance(0.8) ? group.people : people);
	const by = random.pick(person.devices);
	const chat = isUsable(by) ? await chatIn(group, by) : undefined;
	return chat ? { group, person, by, chat } : undefined;
}

const change: Action<Town> = async (town) => {
	const { random, counts, people } = town;
	const somebody = await somebodyIn(town);
	if (!somebody) return;
	const { group, person, by, chat } = somebody;
	const other = random.pick(random.chance(0.7) ? group.people : people);
	const wanted = somethingElse(town, { group, other, by });
	if (!(await by.client.changeGroup(chat, wanted)).ok) return;
	tell(
		town,
		by,
		wanted.kind,
		group.name,
		'account' in wanted || wanted.kind === 'add' ? other.name : '',
	);
	counts.changes[wanted.kind] = (counts.changes[wanted.kind] ?? 0) + 1;
	if (wanted.kind === 'remove' || wanted.kind === 'add') group.unsteady.add(other);
	if (wanted.kind === 'leave') group.unsteady.add(person);
};

function somethingElse(
	{ random }: Town,
	{ group, other, by }: { readonly group: TownGroup; readonly other: Person; readonly by: Device },
): GroupIntention {
	const account = accountOf(other);
	const history = random.chance(0.3) ? 'all' : undefined;
	return random.pick<GroupIntention>([
		{ kind: 'about', about: { name: `${group.name} by ${by.name} ${random.below(1000)}` } },
		{ kind: 'about', about: { description: `${random.below(1000)}` } },
		{ kind: 'role', account, role: random.pick<Role>(['admin', 'admin', 'member', 'owner']) },
		{ kind: 'policy', policy: { invite: random.pick(['everyone', 'admins']) } },
		{ kind: 'policy', policy: { change: random.pick(['everyone', 'admins']) } },
		{ kind: 'remove', account },
		{ kind: 'add', people: [account], history },
		{ kind: 'add', people: [account], history },
		{ kind: 'leave', successor: undefined },
	]);
}

/** Somebody passes the link of a group on, to whoever opens it. */
const passLink: Action<Town> = async (town) => {
	const { random, people, counts } = town;
	const somebody = await somebodyIn(town);
	if (!somebody) return;
	const { group, by, chat } = somebody;
	const known = random.chance(0.5) ? await by.client.groupLink(chat) : undefined;
	const terms = random.pick([OPEN, BY_HAND]);
	const made = known
		? { ok: true as const, value: known }
		: await by.client.makeGroupLink(chat, terms);
	const outside = people.filter((each) => !group.people.includes(each));
	const person = random.pick(outside.length > 0 && random.chance(0.7) ? outside : people);
	const device = random.pick(person.devices);
	if (!made.ok || !isUsable(device)) return;
	await town.world.flush(); // it is passed on some other day
	const previewed = await device.client.previewInvite(made.value.fragment);
	if (previewed.kind !== 'group') return;
	await ask(device, made.value);
	tell(town, device, 'asks for', group.name, 'by a link of', by.name);
	group.unsteady.add(person);
	counts.changes.link = (counts.changes.link ?? 0) + 1;
};

/** Whoever made a link looks at who waits. */
const answer: Action<Town> = async (town) => {
	const { random } = town;
	const somebody = await somebodyIn(town);
	if (!somebody) return;
	const { by, chat } = somebody;
	for (const { account } of await by.client.joinRequests(chat)) {
		await by.client.answerRequest(chat, account, random.chance(0.8) ? 'let-in' : 'decline');
	}
};

const linkOne: Action<Town> = async (town) => {
	const { world, random, people, arriving } = town;
	const person = random.pick(people);
	const by = random.pick(person.devices);
	if (!isUsable(by) || (await devicesNow(person)).length >= 3 || !hasRoom(town)) return;
	const fresh = world.addBlank(`${person.name}/${person.devices.length}+${arriving.size}`);
	const { fragment, done, cancel } = await fresh.client.linkThisDevice();
	if (!(await by.client.linkDevice(fragment)).ok) return cancel();
	arriving.set(fresh, { person, cancel });
	tell(town, by, 'links', fresh.name);
	void done.then(
		({ ok }) => {
			if (!arriving.delete(fresh) || !ok) return;
			person.devices.push(fresh);
			town.arrived.push(fresh);
		},
		() => void arriving.delete(fresh), // no room on its disk: it stays what it was
	);
};

/** One device takes another of its person out; a person keeps at least one. */
const unlinkOne: Action<Town> = async (town) => {
	const { random, people, counts } = town;
	const { devices, unwanted } = random.pick(people);
	const [by, gone] = [random.pick(devices), random.pick(devices)];
	const left = devices.filter((device) => !device.isBlank && !unwanted.has(device));
	if (by === gone || !isUsable(by) || gone.isBlank || left.length < 2 || unwanted.has(gone)) return;
	// One takes out what is in the list that one sees: a device that has just come may not be in it yet.
	const listed = await by.client.devices();
	if (!listed.some(({ device }) => device === gone.identity.device)) return;
	await by.client.removeDevice(gone.identity.device);
	unwanted.set(gone, by);
	tell(town, by, 'takes out', gone.name);
	counts.unlinked++;
};

/** At rest, as a damaged database loses it. */
const loseState: Action<Town> = async (town) => {
	const { world, random, groups, counts } = town;
	const device = random.pick(world.devices);
	if (device.isBlank || groups.length === 0) return;
	device.crash();
	const group = random.pick(groups);
	const chat = await chatIn(group, device);
	const row = chat && (await device.openStore().get('conversations', chat));
	if (damage(device, random, row?.channels.slice(0, 1) ?? [])) {
		counts.losses++;
		group.losers.add(device);
		tell(town, device, 'loses', group.name);
	}
	await device.start();
};

/** All browsers of somebody are cleared, and they come back with what they wrote down. */
const comeBack: Action<Town> = async (town) => {
	const { world, random, people, groups, arriving, counts } = town;
	const person = random.pick(people);
	const { code, devices, name } = person;
	const hasCapsule = await devices[0]?.openStore().get('recovery', 'only');
	if (code === undefined || hasCapsule?.savedAt === undefined || !world.relay) return;
	const fresh = world.addBlank(`${name} back ${devices.length}`);
	if (!(await fresh.client.comeBack(code)).ok) return;
	for (const device of devices) device.clear();
	// Nobody is there who would take in those that were on their way.
	for (const [device, { person: whose, cancel }] of arriving) {
		if (whose === person && arriving.delete(device)) cancel();
	}
	tell(town, fresh, 'comes back');
	await fresh.start();
	devices.unshift(fresh);
	person.cameBack = true;
	for (const group of groups) group.unsteady.add(person);
	counts.recovered++;
};

const lie: Action<Town> = ({ world, random, lies }) => lies.lieTo(random.pick(world.devices));

/** A browser that has become somebody's is opened. */
export async function openArrived({ world, arrived, counts }: Town): Promise<void> {
	for (const device of arrived.splice(0)) {
		counts.linked++;
		world.notes.push(`— ${device.name} is linked`);
		await device.start();
	}
}

const WEIGHTS: readonly Weighted<Town>[] = [
	...FAULTS,
	[10, sayAlone],
	[24, sayInGroup],
	[14, change],
	[4, passLink],
	[3, answer],
	[2, linkOne],
	[1.5, unlinkOne],
	[2.5, loseState],
	[1, comeBack],
	[6, lie],
];

export async function step(town: Town): Promise<void> {
	await choose(town.random, WEIGHTS)(town);
	await town.world.settled();
	await openArrived(town);
}
