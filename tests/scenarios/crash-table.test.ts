// The crash table of the architecture, row by row: wherever a device or the relay dies, the next start finds enough.
import { describe, expect, test } from 'vitest';
import { heardIn } from '../../src/core/heard.ts';
import { outboxKey } from '../../src/core/records.ts';
import type { MessageId } from '../../src/core/model.ts';
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

interface Pair {
	readonly world: World;
	readonly ana: Party;
	readonly ben: Party;
}

/** Two people who know each other, without WebRTC: every packet passes the relay. */
async function pair(seed: number): Promise<Pair> {
	const world = new World({ seed, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(5_000);
	return { world, ana, ben };
}

async function outboxRow({ device, chat }: Party, id: MessageId) {
	const message = await device.client.message(id);
	if (!message) throw new Error('no such message');
	const row = await device.openStore().get('outbox', outboxKey.text(chat, message.position));
	return row?.kind === 'text' ? row : undefined;
}

/** In the end both see the same, each message once, and nothing is left anywhere. */
async function expectWhole({ world, ana, ben }: Pair, texts: readonly string[]): Promise<void> {
	await world.flush();
	await world.pass(60_000, 5_000);
	expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben', ...texts]);
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', ...texts]);
	expect(world.relayDisk.waiting).toBe(0);
	for (const { disk } of [ana.device, ben.device]) {
		expect([...(disk.shelves.get('outbox')?.rows.keys() ?? [])]).toEqual([]);
		expect([...(disk.shelves.get('carried')?.rows.keys() ?? [])]).toEqual([]);
	}
}

describe('a device dies', () => {
	test('after transaction 1: it is found queued, sealed and sent', async () => {
		const all = await pair(11);
		const id = await say(all.ana, 'one');
		all.ana.device.crash();
		expect(await deliveryOf(all.ana.device, id)).toBe('queued');
		expect((await outboxRow(all.ana, id))?.sealed).toBeUndefined();
		await all.ana.device.start();
		await expectWhole(all, ['one']);
		expect(await deliveryOf(all.ana.device, id)).toBe('delivered');
	});

	test('while sealing, before transaction 2: the old state is found, and it is sealed anew', async () => {
		const all = await pair(12);
		const { ratchet } = await channelOf(all.ana);
		all.ana.device.crash({ commitsLeft: 0, made: false });
		const id = await say(all.ana, 'one');
		await all.world.settled();
		expect(all.ana.device.running).toBe(false);
		expect((await outboxRow(all.ana, id))?.sealed).toBeUndefined();
		expect((await channelOf(all.ana)).ratchet).toEqual(ratchet);
		await all.ana.device.start();
		await expectWhole(all, ['one']);
	});

	test('after transaction 2, before sending: the same bytes are sent', async () => {
		const all = await pair(13);
		all.ana.device.crash({ commitsLeft: 0, made: true });
		const id = await say(all.ana, 'one');
		await all.world.settled();
		expect(all.ana.device.running).toBe(false);
		const sealed = (await outboxRow(all.ana, id))?.sealed;
		expect(sealed).toBeDefined();
		await all.ana.device.start();
		await all.world.flush();
		expect([...(await heardIn(all.ben.device.openStore(), ''))]).toContain(sealed?.envelope);
		await expectWhole(all, ['one']);
	});

	test('after sending, before transaction 3: it is sent again, and comes once', async () => {
		const all = await pair(14);
		all.ben.device.crash();
		const id = await say(all.ana, 'one');
		await all.world.up(all.ana.device);
		expect(all.world.relayDisk.waiting).toBe(1);
		all.ana.device.crash();
		expect((await outboxRow(all.ana, id))?.sealed).toBeDefined();
		await all.ana.device.start();
		await all.world.flush();
		expect(await deliveryOf(all.ana.device, id)).toBe('sent');
		expect(all.world.relayDisk.waiting).toBe(1);
		await all.ben.device.start();
		await expectWhole(all, ['one']);
	});

	test.each([
		[0, false],
		[1, false],
		[1, true],
		[2, true],
	])('amid a backlog, at commit %i (made: %s): each comes once, in order', async (left, made) => {
		const all = await pair(40 + left);
		const texts = Array.from({ length: 300 }, (_, n) => `of many ${n}`);
		all.ben.device.crash();
		for (const text of texts) await say(all.ana, text);
		await all.world.up(all.ana.device);
		await all.ben.device.start();
		all.ben.device.crash({ commitsLeft: left, made });
		await all.world.flush();
		expect(all.ben.device.running).toBe(false);
		await all.ben.device.start();
		await expectWhole(all, texts);
	});

	test('while opening, before its transaction: nothing is found, and it is delivered again', async () => {
		const all = await pair(15);
		all.ben.device.crash({ commitsLeft: 0, made: false });
		const id = await say(all.ana, 'one');
		await all.world.flush();
		expect(all.ben.device.running).toBe(false);
		expect(await all.ben.device.client.message(id)).toBeUndefined();
		await all.ben.device.start();
		await expectWhole(all, ['one']);
	});

	test('after the incoming transaction, before the acknowledgement: it comes again and is shown once', async () => {
		const all = await pair(16);
		all.ben.device.crash({ commitsLeft: 0, made: true });
		const id = await say(all.ana, 'one');
		await all.world.flush();
		expect(all.ben.device.running).toBe(false);
		expect((await all.ben.device.client.message(id))?.body).toMatchObject({ text: 'one' });
		await all.world.pass(1_000);
		expect(all.world.relayDisk.waiting).toBe(1);
		await all.ben.device.start();
		await expectWhole(all, ['one']);
		expect((await all.ben.device.client.conversation(all.ben.chat))?.unread).toBe(1);
	});
});

describe('the relay dies', () => {
	test('after its commit, before its answer: the same is submitted again, and stored once', async () => {
		const all = await pair(17);
		all.ben.device.crash();
		await say(all.ana, 'one');
		await all.world.up(all.ana.device);
		expect(all.world.relayDisk.waiting).toBe(1);
		all.world.killRelay();
		all.world.startRelay();
		await all.world.pass(2_000);
		expect(all.world.relayDisk.waiting).toBe(1);
		await all.ben.device.start();
		await expectWhole(all, ['one']);
	});

	test('after the commit that founds a channel, before its answer: one channel is founded', async () => {
		const world = new World({ seed: 18, direct: false });
		const ana = await world.addDevice('Ana');
		const invite = await ana.client.createInvite({ kind: 'one-time' });
		await world.flush();
		const ben = await world.addDevice('Ben');
		await world.flush();
		const accepted = await ben.client.acceptInvite(invite.fragment);
		if (!accepted.ok) throw new Error(accepted.error.kind);
		const id = await say({ device: ben, chat: accepted.value }, 'hello');
		await world.up(ben);
		world.killRelay();
		world.startRelay();
		await world.pass(5_000);
		expect(await deliveryOf(ben, id)).toBe('delivered');
		expect(ben.disk.shelves.get('channels')?.rows.size).toBe(1);
		expect(ana.disk.shelves.get('channels')?.rows.size).toBe(1);
	});
});

describe('the answer to an own MLS commit is lost', () => {
	test('it had won: it is adopted by its echo', async () => {
		const all = await pair(19);
		const before = await channelOf(all.ana);
		await planRotation(all.ana);
		await all.world.up(all.ana.device);
		all.ana.device.crash();
		expect((await channelOf(all.ana)).staged).toBeDefined();
		await all.ana.device.start();
		await say(all.ben, 'while you were away');
		await expectWhole(all, ['while you were away']);
		const after = await channelOf(all.ana);
		expect(after.epoch).toBe(before.epoch + 1);
		expect(after.staged).toBeUndefined();
		expect((await channelOf(all.ben)).epoch).toBe(after.epoch);
	});

	test('it had lost: it is dropped, and the intention planned again', async () => {
		const all = await pair(20);
		const before = await channelOf(all.ana);
		await planRotation(all.ana);
		await planRotation(all.ben);
		await all.world.settled();
		await all.world.up(all.ben.device); // Ben's commit is first
		await all.world.up(all.ana.device);
		all.ana.device.crash();
		await all.ana.device.start();
		await say(all.ana, 'after all');
		await expectWhole(all, ['after all']);
		const after = await channelOf(all.ana);
		expect(after.epoch).toBe(before.epoch + 2);
		expect((await channelOf(all.ben)).epoch).toBe(after.epoch);
		expect(all.world.notes).toEqual([]);
	});
});

test('two tabs write while the engine works', async () => {
	const all = await pair(21);
	const tab = all.ana.device.openClient();
	const texts: string[] = [];
	for (let turn = 0; turn < 10; turn++) {
		const clients = [tab, all.ana.device.client];
		await Promise.all(
			clients.map(async (client, at) => {
				texts.push(`tab ${at}, ${turn}`);
				await client.send(all.ana.chat, `tab ${at}, ${turn}`);
				await client.markRead(all.ana.chat, 'z');
			}),
		);
		await say(all.ben, `Ben, ${turn}`);
		texts.push(`Ben, ${turn}`);
	}
	await all.world.flush();
	await all.world.pass(60_000, 5_000);
	const seen = await textsOf(all.ana.device, all.ana.chat);
	expect([...seen].sort()).toEqual([...texts, 'hello from Ben'].sort());
	expect(await textsOf(all.ben.device, all.ben.chat)).toEqual(seen);
});

test('a full disk keeps nothing back for good: what came is stored when there is room', async () => {
	const all = await pair(22);
	all.ben.device.disk.full = true;
	const id = await say(all.ana, 'one');
	await all.world.flush();
	await all.world.pass(20_000, 5_000);
	expect(await all.ben.device.client.message(id)).toBeUndefined();
	expect(await all.ben.device.client.send(all.ben.chat, 'no room')).toEqual({
		ok: false,
		error: { kind: 'storage-full' },
	});
	expect(all.world.relayDisk.waiting).toBe(1);
	all.ben.device.disk.full = false;
	await expectWhole(all, ['one']);
});
