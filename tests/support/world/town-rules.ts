// What must be true of a town: after each step, and when all is mended. Each broken rule is one line.
import { outboxKey, type ChannelRow, type ConversationRow } from '../../../src/core/records.ts';
import type { GroupRow } from '../../../src/core/group-records.ts';
import { countOf, rowsOf } from './chaos-rules.ts';
import type { Device } from './device.ts';
import { chatWith, everythingIn } from './people.ts';
import { doubled, lifeOf } from './town-group-rules.ts';
import { devicesNow, type Person, type Town, type Word } from './town.ts';

/** Who each word is sealed for just now, as its author has it. */
export function noteAudiences({ words }: Town): void {
	for (const { by, id, audience } of words) {
		const row = by.disk.shelves.get('receipts')?.rows.get(id)?.value as
			{ readonly audience: readonly string[] } | undefined;
		for (const account of row?.audience ?? []) audience.add(account);
	}
}

/** Rules that hold at any time. */
export function brokenIn(town: Town): string[] {
	const owners = new Map<string, string>();
	for (const person of town.people) {
		for (const { identity } of person.devices) owners.set(identity.device, identity.account);
	}
	return town.world.devices.flatMap((device) => {
		const isTwice = countOf(device, 'messages') !== device.disk.places.size;
		const twice = isTwice ? [`${device.name} has a message under two keys`] : [];
		return [...twice, ...strangers(device, owners)];
	});
}

/** Channels whose messages would be sealed for somebody who is not on the screen. */
function strangers(device: Device, owners: ReadonlyMap<string, string>): string[] {
	const channels = new Map(
		rowsOf<ChannelRow>(device, 'channels').map((row) => [row.channel as string, row]),
	);
	const groups = new Map(rowsOf<GroupRow>(device, 'groups').map((row) => [row.group, row]));
	const own = rowsOf<{ account: string }>(device, 'me')[0]?.account;
	return rowsOf<ConversationRow>(device, 'conversations').flatMap((conversation) => {
		const used = channels.get(conversation.channels[0] ?? '');
		// Who leaves is in the tree until somebody takes them out; nothing is said meanwhile (SPEC GR-4).
		const isWaiting = device.disk.shelves.get('outbox')?.rows.has(outboxKey.sweep(conversation.id));
		if (used?.status !== 'open' || isWaiting) return [];
		const members = groups.get(conversation.group ?? ('' as never))?.members ?? [];
		const seen = new Set([own, conversation.account, ...members.map(({ account }) => account)]);
		const wrong = used.others.filter((other) => !seen.has(owners.get(other)));
		return wrong.length > 0
			? [
					`${device.name} seals for ${wrong.map((each) => owners.get(each) ?? each).join()}, who is not among ${[...seen].join()}`,
				]
			: [];
	});
}

/** Rules that hold when everything is mended and time has passed. */
export async function complaintsIn(town: Town): Promise<string[]> {
	const found: string[] = [];
	for (const person of town.people) found.push(...(await devicesOf(person)));
	for (const pair of town.pairs) found.push(...(await talkOf(town, pair)));
	for (const group of town.groups) found.push(...(await lifeOf(town, group)));
	return found;
}

/** All devices of a person have one list of them, and who is not in it knows. */
async function devicesOf(person: Person): Promise<string[]> {
	const found: string[] = [];
	const inside = await devicesNow(person);
	const lists = new Set<string>();
	for (const device of inside) {
		const listed = (await device.client.devices()).map(({ name }) => name);
		lists.add(listed.join(', '));
		if (listed.length > 0 && !listed.includes(device.name)) found.push(`${device.name} is out`);
		const transfer = await device.client.transfer();
		if (transfer && !transfer.complete) found.push(`${device.name} waits for history`);
	}
	if (lists.size > 1) found.push(`${person.name} has devices ${[...lists].join(' | ')}`);
	if (inside.length === 0) found.push(`${person.name} has no device any more`);
	for (const [gone, by] of person.unwanted) {
		if (inside.includes(gone) && inside.includes(by)) found.push(`${gone.name} is not out`);
	}
	for (const device of person.devices) {
		if (device.isBlank || inside.includes(device)) continue;
		if (!person.unwanted.has(device)) found.push(`${device.name} is out, and nobody wanted it`);
	}
	return found;
}

/** What two people said reached every device of both; of devices that are out, only what they had sent by then. */
async function talkOf({ words }: Town, [one, other]: readonly [Person, Person]): Promise<string[]> {
	const inside = new Set([...(await devicesNow(one)), ...(await devicesNow(other))]);
	const between = words.filter(({ by, to }) => {
		return (to === one && other.devices.includes(by)) || (to === other && one.devices.includes(by));
	});
	// Whoever came back knows the other by the device that was heard of last: where that is gone too, they need a link
	// (core/DESIGN.md, recovery codes).
	const isGone = ({ cameBack, unwanted }: Person) => cameBack || unwanted.size > 0;
	if ((one.cameBack && isGone(other)) || (other.cameBack && isGone(one))) return [];
	const isNew = one.cameBack || other.cameBack;
	const due = isNew ? between.filter(({ isLast }) => isLast) : between;
	const found: string[] = [];
	for (const device of [...one.devices, ...other.devices]) {
		const [there] = one.devices.includes(device) ? other.devices : one.devices;
		const chat = there && !device.isBlank && (await chatWith(device, there));
		if (!chat) {
			if (inside.has(device)) found.push(`${device.name} has no talk with ${there?.name}`);
			continue;
		}
		const log = await everythingIn(device, chat);
		found.push(...doubled(device, log));
		const isHeard = (word: Word) =>
			log.some(({ id, body }) => id === word.id && body.kind === 'text');
		for (const word of inside.has(device) ? due : []) {
			if (inside.has(word.by) && !isHeard(word))
				found.push(`"${word.text}" is not on ${device.name}`);
		}
		for (const word of inside.has(device) ? [] : between) {
			if (word.isLast && isHeard(word))
				found.push(`${device.name} is out and hears "${word.text}"`);
		}
	}
	return found;
}
