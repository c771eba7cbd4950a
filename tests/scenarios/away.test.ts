// Time: clocks that are wrong, and people who are away for long.
import { describe, expect, test } from 'vitest';
import {
	befriend,
	connect,
	deliveryOf,
	say,
	textsOf,
	type Party,
} from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const DAY = 24 * 60 * 60_000;

async function pair(seed: number): Promise<{ world: World; ana: Party; ben: Party }> {
	const world = new World({ seed, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(5_000);
	return { world, ana, ben };
}

async function inTurns(world: World, ana: Party, ben: Party): Promise<void> {
	const expected: string[] = [];
	for (let turn = 0; turn < 6; turn++) {
		const party = turn % 2 === 0 ? ana : ben;
		await say(party, `turn ${turn}`);
		expected.push(`turn ${turn}`);
		await world.pass(2_000);
	}
	const texts = await textsOf(ana.device, ana.chat);
	expect(texts.slice(-6)).toEqual(expected);
	expect(await textsOf(ben.device, ben.chat)).toEqual(texts);
}

describe('CO-2 a conversation is in the order it was written', () => {
	test.each([
		['a day ahead', DAY],
		['a day behind', -DAY],
	])('with a sender’s clock %s', async (_title, skew) => {
		const world = new World({ seed: 71, direct: false });
		const a = await world.addDevice('Ana');
		a.skew = skew;
		a.crash();
		await a.start();
		const b = await world.addDevice('Ben');
		const [ana, ben] = await connect(world, a, b);
		await inTurns(world, ana, ben);
	});

	test('with a clock that is set back in between', async () => {
		const { world, ana, ben } = await pair(72);
		await say(ana, 'before');
		await world.flush();
		ana.device.skew = -3 * 60 * 60_000;
		await inTurns(world, ana, ben);
	});

	test('beyond the year 2038', async () => {
		const world = new World({ seed: 73, direct: false });
		world.clock.set(Date.UTC(2038, 0, 19, 3, 14, 6));
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		await inTurns(world, ana, ben);
		const last = (await ben.device.client.conversation(ben.chat))?.last;
		expect(last?.sent).toBeGreaterThan(2 ** 31 * 1000);
	});
});

async function away({ device }: Party, world: World, days: number): Promise<void> {
	device.crash();
	for (let day = 0; day < days; day++) {
		world.clock.advance(DAY);
		await world.flush();
	}
	await world.pass(60_000, 5_000);
}

test('somebody who is away for 29 days finds everything', async () => {
	const { world, ana, ben } = await pair(74);
	ben.device.crash();
	const first = await say(ana, 'day 0');
	await world.flush();
	await away(ben, world, 29);
	await say(ana, 'day 29');
	await world.flush();
	await ben.device.start();
	await world.pass(30_000, 5_000);
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'day 0', 'day 29']);
	expect(await deliveryOf(ana.device, first)).toBe('delivered');
});

test('MB-7 what waits for too long comes back to its sender as failed; sending again works', async () => {
	const { world, ana, ben } = await pair(75);
	ben.device.crash();
	const id = await say(ana, 'too long');
	await world.flush();
	await away(ben, world, 32);
	expect((await ana.device.client.message(id))?.delivery).toEqual({
		kind: 'failed',
		reason: 'expired',
	});
	expect((await ana.device.client.conversation(ana.chat))?.failed).toBe(1);
	await ben.device.start();
	await world.flush();
	await ana.device.client.retry(id);
	await world.pass(60_000, 5_000);
	expect(await deliveryOf(ana.device, id)).toBe('delivered');
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'too long']);
	expect((await ana.device.client.conversation(ana.chat))?.failed).toBe(0);
});

test('a founding that expired unread is made again when its author tries again', async () => {
	const world = new World({ seed: 76, direct: false });
	const ana = await world.addDevice('Ana');
	const { fragment } = await ana.client.createInvite({ kind: 'reusable' });
	await world.flush();
	ana.crash();
	const ben = await world.addDevice('Ben');
	await world.flush();
	const accepted = await ben.client.acceptInvite(fragment);
	if (!accepted.ok) throw new Error(accepted.error.kind);
	const id = await say({ device: ben, chat: accepted.value }, 'hello?');
	await world.flush();
	await away({ device: ana, chat: accepted.value }, world, 32);
	expect(await deliveryOf(ben, id)).toBe('failed');
	await ana.start();
	await world.flush();
	await ben.client.retry(id);
	await world.pass(60_000, 5_000);
	expect(await deliveryOf(ben, id)).toBe('delivered');
});

test(
	'1,000 messages wait at a relay that is killed: all come, once, in order',
	{ timeout: 60_000 },
	async () => {
		const { world, ana, ben } = await pair(77);
		ben.device.crash();
		const texts = Array.from({ length: 1_000 }, (_, at) => `message ${at}`);
		for (const text of texts) await say(ana, text);
		await world.flush();
		expect(world.relayDisk.waiting).toBe(1_000);
		world.killRelay();
		world.startRelay();
		await ben.device.start();
		await world.pass(30_000, 5_000);
		expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', ...texts]);
		const { messages } = await ana.device.client.messages(ana.chat, { at: 'end', limit: 200 });
		expect(new Set(messages.map(({ delivery }) => delivery.kind))).toEqual(new Set(['delivered']));
		expect(world.relayDisk.waiting).toBe(0);
	},
);
