// Groups, told as stories.
import { describe, expect, test } from 'vitest';
import type { Address, MessageId } from '../../src/protocol/ids.ts';
import type { Device } from '../support/world/device.ts';
import {
	logOf,
	membersOf,
	nameOf,
	smallGroup,
	stateOf,
	textsIn,
} from '../support/world/group-people.ts';
import { connect } from '../support/world/people.ts';

test('a group is made, everybody knows everybody, and all write', async () => {
	const { world, group, devices } = await smallGroup(4);
	for (const device of devices) {
		expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Cleo member, Dov member');
		expect(await stateOf(group, device)).toBe('open');
		await group.say(device, `hi from ${device.name}`);
		await world.flush();
	}
	await world.pass(5_000);
	const log = await logOf(group, devices[0]);
	expect(log).toEqual([
		'[group-created]',
		...['Ana', 'Ben', 'Cleo', 'Dov'].map((name) => `hi from ${name}`),
	]);
	for (const device of devices) expect(await logOf(group, device)).toEqual(log);
	expect(world.notes).toEqual([]);
});

describe('changes', () => {
	test('everybody sees the same lines in the same places', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'about', about: { name: 'Cabin', description: 'by the lake' } });
		await world.pass(5_000);
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		await world.pass(5_000);
		await group.want(ben, { kind: 'policy', policy: { invite: 'everyone' } });
		await world.pass(5_000);
		const log = await logOf(group, ana);
		expect(log).toEqual(['[group-created]', '[renamed]', '[described]', '[role]', '[policy]']);
		for (const device of [ben, cleo]) {
			expect(await logOf(group, device)).toEqual(log);
			expect(await nameOf(group, device)).toBe('Cabin');
			expect(await membersOf(group, device)).toBe('Ana owner, Ben admin, Cleo member');
		}
	});
});

describe('coming and going', () => {
	test('who is added later knows everybody by name, and reads from then on', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben] = devices;
		await group.say(ana, 'before');
		await world.pass(5_000);
		const dov = await world.addDevice('Dov');
		await connect(world, ana, dov);
		await group.want(ana, { kind: 'add', people: [dov.identity.account] });
		await world.pass(20_000);
		await group.say(ben, 'after');
		await world.pass(5_000);
		expect(await logOf(group, dov)).toEqual(['[added]', 'after']);
		expect(await logOf(group, ben)).toEqual(['[group-created]', 'before', '[added]', 'after']);
		for (const device of [ana, ben, dov]) {
			expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Cleo member, Dov member');
		}
	});

	test('a removed device reads nothing after', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(5_000);
		await group.say(ben, 'without Cleo');
		await group.want(ana, { kind: 'about', about: { name: 'Without Cleo' } });
		await world.pass(5_000);
		expect(await stateOf(group, cleo)).toBe('removed');
		expect(await logOf(group, cleo)).toEqual(['[group-created]', '[removed]']);
		expect(await nameOf(group, cleo)).toBe('Hut');
		expect(await group.say(cleo, 'hello?')).toBe('closed');
		expect(await textsIn(group, ana)).toEqual(['without Cleo']);
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member');
	});

	test('kicked while offline: what was written meanwhile fails, and says so', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		cleo.offline = true;
		cleo.wire?.cut();
		const sent = await group.say(cleo, 'I am late');
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(5_000);
		await group.say(ben, 'secret');
		await world.pass(5_000);
		cleo.offline = false;
		await world.pass(60_000, 5_000);
		expect(await stateOf(group, cleo)).toBe('removed');
		expect((await cleo.client.message(sent as never))?.delivery).toEqual({
			kind: 'failed',
			reason: 'not-a-member',
		});
		expect(await textsIn(group, cleo)).toEqual(['I am late']);
		expect(await textsIn(group, ana)).toEqual(['secret']);
	});

	test('removed and added again: the same conversation goes on', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, , cleo] = devices;
		await group.say(ana, 'one');
		await world.pass(5_000);
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(5_000);
		await group.say(ana, 'two');
		await group.want(ana, { kind: 'add', people: [cleo.identity.account] });
		await world.pass(20_000);
		await group.say(cleo, 'three');
		await world.pass(20_000);
		expect(await stateOf(group, cleo)).toBe('open');
		expect(await logOf(group, cleo)).toEqual([
			...['[group-created]', 'one', '[removed]', '[added]', 'three'],
		]);
		expect(await textsIn(group, ana)).toEqual(['one', 'two', 'three']);
	});

	test('the owner leaves: an admin follows, and somebody takes the device out', async () => {
		const { world, group, devices } = await smallGroup(4);
		const [ana, ben, cleo, dov] = devices;
		await group.want(ana, { kind: 'role', account: cleo.identity.account, role: 'admin' });
		await world.pass(5_000);
		await group.want(ana, { kind: 'leave', successor: undefined });
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, ana)).toBe('left');
		for (const device of [ben, cleo, dov]) {
			expect(await membersOf(group, device)).toBe('Cleo owner, Ben member, Dov member');
			expect(await logOf(group, device)).toEqual([
				...['[group-created]', '[role]', '[role]', '[left]'],
			]);
		}
		await group.say(ben, 'Ana is gone');
		await world.pass(5_000);
		expect(await textsIn(group, ana)).toEqual([]);
		expect(await textsIn(group, dov)).toEqual(['Ana is gone']);
		const channel = (await cleo.openStore().get('conversations', await group.chat(cleo)))
			?.channels[0];
		const members = world.relayDisk.channels.get(channel as never)?.members;
		expect(members?.map(({ mailbox }) => mailbox)).not.toContain(ana.identity.device);
		expect(members).toHaveLength(3);
	});

	test('GR-4 what is said once somebody left is not sealed for them, whoever is there to take them out', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		ana.crash();
		await group.want(cleo, { kind: 'leave', successor: undefined });
		await world.flush();
		expect(await membersOf(group, ben)).toBe('Ana owner, Ben member');
		const id = await group.say(ben, 'without Cleo');
		await world.flush();
		const receipts = await ben.client.receipts(id as MessageId);
		expect(receipts.map(({ account }) => account)).toEqual([ana.identity.account]);
		await ana.start();
		await world.pass(5_000);
		expect(await textsIn(group, ana)).toEqual(['without Cleo']);
	});

	test('GR-4 who left hears no more of it, also when all of it comes at once', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		// It is Cleo's turn first: so there is time to say something to somebody who is only about to go.
		cleo.offline = true;
		cleo.wire?.cut();
		await group.want(ana, { kind: 'leave', successor: cleo.identity.account });
		await world.settled();
		while (ana.wire?.rising) ana.wire.step(true, false);
		await world.settled();
		ana.offline = true;
		ana.wire?.cut();
		await world.pass(2_000);
		await group.say(ben, 'Ana goes');
		await world.pass(30_000, 2_000);
		expect(await membersOf(group, ben)).toBe('Cleo owner, Ben member');
		ana.offline = false;
		await world.pass(30_000, 2_000);
		expect(await stateOf(group, ana)).toBe('left');
		expect(await logOf(group, ana)).toEqual(['[group-created]', '[role]', '[left]']);
	});

	test('nobody is brought in by the address that they gave to a group they are out of', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		const given = async (device: Device) => {
			const { group: id } =
				(await device.openStore().get('conversations', await group.chat(device))) ?? {};
			return (await device.openStore().get('contactAddresses', id ?? ''))?.address ?? '';
		};
		const isRevoked = (address: string) =>
			world.relayDisk.addresses.get(address as Address)?.revoked;
		const [ofBen, ofCleo] = [await given(ben), await given(cleo)];
		expect([isRevoked(ofBen), isRevoked(ofCleo)]).toEqual([false, false]);
		cleo.offline = true;
		cleo.wire?.cut();
		await group.want(ben, { kind: 'leave', successor: undefined });
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(60_000, 2_000);
		cleo.offline = false;
		await world.pass(60_000, 2_000);
		expect([isRevoked(ofBen), isRevoked(ofCleo)]).toEqual([true, true]);
		for (const device of [ben, cleo]) {
			const left = await device.openStore().list('contactAddresses', { prefix: '', limit: 10 });
			expect(left.filter(({ value }) => value.revoked)).toEqual([]);
		}
		// The way to them alone is another address: they can be added again.
		await group.want(ana, { kind: 'add', people: [ben.identity.account, cleo.identity.account] });
		await world.pass(60_000, 2_000);
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member, Cleo member');
		for (const device of [ben, cleo]) expect(await stateOf(group, device)).toBe('open');
		expect(isRevoked(await given(ben))).toBe(false);
	});
});

describe('at once', () => {
	test('adding while another renames: both happen', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		const dov = await world.addDevice('Dov');
		await connect(world, ana, dov);
		await group.want(ana, { kind: 'add', people: [dov.identity.account] });
		await group.want(ben, { kind: 'about', about: { name: 'Cabin' } });
		await world.pass(30_000);
		for (const device of [ana, ben, cleo, dov]) {
			expect(await nameOf(group, device)).toBe('Cabin');
			expect(await membersOf(group, device)).toBe('Ana owner, Ben admin, Cleo member, Dov member');
		}
	});

	test('two people removing the same one: once, and nobody is told that it failed', async () => {
		const { world, group, devices } = await smallGroup(4);
		const [ana, ben, cleo, dov] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		await world.pass(5_000);
		await group.want(ana, { kind: 'remove', account: dov.identity.account });
		await group.want(ben, { kind: 'remove', account: dov.identity.account });
		await world.pass(30_000);
		for (const device of [ana, ben, cleo]) {
			expect(await logOf(group, device)).toEqual(['[group-created]', '[role]', '[removed]']);
		}
	});

	test('the owner and an admin remove each other: the owner stays, whoever was first', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'owner' });
		await world.pass(5_000);
		// Ana is an admin now. Ben removes her while she removes Cleo, and would like to remove Ben.
		expect(await group.want(ana, { kind: 'remove', account: ben.identity.account })).toBe(
			'not-allowed',
		);
		await group.want(ben, { kind: 'remove', account: ana.identity.account });
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(30_000);
		expect(await stateOf(group, ana)).toBe('removed');
		expect(await stateOf(group, ben)).toBe('open');
		const left = (await stateOf(group, cleo)) === 'open' ? 'Ben owner, Cleo member' : 'Ben owner';
		expect(await membersOf(group, ben)).toBe(left);
	});

	test('two admins who want to remove each other: neither may', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		for (const { identity } of [ben, cleo]) {
			await group.want(ana, { kind: 'role', account: identity.account, role: 'admin' });
		}
		await world.pass(10_000);
		const each = await Promise.all([
			group.want(ben, { kind: 'remove', account: cleo.identity.account }),
			group.want(cleo, { kind: 'remove', account: ben.identity.account }),
		]);
		expect(each).toEqual(['not-allowed', 'not-allowed']);
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben admin, Cleo admin');
	});

	test('an admin who is removed while acting: nothing of it happens any more, and nobody freezes', async () => {
		const { world, group, devices } = await smallGroup(4, { direct: false });
		const [ana, ben, cleo, dov] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		await world.pass(10_000);
		ben.offline = true;
		ben.wire?.cut();
		await group.want(ben, { kind: 'about', about: { name: 'Bens' } });
		await group.want(ben, { kind: 'remove', account: cleo.identity.account });
		await group.want(ana, { kind: 'remove', account: ben.identity.account });
		await world.pass(10_000);
		ben.offline = false;
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, ben)).toBe('removed');
		expect(await nameOf(group, ben)).toBe('Hut');
		const left = await ben.openStore().list('outbox', { prefix: '', limit: 10 });
		expect(left).toEqual([]);
		for (const device of [ana, cleo, dov]) {
			expect(await stateOf(group, device)).toBe('open');
			expect(await nameOf(group, device)).toBe('Hut');
			expect(await membersOf(group, device)).toBe('Ana owner, Cleo member, Dov member');
		}
	});

	test('an admin who is removed in the very moment of acting: one commit is first, for everybody', async () => {
		const { world, group, devices } = await smallGroup(4, { direct: false });
		const [ana, ben, cleo, dov] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		await world.pass(10_000);
		await Promise.all([
			group.want(ben, { kind: 'about', about: { name: 'Bens' } }),
			group.want(ana, { kind: 'remove', account: ben.identity.account }),
		]);
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, ben)).toBe('removed');
		const name = await nameOf(group, ana);
		for (const device of [ana, cleo, dov]) {
			expect(await stateOf(group, device)).toBe('open');
			expect(await nameOf(group, device)).toBe(name);
			expect(await membersOf(group, device)).toBe('Ana owner, Cleo member, Dov member');
		}
	});

	test('what is not allowed any more is not done, and its author is told', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		await world.pass(5_000);
		ben.offline = true;
		ben.wire?.cut();
		await group.want(ben, { kind: 'about', about: { name: 'Bens' } });
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'member' });
		await world.pass(5_000);
		ben.offline = false;
		await world.pass(60_000, 5_000);
		expect(await nameOf(group, cleo)).toBe('Hut');
		expect((await logOf(group, ben)).at(-1)).toBe('[not-done]');
		expect(await logOf(group, cleo)).not.toContain('[not-done]');
	});

	test('GR-7 who comes learns the name of somebody who came just before, whom nobody could name yet', async () => {
		const { world, group, devices } = await smallGroup(2, { direct: false });
		const [ana, ben] = devices;
		const [cleo, dov] = [await world.addDevice('Cleo'), await world.addDevice('Dov')];
		await connect(world, ana, cleo);
		await connect(world, ben, dov);
		await group.want(ana, { kind: 'policy', policy: { invite: 'everyone' } });
		await world.pass(5_000);
		await group.want(ana, { kind: 'add', people: [cleo.identity.account] });
		// Ana is gone before she can say whom she added, and Cleo before the name that she sealed is heard.
		await world.up(ana);
		ana.crash();
		const sealed = async () => {
			const { conversation } = (await cleo.openStore().get('groups', group.id)) ?? {};
			const range = { prefix: `${conversation ?? '-'}/`, limit: 10 };
			const waiting = await cleo.openStore().list('outbox', range);
			return waiting.some(({ value }) => value.kind === 'small' && value.sealed !== undefined);
		};
		for (let steps = 0; !(await sealed()); steps++) {
			expect(steps).toBeLessThan(1_000);
			for (const wire of world.allWires()) wire.step(steps % 2 === 0, false);
			await world.settled();
		}
		cleo.offline = true;
		cleo.wire?.cut();
		expect(await group.want(ben, { kind: 'add', people: [dov.identity.account] })).toBe('ok');
		await world.pass(20_000, 1_000);
		cleo.offline = false;
		await world.pass(60_000, 2_000);
		for (const device of [ben, dov]) {
			const members = (await membersOf(group, device)).split(', ').sort();
			expect(members).toEqual(['Ana owner', 'Ben member', 'Cleo member', 'Dov member']);
		}
	});
});

describe('rights', () => {
	test('GR-8 where only admins write, a member is not heard, and cannot try', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		ben.offline = true;
		ben.wire?.cut();
		const late = await group.say(ben, 'too late');
		await group.want(ana, { kind: 'policy', policy: { write: 'admins' } });
		await world.pass(5_000);
		ben.offline = false;
		await world.pass(60_000, 5_000);
		expect(await group.say(cleo, 'psst')).toBe('closed');
		await group.say(ana, 'an announcement');
		await world.pass(5_000);
		for (const device of [ana, cleo]) {
			expect(await textsIn(group, device)).toEqual(['an announcement']);
		}
		expect((await ben.client.message(late as never))?.delivery.kind).toBe('failed');
	});

	test('receipts are told by person, and the tick rises with the last of them', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		cleo.offline = true;
		cleo.wire?.cut();
		const id = (await group.say(ana, 'who is there?')) as never;
		await world.pass(5_000);
		expect((await ana.client.message(id))?.delivery.kind).toBe('sent');
		const row = await ben.client.conversation(await group.chat(ben));
		if (row?.last) await ben.client.markRead(row.id, row.last.position);
		await world.pass(5_000);
		const kinds = async () => (await ana.client.receipts(id)).map(({ kind }) => kind).sort();
		expect(await kinds()).toEqual(['read', 'sent']);
		cleo.offline = false;
		await world.pass(60_000, 5_000);
		expect(await kinds()).toEqual(['delivered', 'read']);
		expect((await ana.client.message(id))?.delivery.kind).toBe('delivered');
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(5_000);
		expect((await ana.client.message(id))?.delivery.kind).toBe('read');
	});
});
