// Mentions: who is told of what, whatever happens to the message and to the group.
import { describe, expect, test } from 'vitest';
import { newsOf } from '../../src/core/hosts/news.ts';
import type { Conversation, Mention, MessageBody, Written } from '../../src/core/model.ts';
import { nextOrder, positionOf } from '../../src/core/positions.ts';
import { outboxKey } from '../../src/core/records.ts';
import { addMessage } from '../../src/core/threads.ts';
import { idFrom, type MessageId } from '../../src/protocol/ids.ts';
import type { Device } from '../support/world/device.ts';
import { logOf, smallGroup, textsIn, type TestGroup } from '../support/world/group-people.ts';
import { chatWith, connect } from '../support/world/people.ts';

/** A text in which `@Ben` mentions the device of that name, each time it is there. */
function mentioning(text: string, ...people: readonly Device[]): Written {
	const mentions = people.flatMap((device) => {
		return [...text.matchAll(new RegExp(`@${device.name}`, 'gu'))].map(({ index }) => {
			return mentionOf(device, index, device.name.length + 1);
		});
	});
	return { text, mentions: mentions.sort((a, b) => a.at - b.at) };
}

function mentionOf({ identity }: Device, at: number, length: number): Mention {
	return { account: identity.account, at, length };
}

async function chatOf(group: TestGroup, device: Device): Promise<Conversation> {
	const found = await device.client.conversation(await group.chat(device));
	if (!found) throw new Error('no conversation');
	return found;
}

/** How many unread mentions the list shows, and how many unread messages. */
async function countsOf(group: TestGroup, device: Device): Promise<[number, number]> {
	const { mentions, unread } = await chatOf(group, device);
	return [mentions.length, unread];
}

/** Who is mentioned in the newest text, as this device has it. */
async function namedIn(group: TestGroup, device: Device, among: readonly Device[]) {
	const page = await device.client.messages(await group.chat(device), { at: 'end', limit: 9 });
	const body = page.messages.map((each) => each.body).findLast(({ kind }) => kind === 'text');
	if (body?.kind !== 'text') throw new Error('nobody said anything');
	return (body.mentions ?? []).map(({ account }) => {
		return among.find(({ identity }) => identity.account === account)?.name;
	});
}

async function readAll(group: TestGroup, device: Device): Promise<void> {
	const { id, last } = await chatOf(group, device);
	await device.client.markRead(id, last?.position ?? '');
}

/** What would be told outside the app. */
async function toldTo(group: TestGroup, device: Device) {
	const news = await newsOf(device.openStore(), [await chatOf(group, device)], 5);
	return news.map(({ mention }) => mention ?? 'news');
}

/** Says what no honest client would take. */
async function sayRaw(group: TestGroup, device: Device, body: MessageBody): Promise<void> {
	const id = idFrom<MessageId>(new Uint8Array(16).fill(99));
	const conversation = await group.chat(device);
	await device.openStore().transact(async (tx) => {
		const row = await tx.get('conversations', conversation);
		const position = positionOf(nextOrder(row?.highest ?? '', 0), id);
		await addMessage(tx, {
			...{ id, conversation, position, body, mine: true, sent: 1, received: 1 },
			...{ author: device.identity.account, device: device.identity.device },
			...{ delivery: { kind: 'queued' }, carrier: undefined },
		});
		const waiting = { kind: 'text', sealed: undefined, replaces: undefined } as const;
		tx.put('outbox', outboxKey.text(conversation, position), waiting);
	});
}

test('CO-10 a mention counts for whom it names, once per message, until it is read', async () => {
	const { world, group, devices } = await smallGroup(3);
	const [ana, ben, cleo] = devices;
	await group.say(ana, mentioning('@Ben, are you there, @Ben?', ben));
	await group.say(ana, 'anybody?');
	await world.pass(5_000);
	await group.say(cleo, mentioning('@Ana @Ben hm', ana, ben));
	await world.pass(5_000);
	expect(await countsOf(group, ben)).toEqual([2, 3]);
	expect(await countsOf(group, cleo)).toEqual([0, 2]);
	expect(await countsOf(group, ana)).toEqual([1, 1]);
	expect(await namedIn(group, ben, devices)).toEqual(['Ana', 'Ben']);
	// Reading goes to a place: what comes after it stays.
	const [first] = (await chatOf(group, ben)).mentions;
	await ben.client.markRead(await group.chat(ben), first ?? '');
	expect(await countsOf(group, ben)).toEqual([1, 2]);
	await readAll(group, ben);
	expect(await countsOf(group, ben)).toEqual([0, 0]);
	expect(world.notes).toEqual([]);
});

test('who mentions themselves is not told', async () => {
	const { world, group, devices } = await smallGroup(3);
	const [ana, ben] = devices;
	await group.say(ben, mentioning('@Ben does it', ben));
	await world.pass(5_000);
	expect(await countsOf(group, ben)).toEqual([0, 0]);
	expect(await countsOf(group, ana)).toEqual([0, 1]);
	expect(await namedIn(group, ana, devices)).toEqual(['Ben']);
});

test('BL-6 who is blocked mentions nobody, nor comes through mute', async () => {
	const { world, group, devices } = await smallGroup(3);
	const [ana, ben, cleo] = devices;
	await cleo.client.setBlocked(ben.identity.account, true);
	await cleo.client.setFlags(await group.chat(cleo), { muted: true, archived: true });
	await group.say(ben, mentioning('@Cleo hey', cleo));
	await world.pass(10_000);
	expect(await countsOf(group, cleo)).toEqual([0, 0]);
	expect(await toldTo(group, cleo)).toEqual([]);
	expect(await chatOf(group, cleo)).toMatchObject({ archived: true });
	expect(await namedIn(group, cleo, devices)).toEqual(['Cleo']);
	await group.say(ana, mentioning('@Cleo look', cleo));
	await world.pass(10_000);
	expect(await countsOf(group, cleo)).toEqual([1, 1]);
	expect(await toldTo(group, cleo)).toEqual([{ by: 'Ana', text: '@Cleo look' }]);
});

test('CO-12 through mute comes a mention, and nothing else', async () => {
	const { world, group, devices } = await smallGroup(3);
	const [ana, ben] = devices;
	await ben.client.setFlags(await group.chat(ben), { muted: true, archived: true });
	await group.say(ana, 'noise');
	await world.pass(5_000);
	expect(await toldTo(group, ben)).toEqual([]);
	expect((await chatOf(group, ben)).archived).toBe(true);
	await group.say(ana, mentioning('@Ben, it is on fire', ben));
	await group.say(ana, 'more noise');
	await world.pass(5_000);
	expect(await toldTo(group, ben)).toEqual([{ by: 'Ana', text: '@Ben, it is on fire' }]);
	expect((await chatOf(group, ben)).archived).toBe(false);
	await readAll(group, ben);
	await group.say(ana, 'noise again');
	await world.pass(5_000);
	expect(await toldTo(group, ben)).toEqual([]);
	// Where it is not muted the newest is told, and a mention where that is the newest.
	await ben.client.setFlags(await group.chat(ben), { muted: false });
	expect(await toldTo(group, ben)).toEqual(['news']);
	await group.say(ana, mentioning('well, @Ben?', ben));
	await world.pass(5_000);
	expect(await toldTo(group, ben)).toEqual([{ by: 'Ana', text: 'well, @Ben?' }]);
});

describe('CO-11 somebody who is not in the group', () => {
	test('is not mentioned by who knows it, nor by who does not know it yet', async () => {
		const { world, group, devices } = await smallGroup(4, { direct: false });
		const [ana, ben, cleo, dov] = devices;
		await group.say(ben, mentioning('@Cleo stays', cleo));
		await world.pass(5_000);
		ben.offline = true;
		ben.wire?.cut();
		await group.say(ben, mentioning('@Cleo and @Dov?', cleo, dov));
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(5_000);
		ben.offline = false;
		await world.pass(60_000, 5_000);
		for (const device of [ana, dov]) {
			expect((await textsIn(group, device)).at(-1)).toBe('@Cleo and @Dov?');
			expect(await namedIn(group, device, devices)).toEqual(['Dov']);
		}
		await group.say(ana, mentioning('no @Cleo, no @Dov', cleo, dov));
		expect(await namedIn(group, ana, devices)).toEqual(['Dov']);
		await world.pass(5_000);
		expect(await countsOf(group, dov)).toEqual([2, 3]);
		expect(await countsOf(group, cleo)).toEqual([1, 1]);
	});

	test('is nobody at all between two people', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben] = devices;
		const chat = await chatWith(ana, ben);
		const alone: TestGroup = {
			...group,
			chat: async (device) => (device === ana ? chat : await chatWith(ben, ana)) ?? ('' as never),
		};
		const { text, mentions } = mentioning('@Ben?', ben);
		await ana.client.send(chat ?? ('' as never), { text, mentions });
		expect(await namedIn(alone, ana, devices)).toEqual([]);
		await sayRaw(alone, ana, { kind: 'text', text, replyTo: undefined, mentions });
		await world.pass(5_000);
		expect((await textsIn(alone, ben)).filter((each) => each === text)).toHaveLength(2);
		expect(await namedIn(alone, ben, devices)).toEqual([]);
		expect((await chatOf(alone, ben)).mentions).toEqual([]);
	});
});

test.each<[string, (ben: Device) => readonly Mention[]]>([
	['beyond the end', (ben) => [mentionOf(ben, 0, 90)]],
	['overlapping', (ben) => [mentionOf(ben, 0, 4), mentionOf(ben, 2, 4)]],
	['inside a surrogate pair', (ben) => [mentionOf(ben, 0, 4), mentionOf(ben, 5, 2)]],
	['more than there may be', (ben) => Array.from({ length: 40 }, () => mentionOf(ben, 0, 4))],
	['no numbers', (ben) => [mentionOf(ben, 'x' as never, 4)]],
])('CO-11 hostile ranges lose nothing of the text: %s', async (_name, mentionsOf) => {
	const { world, group, devices } = await smallGroup(3);
	const [ana, ben] = devices;
	const text = '@Ben @🦊 look';
	await sayRaw(group, ana, {
		...{ kind: 'text', text, replyTo: undefined },
		mentions: mentionsOf(ben),
	});
	await world.pass(5_000);
	expect(await logOf(group, ben)).toEqual(['[group-created]', text]);
	expect(await countsOf(group, ben)).toEqual([0, 1]);
	expect(await namedIn(group, ben, devices)).toEqual([]);
});

test('a mention in a message that had to be repaired counts once it is there', async () => {
	const { world, group, devices } = await smallGroup(3, { direct: false });
	const [ana, ben] = devices;
	ben.crash();
	await group.say(ana, mentioning('garbled, @Ben', ben));
	await world.flush();
	const waiting = world.relayDisk.mailboxes.get(ben.identity.device) ?? [];
	// What Cleo says to it comes after it.
	expect(waiting).toHaveLength(2);
	const garbled = waiting.map((row, at) => {
		if (at > 0) return row;
		const body = row.message.body.slice();
		body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
		return { ...row, message: { ...row.message, body } };
	});
	world.relayDisk.mailboxes.set(ben.identity.device, garbled);
	await ben.start();
	await world.pass(60_000, 5_000);
	await group.say(ana, 'after');
	await world.pass(120_000, 5_000);
	expect((await textsIn(group, ben)).toSorted()).toEqual(['after', 'garbled, @Ben']);
	expect(await countsOf(group, ben)).toEqual([1, 2]);
});

test('CO-3 a mention that comes twice counts once, also when it was read in between', async () => {
	const { world, group, devices } = await smallGroup(3, { direct: false });
	const [ana, ben] = devices;
	await group.say(ana, mentioning('twice, @Ben', ben));
	await world.settled();
	for (let steps = 0; world.allWires().some((wire) => wire.waiting); steps++) {
		for (const wire of world.allWires()) wire.step(steps % 2 === 0, true);
		await world.settled();
	}
	expect(await textsIn(group, ben)).toEqual(['twice, @Ben']);
	expect(await countsOf(group, ben)).toEqual([1, 1]);
	await readAll(group, ben);
	// Sealed anew, as for a repair.
	const store = ana.openStore();
	const { last } = await chatOf(group, ana);
	const key = outboxKey.text(await group.chat(ana), last?.position ?? '');
	await store.transact((tx) => {
		tx.put('outbox', key, { kind: 'text', sealed: undefined, replaces: undefined });
		return Promise.resolve();
	});
	await world.pass(20_000);
	expect(await countsOf(group, ben)).toEqual([0, 0]);
});

test('one that sorts before what was read already counts until the next reading', async () => {
	const { world, group, devices } = await smallGroup(3, { direct: false });
	const [ana, ben, cleo] = devices;
	ana.offline = true;
	ana.wire?.cut();
	await group.say(ana, mentioning('from the tunnel, @Ben', ben));
	await world.pass(60_000, 10_000);
	await group.say(cleo, 'later');
	await world.pass(5_000);
	await readAll(group, ben);
	ana.offline = false;
	await world.pass(60_000, 5_000);
	expect(await textsIn(group, ben)).toEqual(['from the tunnel, @Ben', 'later']);
	expect(await countsOf(group, ben)).toEqual([1, 1]);
	await readAll(group, ben);
	expect(await countsOf(group, ben)).toEqual([0, 0]);
});

test('whoever is met only here is told of as well', async () => {
	const { world, group, devices } = await smallGroup(2);
	const [ana, ben] = devices;
	const dov = await world.addDevice('Dov');
	await connect(world, ana, dov);
	await group.want(ana, { kind: 'add', people: [dov.identity.account] });
	await world.pass(20_000);
	await ben.client.setFlags(await group.chat(ben), { muted: true });
	await group.say(dov, mentioning('hi @Ben', ben));
	await world.pass(5_000);
	expect(await toldTo(group, ben)).toEqual([{ by: 'Dov', text: 'hi @Ben' }]);
});
