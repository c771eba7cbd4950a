import { expect, test } from 'vitest';
import { World } from '../support/world/world.ts';
import { befriend, textsOf } from '../support/world/people.ts';

test('the first message waits sealed for an inviter who is away', async () => {
	const world = new World({ seed: 1 });
	const ana = await world.addDevice('Ana');
	const invite = await ana.client.createInvite({ kind: 'one-time' });
	await world.flush();
	ana.crash();
	const ben = await world.addDevice('Ben');
	const accepted = await ben.client.acceptInvite(invite.fragment);
	if (!accepted.ok)
		throw new Error(JSON.stringify([accepted.error, world.notes, await ana.client.invites()]));
	await ben.client.send(accepted.value, 'hello Ana');
	await world.flush();
	await ana.start();
	await world.flush();
	const [chat] = (await ana.client.conversations()).filter(
		({ subject }) => subject.kind === 'person',
	);
	expect(chat && (await textsOf(ana, chat.id))).toEqual(['hello Ana']);
	expect(chat?.subject).toMatchObject({ person: { profile: { name: 'Ben' } } });
	const { messages } = await ben.client.messages(accepted.value, { at: 'end', limit: 10 });
	expect(messages.map(({ delivery }) => delivery.kind)).toEqual(['delivered']);
	expect((await ana.client.invites()).map(({ state }) => state)).toEqual(['used']);
});

test('two people talk, and both see the same', async () => {
	const world = new World({ seed: 2 });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	for (let turn = 0; turn < 5; turn++) {
		await ana.device.client.send(ana.chat, `a${turn}`);
		await ben.device.client.send(ben.chat, `b${turn}`);
		await world.flush();
	}
	await world.pass(5_000);
	const texts = await textsOf(ana.device, ana.chat);
	expect(texts).toHaveLength(11);
	expect(await textsOf(ben.device, ben.chat)).toEqual(texts);
	expect(world.relayDisk.waiting).toBe(0);
	expect(world.notes).toEqual([]);
});

test('CH-9 whoever lost a channel founds the next generation, and both send on it', async () => {
	const world = new World({ seed: 3 });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await ben.device.client.send(ben.chat, 'before');
	await world.flush();
	ana.device.crash();
	const trees = ana.device.disk.shelves.get('trees');
	trees?.rows.clear();
	if (trees) trees.sorted = undefined;
	await ben.device.client.send(ben.chat, 'into the lost channel');
	await world.flush();
	await ana.device.start();
	await world.pass(60_000, 5_000);
	await ana.device.client.send(ana.chat, 'after');
	await world.pass(5_000);
	const texts = await textsOf(ana.device, ana.chat);
	expect(texts).toEqual(['hello from Ben', 'before', 'into the lost channel', 'after']);
	expect(await textsOf(ben.device, ben.chat)).toEqual(texts);
	for (const { device, chat } of [ana, ben]) {
		const conversation = await device.openStore().get('conversations', chat);
		expect(conversation?.generation).toBe(1);
	}
});
