// Several devices of one person in groups.
import { describe, expect, test } from 'vitest';
import { membersOf, smallGroup, stateOf, wordsIn } from '../support/world/group-people.ts';
import { link } from '../support/world/own-devices.ts';
import { deliveryOf } from '../support/world/people.ts';

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
});
