// What must be true of a group when all is mended: whoever is in it sees the same, and who is out no more than they may.
import type { Message } from '../../../src/core/model.ts';
import type { Device } from './device.ts';
import { membersOf, nameOf } from './group-people.ts';
import { knowsWay } from './own-devices.ts';
import { everythingIn } from './people.ts';
import { accountOf, chatIn, devicesNow, standingIn } from './town.ts';
import type { Person, Town, TownGroup } from './town.ts';

/** A device, and how the group looks from there. */
interface View {
	readonly device: Device;
	readonly person: Person;
	/** One of its person's devices. */
	readonly isListed: boolean;
	readonly standing: string;
	/** Listed, and in the group. */
	readonly isIn: boolean;
	readonly log: readonly Message[];
}

export async function lifeOf(town: Town, group: TownGroup): Promise<string[]> {
	const views = await viewsOf(town, group);
	const found = await agreement(group, views);
	const inside = new Set(views.flatMap(({ device, isIn }) => (isIn ? [device] : [])));
	const places = new Map<string, string>();
	for (const view of views) {
		found.push(...doubled(view.device, view.log));
		found.push(...gaps(town, group, view));
		found.push(...said(town, group, { ...view, inside }));
		for (const { id, position, body } of view.log) {
			if (body.kind !== 'text') continue;
			if ((places.get(id) ?? position) !== position) found.push(`"${body.text}" has two places`);
			places.set(id, position);
		}
	}
	return found.map((complaint) => `${group.name}: ${complaint}`);
}

async function viewsOf({ people }: Town, group: TownGroup): Promise<View[]> {
	const views: View[] = [];
	for (const person of people) {
		const listed = await devicesNow(person);
		for (const device of person.devices) {
			const chat = device.isBlank ? undefined : await chatIn(group, device);
			if (!chat) continue;
			const standing = await standingIn(group, device);
			const isListed = listed.includes(device);
			const isIn = isListed && standing === 'open';
			const log = await everythingIn(device, chat);
			views.push({ device, person, isListed, standing, isIn, log });
		}
	}
	return views;
}

/** Everybody who is in it sees the same people in it, who are in it with all their devices. */
async function agreement(group: TownGroup, views: readonly View[]): Promise<string[]> {
	const found: string[] = [];
	const inside = views.filter(({ isIn }) => isIn);
	const seen = new Map<string, string[]>();
	for (const { device } of inside) {
		const sight = `${await nameOf(group, device)}: ${await membersOf(group, device)}`;
		seen.set(sight, [...(seen.get(sight) ?? []), device.name]);
	}
	if (seen.size > 1) {
		const each = [...seen].map(([sight, names]) => `${sight} (${names.join(', ')})`);
		found.push(`seen differently: ${each.join(' | ')}`);
	}
	const [one] = inside;
	const members = one ? await one.device.client.members(await group.chat(one.device)) : [];
	const roleOf = (person: Person) =>
		members.find(({ account }) => account === accountOf(person))?.role;
	for (const { person, device, standing, isListed, isIn } of views) {
		const role = roleOf(person);
		const isMissed = isListed && isIn !== (role !== undefined);
		if (standing === 'frozen') {
			if (!isLastToKnow(group, device, inside)) found.push(`${device.name} is frozen`);
		} else if (isMissed && !(await isOutOfReach(device, standing, inside))) {
			found.push(`${device.name} is ${standing} and ${role ?? 'not in it'}`);
		}
	}
	return found;
}

/** Whose state was lost while everybody left: there is no group any more, and nobody who could tell (core/DESIGN.md). */
function isLastToKnow({ losers }: TownGroup, device: Device, inside: readonly View[]): boolean {
	return inside.length === 0 && losers.has(device);
}

/**
 * Whoever came back is let in by any member's device that knows a way to the new one, whatever they are in the group (SPEC
 * DE-13). Nobody who knows none can, until they exchange a link (core/DESIGN.md).
 */
async function isOutOfReach(
	device: Device,
	standing: string,
	inside: readonly View[],
): Promise<boolean> {
	if (standing !== 'restored') return false;
	for (const member of inside) if (await knowsWay(member.device, device)) return false;
	return true;
}

/** What could not be opened came after all, or is shown as lost where nobody is there who could say it again. */
function gaps({ people, lies }: Town, { unsteady, losers }: TownGroup, view: View): string[] {
	const { device, person, log } = view;
	const states = log.flatMap(({ body, author }) => {
		return body.kind === 'unreadable' ? [{ state: body.state, author }] : [];
	});
	// The browser that could answer was cleared, and nobody told: it is asked as long as mail may be on its way.
	const isThere = (author: string) =>
		!people.some((each) => each.cameBack && accountOf(each) === author);
	const lost = states.filter(({ state }) => state === 'lost').length;
	const asked = states.filter(({ state, author }) => state !== 'lost' && isThere(author)).length;
	const found: string[] = [];
	if (asked > 0) found.push(`${device.name} still asks for ${asked}`);
	const mayLose = losers.has(device) || unsteady.has(person) || lies.victims.has(device);
	if (lost > 0 && !mayLose) found.push(`${device.name} lost ${lost}`);
	return found;
}

/** Whoever was there all the time has everything of those who were; nobody has what was not sealed for them. */
function said(
	{ words }: Town,
	group: TownGroup,
	{ device, person, log, isIn, inside }: View & { readonly inside: ReadonlySet<Device> },
): string[] {
	const { unsteady } = group;
	const found: string[] = [];
	const texts = new Map(
		log.flatMap(({ id, body }) => (body.kind === 'text' ? [[id as string, body]] : [])),
	);
	const isSteady = (each: Person) => group.people.includes(each) && !unsteady.has(each);
	for (const { by, to, id, text, isLast, author, audience } of words) {
		if (to !== group) continue;
		const body = texts.get(id);
		if (isLast && (body !== undefined) !== isIn) {
			found.push(`${device.name} hears "${text}": ${body !== undefined}`);
		}
		const isDue = isIn && isSteady(person) && isSteady(author) && inside.has(by);
		if (isDue && !body) found.push(`"${text}" is not on ${device.name}`);
		const isFor = audience.has(accountOf(person)) || author === person;
		if (body && !isFor && !body.sharedBy) found.push(`${device.name} reads "${text}"`);
	}
	return found;
}

export function doubled(device: Device, log: readonly Message[]): string[] {
	const texts = log.flatMap(({ body }) => (body.kind === 'text' ? [body.text] : []));
	return new Set(texts).size === texts.length ? [] : [`${device.name} sees one twice`];
}
