// Two devices that are online together talk directly, and fall back to the relay without anybody noticing.
import { describe, expect, test } from 'vitest';
import {
	befriend,
	channelOf,
	deliveryOf,
	planRotation,
	say,
	textsOf,
	type Party,
} from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const presenceAt = ({ device, chat }: Party) => device.engine?.live().presence.get(chat);

function wireBetween(world: World, a: Party, b: Party) {
	const wire = world.air.between(a.device.identity.device, b.device.identity.device);
	if (!wire) throw new Error('there is no direct link');
	return wire;
}

async function linked(seed: number): Promise<{ world: World; ana: Party; ben: Party }> {
	const world = new World({ seed });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(5_000);
	expect(presenceAt(ana)).toMatchObject({ path: 'direct', online: true });
	expect(presenceAt(ben)).toMatchObject({ path: 'direct', online: true });
	return { world, ana, ben };
}

test('PE-1 two who are online find each other by whispers, and the relay sees no message', async () => {
	const { world, ana, ben } = await linked(31);
	const before = world.relay?.stats();
	const id = await say(ana, 'straight to you');
	await world.flush();
	expect(await textsOf(ben.device, ben.chat)).toContain('straight to you');
	expect(await deliveryOf(ana.device, id)).toBe('delivered');
	expect(world.relay?.stats()).toMatchObject({
		appended: before?.appended,
		handedOver: before?.handedOver,
	});
});

test('the relay stops while they are linked: both keep talking; it comes back: nothing is doubled', async () => {
	const { world, ana, ben } = await linked(32);
	world.killRelay();
	for (let turn = 0; turn < 5; turn++) {
		await say(ana, `a${turn}`);
		await say(ben, `b${turn}`);
		await world.pass(1_000);
	}
	const texts = await textsOf(ana.device, ana.chat);
	expect(texts).toHaveLength(11);
	expect(await textsOf(ben.device, ben.chat)).toEqual(texts);
	expect(presenceAt(ana)).toMatchObject({ path: 'direct' });
	world.startRelay();
	await world.pass(60_000, 5_000);
	expect(await textsOf(ana.device, ana.chat)).toEqual(texts);
	expect(await textsOf(ben.device, ben.chat)).toEqual(texts);
	expect(world.relayDisk.waiting).toBe(0);
});

test('PE-4 a peer that does not acknowledge within 2 s: the relay carries it, and the path says so', async () => {
	const { world, ana, ben } = await linked(33);
	wireBetween(world, ana, ben).hang();
	const id = await say(ana, 'are you there?');
	await world.pass(1_500, 500);
	expect(await deliveryOf(ana.device, id)).toBe('queued');
	await world.pass(1_000, 500);
	expect(await deliveryOf(ana.device, id)).toBe('delivered');
	expect(presenceAt(ana)?.path).toBe('relay');
	expect(await textsOf(ben.device, ben.chat)).toContain('are you there?');
});

test('what went both ways is shown once', async () => {
	const { world, ana, ben } = await linked(34);
	const wire = wireBetween(world, ana, ben);
	await say(ana, 'twice');
	await world.settled();
	while (wire.waiting) wire.step(true, false); // Ben has it; his acknowledgement does not come
	wire.hang();
	await world.pass(10_000);
	const texts = await textsOf(ben.device, ben.chat);
	expect(texts.filter((text) => text === 'twice')).toHaveLength(1);
	expect((await ben.device.client.conversation(ben.chat))?.unread).toBe(1);
});

test('PE-5 commits never travel directly', async () => {
	const { world, ana, ben } = await linked(35);
	const before = (await channelOf(ana)).epoch;
	world.killRelay();
	await planRotation(ana);
	await world.pass(10_000);
	expect((await channelOf(ana)).epoch).toBe(before);
	world.startRelay();
	await world.pass(60_000, 5_000);
	expect((await channelOf(ana)).epoch).toBe(before + 1);
	expect((await channelOf(ben)).epoch).toBe(before + 1);
});

describe('somebody who hides their network address', () => {
	test('is never linked, and the peer port is not even started', async () => {
		const world = new World({ seed: 36 });
		const ana = await world.addDevice('Ana');
		await ana.client.changeSettings({ neverDirect: true });
		ana.crash();
		const used = world.air.watch(ana.identity.device);
		await ana.start();
		const invite = await ana.client.createInvite({ kind: 'one-time' });
		await world.flush();
		const ben = await world.addDevice('Ben');
		await world.flush();
		const accepted = await ben.client.acceptInvite(invite.fragment);
		if (!accepted.ok) throw new Error(accepted.error.kind);
		await say({ device: ben, chat: accepted.value }, 'hello');
		await world.pass(120_000, 5_000);
		expect(used).toEqual([]);
		expect(world.air.wires).toEqual([]);
	});

	test('who decides so while linked loses the link, and messages still come', async () => {
		const { world, ana, ben } = await linked(37);
		await ana.device.client.changeSettings({ neverDirect: true });
		await world.pass(30_000, 5_000);
		expect(presenceAt(ana)?.path).toBe('relay');
		expect(presenceAt(ben)?.path).toBe('relay');
		const id = await say(ben, 'by the relay');
		await world.flush();
		expect(await deliveryOf(ben.device, id)).toBe('delivered');
		await ana.device.client.changeSettings({ neverDirect: false });
		await world.pass(120_000, 5_000);
		expect(presenceAt(ana)?.path).toBe('direct');
	});
});
