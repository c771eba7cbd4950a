// Blocking, told as stories: what the one who blocks hears and tells, and what the other one can find out.
import { describe, expect, test } from 'vitest';
import { groupAmong, logOf, smallGroup, stateOf, textsIn } from '../support/world/group-people.ts';
import { befriend, chatWith, connect, deliveryOf, say, textsOf } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';
import type { Device } from '../support/world/device.ts';

/** Ana and Ben, who are linked directly and see each other online. */
async function anaAndBen(options: Partial<ConstructorParameters<typeof World>[0]> = {}) {
	const world = new World({ seed: 4, ...options });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(10_000);
	return { world, ana, ben };
}

const accountOf = (device: Device) => device.identity.account;

async function unreadOf(device: Device, chat: Awaited<ReturnType<typeof chatWith>>) {
	return chat && (await device.client.conversation(chat))?.unread;
}

describe('alone with somebody who is blocked', () => {
	test('BL-1 BL-2 nothing of theirs is here, and all they see is one tick', async () => {
		const { world, ana, ben } = await anaAndBen();
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		await world.pass(2_000);
		const sent = await say(ben, 'are you there?');
		await world.pass(60_000, 5_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben']);
		const row = await ana.device.client.conversation(ana.chat);
		expect(row).toMatchObject({ state: { kind: 'blocked' }, unread: 0 });
		expect(row?.last?.text).toBe('hello from Ben');
		expect(await deliveryOf(ben.device, sent)).toBe('sent');
		expect(await ben.device.client.conversation(ben.chat)).toMatchObject({
			state: { kind: 'open' },
		});
		expect(world.notes).toEqual([]);
	});

	test('BL-2 also after restarts on both sides', async () => {
		const { world, ana, ben } = await anaAndBen();
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		for (const { device } of [ana, ben]) {
			device.crash();
			await device.start();
		}
		const sent = await say(ben, 'are you there?');
		await world.pass(60_000, 5_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben']);
		expect(await deliveryOf(ben.device, sent)).toBe('sent');
		const [person] = await ana.device.client.blocked();
		expect(person?.profile.name).toBe('Ben');
	});

	test('BL-3 no presence, typing, profile or direct link is left to them', async () => {
		const { world, ana, ben } = await anaAndBen();
		const seen = () => ben.device.client.live().presence.get(ben.chat);
		expect(seen()).toMatchObject({ path: 'direct', online: true });
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		await world.pass(1_000);
		expect(seen()?.path).toBe('relay');
		expect(ana.device.client.live().presence.get(ana.chat)?.online ?? false).toBe(false);
		await world.pass(120_000, 5_000);
		expect(seen()?.online).toBe(false);
		await say(ben, 'hm');
		ben.device.client.setTyping(ben.chat, true);
		ana.device.client.setTyping(ana.chat, true);
		await ana.device.client.setProfile({ name: 'Ana Ilic', picture: null });
		ana.device.crash();
		await ana.device.start();
		await world.pass(120_000, 5_000);
		expect(seen()).toMatchObject({ path: 'relay', online: false, typing: false });
		expect(ana.device.client.live().presence.get(ana.chat)?.online ?? false).toBe(false);
		const subject = (await ben.device.client.conversation(ben.chat))?.subject;
		expect(subject).toMatchObject({ person: { profile: { name: 'Ana' } } });
	});

	test('BL-3 what was written before, and not gone yet, waits; nothing more can be written', async () => {
		const { world, ana, ben } = await anaAndBen({ direct: false });
		ana.device.offline = true;
		ana.device.wire?.cut();
		const late = await say(ana, 'wait for me');
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		expect(await ana.device.client.send(ana.chat, 'no')).toMatchObject({
			error: { kind: 'closed' },
		});
		ana.device.offline = false;
		await world.pass(60_000, 5_000);
		expect(await deliveryOf(ana.device, late)).toBe('queued');
		await ana.device.client.setBlocked(accountOf(ben.device), false);
		await world.pass(10_000);
		expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'wait for me']);
		expect(await deliveryOf(ana.device, late)).toBe('delivered');
	});

	test('BL-2 BL-3 reading what came before tells nobody', async () => {
		const { world, ana, ben } = await anaAndBen();
		const sent = await say(ben, 'one more');
		await world.pass(5_000);
		expect(await deliveryOf(ben.device, sent)).toBe('delivered');
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		await ana.device.client.markRead(ana.chat, 'ffffffffffffffff-');
		await world.pass(20_000);
		expect(await deliveryOf(ben.device, sent)).toBe('delivered');
	});

	test('BL-2 messages that are on their way when the block comes are not there either', async () => {
		const { world, ana, ben } = await anaAndBen({ direct: false });
		const sent = await say(ben, 'quick');
		await world.up(ben.device);
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		await world.pass(30_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben']);
		expect(await deliveryOf(ben.device, sent)).toBe('sent');
	});
});

describe('unblocking', () => {
	test('BL-5 from then on all is as it was; what came meanwhile does not come back', async () => {
		const { world, ana, ben } = await anaAndBen();
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		await world.pass(1_000);
		const unheard = await say(ben, 'unheard');
		await world.pass(60_000, 5_000);
		await ana.device.client.setBlocked(accountOf(ben.device), false);
		const heard = await say(ben, 'heard');
		await world.pass(10 * 60_000, 20_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben', 'heard']);
		expect(await deliveryOf(ben.device, heard)).toBe('delivered');
		expect(await deliveryOf(ben.device, unheard)).toBe('sent');
		await say(ana, 'hello again');
		await world.pass(30_000);
		expect((await textsOf(ben.device, ben.chat)).at(-1)).toBe('hello again');
		expect(await ana.device.client.blocked()).toEqual([]);
		expect(ben.device.client.live().presence.get(ben.chat)).toMatchObject({ online: true });
	});

	test('BL-5 nor when a channel takes over in which all that was not confirmed is said again', async () => {
		const { world, ana, ben } = await anaAndBen({ direct: false });
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		await say(ben, 'unheard');
		await world.pass(10_000);
		await ana.device.client.setBlocked(accountOf(ben.device), false);
		await world.pass(10_000);
		// The state of the channel is lost: the next one is founded.
		const store = ana.device.openStore();
		const channel = (await store.get('conversations', ana.chat))?.channels[0] ?? '';
		ana.device.crash();
		await store.transact((tx) => {
			tx.delete('trees', channel);
			return Promise.resolve();
		});
		await ana.device.start();
		await world.pass(60_000, 5_000);
		await say(ben, 'heard');
		await world.pass(10 * 60_000, 20_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben', 'heard']);
	});

	test('BL-2 BL-5 a channel that they found meanwhile is followed, and used afterwards', async () => {
		const { world, ana, ben } = await anaAndBen({ direct: false });
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		const store = ben.device.openStore();
		const channel = (await store.get('conversations', ben.chat))?.channels[0] ?? '';
		ben.device.crash();
		await store.transact((tx) => {
			tx.delete('trees', channel);
			return Promise.resolve();
		});
		await ben.device.start();
		await say(ben, 'unheard');
		await world.pass(60_000, 5_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual(['hello from Ben']);
		await ana.device.client.setBlocked(accountOf(ben.device), false);
		await world.pass(10_000);
		await say(ben, 'heard');
		await world.pass(5_000);
		await say(ana, 'and answered');
		await world.pass(60_000, 5_000);
		expect(await textsOf(ana.device, ana.chat)).toEqual([
			...['hello from Ben', 'heard', 'and answered'],
		]);
		expect((await textsOf(ben.device, ben.chat)).at(-1)).toBe('and answered');
	});
});

describe('groups', () => {
	test('BL-4 whoever is blocked brings nobody in, neither anew nor again', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await cleo.client.setBlocked(accountOf(ana), true);
		await group.want(cleo, { kind: 'leave', successor: undefined });
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, cleo)).toBe('left');
		await group.want(ana, { kind: 'add', people: [accountOf(cleo)] });
		await world.pass(30_000);
		await group.say(ana, 'Cleo?');
		await world.pass(30_000);
		expect(await stateOf(group, cleo)).toBe('left');
		expect(await textsIn(group, cleo)).toEqual([]);
		const other = await groupAmong(world, ana, { name: 'Again', others: [ben, cleo] });
		await other.say(ana, 'here we are');
		await world.pass(30_000);
		await expect(other.chat(cleo)).rejects.toThrow('does not know the group');
		const titles = (await cleo.client.conversations()).map(({ subject }) => subject.kind);
		expect(titles.filter((kind) => kind === 'group')).toHaveLength(1);
	});

	test('BL-4 somebody else may still bring them in where the blocked one is', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await connect(world, ben, cleo);
		await cleo.client.setBlocked(accountOf(ana), true);
		await group.want(cleo, { kind: 'leave', successor: undefined });
		await group.want(ana, { kind: 'policy', policy: { invite: 'everyone' } });
		await world.pass(60_000, 2_000);
		await group.want(ben, { kind: 'add', people: [accountOf(cleo)] });
		await world.pass(60_000, 2_000);
		expect(await stateOf(group, cleo)).toBe('open');
	});

	test('BL-6 in a common group their words are kept, and are no news', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		await group.say(ben, 'before');
		await world.pass(10_000);
		const chat = await group.chat(cleo);
		await cleo.client.markRead(chat, 'ffffffffffffffff-');
		// Known from the group only: there is no conversation with them.
		expect(await chatWith(cleo, ben)).toBeUndefined();
		await cleo.client.setBlocked(accountOf(ben), true);
		const unheard = await group.say(ben, 'from Ben');
		await world.pass(30_000);
		expect(await unreadOf(cleo, chat)).toBe(0);
		expect((await cleo.client.conversation(chat))?.last?.text).toBe('before');
		expect(await textsIn(group, cleo)).toEqual(['before', 'from Ben']);
		await group.say(ana, 'from Ana');
		await world.pass(10_000);
		expect(await unreadOf(cleo, chat)).toBe(1);
		await cleo.client.markRead(chat, 'ffffffffffffffff-');
		await world.pass(30_000);
		const who = await ben.client.receipts(unheard as never);
		expect(who).toContainEqual({ account: accountOf(ana), kind: 'delivered' });
		expect(who).toContainEqual({ account: accountOf(cleo), kind: 'sent' });
		await cleo.client.setBlocked(accountOf(ben), false);
		const heard = await group.say(ben, 'heard');
		await world.pass(10_000);
		expect(await unreadOf(cleo, chat)).toBe(1);
		expect(await ben.client.receipts(heard as never)).toContainEqual({
			account: accountOf(cleo),
			kind: 'delivered',
		});
		expect(await logOf(group, cleo)).toEqual([
			...['[group-created]', 'before', 'from Ben', 'from Ana', 'heard'],
		]);
	});

	test('BL-3 a group with somebody who is blocked is not told who is there or types', async () => {
		const { world, group, devices } = await smallGroup(3);
		const [ana, ben, cleo] = devices;
		const typists = (device: Device, chat: string) =>
			device.client.live().presence.get(chat as never)?.typists ?? [];
		cleo.client.setTyping(await group.chat(cleo), true);
		await world.flush();
		expect(typists(ben, await group.chat(ben))).toEqual([accountOf(cleo)]);
		await cleo.client.setBlocked(accountOf(ben), true);
		await world.pass(120_000, 5_000);
		cleo.client.setTyping(await group.chat(cleo), true);
		await world.flush();
		expect(typists(ben, await group.chat(ben))).toEqual([]);
		expect(typists(ana, await group.chat(ana))).toEqual([]);
		ana.client.setTyping(await group.chat(ana), true);
		ben.client.setTyping(await group.chat(ben), true);
		await world.flush();
		expect(typists(cleo, await group.chat(cleo))).toEqual([accountOf(ana)]);
	});

	test('BL-1 who is blocked is not among the people whom one can add', async () => {
		const { ana, ben } = await anaAndBen();
		const names = async () => {
			return (await ana.device.client.contacts()).map(({ profile }) => profile.name);
		};
		expect(await names()).toEqual(['Ben']);
		await ana.device.client.setBlocked(accountOf(ben.device), true);
		expect(await names()).toEqual([]);
		await ana.device.client.setBlocked(accountOf(ana.device), true);
		expect(await ana.device.client.blocked()).toHaveLength(1);
	});
});
