// Several devices of one person.
import { describe, expect, test } from 'vitest';
import type { MessageId } from '../../src/core/model.ts';
import { link } from '../support/world/own-devices.ts';
import { befriend, chatWith, connect, deliveryOf, say, textsOf } from '../support/world/people.ts';
import type { Device } from '../support/world/device.ts';
import { World } from '../support/world/world.ts';

async function meet(own: Device, other: Device) {
	const chat = await chatWith(own, other);
	if (!chat) throw new Error(`${own.name} does not know ${other.name}`);
	return { device: own, chat };
}

async function wordsOf(device: Device, chat: Parameters<typeof textsOf>[1]): Promise<string[]> {
	return (await textsOf(device, chat)).filter((text) => text !== 'event');
}

/** As of one that is too old to be said again. */
async function forgetSending(device: Device, id: MessageId): Promise<void> {
	await device.openStore().transact(async (tx) => {
		const key = (await tx.locate(id)) ?? '';
		const row = await tx.get('messages', key);
		if (row) tx.put('messages', key, { ...row, carrier: undefined });
	});
}

/** The relay loses the next message for this device: under its number comes something that is known already. */
async function loseNext(device: Device): Promise<void> {
	const { name, wire } = device;
	const pages = await device.openStore().list('heard', { prefix: '', limit: 99 });
	const known = new Map(pages.map(({ key, value }) => [key.split('/')[0], value.envelopes.at(-1)]));
	if (!wire || known.size === 0) throw new Error(`${name} has heard of nothing`);
	let isNext = true;
	wire.lie((frame) => {
		if (!isNext || frame.type !== 'deliver' || frame.kind !== 'message') return frame;
		isNext = false;
		return { ...frame, envelope: known.get(frame.channel) ?? frame.envelope };
	});
}

function unplug(device: Device): void {
	device.offline = true;
	device.wire?.cut();
}

describe('linking', () => {
	test('a second device is in every conversation, and both speak for the person', async () => {
		const world = new World({ seed: 1, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		expect(second.identity.account).toBe(ana.device.identity.account);
		expect((await second.client.devices()).map(({ name }) => name)).toEqual(['Ana', 'Ana 2']);
		const other = await meet(second, ben.device);
		await say(ana, 'from the first');
		await world.flush();
		const id = await say(other, 'from the second');
		await world.flush();
		await say(ben, 'to both');
		await world.pass(20_000);
		const all = ['hello from Ben', 'from the first', 'from the second', 'to both'];
		expect(await wordsOf(ben.device, ben.chat)).toEqual(all);
		expect(await wordsOf(ana.device, ana.chat)).toEqual(all);
		expect(await wordsOf(second, other.chat)).toEqual(expect.arrayContaining(all.slice(1)));
		expect(await deliveryOf(second, id)).toBe('delivered');
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
		expect(world.notes).toEqual([]);
	});
});

describe('history', () => {
	test('DE-10 all of it comes, newest first, and what was here before is not doubled', async () => {
		const world = new World({ seed: 2, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const cleo = await world.addDevice('Cleo');
		const [withCleo] = await connect(world, ana.device, cleo);
		for (let count = 0; count < 700; count++) await say(ana, `to Ben ${count}`);
		await say({ device: ana.device, chat: withCleo.chat }, 'to Cleo');
		await world.pass(30_000, 5_000);
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(30_000, 2_000);
		expect(await second.client.transfer()).toMatchObject({ complete: true });
		const other = await meet(second, ben.device);
		expect(await wordsOf(second, other.chat)).toEqual(await wordsOf(ana.device, ana.chat));
		expect(await chatWith(second, cleo)).toBeDefined();
		expect(world.notes).toEqual([]);
	});
});

describe('what one device of somebody has', () => {
	test('DE-12 the others are sent as well, where another channel takes over before the relay had it', async () => {
		const world = new World({ seed: 7 });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ben.device, 'Ben 2');
		await world.pass(90_000, 5_000);
		// Directly it comes to the first of Ben's devices alone, and nothing to the relay.
		const wire = world.air.between(ana.device.identity.device, second.identity.device);
		if (!wire) throw new Error('there is no direct link');
		wire.hang();
		unplug(ana.device);
		const id = await say(ana, 'to all of you');
		await world.pass(1_500, 500);
		expect(await wordsOf(ben.device, ben.chat)).toContain('to all of you');
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
		await link(world, ben.device, 'Ben 3');
		ana.device.offline = false;
		await world.pass(60_000, 5_000);
		const there = await meet(second, ana.device);
		expect(await wordsOf(second, there.chat)).toContain('to all of you');
		expect(await wordsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'to all of you']);
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
	});
	test('DE-12 what only a device had that is away now is said again by its sender', async () => {
		const world = new World({ seed: 11, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ben.device, 'Ben 2');
		await world.pass(90_000, 5_000);
		await loseNext(second);
		const id = await say(ana, 'heard by one');
		await world.pass(2_000, 500);
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
		ben.device.crash();
		await say(ana, 'heard by the other');
		await world.pass(120_000, 5_000);
		const { chat } = await meet(second, ana.device);
		const all = ['hello from Ben', 'heard by one', 'heard by the other'];
		expect(await wordsOf(second, chat)).toEqual(all);
		const known = await ana.device.openStore().list('carried', { prefix: '', limit: 10 });
		expect(known).toEqual([]);
	});

	test('DE-12 what two devices missed comes from the third, whichever that is', async () => {
		const world = new World({ seed: 8, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ben.device, 'Ben 2');
		const third = await link(world, ben.device, 'Ben 3');
		await world.pass(90_000, 5_000);
		for (const device of [ben.device, second]) await loseNext(device);
		const id = await say(ana, 'heard by one');
		await world.pass(2_000, 500);
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
		await forgetSending(ana.device, id);
		await say(ana, 'heard by all');
		await world.pass(120_000, 5_000);
		for (const device of [ben.device, second, third]) {
			const { chat } = await meet(device, ana.device);
			const words = await wordsOf(device, chat);
			expect(words).toEqual(['hello from Ben', 'heard by one', 'heard by all']);
			expect(await device.openStore().get('transfer', 'only')).toMatchObject({ queue: [] });
		}
	});

	test('DE-12 what was missing when another channel took over comes from a device that has it', async () => {
		const world = new World({ seed: 9, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ben.device, 'Ben 2');
		await world.pass(90_000, 5_000);
		await loseNext(second);
		await say(ana, 'heard by one');
		await world.flush();
		await say(ana, 'heard by all');
		await world.flush();
		await link(world, ben.device, 'Ben 3');
		await world.pass(90_000, 5_000);
		const { chat } = await meet(second, ana.device);
		const words = await wordsOf(second, chat);
		expect(words).toEqual(['hello from Ben', 'heard by one', 'heard by all']);
	});
	test('DE-12 who is away answers later, whoever has been asked meanwhile', async () => {
		const world = new World({ seed: 10, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const siblings = [
			await link(world, ben.device, 'Ben 2'),
			await link(world, ben.device, 'Ben 3'),
		];
		await world.pass(90_000, 5_000);
		await loseNext(ben.device);
		const id = await say(ana, 'not heard by the first');
		await world.pass(2_000, 500);
		await forgetSending(ana.device, id);
		for (const device of siblings) unplug(device);
		await say(ana, 'heard by all');
		await world.pass(4 * 60_000, 5_000);
		const asked = (await ben.device.openStore().get('transfer', 'only'))?.from;
		const other = siblings.find(({ identity }) => identity.device !== asked);
		if (!other) throw new Error('both were asked at once');
		unplug(ben.device);
		other.offline = false;
		await world.pass(60_000, 5_000);
		unplug(other);
		ben.device.offline = false;
		await world.pass(20_000, 5_000);
		const words = await wordsOf(ben.device, ben.chat);
		expect(words).toEqual(['hello from Ben', 'not heard by the first', 'heard by all']);
		expect(await ben.device.client.transfer()).toMatchObject({ complete: true });
	});
});

describe('agreement', () => {
	test('DE-11 reading, flags, drafts, settings, notes and the own name agree', async () => {
		const world = new World({ seed: 3, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		const other = await meet(second, ben.device);
		await say(ben, 'news');
		await world.pass(5_000);
		expect((await second.client.conversation(other.chat))?.unread).toBe(2);
		const last = (await ana.device.client.conversation(ana.chat))?.last;
		await ana.device.client.markRead(ana.chat, last?.position ?? '');
		await ana.device.client.setFlags(ana.chat, { pinned: true, muted: true });
		await world.pass(2_000, 500);
		expect(await second.client.conversation(other.chat)).toMatchObject({
			...{ unread: 0, pinned: true, muted: true },
		});
		await second.client.setFlags(other.chat, { pinned: false });
		await second.client.saveDraft(other.chat, 'half a thought');
		await second.client.setBlocked(ben.device.identity.account, true);
		await second.client.changeSettings({ readReceipts: false });
		await second.client.setProfile({ name: 'Ana Maria', picture: null });
		const notes = (await second.client.conversations()).find(
			({ subject }) => subject.kind === 'notes',
		);
		await second.client.send(notes?.id ?? ana.chat, 'a note');
		await world.pass(5_000, 500);
		expect(await ana.device.client.conversation(ana.chat)).toMatchObject({
			...{ pinned: false, muted: true, draft: 'half a thought' },
		});
		expect((await ana.device.client.settings()).readReceipts).toBe(false);
		expect(await ana.device.client.blocked()).toHaveLength(1);
		await ana.device.client.setBlocked(ben.device.identity.account, false);
		await world.pass(5_000, 500);
		expect(await second.client.blocked()).toEqual([]);
		expect((await ana.device.client.me())?.profile.name).toBe('Ana Maria');
		const own = (await ana.device.client.conversations()).find(
			({ subject }) => subject.kind === 'notes',
		);
		expect(await textsOf(ana.device, own?.id ?? ana.chat)).toEqual(['a note']);
		expect((await ana.device.client.conversations()).length).toBe(2);
		expect(world.notes).toEqual([]);
	});

	test('DE-11 who was verified on one is verified on all, and so it is when that is taken back', async () => {
		const world = new World({ seed: 3, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const { account } = ben.device.identity;
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		const markOn = async (device: Device) =>
			(await device.client.contacts()).find((each) => each.account === account)?.verification;
		const before = await markOn(second);
		await ana.device.client.markVerified(account, true);
		await world.pass(5_000, 500);
		expect(before).toEqual({ kind: 'unverified' });
		expect(await markOn(second)).toMatchObject({ kind: 'verified', how: 'compared' });
		await second.client.markVerified(account, false);
		await world.pass(5_000, 500);
		for (const device of [ana.device, second]) {
			expect(await markOn(device)).toEqual({ kind: 'unverified' });
		}
		// Whoever was away hears the last word, and says nothing of before.
		second.crash();
		await ana.device.client.markVerified(account, true);
		await ana.device.client.markVerified(account, false);
		await ana.device.client.markVerified(account, true);
		await world.pass(5_000, 500);
		await second.start();
		await world.pass(5_000, 500);
		for (const device of [ana.device, second]) {
			expect(await markOn(device)).toMatchObject({ kind: 'verified' });
		}
		const third = await link(world, second, 'Ana 3');
		await world.pass(30_000, 5_000);
		for (const device of [ana.device, second, third]) {
			expect(await markOn(device)).toMatchObject({ kind: 'verified' });
		}
	});

	test('DE-11 the later word about a person counts, also where the clock is slow', async () => {
		const world = new World({ seed: 3, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		const { account } = ben.device.identity;
		ana.device.skew = 600_000;
		await ana.device.client.setBlocked(account, true);
		await world.pass(5_000, 500);
		expect(await second.client.blocked()).toHaveLength(1);
		await second.client.setBlocked(account, false);
		await world.pass(5_000, 500);
		expect(await ana.device.client.blocked()).toEqual([]);
	});
});

describe('removing', () => {
	test('DE-7 a device that is removed gets nothing more, and says so when it is opened', async () => {
		const world = new World({ seed: 4, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		second.crash();
		await ana.device.client.removeDevice(second.identity.device);
		await world.pass(20_000);
		await say(ana, 'after the removal');
		await say(ben, 'answer');
		await world.pass(5_000);
		await second.start();
		await world.pass(10_000);
		expect((await second.client.me())?.signedOut).toBeDefined();
		const other = await meet(second, ben.device);
		expect(await wordsOf(second, other.chat)).not.toContain('after the removal');
		expect(await wordsOf(second, other.chat)).not.toContain('answer');
		expect(await second.client.send(other.chat, 'still me')).toMatchObject({ ok: false });
		expect((await ana.device.client.devices()).map(({ name }) => name)).toEqual(['Ana']);
		expect(await textsOf(ben.device, ben.chat)).toEqual([
			...['hello from Ben', 'event', 'event', 'after the removal', 'answer'],
		]);
	});
});

describe('one outcome', () => {
	test('DE-6 two devices remove each other: one of them stays, everywhere', async () => {
		const world = new World({ seed: 5, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		await ana.device.client.removeDevice(second.identity.device);
		await second.client.removeDevice(ana.device.identity.device);
		await world.pass(90_000, 2_000);
		const out = [];
		for (const device of [ana.device, second]) {
			if ((await device.client.me())?.signedOut !== undefined) out.push(device);
		}
		expect(out).toHaveLength(1);
		const stays = out[0] === second ? ana.device : second;
		expect(await stays.client.devices()).toHaveLength(1);
		const here = await meet(stays, ben.device);
		await say(here, 'I stayed');
		await say(ben, 'good');
		await world.pass(20_000);
		expect(await wordsOf(ben.device, ben.chat)).toEqual(expect.arrayContaining(['I stayed']));
		expect(await wordsOf(stays, here.chat)).toContain('good');
	});

	test('DE-6 two devices link another at once: both come in', async () => {
		const world = new World({ seed: 6, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		const fresh = [world.addBlank('Ana 3'), world.addBlank('Ana 4')];
		for (const [index, device] of fresh.entries()) {
			const linking = await device.client.linkThisDevice();
			await (index === 0 ? ana.device : second).client.linkDevice(linking.fragment);
		}
		await world.flush();
		await world.pass(6_000);
		for (const device of fresh) await device.start();
		await world.pass(200_000, 5_000);
		const all = [ana.device, second, ...fresh];
		for (const device of all) expect(await device.client.devices()).toHaveLength(4);
		await say(ben, 'to four');
		await world.pass(10_000);
		for (const device of all) {
			const { chat } = await meet(device, ben.device);
			expect(await wordsOf(device, chat)).toContain('to four');
			await say({ device, chat }, `from ${device.name}`);
		}
		await world.pass(10_000);
		const words = await wordsOf(ben.device, ben.chat);
		expect(words).toEqual(expect.arrayContaining(all.map(({ name }) => `from ${name}`)));
	});

	test.each(Array.from({ length: 24 }, (_, at) => at))(
		'DE-9 killed at commit %i of linking, either of them, it goes on',
		async (at) => {
			const world = new World({ seed: 40 + at, direct: false });
			const [ana, ben] = await befriend(world, 'Ana', 'Ben');
			const fresh = world.addBlank('Ana 2');
			const linking = await fresh.client.linkThisDevice();
			const victim = at % 2 === 0 ? ana.device : fresh;
			const point = { commitsLeft: Math.floor(at / 2), made: at % 3 === 0 };
			if (victim === ana.device) victim.crash(point);
			await ana.device.client.linkDevice(linking.fragment);
			await world.pass(6_000);
			if (!ana.device.running) await ana.device.start();
			await world.pass(6_000);
			await linking.done;
			await fresh.start();
			if (victim === fresh) fresh.crash(point);
			await world.pass(10_000);
			for (const device of [ana.device, fresh]) {
				device.spare();
				if (!device.running) await device.start();
			}
			await world.pass(200_000, 5_000);
			const other = await meet(fresh, ben.device);
			await say(other, 'here');
			await say(ben, 'there');
			await world.pass(10_000);
			expect(await wordsOf(ben.device, ben.chat)).toContain('here');
			expect(await wordsOf(ana.device, ana.chat)).toEqual(await wordsOf(fresh, other.chat));
			expect(await fresh.client.transfer()).toMatchObject({ complete: true });
		},
	);

	test('a device that lost what it knew of a channel or of the own group comes back', async () => {
		for (const which of ['person', 'own']) {
			const world = new World({ seed: 7, direct: false });
			const [ana, ben] = await befriend(world, 'Ana', 'Ben');
			const second = await link(world, ana.device, 'Ana 2');
			await world.pass(90_000, 5_000);
			second.crash();
			const store = second.openStore();
			const rows = await store.list('conversations', { prefix: '', limit: 100 });
			const lost = rows.find(({ value }) => (which === 'own' ? value.hidden : value.account));
			const shelf = second.disk.shelves.get('trees');
			expect(shelf?.rows.delete(lost?.value.channels[0] ?? '')).toBe(true);
			if (shelf) shelf.sorted = undefined;
			await say(ben, 'meanwhile');
			await world.pass(5_000);
			await second.start();
			await world.pass(120_000, 5_000);
			const other = await meet(second, ben.device);
			expect(await wordsOf(second, other.chat)).toContain('meanwhile');
			await ana.device.client.setFlags(ana.chat, { pinned: true });
			await say(other, 'back');
			await world.pass(10_000);
			expect(await second.client.conversation(other.chat)).toMatchObject({ pinned: true });
			expect(await wordsOf(ana.device, ana.chat)).toContain('back');
		}
	});
});
