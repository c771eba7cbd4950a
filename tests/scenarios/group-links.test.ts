// Joining a group by its link, told as stories.
import { describe, expect, test } from 'vitest';
import type { Device } from '../support/world/device.ts';
import { logOf, membersOf, smallGroup, stateOf, textsIn } from '../support/world/group-people.ts';
import {
	ask,
	BY_HAND,
	listOf,
	makeLink,
	OPEN,
	standing,
	waitingAt,
} from '../support/world/link-people.ts';
import { connect } from '../support/world/people.ts';

const DAY = 24 * 60 * 60_000;

/** Ana, who owns the group and knows Ben; Dov knows nobody. */
async function doorstep(options: Parameters<typeof smallGroup>[1] = { direct: false }) {
	const { world, group, devices } = await smallGroup(2, options);
	const [ana, ben] = devices;
	const dov = await world.addDevice('Dov');
	return { world, group, ana, ben, dov };
}

describe('without approval', () => {
	test('JO-1 JO-2 somebody opens the link, asks, and is in; nobody becomes a contact', async () => {
		const { world, group, ana, ben, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		expect(await dov.client.previewInvite(link.fragment)).toEqual({
			...{ kind: 'group', name: 'Hut', picture: null, size: 2, approval: false },
			...{ by: { account: ana.identity.account, name: 'Ana' }, existing: undefined },
		});
		const chat = await ask(dov, link);
		expect(await standing(dov, chat)).toBe('asking');
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
		for (const device of [ana, ben, dov]) {
			expect(await membersOf(group, device)).toBe('Ana owner, Ben member, Dov member');
		}
		await group.say(dov, 'hi all');
		await world.flush();
		await group.say(ben, 'welcome');
		await world.pass(5_000);
		expect(await logOf(group, dov)).toEqual(['[joined-by-link]', 'hi all', 'welcome']);
		expect(await logOf(group, ben)).toEqual([
			...['[group-created]', '[joined-by-link]', 'hi all', 'welcome'],
		]);
		expect(await listOf(dov)).toEqual(['Hut', 'notes']);
		expect(await listOf(ana)).toEqual(['Hut', 'Ben', 'notes']);
		expect((await ana.client.contacts()).map(({ profile }) => profile.name)).toEqual(['Ben']);
		expect(world.notes).toEqual([]);
	});

	test('JO-7 nothing is left at the relay or on the devices of how they asked', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		await ask(dov, link);
		await world.pass(60_000, 2_000);
		for (const device of [ana, dov]) {
			const store = device.openStore();
			expect(await store.list('requests', { prefix: '', limit: 9 })).toEqual([]);
			const channels = await store.list('channels', { prefix: '', limit: 9 });
			expect(channels.filter(({ value }) => value.asks)).toEqual([]);
			expect(await store.list('outbox', { prefix: '', limit: 9 })).toEqual([]);
		}
	});

	test('the card tells of the group as it is now', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		await group.want(ana, { kind: 'about', about: { name: 'Cabin' } });
		await world.pass(5_000);
		await ask(dov, link);
		await world.pass(20_000);
		const eli = await world.addDevice('Eli');
		expect(await eli.client.previewInvite(link.fragment)).toMatchObject({ name: 'Cabin', size: 3 });
	});

	test('who is in it already, and its maker, come to the group', async () => {
		const { world, group, ana, ben } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		const chat = await group.chat(ben);
		expect(await ben.client.previewInvite(link.fragment)).toMatchObject({ existing: chat });
		expect(await ask(ben, link)).toBe(chat);
		expect(await ana.client.previewInvite(link.fragment)).toEqual({
			...{ kind: 'own', group: await group.chat(ana) },
		});
		await world.pass(5_000);
		expect(await logOf(group, ana)).toEqual(['[group-created]']);
	});

	test('JO-5 five who come at once are brought in by few commits', async () => {
		const { world, group, ana, ben, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		const others: Device[] = [dov];
		for (const name of ['Eli', 'Fay', 'Gus', 'Hal']) others.push(await world.addDevice(name));
		for (const device of others) await ask(device, link);
		await world.pass(60_000, 2_000);
		for (const device of [ana, ben, ...others]) {
			expect(await membersOf(group, device)).toBe(
				'Ana owner, Ben member, Dov member, Eli member, Fay member, Gus member, Hal member',
			);
		}
		const lines = (await logOf(group, ben)).filter((line) => line === '[joined-by-link]');
		expect(lines.length).toBeLessThanOrEqual(2);
		for (const device of others) await group.say(device, device.name);
		await world.pass(5_000);
		expect((await textsIn(group, ben)).sort()).toEqual(['Dov', 'Eli', 'Fay', 'Gus', 'Hal']);
	});

	test('the maker is away: they wait, and are in once the maker is back', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		ana.crash();
		const chat = await ask(dov, link);
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('asking');
		expect(await ask(dov, link)).toBe(chat);
		await ana.start();
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
	});

	test('asked without a connection, over a restart of everything in between', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		expect(await dov.client.previewInvite(link.fragment)).toMatchObject({ kind: 'group' });
		dov.offline = true;
		dov.wire?.cut();
		const chat = await ask(dov, link);
		await world.pass(5_000);
		dov.crash();
		dov.offline = false;
		await dov.start();
		await world.up(dov);
		world.killRelay();
		world.startRelay();
		await world.pass(30_000);
		ana.crash({ commitsLeft: 1, made: true });
		await world.pass(10_000);
		if (!ana.running) await ana.start();
		await world.pass(60_000, 2_000);
		expect(await standing(dov, chat)).toBe('open');
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member, Dov member');
	});

	test('who left comes back by the same link, to the same conversation', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		const chat = await ask(dov, link);
		await world.pass(20_000);
		await group.say(ana, 'one');
		await world.pass(5_000);
		await group.want(dov, { kind: 'leave', successor: undefined });
		await world.pass(1_000);
		expect(await ask(dov, link)).toBe(chat);
		await world.pass(60_000, 2_000);
		await group.say(ana, 'two');
		await world.pass(5_000);
		expect(await stateOf(group, dov)).toBe('open');
		expect(await textsIn(group, dov)).toEqual(['one', 'two']);
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member, Dov member');
	});
});

describe('with approval', () => {
	test('JO-4 they wait until they are let in', async () => {
		const { world, group, ana, ben, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: BY_HAND });
		expect(await dov.client.previewInvite(link.fragment)).toMatchObject({ approval: true });
		const chat = await ask(dov, link);
		await world.pass(10_000);
		expect(await waitingAt(ana, group)).toEqual(['Dov']);
		expect((await ana.client.conversation(await group.chat(ana)))?.requests).toBe(1);
		expect(await standing(dov, chat)).toBe('asking');
		expect(await membersOf(group, ben)).toBe('Ana owner, Ben member');
		const account = dov.identity.account;
		await ana.client.answerRequest(await group.chat(ana), account, 'let-in');
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
		expect(await waitingAt(ana, group)).toEqual([]);
		expect((await ana.client.conversation(await group.chat(ana)))?.requests).toBe(0);
		expect(await membersOf(group, ben)).toBe('Ana owner, Ben member, Dov member');
	});

	test('JO-7 declined: they are told, and may ask again', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: BY_HAND });
		const chat = await ask(dov, link);
		await world.pass(10_000);
		const account = dov.identity.account;
		await ana.client.answerRequest(await group.chat(ana), account, 'decline');
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('turned-away declined');
		expect(await waitingAt(ana, group)).toEqual([]);
		expect(await dov.client.send(chat, 'please')).toEqual({ ok: false, error: { kind: 'closed' } });
		expect(await ask(dov, link)).toBe(chat);
		await world.pass(10_000);
		expect(await waitingAt(ana, group)).toEqual(['Dov']);
		await ana.client.answerRequest(await group.chat(ana), account, 'let-in');
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
	});

	test('who does not want in any more takes it back: the conversation is gone, and nobody can add them', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: BY_HAND });
		const chat = await ask(dov, link);
		await world.pass(10_000);
		expect(await dov.client.withdrawRequest(chat)).toBe(true);
		await world.pass(5_000);
		expect(await listOf(dov)).toEqual(['notes']);
		const account = dov.identity.account;
		await ana.client.answerRequest(await group.chat(ana), account, 'let-in');
		await world.pass(30_000);
		expect(await listOf(dov)).toEqual(['notes']);
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member');
		expect((await logOf(group, ana)).at(-1)).toBe('[not-done]');
	});

	test('JO-4 who was removed comes back by the link only if somebody says so', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		const chat = await ask(dov, link);
		await world.pass(20_000);
		const account = dov.identity.account;
		await group.want(ana, { kind: 'remove', account });
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('removed');
		expect(await ask(dov, link)).toBe(chat);
		await world.pass(30_000);
		expect(await standing(dov, chat)).toBe('asking');
		expect(await waitingAt(ana, group)).toEqual(['Dov again']);
		await ana.client.answerRequest(await group.chat(ana), account, 'let-in');
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
	});
});

describe('a link that is over', () => {
	test('JO-8 reset between opening and joining: the old one is dead, the new one works', async () => {
		const { world, group, ana, dov } = await doorstep();
		const old = await makeLink(world, ana, { group, terms: OPEN });
		expect(await dov.client.previewInvite(old.fragment)).toMatchObject({ kind: 'group' });
		const fresh = await makeLink(world, ana, { group, terms: OPEN });
		const chat = await ask(dov, old);
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('refused revoked');
		expect(await dov.client.previewInvite(old.fragment)).toEqual({
			...{ kind: 'closed', reason: 'revoked' },
		});
		expect(await ask(dov, fresh)).toBe(chat);
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
	});

	test('JO-3 reset while the request waits at the relay: turned away', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		ana.offline = true;
		ana.wire?.cut();
		const chat = await ask(dov, link);
		await world.pass(10_000);
		await ana.client.closeGroupLink(await group.chat(ana));
		ana.offline = false;
		await world.pass(30_000);
		expect(await standing(dov, chat)).toBe('turned-away closed');
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member');
		expect((await ana.client.groupLink(await group.chat(ana)))?.state).toBe('revoked');
	});

	test('AD-4 past its time', async () => {
		const { world, group, ana, dov } = await doorstep();
		const terms = { ...OPEN, expires: world.clock.now() + DAY };
		const link = await makeLink(world, ana, { group, terms });
		expect(await dov.client.previewInvite(link.fragment)).toMatchObject({ kind: 'group' });
		await world.pass(DAY + 60_000, 60 * 60_000);
		const chat = await ask(dov, link);
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('refused expired');
		expect((await ana.client.groupLink(await group.chat(ana)))?.state).toBe('expired');
	});

	test('AD-3 used up: the first ones are in, the next hears of it', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: { ...OPEN, uses: 2 } });
		const [eli, fay] = [await world.addDevice('Eli'), await world.addDevice('Fay')];
		for (const device of [dov, eli, fay]) await device.client.previewInvite(link.fragment);
		const chats = new Map<Device, string | undefined>();
		for (const device of [dov, eli, fay]) {
			const chat = await ask(device, link);
			await world.pass(10_000);
			chats.set(device, await standing(device, chat));
		}
		expect([...chats.values()]).toEqual(['open', 'open', 'refused used']);
		expect((await ana.client.groupLink(await group.chat(ana)))?.state).toBe('used');
	});

	test('other terms for the same link', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: BY_HAND });
		await ana.client.changeGroupLink(await group.chat(ana), { ...OPEN, uses: 1 });
		await world.flush();
		expect(await dov.client.previewInvite(link.fragment)).toMatchObject({ approval: false });
		const chat = await ask(dov, link);
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
		const eli = await world.addDevice('Eli');
		expect(await eli.client.previewInvite(link.fragment)).toEqual({
			...{ kind: 'closed', reason: 'used' },
		});
	});

	test('JO-8 its maker may not invite any more', async () => {
		const { world, group, ana, ben, dov } = await doorstep();
		await group.want(ana, { kind: 'policy', policy: { invite: 'everyone' } });
		await world.pass(5_000);
		const link = await makeLink(world, ben, { group, terms: BY_HAND });
		const chat = await ask(dov, link);
		await world.pass(10_000);
		expect(await waitingAt(ben, group)).toEqual(['Dov']);
		await group.want(ana, { kind: 'policy', policy: { invite: 'admins' } });
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('turned-away declined');
		expect(await dov.client.previewInvite(link.fragment)).toMatchObject({ reason: 'revoked' });
		const terms = BY_HAND;
		expect(await ben.client.makeGroupLink(await group.chat(ben), terms)).toEqual({
			...{ ok: false, error: { kind: 'not-allowed' } },
		});
	});

	test('JO-8 its maker leaves', async () => {
		const { world, group, ana, dov } = await doorstep();
		const link = await makeLink(world, ana, { group, terms: OPEN });
		expect(await dov.client.previewInvite(link.fragment)).toMatchObject({ kind: 'group' });
		await group.want(ana, { kind: 'leave', successor: undefined });
		await world.pass(30_000);
		const chat = await ask(dov, link);
		await world.pass(10_000);
		expect(await standing(dov, chat)).toBe('refused revoked');
	});
});

describe('who knows each other already', () => {
	test('a contact joins by the link as anybody does', async () => {
		const { world, group, ana, dov } = await doorstep();
		await connect(world, ana, dov);
		const link = await makeLink(world, ana, { group, terms: OPEN });
		const chat = await ask(dov, link);
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('open');
	});

	test('JO-3 who is blocked hears nothing', async () => {
		const { world, group, ana, dov } = await doorstep();
		await connect(world, ana, dov);
		await ana.client.setBlocked(dov.identity.account, true);
		const link = await makeLink(world, ana, { group, terms: OPEN });
		const chat = await ask(dov, link);
		await world.pass(20_000);
		expect(await standing(dov, chat)).toBe('asking');
		expect(await membersOf(group, ana)).toBe('Ana owner, Ben member');
		expect(await waitingAt(ana, group)).toEqual([]);
	});
});
