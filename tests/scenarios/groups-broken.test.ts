// Groups that break, and what becomes of them.
import { describe, expect, test } from 'vitest';
import { loadChannel } from '../../src/core/channels.ts';
import type { GroupCrypto, GroupState } from '../../src/core/ports.ts';
import { channelContexts, MAX_CONTEXT_BYTES } from '../../src/protocol/content.ts';
import type { Delivery } from '../../src/protocol/frames.ts';
import { idFrom } from '../../src/protocol/ids.ts';
import type { Device } from '../support/world/device.ts';
import {
	gapsIn,
	logOf,
	membersOf,
	nameOf,
	smallGroup,
	stateOf,
	textsIn,
	type TestGroup,
} from '../support/world/group-people.ts';

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
		const { world, group, devices } = await smallGroup(3);
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

	test('a commit that the relay drops on a connection that stays up is missed in time', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		const { wire } = ben;
		wire?.lie((frame) => (frame.type === 'deliver' && frame.kind === 'commit' ? [] : frame));
		await group.want(ana, { kind: 'about', about: { name: 'Cabin' } });
		await world.pass(5_000);
		wire?.lie((frame) => frame);
		await group.say(cleo, 'in the new epoch');
		await world.pass(30_000, 5_000);
		expect(await textsIn(group, ben)).toEqual([]);
		await world.pass(120_000, 5_000);
		expect(ben.wire).toBe(wire);
		expect(await textsIn(group, ben)).toEqual(['in the new epoch']);
		expect(await nameOf(group, ben)).toBe('Cabin');
		expect(await stateOf(group, ben)).toBe('open');
		await group.say(ben, 'and on');
		await world.pass(5_000);
		for (const device of devices)
			expect(await gapsIn(group, device)).toEqual({ asked: 0, lost: 0 });
		expect((await textsIn(group, ana)).at(-1)).toBe('and on');
	});

	test('a commit that is no commit freezes it too', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await commitAs(ben, group, () => Promise.resolve(new Uint8Array(200).fill(9)));
		await world.pass(5_000);
		expect([await stateOf(group, ana), await stateOf(group, cleo)]).toEqual(['frozen', 'frozen']);
	});

	test.each(['trees', 'channels'] as const)(
		'CH-12 lost %s: the state comes back by a snapshot, and what was missed is sent again',
		async (shelf) => {
			const { world, group, devices } = await smallGroup(3);
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
			const { world, group, devices } = await smallGroup(4, { direct: false });
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

	test.each(['trees', 'channels'] as const)(
		'CH-11 lost %s with the own commit that took somebody out, before it was heard of: it comes back all the same',
		async (shelf) => {
			const { world, group, devices } = await smallGroup(4, { direct: false });
			const [ana, ben, cleo, dov] = devices;
			await group.want(ana, { kind: 'remove', account: cleo.identity.account });
			await world.up(ana);
			ana.crash();
			await world.pass(5_000);
			expect(await membersOf(group, ben)).toBe('Ana owner, Ben member, Dov member');
			await group.say(dov, 'where is Ana?');
			await loseState(ana, group, shelf);
			await ana.start();
			await world.pass(60_000, 2_000);
			await group.say(ana, 'here');
			await world.pass(60_000, 2_000);
			for (const device of [ana, ben, dov]) {
				expect(await stateOf(group, device)).toBe('open');
				expect(await textsIn(group, device)).toEqual(['where is Ana?', 'here']);
				expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Dov member');
			}
		},
	);

	test('CH-13 who misses a commit is not put off by somebody who came back: it is missed in time', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		ben.wire?.lie((frame) => (frame.type === 'deliver' && frame.kind === 'commit' ? [] : frame));
		await group.want(ana, { kind: 'about', about: { name: 'Cabin' } });
		await world.pass(5_000);
		ben.wire?.lie((frame) => frame);
		cleo.crash();
		await loseState(cleo, group, 'trees');
		await cleo.start();
		await world.pass(10_000);
		expect(await stateOf(group, ben)).toBe('open');
		await group.say(cleo, 'I am back');
		await world.pass(180_000, 5_000);
		await group.say(ben, 'so am I');
		await world.pass(10_000);
		for (const device of devices) {
			expect(await stateOf(group, device)).toBe('open');
			expect(await nameOf(group, device)).toBe('Cabin');
			expect(await textsIn(group, device)).toEqual(['I am back', 'so am I']);
		}
	});

	test('CH-13 how somebody came back, told once more as if it were new, is over', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		let told: Delivery | undefined;
		ben.wire?.lie((frame) => {
			if (frame.type === 'deliver' && frame.kind === 'commit') told ??= frame;
			return frame;
		});
		cleo.crash();
		await loseState(cleo, group, 'trees');
		await cleo.start();
		await world.pass(10_000);
		ben.wire?.lie((frame) => {
			const again = told;
			if (!again || frame.type !== 'deliver') return frame;
			told = undefined;
			return [{ ...again, envelope: idFrom(new Uint8Array(16).fill(8)) }, frame];
		});
		await group.say(ana, 'welcome back');
		await world.pass(10_000);
		expect(told).toBeUndefined();
		expect(await stateOf(group, ben)).toBe('open');
		expect(await textsIn(group, ben)).toEqual(['welcome back']);
	});

	test('CH-10 who came back to a place that somebody else had left does not keep the one they had', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cleo] = devices;
		await group.want(ana, { kind: 'remove', account: ben.identity.account });
		await world.pass(5_000);
		cleo.crash();
		await loseState(cleo, group, 'trees');
		await cleo.start();
		await world.pass(60_000, 2_000);
		await group.want(ana, { kind: 'add', people: [ben.identity.account] });
		await world.pass(60_000, 2_000);
		await group.say(cleo, 'all three');
		await world.pass(5_000);
		for (const device of devices) {
			expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Cleo member');
			expect(await textsIn(group, device)).toEqual(['all three']);
		}
	});

	test('lost, and taken out meanwhile: who is not in it any more is told so', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
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
		const { world, group, devices } = await smallGroup(3, { direct: false });
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
		const { world, group, devices } = await smallGroup(3, { direct: false });
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

	test('restored from a backup: to read, until an admin adds this person again', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben] = devices;
		await group.say(ana, 'before');
		await world.pass(5_000);
		const chat = await group.chat(ben);
		ben.crash();
		// As the backup leaves it: the history, and no channel.
		await ben.openStore().transact(async (tx) => {
			const row = await tx.get('conversations', chat);
			const known = row?.group && (await tx.get('groups', row.group));
			if (!row || !known) return;
			for (const channel of row.channels) {
				tx.delete('channels', channel);
				tx.delete('trees', channel);
			}
			const none = { channels: [], generation: -1 };
			tx.put('conversations', chat, { ...row, ...none, state: { kind: 'restored' } });
			tx.put('groups', known.group, { ...known, mending: undefined });
		});
		await ben.start();
		await group.say(ana, 'who hears this?');
		await world.pass(5_000);
		expect(await textsIn(group, ben)).toEqual(['before']);
		expect(await group.say(ben, 'I do not')).toBe('closed');
		await group.want(ana, { kind: 'remove', account: ben.identity.account });
		await group.want(ana, { kind: 'add', people: [ben.identity.account] });
		await world.pass(60_000, 2_000);
		await group.say(ben, 'now I do');
		await world.pass(10_000);
		expect(await group.chat(ben)).toBe(chat);
		expect(await stateOf(group, ben)).toBe('open');
		expect(await textsIn(group, ben)).toEqual(['before', 'now I do']);
		expect(await textsIn(group, ana)).toEqual(['before', 'who hears this?', 'now I do']);
	});

	test('a relay that shows different commits to different members is found out', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
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
