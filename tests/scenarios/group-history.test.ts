// A newcomer is given what was said before, as the word of who added them.
import { describe, expect, test } from 'vitest';
import { takeHistory } from '../../src/core/history-taking.ts';
import { newsOf } from '../../src/core/hosts/news.ts';
import type { GroupIntention, HistoryShare } from '../../src/core/model.ts';
import type { AccountId, MessageId } from '../../src/protocol/ids.ts';
import type { Device } from '../support/world/device.ts';
import { logOf, textsIn, wordsIn } from '../support/world/group-people.ts';
import {
	allIn,
	chatter,
	historyOf,
	sharedIn,
	tell,
	toldIn,
	withNewcomer,
} from '../support/world/history-people.ts';
import { chatWith, connect } from '../support/world/people.ts';

function adding(device: Device, history?: HistoryShare): GroupIntention {
	return { kind: 'add', people: [device.identity.account], history };
}

const DAY = 24 * 60 * 60_000;

describe('who is added', () => {
	test('HI-1 is given nothing unless somebody chose so', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer();
		await chatter(world, group, { by: [ana, ben], count: 3 });
		await group.want(ana, adding(zoe));
		await world.pass(20_000);
		expect(await logOf(group, zoe)).toEqual(['[added]']);
		expect((await allIn(group, ben)).at(-1)?.body).toEqual({
			kind: 'event',
			event: { kind: 'added', who: [zoe.identity.account] },
		});
		expect(world.notes).toEqual([]);
	});

	test.each([
		['last-25', 25],
		['last-100', 60],
		['all', 60],
	] as const)('HI-1 is given %s, and everybody is told', async (history, count) => {
		const { world, group, ana, ben, cleo, zoe } = await withNewcomer();
		const texts = await chatter(world, group, { by: [ana, ben, cleo], count: 60 });
		await group.want(ana, adding(zoe, history));
		await world.pass(20_000);
		expect(await sharedIn(group, zoe)).toEqual(texts.slice(-count));
		expect(await toldIn(group, zoe)).toEqual([count]);
		for (const device of [ana, ben, cleo]) {
			expect((await allIn(group, device)).at(-1)?.body).toEqual({
				kind: 'event',
				event: { kind: 'added', who: [zoe.identity.account], shared: history },
			});
			expect(await sharedIn(group, device)).toEqual([]);
		}
		const log = await allIn(group, zoe);
		expect(log.slice(-2).map(({ body }) => body.kind === 'event' && body.event.kind)).toEqual([
			'added',
			'history',
		]);
		const original = await allIn(group, ben);
		for (const { id, author, position, sent, body } of log) {
			if (body.kind !== 'text') continue;
			expect(body.sharedBy).toBe(ana.identity.account);
			expect(original.find((each) => each.id === id)).toMatchObject({ author, position, sent });
		}
		expect(world.notes).toEqual([]);
	});

	test('HI-1 is given the messages of 14 days, and none before', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer({ direct: false });
		await group.say(ben, 'long ago');
		await world.pass(10_000);
		world.clock.advance(15 * DAY);
		await world.pass(60_000, 5_000);
		await group.say(ben, 'lately');
		await world.pass(10_000);
		await group.want(ana, adding(zoe, 'days-14'));
		await world.pass(20_000);
		expect(await sharedIn(group, zoe)).toEqual(['lately']);
	});

	test('HI-6 has nothing to read by it, is told of nothing, and answers to nobody', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer();
		const id = (await group.say(ben, 'before')) as MessageId;
		await world.pass(5_000);
		await group.want(ana, adding(zoe, 'all'));
		await world.pass(10_000);
		const chat = await group.chat(zoe);
		const row = await zoe.client.conversation(chat);
		expect(row?.readTo).toBe((await allIn(group, zoe)).at(-1)?.position);
		expect([row?.unread, row?.mentions, row?.last?.text]).toEqual([0, [], 'before']);
		expect(row && (await newsOf(zoe.openStore(), [row], 5))).toEqual([]);
		await zoe.client.markRead(chat, (await allIn(group, zoe)).at(-1)?.position ?? '');
		await world.pass(60_000, 5_000);
		const readers = (await ben.client.receipts(id)).map(({ account }) => account);
		expect(readers).not.toContain(zoe.identity.account);
		await group.say(ben, 'welcome');
		await world.pass(5_000);
		expect((await zoe.client.conversation(chat))?.unread).toBe(1);
		expect(await zoe.client.firstUnread(chat)).toBe((await allIn(group, zoe)).at(-1)?.position);
		expect(world.notes).toEqual([]);
	});

	test('HI-4 gets all of a long one in parts, whoever dies in between', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer({ direct: false });
		const long = 'x'.repeat(9_000);
		for (let at = 0; at < 30; at++) {
			await group.say(at % 2 ? ana : ben, `${at} ${long}`);
			await world.flush();
		}
		await world.pass(5_000);
		await group.want(ana, adding(zoe, 'all'));
		for (let at = 0; at < 40; at++) {
			const device = at % 2 ? ana : zoe;
			device.crash({ commitsLeft: at % 5, made: at % 3 === 0 });
			await world.pass(1_000, 250);
			device.spare();
			if (!device.running) await device.start();
		}
		await world.pass(5 * 60_000, 5_000);
		const expected = Array.from({ length: 30 }, (_, at) => `${at} ${long}`);
		expect(await sharedIn(group, zoe)).toEqual(expected);
		expect(await toldIn(group, zoe)).toEqual([30]);
		expect([...(ana.disk.shelves.get('outbox')?.rows.keys() ?? [])]).toEqual([]);
	});

	test('HI-4 gets it although the state of the conversation with who shares it was lost', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer({ direct: false });
		const texts = await chatter(world, group, { by: [ana, ben], count: 4 });
		zoe.crash();
		await group.want(ana, adding(zoe, 'all'));
		await world.pass(10_000);
		const chat = await chatWith(zoe, ana);
		const [channel = ''] = (await zoe.openStore().get('conversations', chat ?? ''))?.channels ?? [];
		const shelf = zoe.disk.shelves.get('trees');
		expect(shelf?.rows.delete(channel)).toBe(true);
		if (shelf) shelf.sorted = undefined;
		await zoe.start();
		await world.pass(10 * 60_000, 5_000);
		expect(await sharedIn(group, zoe)).toEqual(texts);
		expect([...(ana.disk.shelves.get('outbox')?.rows.keys() ?? [])]).toEqual([]);
	});

	test('gets no more once they are out again', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer({ direct: false });
		await chatter(world, group, { by: [ana, ben], count: 4 });
		zoe.offline = true;
		zoe.wire?.cut();
		await group.want(ana, adding(zoe, 'all'));
		await world.pass(5_000);
		await group.want(ana, { kind: 'remove', account: zoe.identity.account });
		await world.pass(5 * 60_000, 5_000);
		expect([...(ana.disk.shelves.get('outbox')?.rows.keys() ?? [])]).toEqual([]);
		zoe.offline = false;
		await world.pass(60_000, 5_000);
		expect(await textsIn(group, zoe)).not.toContain('line 4');
		expect((await zoe.client.conversation(await group.chat(zoe)))?.state.kind).toBe('removed');
	});
});

describe('HI-2 a history is not taken', () => {
	test('from who did not add this person', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer();
		await connect(world, ben, zoe);
		await group.want(ana, adding(zoe));
		await world.pass(20_000);
		await tell(ben, zoe, await historyOf(group, ben, [{}]));
		await world.pass(20_000);
		expect(await logOf(group, zoe)).toEqual(['[added]']);
	});

	test('before one is in the group, or when it is for another', async () => {
		const { world, group, ana, ben, zoe } = await withNewcomer();
		await tell(ana, zoe, await historyOf(group, ana, [{}]));
		await world.pass(20_000);
		await expect(group.chat(zoe)).rejects.toThrow('does not know the group');
		await group.want(ana, adding(zoe));
		await world.pass(20_000);
		await tell(ana, ben, await historyOf(group, ana, [{ text: 'to a founder' }]));
		await world.pass(20_000);
		expect(await wordsIn(group, ben)).toEqual([]);
	});

	test('after its last part', async () => {
		const { world, group, ana, zoe } = await withNewcomer();
		await group.say(ana, 'true');
		await world.pass(5_000);
		await group.want(ana, adding(zoe, 'all'));
		await world.pass(20_000);
		await tell(ana, zoe, await historyOf(group, ana, [{ text: 'one more' }]));
		await world.pass(20_000);
		expect(await wordsIn(group, zoe)).toEqual(['true']);
	});

	test('beyond 5,000 messages', async () => {
		const { world, group, ana, zoe } = await withNewcomer();
		await group.want(ana, adding(zoe));
		await world.pass(20_000);
		for (let part = 0; part < 21; part++) {
			const ids = Array.from({ length: 256 }, (_, at) => {
				const bytes = new Uint8Array(16);
				new DataView(bytes.buffer).setUint32(0, part * 256 + at);
				return { message: Buffer.from(bytes).toString('base64url') as MessageId };
			});
			await tell(ana, zoe, { ...(await historyOf(group, ana, ids)), part });
			await world.pass(1_000);
		}
		expect(await toldIn(group, zoe)).toEqual([5_000]);
		expect((await sharedIn(group, zoe)).length).toBe(5_000);
	});
});

test('HI-3 nothing is believed of who is not in the group, of oneself, or of later', async () => {
	const { world, group, ana, ben, zoe } = await withNewcomer();
	const stranger = await world.addDevice('Stranger');
	await group.want(ana, adding(zoe));
	await world.pass(20_000);
	const credible = { author: ben.identity.account, text: 'credible' };
	await tell(
		ana,
		zoe,
		await historyOf(group, ana, [
			{ author: stranger.identity.account },
			{ author: 'A'.repeat(43) as AccountId },
			{ author: zoe.identity.account },
			{ order: 'ffffffffffffffff' },
			credible,
		]),
	);
	await world.pass(20_000);
	expect(await sharedIn(group, zoe)).toEqual(['credible']);
	expect(await toldIn(group, zoe)).toEqual([1]);
});

test('HI-5 what is there stays, and what its author sealed takes the place of a word for it', async () => {
	const { world, group, ana, ben, zoe } = await withNewcomer({ direct: false });
	await group.want(ana, adding(zoe));
	await world.pass(20_000);
	const own = (await group.say(ben, 'as Ben said it')) as MessageId;
	await world.pass(5_000);
	zoe.offline = true;
	zoe.wire?.cut();
	await world.pass(5_000);
	const coming = (await group.say(ben, 'as Ben says it')) as MessageId;
	await world.pass(5_000);
	const author = ben.identity.account;
	// Ana has both; her word for the second is there before Ben's own reaches Zoe.
	const chat = await group.chat(zoe);
	const forged = await historyOf(group, ana, [
		{ message: own, author, text: 'forged' },
		{ message: coming, author, text: 'forged too' },
	]);
	zoe.crash();
	await zoe.openStore().transact(async (tx) => {
		const alone = await tx.get('conversations', (await chatWith(zoe, ana)) ?? '');
		const row = await tx.get('channels', alone?.channels[0] ?? '');
		if (!row) throw new Error('no channel');
		const now = () => world.clock.now();
		const work = { tx, identity: zoe.identity, relayTime: now, clock: { now } };
		await takeHistory(work as never, row, { by: ana.identity, part: forged });
	});
	expect(await sharedIn(group, zoe)).toEqual(['forged too']);
	zoe.offline = false;
	await zoe.start();
	await world.pass(60_000, 5_000);
	expect(await wordsIn(group, zoe)).toEqual(['as Ben said it', 'as Ben says it']);
	expect(await sharedIn(group, zoe)).toEqual([]);
	expect((await zoe.client.conversation(chat))?.unread).toBe(2);
});
