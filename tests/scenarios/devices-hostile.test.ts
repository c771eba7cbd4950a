// Device lists that lie, and devices that were taken out and go on.
import { describe, expect, test } from 'vitest';
import { parseCbor, writeCbor } from '../../src/protocol/codec.ts';
import { contents } from '../../src/protocol/content.ts';
import { ONLY } from '../../src/core/records.ts';
import type { Device } from '../support/world/device.ts';
import { link } from '../support/world/own-devices.ts';
import { befriend, chatWith, channelOf, say, textsOf } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

async function twoDevices(seed: number) {
	const world = new World({ seed, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	const second = await link(world, ana.device, 'Ana 2');
	await world.pass(90_000, 5_000);
	const chat = await chatWith(second, ben.device);
	if (!chat) throw new Error('the second does not know Ben');
	return { world, ana, ben, second: { device: second, chat } };
}

async function pinnedBy(own: Device, other: Device) {
	return (await own.openStore().get('people', other.identity.account))?.devices;
}

/** Changes what a device believes of itself, as whoever holds it may. */
async function believe(device: Device, deviceList: Uint8Array | undefined): Promise<void> {
	await device.openStore().transact(async (tx) => {
		const me = await tx.get('me', ONLY);
		if (me) tx.put('me', ONLY, { ...me, ...(deviceList && { deviceList }), profileVersion: 99 });
	});
}

describe('DE-1 the list of a contact', () => {
	test('is kept by its newest link, and an older one changes nothing', async () => {
		const { world, ana, ben } = await twoDevices(1);
		const before = await pinnedBy(ben.device, ana.device);
		expect(before).toMatchObject({ sequence: 1 });
		expect(before?.ids).toHaveLength(2);
		await believe(ana.device, ana.device.keys.account.deviceList);
		await world.pass(10_000);
		expect(await pinnedBy(ben.device, ana.device)).toEqual(before);
		expect((await textsOf(ben.device, ben.chat)).filter((text) => text === 'event')).toHaveLength(
			1,
		);
	});

	test('that says something else at a known place is refused, and it is said once', async () => {
		const { world, ana, ben } = await twoDevices(2);
		const before = await pinnedBy(ben.device, ana.device);
		await believe(ana.device, await forkOf(ana.device));
		await world.pass(10_000);
		await ana.device.client.setProfile({ name: 'Ana again', picture: null });
		await world.pass(10_000);
		const after = await pinnedBy(ben.device, ana.device);
		expect(after).toMatchObject({ sequence: before?.sequence, hash: before?.hash });
		const page = await ben.device.client.messages(ben.chat, { at: 'end', limit: 50 });
		const lines = page.messages.flatMap(({ body }) => (body.kind === 'event' ? [body.event] : []));
		expect(lines).toEqual([
			{ kind: 'devices', change: 'added' },
			{ kind: 'devices', change: 'refused' },
		]);
	});
});

/** Another second link after the first one: the certificate of the second device, signed at another time. */
async function forkOf(device: Device): Promise<Uint8Array> {
	const store = device.openStore();
	const me = await store.get('me', ONLY);
	const { account } = device.keys;
	const [other] = (me?.devices?.ids ?? []).filter((id) => id !== device.identity.device);
	if (!me?.deviceList || !other) throw new Error('no second device');
	const shorter = await account.changeDevices(me.deviceList, { remove: other }, 5);
	if (!shorter) throw new Error('it is not in the list');
	const links = parseCbor(shorter) as Uint8Array[];
	const first = links[0];
	if (!first) throw new Error('an empty list');
	// What was the third link cannot stand second: so the whole is forged from there on.
	return writeCbor([first, links[2]]);
}

describe('DE-2 DE-4 a device that was taken out', () => {
	test('is not heard any more in the channel that it still has, nor in one that it founds', async () => {
		const { world, ana, ben, second } = await twoDevices(3);
		second.device.crash();
		await ana.device.client.removeDevice(second.device.identity.device);
		await world.pass(30_000, 2_000);
		// Whoever holds it lets it hear nothing of that.
		world.relayDisk.mailboxes.delete(second.device.identity.device);
		await second.device.start();
		await say(second, 'still one of hers');
		await world.pass(30_000, 2_000);
		expect(await textsOf(ben.device, ben.chat)).not.toContain('still one of hers');
		expect(await textsOf(ana.device, ana.chat)).not.toContain('still one of hers');
		// And founds a channel anew with what it knows.
		const { channel } = await channelOf(second);
		second.device.crash();
		const shelf = second.device.disk.shelves.get('trees');
		shelf?.rows.delete(channel);
		if (shelf) shelf.sorted = undefined;
		await second.device.start();
		await say(second, 'and again');
		await world.pass(60_000, 2_000);
		expect(await textsOf(ben.device, ben.chat)).not.toContain('and again');
		await say(ana, 'only I');
		await world.pass(5_000);
		expect(await textsOf(ben.device, ben.chat)).toContain('only I');
		const page = await ben.device.client.messages(ben.chat, { at: 'end', limit: 50 });
		const lines = page.messages.flatMap(({ body }) => (body.kind === 'event' ? [body.event] : []));
		expect(lines.at(-1)).toEqual({ kind: 'devices', change: 'refused' });
	});
});

test('DE-3 what is said goes to all devices of both, and to nobody else', async () => {
	const { world, ana, ben, second } = await twoDevices(4);
	const other = await link(world, ben.device, 'Ben 2');
	await world.pass(90_000, 5_000);
	const all = [ana.device, second.device, ben.device, other];
	for (const device of all) {
		const chat = await chatWith(
			device,
			device === ana.device || device === second.device ? ben.device : ana.device,
		);
		if (!chat) throw new Error(`${device.name} has no conversation`);
		const { others } = await channelOf({ device, chat });
		const expected = all.filter((each) => each !== device).map(({ identity }) => identity.device);
		expect([...others].sort()).toEqual(expected.sort());
	}
});

test('DE-11 what own devices tell each other means nothing from anybody else', async () => {
	const { world, ana, ben } = await twoDevices(5);
	const { keys } = ben.device;
	const row = await channelOf(ben);
	const store = ben.device.openStore();
	const tree = await store.get('trees', row.channel);
	if (!tree) throw new Error('no state');
	const { epoch, treeId, ratchet } = row;
	const state = keys.groups.thaw({ epoch, treeId, tree, ratchet });
	const said = { subject: `p/${ben.device.identity.account}`, readTo: '', draft: 'mine' };
	const flags = { pinned: true, muted: true, archived: true };
	const plaintext = contents.encode({
		...{ type: 'agree', at: 2 ** 45, settings: [{ name: 'readReceipts', on: false }] },
		conversations: [{ ...said, ...flags }],
		blocks: [{ account: ben.device.identity.account, on: true, at: 2 ** 45 }],
		verified: [{ account: ben.device.identity.account, how: 'compared', at: 2 ** 45 }],
	});
	const sealed = await keys.groups.seal(state, plaintext, new Uint8Array());
	const envelope = 'A'.repeat(22) as never;
	const asked = ben.device.engine?.session.ask({
		...{ type: 'submit', envelope, channel: row.channel, epoch, body: sealed.bytes },
	});
	await world.pass(10_000);
	expect(await asked).toMatchObject({ type: 'accepted' });
	expect(await ana.device.client.conversation(ana.chat)).toMatchObject({
		pinned: false,
		draft: '',
	});
	expect((await ana.device.client.settings()).readReceipts).toBe(true);
	expect((await ana.device.client.contacts())[0]?.verification).toEqual({ kind: 'unverified' });
});
