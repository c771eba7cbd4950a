// What must be true of the simulated world: after each step, and in the end. Each broken rule is one line.
import type { Message } from '../../../src/core/model.ts';
import type { ChannelRow, ConversationRow } from '../../../src/core/records.ts';
import type { Run, Said } from './chaos-actions.ts';
import type { Device } from './device.ts';
import { chatWith, everythingIn } from './people.ts';

const RANK: Record<string, number> = { queued: 0, failed: 0, sent: 1, delivered: 2, read: 3 };

export function rowsOf<Row>(
	{ disk }: Device,
	store: 'channels' | 'conversations' | 'groups' | 'me',
): Row[] {
	return [...(disk.shelves.get(store)?.rows.values() ?? [])].map(({ value }) => value as Row);
}

export const countOf = ({ disk }: Device, store: 'messages' | 'carried' | 'parked' | 'outbox') =>
	disk.shelves.get(store)?.rows.size ?? 0;

/** Rules that hold at any time, and are cheap enough to look at after each step. */
export async function broken(run: Run): Promise<string[]> {
	const found: string[] = [];
	for (const { by, id, text } of run.said.slice(-20)) {
		const message = await by.client.message(id);
		const rank = RANK[message?.delivery.kind ?? ''] ?? -1;
		const before = run.highest.get(id) ?? 0;
		if (rank < before) found.push(`the delivery of "${text}" fell from ${before} to ${rank}`);
		run.highest.set(id, rank);
	}
	for (const device of run.world.devices) {
		if (countOf(device, 'messages') !== device.disk.places.size) {
			found.push(`${device.name} has a message under two keys`);
		}
		found.push(...strangers(run, device));
	}
	return found;
}

/** Channels whose messages would be sealed for a device that has no part in the conversation. */
function strangers({ world }: Run, device: Device): string[] {
	const conversations = new Map(
		rowsOf<ConversationRow>(device, 'conversations').map((row) => [row.id, row]),
	);
	return rowsOf<ChannelRow>(device, 'channels').flatMap(({ conversation, others }) => {
		const account = conversations.get(conversation)?.account;
		const owner = world.devices.find(({ identity }) => identity.account === account);
		const wrong = others.some((other) => other !== owner?.identity.device);
		return wrong ? [`${device.name} seals for a stranger`] : [];
	});
}

/** Rules that hold when everything is mended and time has passed. */
export async function complaints(run: Run): Promise<string[]> {
	const { world } = run;
	const found: string[] = [];
	for (const pair of run.pairs) found.push(...(await differences(...pair)));
	for (const each of run.said) found.push(...(await notArrived(each)));
	if (run.rivals) found.push(...(await rivalry(run.rivals)));
	for (const device of world.devices) found.push(...(await leftovers(device)));
	for (const [device, name] of run.names) found.push(...(await unknownName(run, device, name)));
	const waiting = world.relayDisk.waiting;
	if (waiting > 0) found.push(`${waiting} messages are left at the relay`);
	return found;
}

async function differences(a: Device, b: Device): Promise<string[]> {
	const found: string[] = [];
	const logs: string[] = [];
	for (const [own, other] of [
		[a, b],
		[b, a],
	] as const) {
		const chat = await chatWith(own, other);
		if (!chat) {
			found.push(`${own.name} has no conversation with ${other.name}`);
			continue;
		}
		const all = await everythingIn(own, chat);
		// Of the two who open one link the second is told of to its maker, and to nobody else (SPEC AD-8).
		const warnings = all.filter(isWarning);
		if (warnings.length > 1) found.push(`${own.name} is warned more than once`);
		const messages = all.filter((message) => !isWarning(message));
		logs.push(messages.map(({ id }) => id).join(' '));
		for (const { body } of messages) {
			if (body.kind !== 'text') found.push(`${own.name} shows ${body.kind} from ${other.name}`);
		}
		const row = await own.client.conversation(chat);
		if (row?.unread !== 0) found.push(`${own.name} counts ${row?.unread} unread`);
		const failed = messages.filter(({ delivery }) => delivery.kind === 'failed').length;
		if (row?.failed !== failed) found.push(`${own.name} counts ${row?.failed} failed`);
	}
	if (logs[0] !== logs[1]) found.push(`${a.name} and ${b.name} see different conversations`);
	return found;
}

const isWarning = ({ body }: Message) => body.kind === 'event' && body.event.kind === 'latecomer';

async function notArrived({ by, to, id, text }: Said): Promise<string[]> {
	const found: string[] = [];
	const sent = await by.client.message(id);
	const arrived = await to.client.message(id);
	if (sent?.body.kind !== 'text') found.push(`${by.name} lost "${text}"`);
	if (arrived?.body.kind !== 'text' || arrived.body.text !== text) {
		found.push(`"${text}" did not reach ${to.name}`);
	}
	if (sent?.delivery.kind !== 'read') {
		found.push(`"${text}" is ${sent?.delivery.kind ?? 'gone'} at ${by.name}`);
	}
	return found;
}

/** Of two who opened one one-time link, one is through, and the other knows that the link was used. */
async function rivalry(rivals: readonly Said[]): Promise<string[]> {
	const found: string[] = [];
	let through = 0;
	for (const rival of rivals) {
		const { delivery } = (await rival.by.client.message(rival.id)) ?? {};
		const known = await chatWith(rival.to, rival.by);
		if (delivery?.kind === 'failed') {
			if (delivery.reason !== 'address-used') found.push(`a rival is told ${delivery.reason}`);
			if (known) found.push('the owner of a link knows the one who came second');
		} else {
			through++;
			found.push(...(await notArrived(rival)), ...(await differences(rival.by, rival.to)));
		}
	}
	if (through !== 1) found.push(`${through} people came through a one-time link`);
	return found;
}

async function leftovers(device: Device): Promise<string[]> {
	const found: string[] = [];
	for (const store of ['outbox', 'parked', 'carried'] as const) {
		const left = countOf(device, store);
		if (left > 0) found.push(`${left} rows are left in ${store} of ${device.name}`);
	}
	for (const invite of await device.client.invites()) {
		if (invite.state === 'pending') found.push(`a link of ${device.name} stays pending`);
	}
	return found;
}

async function unknownName({ pairs }: Run, device: Device, name: string): Promise<string[]> {
	const found: string[] = [];
	for (const [a, b] of pairs.filter((pair) => pair.includes(device))) {
		const contact = a === device ? b : a;
		const chat = await chatWith(contact, device);
		const row = chat && (await contact.client.conversation(chat));
		const shown = row?.subject.kind === 'person' ? row.subject.person.profile.name : undefined;
		if (shown !== name) found.push(`${contact.name} knows ${name} as ${shown}`);
	}
	return found;
}
