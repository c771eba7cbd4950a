// Invite links at their ends: used by somebody else, withdrawn, run out, looked at and left.
import { describe, expect, test } from 'vitest';
import { forgetChannel } from '../../src/core/channels.ts';
import type { ConversationId } from '../../src/core/model.ts';
import { outboxKey } from '../../src/core/records.ts';
import type { Device } from '../support/world/device.ts';
import {
	befriend,
	chatWith,
	deliveryOf,
	say,
	textsOf,
	type Party,
} from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const DAY = 24 * 60 * 60_000;

async function open(device: Device, fragment: string): Promise<ConversationId> {
	const accepted = await device.client.acceptInvite(fragment);
	if (!accepted.ok) throw new Error(accepted.error.kind);
	return accepted.value;
}

async function household(seed: number, ...names: string[]) {
	const world = new World({ seed, direct: false });
	const devices: Device[] = [];
	for (const name of names) devices.push(await world.addDevice(name));
	await world.flush();
	return { world, devices };
}

describe('a one-time link', () => {
	test('AD-3 of two who open it the first who writes is through; the other keeps what they wrote', async () => {
		const { world, devices } = await household(51, 'Ana', 'Ben', 'Cem');
		const [ana, ben, cem] = devices as [Device, Device, Device];
		const { fragment } = await ana.client.createInvite({ kind: 'one-time' });
		await world.flush();
		const bens = await open(ben, fragment);
		const cems = await open(cem, fragment);
		await say({ device: ben, chat: bens }, 'I am Ben');
		await world.flush();
		const id = await say({ device: cem, chat: cems }, 'I am Cem');
		await world.flush();
		expect((await cem.client.message(id))?.delivery).toEqual({
			kind: 'failed',
			reason: 'address-used',
		});
		expect(await cem.client.conversation(cems)).toMatchObject({
			state: { kind: 'refused', reason: 'used' },
			failed: 1,
		});
		expect(await textsOf(cem, cems)).toEqual(['I am Cem']);
		expect(await cem.client.send(cems, 'more')).toEqual({ ok: false, error: { kind: 'closed' } });
		expect(await chatWith(ana, cem)).toBeUndefined();

		// Another link of the same person: the same conversation, and the message that failed goes out.
		const second = await ana.client.createInvite({ kind: 'one-time' });
		await world.flush();
		expect(await open(cem, second.fragment)).toBe(cems);
		await cem.client.retry(id);
		await world.flush();
		expect(await deliveryOf(cem, id)).toBe('delivered');
	});

	test('AD-6 looked at, and opened without a word, is not used up', async () => {
		const { world, devices } = await household(52, 'Ana', 'Ben', 'Cem');
		const [ana, ben, cem] = devices as [Device, Device, Device];
		const { fragment } = await ana.client.createInvite({ kind: 'one-time' });
		await world.flush();
		for (let look = 0; look < 3; look++) {
			expect(await cem.client.previewInvite(fragment)).toMatchObject({ kind: 'open' });
		}
		await open(cem, fragment);
		await world.flush();
		expect((await ana.client.invites()).map(({ state }) => state)).toEqual(['open']);
		await say({ device: ben, chat: await open(ben, fragment) }, 'hello');
		await world.flush();
		expect((await ana.client.invites()).map(({ state }) => state)).toEqual(['used']);
		expect(await cem.client.previewInvite(fragment)).toEqual({ kind: 'closed', reason: 'used' });
	});
});

describe('whoever comes after a one-time link was used', () => {
	/** What the log of Ana with Ben says of latecomers. */
	async function warnings(ana: Device, ben: Device): Promise<number> {
		const chat = await chatWith(ana, ben);
		if (!chat) throw new Error('They have not met');
		const { messages } = await ana.client.messages(chat, { at: 'end', limit: 50 });
		return messages.filter(({ body }) => body.kind === 'event' && body.event.kind === 'latecomer')
			.length;
	}

	async function usedLink(seed: number) {
		const { world, devices } = await household(seed, 'Ana', 'Ben', 'Cem');
		const [ana, ben, cem] = devices as [Device, Device, Device];
		const { fragment } = await ana.client.createInvite({ kind: 'one-time' });
		await world.flush();
		const chat = await open(ben, fragment);
		return { world, ana, ben, cem, fragment, chat };
	}

	async function again(world: World, device: Device): Promise<void> {
		device.crash();
		await device.start();
		await world.pass(5_000, 500);
	}

	test('AD-8 is told of it, and so is the maker when they are next online, once', async () => {
		const { world, ana, ben, cem, fragment, chat } = await usedLink(61);
		await say({ device: ben, chat }, 'I am Ben');
		await world.flush();
		await again(world, ana);
		expect(await warnings(ana, ben)).toBe(0);
		expect(await cem.client.previewInvite(fragment)).toEqual({ kind: 'closed', reason: 'used' });
		for (let time = 0; time < 2; time++) await again(world, ana);
		expect(await warnings(ana, ben)).toBe(1);
	});

	test('AD-8 also who had looked before, and wrote too late', async () => {
		const { world, ana, ben, cem, fragment, chat } = await usedLink(62);
		const late = await open(cem, fragment);
		await say({ device: ben, chat }, 'I am Ben');
		await world.flush();
		await say({ device: cem, chat: late }, 'I am the real Ben');
		await world.flush();
		await again(world, ana);
		expect(await warnings(ana, ben)).toBe(1);
	});

	test('AD-8 is not who came first and opens their link once more: they are taken to the chat', async () => {
		const { world, ana, ben, fragment, chat } = await usedLink(63);
		await say({ device: ben, chat }, 'I am Ben');
		await world.flush();
		expect(await ben.client.previewInvite(fragment)).toMatchObject({
			...{ kind: 'open', existing: chat, profile: { name: 'Ana' } },
		});
		expect(await ben.client.acceptInvite(fragment)).toEqual({ ok: true, value: chat });
		await again(world, ana);
		expect(await warnings(ana, ben)).toBe(0);
	});
});

test('the link that stands for somebody is made once, whoever asks at the same time', async () => {
	const { world, devices } = await household(60, 'Ana');
	const [ana] = devices as [Device];
	const ask = () => ana.client.ownInvite();
	const asked = await Promise.all([ask(), ask(), ask()]);
	await world.flush();
	expect(new Set(asked.map(({ address }) => address)).size).toBe(1);
	expect(await ask()).toMatchObject({ address: asked[0]?.address, state: 'open' });
	await ana.client.revokeInvite(asked[0]?.address);
	const next = await ask();
	expect(next.address).not.toBe(asked[0]?.address);
	expect((await ana.client.invites()).map(({ state }) => state).sort()).toEqual([
		...['pending', 'revoked'],
	]);
});

describe('a link that is withdrawn', () => {
	test('AD-4 refuses those who come after, and says so', async () => {
		const { world, devices } = await household(53, 'Ana', 'Ben');
		const [ana, ben] = devices as [Device, Device];
		const { fragment, address } = await ana.client.createInvite({ kind: 'reusable' });
		await world.flush();
		const chat = await open(ben, fragment);
		await ana.client.revokeInvite(address);
		await world.flush();
		const id = await say({ device: ben, chat }, 'too late');
		await world.flush();
		expect((await ben.client.message(id))?.delivery).toEqual({
			kind: 'failed',
			reason: 'address-revoked',
		});
		expect(await ben.client.previewInvite(fragment)).toEqual({ kind: 'closed', reason: 'revoked' });
	});

	test('AD-7 leaves those alone who came through it', async () => {
		const { world, devices } = await household(54, 'Ana', 'Ben');
		const [ana, ben] = devices as [Device, Device];
		const { fragment, address } = await ana.client.createInvite({ kind: 'reusable' });
		await world.flush();
		const chat = await open(ben, fragment);
		await say({ device: ben, chat }, 'first');
		await world.flush();
		await ana.client.revokeInvite(address);
		await world.flush();
		const id = await say({ device: ben, chat }, 'second');
		await world.flush();
		expect(await deliveryOf(ben, id)).toBe('delivered');
	});

	test('withdrawn while offline: the relay learns of it with the next connection', async () => {
		const { world, devices } = await household(55, 'Ana', 'Ben');
		const [ana, ben] = devices as [Device, Device];
		const { fragment, address } = await ana.client.createInvite({ kind: 'reusable' });
		await world.flush();
		ana.offline = true;
		ana.wire?.cut();
		await ana.client.revokeInvite(address);
		ana.offline = false;
		await world.pass(60_000, 5_000);
		expect(await ben.client.previewInvite(fragment)).toEqual({ kind: 'closed', reason: 'revoked' });
	});
});

test('a link that ran out is closed on both sides', async () => {
	const { world, devices } = await household(56, 'Ana', 'Ben');
	const [ana, ben] = devices as [Device, Device];
	const { fragment } = await ana.client.createInvite({ kind: 'one-time' });
	await world.flush();
	ana.crash();
	ben.crash();
	world.clock.advance(8 * DAY);
	await ana.start();
	await ben.start();
	await world.flush();
	expect(await ben.client.previewInvite(fragment)).toEqual({ kind: 'closed', reason: 'expired' });
	expect((await ana.client.invites()).map(({ state }) => state)).toEqual(['expired']);
});

test('somebody who withdrew what they gave a contact can be reached by a newer link', async () => {
	const world = new World({ seed: 57, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(5_000);
	// Ben's way back to Ana is withdrawn, and his channel with her is lost.
	const given = await ana.device.openStore().get('contactAddresses', ben.device.identity.account);
	void ana.device.engine?.session.ask({
		type: 'revokeAddress',
		address: given?.address ?? expect.unreachable(),
	});
	await world.flush();
	for (const invite of await ana.device.client.invites()) {
		await ana.device.client.revokeInvite(invite.address);
	}
	await world.flush();
	ben.device.crash();
	ben.device.disk.shelves.get('trees')?.rows.clear();
	await ben.device.start();
	const id = await say(ben, 'anybody there?');
	await world.pass(30_000, 5_000);
	expect((await ben.device.client.message(id))?.delivery).toEqual({
		kind: 'failed',
		reason: 'address-revoked',
	});
	const { fragment } = await ana.device.client.createInvite({ kind: 'one-time' });
	await world.flush();
	expect(await open(ben.device, fragment)).toBe(ben.chat);
	await ben.device.client.retry(id);
	await world.pass(30_000, 5_000);
	expect(await deliveryOf(ben.device, id)).toBe('delivered');
	expect(await textsOf(ana.device, ana.chat)).toEqual(await textsOf(ben.device, ben.chat));
});

test('one’s own link, a broken one and one without a relay are told apart', async () => {
	const { world, devices } = await household(58, 'Ana', 'Ben');
	const [ana, ben] = devices as [Device, Device];
	const { fragment } = await ana.client.createInvite({ kind: 'one-time' });
	await world.flush();
	expect(await ana.client.previewInvite(fragment)).toEqual({ kind: 'own' });
	expect(await ana.client.acceptInvite(fragment)).toEqual({ ok: false, error: { kind: 'own' } });
	expect(await ben.client.previewInvite(fragment.slice(0, -1))).toEqual({ kind: 'broken' });
	ben.offline = true;
	expect(await ben.client.previewInvite(fragment)).toEqual({ kind: 'offline' });
});

describe('history without a way to whom it is with', () => {
	/** As a backup leaves it on another device: the history, and neither a channel nor an address. */
	async function restored(seed: number) {
		const world = new World({ seed, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		await say(ben, 'not read yet');
		await world.flush();
		const failed = await say(ana, 'never got out');
		ana.device.crash();
		await ana.device.openStore().transact(async (tx) => {
			const row = await tx.get('conversations', ana.chat);
			const person = row?.account && (await tx.get('people', row.account));
			const key = await tx.locate(failed);
			const message = key && (await tx.get('messages', key));
			if (!row || !person || !message) throw new Error('nothing to restore');
			tx.put('people', person.account, { ...person, entry: undefined });
			tx.put('messages', key, { ...message, delivery: { kind: 'failed', reason: 'not-a-member' } });
			tx.delete('outbox', outboxKey.text(row.id, message.position));
			for (const channel of row.channels) await forgetChannel(tx, channel);
			const none = { channels: [], entry: undefined };
			tx.put('conversations', row.id, { ...row, ...none, state: { kind: 'restored' } });
		});
		await ana.device.start();
		const link = await ben.device.client.createInvite({ kind: 'one-time' });
		await world.flush();
		return { world, ana, ben, failed, fragment: link.fragment };
	}

	const stateOf = async ({ device, chat }: Party) =>
		(await device.client.conversation(chat))?.state.kind;

	test('AD-6 reading it asks nobody, and uses up no link', async () => {
		const { world, ana, ben, fragment } = await restored(58);
		await ana.device.client.markRead(ana.chat, 'z');
		await world.flush();
		expect(await stateOf(ana)).toBe('restored');
		expect(await open(ana.device, fragment)).toBe(ana.chat);
		await world.flush();
		expect(await stateOf(ana)).toBe('inviting');
		expect((await ben.device.client.invites()).map(({ state }) => state)).toContain('open');
	});

	test('what is tried again there waits for a link, and goes out with it', async () => {
		const { world, ana, ben, failed, fragment } = await restored(59);
		await ana.device.client.retry(failed);
		await world.flush();
		expect(await stateOf(ana)).toBe('restored');
		expect(await deliveryOf(ana.device, failed)).toBe('queued');
		await open(ana.device, fragment);
		await world.flush();
		expect(await deliveryOf(ana.device, failed)).toBe('delivered');
		expect(await textsOf(ben.device, ben.chat)).toContain('never got out');
	});
});
