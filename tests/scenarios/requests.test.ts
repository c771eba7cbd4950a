// Strangers of a common group, told as stories: Ben and Cleo know each other from Ana's group only.
import { describe, expect, test } from 'vitest';
import type { ConversationId } from '../../src/core/model.ts';
import { newConversation } from '../../src/core/threads.ts';
import type { Device } from '../support/world/device.ts';
import { logOf, smallGroup, stateOf } from '../support/world/group-people.ts';
import { chatWith, deliveryOf, say, textsOf, type Party } from '../support/world/people.ts';
import type { World } from '../support/world/world.ts';

const accountOf = (device: Device) => device.identity.account;

/** Ben writes to Cleo alone. */
async function benWrites(
	options: { readonly direct?: boolean; readonly before?: (cleo: Device) => Promise<void> } = {},
) {
	const { before, ...rest } = options;
	const { world, group, devices } = await smallGroup(3, rest);
	const [, ben, cleo] = devices;
	await world.pass(20_000);
	await before?.(cleo);
	const chat = await ben.client.writeTo(accountOf(cleo));
	if (!chat) throw new Error('Cleo cannot be reached');
	const from: Party = { device: ben, chat };
	const first = await say(from, 'is this you, from the hut?');
	await world.pass(20_000);
	return { world, group, ben, cleo, from, first };
}

async function requestAt(cleo: Device, ben: Device): Promise<ConversationId> {
	const chat = await chatWith(cleo, ben);
	if (!chat) throw new Error('there is no request');
	return chat;
}

async function stateWith(own: Device, other: Device): Promise<string | undefined> {
	const chat = await chatWith(own, other);
	return chat && (await own.client.conversation(chat))?.state.kind;
}

async function nameAt(device: Device, chat: ConversationId): Promise<string | undefined> {
	const subject = (await device.client.conversation(chat))?.subject;
	return subject?.kind === 'person' ? subject.person.profile.name : undefined;
}

/** Everything that tells Ben that somebody is there. */
async function expectSilence(world: World, { device, chat }: Party): Promise<void> {
	await world.pass(120_000, 5_000);
	expect(device.client.live().presence.get(chat)?.online ?? false).toBe(false);
	expect(device.client.live().presence.get(chat)?.typing ?? false).toBe(false);
	const row = await device.openStore().get('conversations', chat);
	expect((await device.openStore().get('people', row?.account ?? ''))?.entry).toBeUndefined();
}

describe('a request', () => {
	test('RQ-1 RQ-2 can be read, and tells nobody that it was', async () => {
		const { world, group, ben, cleo, from, first } = await benWrites();
		const chat = await requestAt(cleo, ben);
		expect(await cleo.client.conversation(chat)).toMatchObject({
			state: { kind: 'request', from: await group.chat(cleo) },
			unread: 1,
			last: { text: 'is this you, from the hut?' },
		});
		expect(await nameAt(cleo, chat)).toBe('Ben');
		await cleo.client.markRead(chat, 'ffffffffffffffff-');
		cleo.client.setTyping(chat, true);
		expect(await cleo.client.send(chat, 'hm')).toMatchObject({ error: { kind: 'closed' } });
		cleo.crash();
		await cleo.start();
		await expectSilence(world, from);
		expect(await deliveryOf(ben, first)).toBe('sent');
		expect((await cleo.client.contacts()).map(({ profile }) => profile.name)).toEqual(['Ana']);
		expect(world.notes).toEqual([]);
	});

	test('RQ-2 accepted, it is a conversation like any other', async () => {
		const { world, ben, cleo, from, first } = await benWrites();
		const chat = await requestAt(cleo, ben);
		await cleo.client.markRead(chat, 'ffffffffffffffff-');
		await cleo.client.answerStranger(chat, 'accept');
		await world.pass(20_000);
		expect(await stateWith(cleo, ben)).toBe('open');
		expect(await deliveryOf(ben, first)).toBe('read');
		await say({ device: cleo, chat }, 'it is');
		await world.pass(20_000);
		expect(await textsOf(ben, from.chat)).toEqual(['is this you, from the hut?', 'it is']);
		expect(ben.client.live().presence.get(from.chat)).toMatchObject({ online: true });
		expect((await cleo.client.contacts()).map(({ profile }) => profile.name)).toContain('Ben');
	});

	test('RQ-2 deleted, it is gone, and comes again with their next message alone', async () => {
		const { world, ben, cleo, from, first } = await benWrites();
		const chat = await requestAt(cleo, ben);
		await cleo.client.answerStranger(chat, 'delete');
		await world.pass(20_000);
		expect(await chatWith(cleo, ben)).toBeUndefined();
		expect(await cleo.client.conversation(chat)).toBeUndefined();
		const again = await say(from, 'hello?');
		await world.pass(20_000);
		expect(await textsOf(cleo, await requestAt(cleo, ben))).toEqual(['hello?']);
		await cleo.client.answerStranger(chat, 'accept');
		await world.pass(10 * 60_000, 20_000);
		expect(await textsOf(cleo, chat)).toEqual(['hello?']);
		expect(await deliveryOf(ben, again)).toBe('delivered');
		expect(await deliveryOf(ben, first)).toBe('sent');
	});

	test('BL-2 RQ-2 of somebody who is blocked there is none', async () => {
		const { world, group, ben, cleo, from } = await benWrites();
		const chat = await requestAt(cleo, ben);
		await cleo.client.setBlocked(accountOf(ben), true);
		await cleo.client.answerStranger(chat, 'delete');
		await say(from, 'hello?');
		await expectSilence(world, from);
		expect(await chatWith(cleo, ben)).toBeUndefined();
		await group.say(ben, 'from the group');
		await world.pass(10_000);
		expect((await logOf(group, cleo)).at(-1)).toBe('from the group');
		await cleo.client.setBlocked(accountOf(ben), false);
		await say(from, 'and now?');
		await world.pass(20_000);
		expect(await stateWith(cleo, ben)).toBe('request');
		expect(await textsOf(cleo, await requestAt(cleo, ben))).toEqual(['and now?']);
	});

	test('RQ-3 holds a bounded number of messages; the others come once it is accepted', async () => {
		const { world, ben, cleo, from } = await benWrites();
		for (let at = 1; at <= 30; at++) await say(from, `flood ${at}`);
		await world.pass(60_000, 5_000);
		const chat = await requestAt(cleo, ben);
		expect(await textsOf(cleo, chat)).toHaveLength(20);
		expect((await cleo.client.conversation(chat))?.unread).toBe(20);
		await cleo.client.answerStranger(chat, 'accept');
		await world.pass(10 * 60_000, 20_000);
		expect(await textsOf(cleo, chat)).toEqual([
			'is this you, from the hut?',
			...Array.from({ length: 30 }, (_, at) => `flood ${at + 1}`),
		]);
	});

	test('RQ-3 only so many wait at once', async () => {
		const { world, ben, cleo, from, first } = await benWrites({
			before: async (device) => {
				await device.openStore().transact((tx) => {
					for (let at = 0; at < 50; at++) {
						const id = `waiting ${at}` as ConversationId;
						const waiting = newConversation(id, undefined, 1);
						tx.put('conversations', id, { ...waiting, state: { kind: 'request', from: id } });
					}
					return Promise.resolve();
				});
			},
		});
		await expectSilence(world, from);
		expect(await chatWith(cleo, ben)).toBeUndefined();
		expect(await deliveryOf(ben, first)).toBe('sent');
	});

	test('RQ-5 who comes by an own link was expected, also if they asked before', async () => {
		const { world, ben, cleo, from, first } = await benWrites();
		const invite = await cleo.client.createInvite({ kind: 'reusable' });
		await world.flush();
		const accepted = await ben.client.acceptInvite(invite.fragment);
		expect(accepted).toEqual({ ok: true, value: from.chat });
		await world.pass(60_000, 5_000);
		expect(await stateWith(cleo, ben)).toBe('open');
		expect(await deliveryOf(ben, first)).toBe('delivered');
	});
});

describe('only people with my link', () => {
	const only = (cleo: Device) => cleo.client.changeSettings({ onlyMyLink: true });

	test('RQ-4 nobody of a group is heard alone, and all they see is one tick', async () => {
		const { world, group, ben, cleo, from, first } = await benWrites({ before: only });
		await expectSilence(world, from);
		expect(await chatWith(cleo, ben)).toBeUndefined();
		expect(await deliveryOf(ben, first)).toBe('sent');
		expect(await stateWith(ben, cleo)).toBe('open');
		expect(await stateOf(group, cleo)).toBe('open');
	});

	test('RQ-4 RQ-5 with a link they are, with all that they said', async () => {
		const { world, ben, cleo, from, first } = await benWrites({ before: only });
		const invite = await cleo.client.createInvite({ kind: 'one-time' });
		await world.flush();
		await ben.client.acceptInvite(invite.fragment);
		await world.pass(60_000, 5_000);
		const chat = await requestAt(cleo, ben);
		expect(await stateWith(cleo, ben)).toBe('open');
		expect(await textsOf(cleo, chat)).toEqual(['is this you, from the hut?']);
		expect(await deliveryOf(ben, first)).toBe('delivered');
		await say({ device: cleo, chat }, 'it is');
		await world.pass(20_000);
		expect((await textsOf(ben, from.chat)).at(-1)).toBe('it is');
	});
});

test('RQ-1 nobody writes to a member by an address of a group that they are not in any more', async () => {
	const { world, group, devices } = await smallGroup(3, { direct: false });
	const [ana, ben, cleo] = devices;
	await world.pass(20_000);
	const chat = await ben.client.writeTo(accountOf(cleo));
	if (!chat) throw new Error('Cleo cannot be reached');
	// Nothing leaves while Ben is away, and meanwhile he is taken out.
	ben.offline = true;
	ben.wire?.cut();
	await say({ device: ben, chat }, 'still there?');
	await group.want(ana, { kind: 'remove', account: accountOf(ben) });
	await world.pass(30_000);
	ben.offline = false;
	await world.pass(60_000, 5_000);
	expect(await stateOf(group, ben)).toBe('removed');
	expect(await chatWith(cleo, ben)).toBeUndefined();
});
