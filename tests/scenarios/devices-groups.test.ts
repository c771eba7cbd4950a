// Several devices of one person in groups.
import { describe, expect, test } from 'vitest';
import type { DownFrame } from '../../src/protocol/frames.ts';
import type { Device } from '../support/world/device.ts';
import {
	foundBy,
	gapsIn,
	membersOf,
	smallGroup,
	stateOf,
	wordsIn,
	type TestGroup,
} from '../support/world/group-people.ts';
import { link } from '../support/world/own-devices.ts';
import { befriend, deliveryOf, say } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

/** Takes the state of the group off the disk of a device that is at rest. */
async function loseGroup(group: TestGroup, device: Device): Promise<void> {
	const [channel] =
		(await device.openStore().get('conversations', await group.chat(device)))?.channels ?? [];
	const shelf = device.disk.shelves.get('trees');
	expect(shelf?.rows.delete(channel ?? '')).toBe(true);
	if (shelf) shelf.sorted = undefined;
}

describe('DE-5 own devices in a group', () => {
	test('a second device is in it, counts as the same person, and both hear everything', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		const second = await link(world, ben, 'Ben 2');
		await world.pass(90_000, 5_000);
		expect(await stateOf(group, second)).toBe('open');
		const id = await group.say(second, 'from the second');
		await world.pass(5_000);
		await group.say(ana, 'to all');
		await world.pass(5_000);
		const all = ['from the second', 'to all'];
		for (const device of [ana, ben, cleo, second]) {
			expect(await wordsIn(group, device)).toEqual(all);
			expect(await membersOf(group, device)).toBe(await membersOf(group, ana));
		}
		expect(await deliveryOf(second, id as never)).toBe('delivered');
		expect(await deliveryOf(ben, id as never)).toBe('delivered');
		expect(world.notes).toEqual([]);
	});

	test('whoever is added comes with all devices, and is taken out with all', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ben, 'Ben 2');
		await world.pass(90_000, 5_000);
		const { account } = ben.identity;
		await group.want(ana, { kind: 'remove', account });
		await world.pass(20_000);
		for (const device of [ben, second]) expect(await stateOf(group, device)).toBe('removed');
		await group.want(ana, { kind: 'add', people: [account] });
		await world.pass(90_000, 5_000);
		await group.say(ana, 'welcome back');
		await world.pass(5_000);
		for (const device of [ben, second]) {
			expect(await stateOf(group, device)).toBe('open');
			expect(await wordsIn(group, device)).toEqual(['welcome back']);
		}
		expect(world.notes).toEqual([]);
	});

	test('a device that is removed is out of the group, and its person is not', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ana, 'Ana 2');
		await world.pass(90_000, 5_000);
		await ana.client.removeDevice(second.identity.device);
		await world.pass(30_000, 2_000);
		await group.say(ben, 'without it');
		await world.pass(5_000);
		expect(await wordsIn(group, ana)).toEqual(['without it']);
		expect(await wordsIn(group, second)).toEqual([]);
		expect(await membersOf(group, ben)).toBe('Ana owner, Ben member, Cleo member');
		expect(await stateOf(group, ana)).toBe('open');
	});

	test('CO-7 what only a device had that is out by now is said again', async () => {
		const { world, group, devices } = await smallGroup(2, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ana, 'Ana 2');
		await world.pass(90_000, 5_000);
		second.crash();
		await loseGroup(group, second);
		const id = await group.say(ben, 'heard by one of two');
		await world.pass(15_000);
		expect(await deliveryOf(ben, id as never)).toBe('delivered');
		ana.crash();
		await second.start();
		await second.client.removeDevice(ana.identity.device);
		await world.pass(60_000, 5_000);
		await group.say(ben, 'and then');
		await world.pass(6 * 60_000, 5_000);
		expect(await wordsIn(group, second)).toEqual(['heard by one of two', 'and then']);
		// Receipts of the one that is out stay unread: nobody knows any more that they were no words.
		expect(await gapsIn(group, second)).toMatchObject({ asked: 0 });
	});

	test('CO-7 what was said before somebody came is not said again', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		const { account } = cleo.identity;
		await group.want(ana, { kind: 'remove', account });
		const second = await link(world, ana, 'Ana 2');
		await world.pass(90_000, 5_000);
		second.crash();
		await loseGroup(group, second);
		await group.say(ben, 'not for Cleo');
		await world.pass(15_000);
		await group.want(ana, { kind: 'add', people: [account] });
		await world.pass(15_000);
		await second.start();
		await group.say(ben, 'for all');
		await world.pass(6 * 60_000, 5_000);
		expect(await wordsIn(group, second)).toEqual(['not for Cleo', 'for all']);
		expect(await wordsIn(group, cleo)).toEqual(['for all']);
	});

	test('a device that is removed asks nobody any more for what it could not open', async () => {
		const { world, group, devices } = await smallGroup(2, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ana, 'Ana 2');
		await world.pass(90_000, 5_000);
		second.crash();
		await group.say(ben, 'are you there?');
		await world.flush();
		await loseGroup(group, second);
		ben.crash();
		await second.start();
		await world.pass(60_000, 5_000);
		expect(await gapsIn(group, second)).toEqual({ asked: 1, lost: 0 });
		await ana.client.removeDevice(second.identity.device);
		await world.pass(30_000, 2_000);
		expect((await second.client.me())?.signedOut).toBeDefined();
		expect(await gapsIn(group, second)).toEqual({ asked: 0, lost: 1 });
	});

	test('who leaves leaves with all devices', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ben, 'Ben 2');
		await world.pass(90_000, 5_000);
		await group.want(second, { kind: 'leave', successor: undefined });
		await world.pass(60_000, 5_000);
		for (const device of [ben, second]) expect(await stateOf(group, device)).toBe('left');
		expect(await membersOf(group, ana)).toBe('Ana owner, Cleo member');
	});

	test('the last who leaves a group leaves it with all devices too', async () => {
		const { world, group, devices } = await smallGroup(2, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ana, 'Ana 2');
		await world.pass(90_000, 5_000);
		await group.want(ben, { kind: 'leave', successor: undefined });
		await world.pass(60_000, 5_000);
		await group.want(ana, { kind: 'leave', successor: undefined });
		await world.pass(60_000, 5_000);
		for (const device of [ana, second, ben]) expect(await stateOf(group, device)).toBe('left');
		expect(world.notes).toEqual([]);
	});

	test('DE-10 who is brought into a group later has what was said there before', async () => {
		const { world, group: hut, devices } = await smallGroup(2, { direct: false });
		const [ana, ben] = devices;
		const second = await link(world, ana, 'Ana 2');
		await world.pass(90_000, 5_000);
		// As if Ana did not know yet how to reach it.
		await ana.openStore().transact((tx) => {
			tx.delete('siblings', second.identity.device);
			return Promise.resolve();
		});
		const people = [ben.identity.account];
		const group = await foundBy(ana, { name: 'Cabin', people });
		await group.say(ana, 'before');
		await world.pass(5_000);
		await hut.say(second, 'anything new?');
		await second.client.setProfile({ name: 'Ana', picture: null });
		await world.pass(180_000, 5_000);
		await group.say(ben, 'after');
		await world.pass(5_000);
		for (const device of [ana, ben, second]) {
			expect(await wordsIn(group, device)).toEqual(['before', 'after']);
		}
	});
});

describe('DE-6 the ways to own devices', () => {
	/** The relay keeps what comes in this channel from a device, until `release`. */
	function holdBack({ wire }: Device, channel: string | undefined): { release(): void } {
		if (!wire) throw new Error('not connected');
		const held: DownFrame[] = [];
		let isHolding = true;
		wire.lie((frame) => {
			if (!isHolding) return [...held.splice(0), frame];
			if (frame.type !== 'deliver' || frame.channel !== channel) return frame;
			held.push(frame);
			return [];
		});
		return { release: () => void (isHolding = false) };
	}

	test('a new device learns them also from one that had heard of it elsewhere before', async () => {
		const world = new World({ seed: 4, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		const second = await link(world, ana.device, 'Ana 2');
		await world.pass(90_000, 5_000);
		const store = second.openStore();
		const self = (await store.get('me', 'only'))?.self ?? '';
		const channel = (await store.get('conversations', self))?.channels[0];
		const { release } = holdBack(second, channel);
		const third = await link(world, ana.device, 'Ana 3');
		await world.pass(10_000);
		expect((await store.get('me', 'only'))?.devices?.ids).toContain(third.identity.device);
		release();
		await say(ben, 'news for all of you');
		await world.pass(20_000);
		const known = await third.openStore().get('siblings', second.identity.device);
		expect(known?.entrance).toBeDefined();
	});
});
