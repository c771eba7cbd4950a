// Groups, told as stories.
import { describe, expect, test } from 'vitest';
import { loadChannel } from '../../src/core/channels.ts';
import type { GroupCrypto, GroupState } from '../../src/core/ports.ts';
import { channelContexts, MAX_CONTEXT_BYTES } from '../../src/protocol/content.ts';
import { idFrom } from '../../src/protocol/ids.ts';
import type { Device } from '../support/world/device.ts';
import {
	foundGroup,
	gapsIn,
	logOf,
	membersOf,
	nameOf,
	stateOf,
	textsIn,
	type TestGroup,
} from '../support/world/group-people.ts';
import { connect } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

type Four = readonly [Device, Device, Device, Device];

async function people(
	count: number,
	options: { readonly direct?: boolean } = {},
): Promise<{ world: World; group: TestGroup; devices: Four }> {
	const world = new World({ seed: 3, ...options });
	const names = ['Ana', 'Ben', 'Cleo', 'Dov', 'Eli'].slice(0, count);
	const { group, devices } = await foundGroup(world, names);
	return { world, group, devices: devices as unknown as Four };
}

test('a group is made, everybody knows everybody, and all write', async () => {
	const { world, group, devices } = await people(4);
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
		const { world, group, devices } = await people(3);
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
		const { world, group, devices } = await people(3);
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
		const { world, group, devices } = await people(3);
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
		const { world, group, devices } = await people(3, { direct: false });
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
		const { world, group, devices } = await people(3);
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
		const { world, group, devices } = await people(4);
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
});

describe('at once', () => {
	test('adding while another renames: both happen', async () => {
		const { world, group, devices } = await people(3);
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
		const { world, group, devices } = await people(4);
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
		const { world, group, devices } = await people(3);
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

	test('what is not allowed any more is not done, and its author is told', async () => {
		const { world, group, devices } = await people(3, { direct: false });
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
});

describe('rights', () => {
	test('GR-8 where only admins write, a member is not heard, and cannot try', async () => {
		const { world, group, devices } = await people(3, { direct: false });
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
		const { world, group, devices } = await people(3, { direct: false });
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

describe('when it breaks', () => {
	/** Lets a device commit what no honest client would, on its true state. */
	async function commitAs(
		device: Device,
		group: TestGroup,
		change: (state: GroupState, groups: GroupCrypto) => Promise<Uint8Array>,
	): Promise<void> {
		const store = device.openStore();
		const [channel] = (await store.get('conversations', await group.chat(device)))?.channels ?? [];
		const loaded = channel && (await loadChannel(store, device.keys.groups, channel));
		if (!loaded) throw new Error('no channel');
		const body = await change(loaded.state, device.keys.groups);
		void device.engine?.session.ask({
			...{ type: 'commit', envelope: idFrom(new Uint8Array(16).fill(7)), channel },
			...{ epoch: loaded.row.epoch, body, add: [], remove: [], welcome: null, snapshot: null },
		});
	}

	const takeOver = async (state: GroupState, groups: GroupCrypto, self: Device) => {
		const decoded = channelContexts.decode(groups.context(state), MAX_CONTEXT_BYTES);
		if (!decoded.ok || decoded.value.type !== 'group') throw new Error('no group');
		const roles = [{ account: self.identity.account, role: 'owner' as const }];
		const context = channelContexts.encode({ ...decoded.value, roles });
		const staged = await groups.stage(state, { context });
		if (!staged.ok) throw new Error(staged.error);
		return staged.value.commit;
	};

	test('GR-6 a member who goes beyond their role freezes the group; an admin founds it anew', async () => {
		const { world, group, devices } = await people(3);
		const [ana, ben, cleo] = devices;
		await group.say(cleo, 'before');
		await world.pass(5_000);
		await commitAs(ben, group, (state, groups) => takeOver(state, groups, ben));
		await world.pass(5_000);
		for (const device of [ana, cleo]) {
			expect(await stateOf(group, device)).toBe('frozen');
			expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Cleo member');
			expect((await logOf(group, device)).at(-1)).toBe('[frozen]');
		}
		expect(await group.want(cleo, { kind: 'recreate' })).toBe('not-allowed');
		expect(await group.want(ana, { kind: 'recreate' })).toBe('ok');
		await world.pass(60_000, 2_000);
		await group.say(cleo, 'after');
		await world.pass(10_000);
		for (const device of [ana, cleo]) {
			expect(await stateOf(group, device)).toBe('open');
			expect(await textsIn(group, device)).toEqual(['before', 'after']);
			expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Cleo member');
		}
	});

	test('a commit that is no commit freezes it too', async () => {
		const { world, group, devices } = await people(3);
		const [ana, ben, cleo] = devices;
		await commitAs(ben, group, () => Promise.resolve(new Uint8Array(200).fill(9)));
		await world.pass(5_000);
		expect([await stateOf(group, ana), await stateOf(group, cleo)]).toEqual(['frozen', 'frozen']);
	});

	test.each(['trees', 'channels'] as const)(
		'CH-12 lost %s: the state comes back by a snapshot, and what was missed is sent again',
		async (shelf) => {
			const { world, group, devices } = await people(3);
			const [ana, ben, cleo] = devices;
			await group.say(cleo, 'before');
			await world.pass(5_000);
			const [channel] =
				(await ben.openStore().get('conversations', await group.chat(ben)))?.channels ?? [];
			ben.crash();
			await group.say(ana, 'while Ben is away');
			await group.want(ana, { kind: 'about', about: { name: 'Cabin' } });
			await world.pass(5_000);
			const rows = ben.disk.shelves.get(shelf);
			expect(rows?.rows.delete(channel ?? '')).toBe(true);
			if (rows) rows.sorted = undefined;
			await ben.start();
			await world.pass(60_000, 2_000);
			await group.say(ben, 'I am back');
			await world.pass(60_000, 2_000);
			for (const device of devices) {
				expect(await textsIn(group, device)).toEqual(['before', 'while Ben is away', 'I am back']);
				expect(await nameOf(group, device)).toBe('Cabin');
				expect(await stateOf(group, device)).toBe('open');
			}
		},
	);

	/** Takes the state of the group's channel away, as a damaged database does. */
	async function loseState(device: Device, group: TestGroup, shelf: 'trees' | 'channels') {
		const chat = await group.chat(device);
		const [channel = ''] = (await device.openStore().get('conversations', chat))?.channels ?? [];
		const rows = device.disk.shelves.get(shelf);
		expect(rows?.rows.delete(channel)).toBe(true);
		if (rows) rows.sorted = undefined;
	}

	test.each(['trees', 'channels'] as const)(
		'CH-11 lost %s, and somebody was taken out meanwhile: it comes back all the same',
		async (shelf) => {
			const { world, group, devices } = await people(4, { direct: false });
			const [ana, ben, cleo, dov] = devices;
			ben.crash();
			await group.want(ana, { kind: 'remove', account: cleo.identity.account });
			await world.pass(5_000);
			await group.want(ana, { kind: 'about', about: { name: 'Without Cleo' } });
			await group.say(dov, 'is Ben still there?');
			await world.pass(5_000);
			await loseState(ben, group, shelf);
			await ben.start();
			await world.pass(60_000, 2_000);
			await group.say(ben, 'I am');
			await world.pass(60_000, 2_000);
			for (const device of [ana, ben, dov]) {
				expect(await textsIn(group, device)).toEqual(['is Ben still there?', 'I am']);
				expect(await stateOf(group, device)).toBe('open');
				expect(await nameOf(group, device)).toBe('Without Cleo');
			}
			expect(await textsIn(group, cleo)).toEqual([]);
			expect(await stateOf(group, cleo)).toBe('removed');
		},
	);

	test('lost, and taken out meanwhile: who is not in it any more is told so', async () => {
		const { world, group, devices } = await people(3, { direct: false });
		const [ana, ben] = devices;
		ben.crash();
		await group.want(ana, { kind: 'remove', account: ben.identity.account });
		await world.pass(5_000);
		await loseState(ben, group, 'trees');
		await ben.start();
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, ben)).toBe('removed');
		expect(await group.say(ben, 'hello?')).toBe('closed');
	});

	test('what was said by somebody who is gone by now is lost, and says so', async () => {
		const { world, group, devices } = await people(3, { direct: false });
		const [ana, ben, cleo] = devices;
		ben.crash();
		await group.say(cleo, 'farewell');
		await group.say(ana, 'farewell, Cleo');
		await world.pass(5_000);
		await group.want(ana, { kind: 'remove', account: cleo.identity.account });
		await world.pass(5_000);
		await loseState(ben, group, 'trees');
		await ben.start();
		await world.pass(60_000, 2_000);
		const { asked, lost } = await gapsIn(group, ben);
		expect(asked).toBe(0);
		// Her words, and what she may have said besides: nobody can tell any more that it was a receipt.
		expect(lost).toBeGreaterThan(0);
		const texts = await textsIn(group, ben);
		expect(texts.filter((text) => text !== '<unreadable>')).toEqual(['farewell, Cleo']);
	});

	test('whoever is taken out asks nobody any more', async () => {
		const { world, group, devices } = await people(3, { direct: false });
		const [ana, ben] = devices;
		ben.crash();
		await group.say(ana, 'are you there?');
		await world.pass(5_000);
		await loseState(ben, group, 'trees');
		ben.offline = true;
		await ben.start();
		await group.want(ana, { kind: 'remove', account: ben.identity.account });
		await world.pass(5_000);
		ben.offline = false;
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, ben)).toBe('removed');
		const { asked, lost } = await gapsIn(group, ben);
		expect(asked).toBe(0);
		expect(lost).toBeGreaterThan(0);
	});

	test('a relay that shows different commits to different members is found out', async () => {
		const { world, group, devices } = await people(3, { direct: false });
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'role', account: ben.identity.account, role: 'admin' });
		await world.pass(10_000);
		// Cleo gets Ben's commit for the epoch in which all others get Ana's.
		const store = cleo.openStore();
		const [channel] = (await store.get('conversations', await group.chat(cleo)))?.channels ?? [];
		const loaded = channel && (await loadChannel(ben.openStore(), ben.keys.groups, channel));
		if (!loaded) throw new Error('no channel');
		const other = await ben.keys.groups.stage(loaded.state, {});
		if (!other.ok) throw new Error(other.error);
		cleo.wire?.lie((frame) =>
			frame.type === 'deliver' && frame.kind === 'commit' && frame.epoch === loaded.row.epoch
				? { ...frame, body: other.value.commit }
				: frame,
		);
		await group.want(ana, { kind: 'about', about: { name: 'Cabin' } });
		await world.pass(5_000);
		await group.say(ana, 'do you hear me?');
		await world.pass(5_000);
		expect(await textsIn(group, ben)).toEqual(['do you hear me?']);
		expect(await textsIn(group, cleo)).toContain('<unreadable>');
		expect(await textsIn(group, cleo)).not.toContain('do you hear me?');
		await group.want(ana, { kind: 'about', about: { name: 'Lodge' } });
		await world.pass(5_000);
		expect(await stateOf(group, cleo)).toBe('frozen');
	});
});
