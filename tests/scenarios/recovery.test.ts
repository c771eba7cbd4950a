// The browser forgets, and the person comes back with their recovery code.
import { describe, expect, test } from 'vitest';
import { encodeCapsule } from '../../src/core/archive/capsule.ts';
import { createIdentity, exportAccount } from '../../src/core/crypto/identity.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import { queueDeviceChange } from '../../src/core/own-devices.ts';
import { ONLY } from '../../src/core/records.ts';
import { MAX_CAPSULE_BYTES } from '../../src/protocol/limits.ts';
import type { Device } from '../support/world/device.ts';
import { membersOf, smallGroup, textsIn } from '../support/world/group-people.ts';
import { befriend, chatWith, connect, deliveryOf, say, textsOf } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const CODE = '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ';

/** Two people who talk, the first of whom has a recovery code that is kept. */
async function withCode(seed = 1) {
	const world = new World({ seed, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await ana.device.client.useRecoveryCode(CODE);
	await world.pass(15_000);
	return { world, ana, ben };
}

/** The browser of this person is cleared, and they come back in another. */
async function comeBack(world: World, lost: Device, code = CODE): Promise<Device> {
	lost.crash();
	const fresh = world.addBlank(`${lost.name} again`);
	const back = await fresh.client.comeBack(code);
	if (!back.ok) throw new Error(`the code is ${back.error.kind}`);
	await fresh.start();
	await world.flush();
	await world.pass(5_000);
	return fresh;
}

async function meet(own: Device, other: Device) {
	const chat = await chatWith(own, other);
	if (!chat) throw new Error(`${own.name} does not know ${other.name}`);
	return { device: own, chat };
}

/** What lies at the relay. */
function capsuleIn(world: World) {
	const [record, ...more] = world.relayDisk.capsules.values();
	if (!record || more.length > 0) throw new Error('not one capsule');
	return record;
}

describe('keeping the capsule', () => {
	test('it is put when the code is made, and the page can say when', async () => {
		const { world, ana } = await withCode();
		const recovery = await ana.device.client.recovery();
		expect(recovery).toMatchObject({ leftOut: 0 });
		expect(recovery?.savedAt).toBeGreaterThan(recovery?.made ?? Infinity);
		expect(capsuleIn(world).keeper).toBe(ana.device.identity.device);
	});

	test('somebody new is in it soon, and talking alone does not put it again', async () => {
		const { world, ana, ben } = await withCode();
		const before = capsuleIn(world);
		for (let count = 0; count < 5; count++) {
			await say(ana, `${count}`);
			await say(ben, `${count}`);
			await world.pass(150_000, 10_000);
		}
		expect(capsuleIn(world).sealed).toEqual(before.sealed);
		await connect(world, ana.device, await world.addDevice('Cleo'));
		await world.pass(15_000);
		expect(capsuleIn(world).sealed).not.toEqual(before.sealed);
	});

	test('a new code leaves nothing under the old one', async () => {
		const { world, ana } = await withCode();
		const before = capsuleIn(world);
		await ana.device.client.useRecoveryCode(smallCrypto.newRecoveryCode());
		await world.pass(150_000, 10_000);
		expect(capsuleIn(world).place).not.toBe(before.place);
		const again = await world.addBlank('Ana again').client.comeBack(CODE);
		expect(again).toEqual({ ok: false, error: { kind: 'unknown' } });
	});

	test('a relay that lost it gets it again at the next start', async () => {
		const { world, ana } = await withCode();
		world.relayDisk.capsules.clear();
		ana.device.crash();
		await ana.device.start();
		await world.pass(5_000);
		expect(capsuleIn(world).keeper).toBe(ana.device.identity.device);
	});

	test('a relay without room loses nothing: it is put when there is room', async () => {
		const world = new World({ seed: 3, direct: false });
		const [ana] = await befriend(world, 'Ana', 'Ben');
		world.relayDisk.full = true;
		await ana.device.client.useRecoveryCode(CODE);
		await world.pass(15_000);
		expect((await ana.device.client.recovery())?.savedAt).toBeUndefined();
		world.relayDisk.full = false;
		await world.pass(70_000, 5_000);
		expect((await ana.device.client.recovery())?.savedAt).toBeDefined();
	});

	test('what is too large goes without pictures', async () => {
		const { world, ana, ben } = await withCode();
		const store = ana.device.openStore();
		const picture = new Uint8Array(30_000).fill(7);
		for (const { value } of await store.list('people', { prefix: '', limit: 10 })) {
			await store.transact((tx) => {
				for (let count = 0; count < 12; count++) {
					const account =
						`${value.account.slice(0, 41)}${'ABCDEFGHIJKL'[count]}A` as typeof value.account;
					tx.put('people', account, { ...value, account, profile: { name: 'x', picture } });
				}
				return Promise.resolve();
			});
		}
		await world.pass(150_000, 10_000);
		expect((await ana.device.client.recovery())?.leftOut).toBe(0);
		expect(capsuleIn(world).sealed.length).toBeLessThan(MAX_CAPSULE_BYTES);
		const fresh = await comeBack(world, ana.device);
		expect(await chatWith(fresh, ben.device)).toBeDefined();
	});
});

describe('coming back', () => {
	test('the same person, who talks both ways with somebody who was offline meanwhile', async () => {
		const { world, ana, ben } = await withCode();
		const number = await ben.device.client.safetyNumber(ben.chat);
		ben.device.offline = true;
		ben.device.wire?.cut();
		const unheard = await say(ben, 'are you there?');
		const fresh = await comeBack(world, ana.device);
		expect(fresh.identity.account).toBe(ana.device.identity.account);
		expect(fresh.identity.device).not.toBe(ana.device.identity.device);
		const back = await meet(fresh, ben.device);
		const sent = await say(back, 'I am back');
		await world.pass(5_000);
		ben.device.offline = false;
		await world.pass(60_000, 2_000);
		expect(await textsOf(fresh, back.chat)).toEqual(['are you there?', 'I am back']);
		expect(await textsOf(ben.device, ben.chat)).toEqual([
			...['hello from Ben', 'event', 'are you there?', 'I am back'],
		]);
		expect(await deliveryOf(fresh, sent)).toBe('delivered');
		expect(await deliveryOf(ben.device, unheard)).toBe('delivered');
		expect(await ben.device.client.safetyNumber(ben.chat)).toEqual(number);
		expect((await ben.device.client.conversations()).length).toBe(2); // and the notes
	});

	test('the code works again, and again', async () => {
		const { world, ana, ben } = await withCode();
		const second = await comeBack(world, ana.device);
		await world.pass(15_000);
		expect(capsuleIn(world).keeper).toBe(second.identity.device);
		const third = await comeBack(world, second);
		const back = await meet(third, ben.device);
		await say(back, 'third time');
		await say(ben, 'welcome back');
		await world.pass(20_000);
		expect(await textsOf(third, back.chat)).toEqual(
			expect.arrayContaining(['third time', 'welcome back']),
		);
		expect(await textsOf(ben.device, ben.chat)).toEqual(expect.arrayContaining(['third time']));
	});

	test('an old capsule costs the newest contacts and nothing else', async () => {
		const { world, ana, ben } = await withCode();
		const old = capsuleIn(world);
		const cleo = await world.addDevice('Cleo');
		await connect(world, ana.device, cleo);
		await ana.device.client.setProfile({ name: 'Ana Maria', picture: null });
		await world.pass(150_000, 10_000);
		world.relayDisk.capsules.set(old.place, old);
		const fresh = await comeBack(world, ana.device);
		expect(await chatWith(fresh, cleo)).toBeUndefined();
		const back = await meet(fresh, ben.device);
		await say(back, 'hello');
		await say(ben, 'hello to you');
		await world.pass(20_000);
		expect(await textsOf(fresh, back.chat)).toEqual(
			expect.arrayContaining(['hello', 'hello to you']),
		);
	});

	test('DE-13 a group is there to read, and whoever of it comes online brings them in again', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cem] = devices;
		await group.want(ana, { kind: 'policy', policy: { invite: 'admins' } });
		await ben.client.useRecoveryCode(CODE);
		await world.pass(15_000);
		for (const each of [ana, cem]) each.crash();
		const fresh = await comeBack(world, ben);
		const chat = await group.chat(fresh);
		expect((await fresh.client.conversation(chat))?.state.kind).toBe('restored');
		for (const each of [cem, ana]) {
			await each.start();
			await world.pass(30_000, 2_000);
		}
		expect((await fresh.client.conversation(chat))?.state.kind).toBe('open');
		await group.say(fresh, 'here I am');
		await world.pass(5_000);
		await group.say(ana, 'there you are');
		await world.pass(10_000);
		expect(await group.chat(fresh)).toBe(chat);
		expect(await textsIn(group, fresh)).toEqual(['here I am', 'there you are']);
		expect(await textsIn(group, ana)).toEqual(['here I am', 'there you are']);
	});

	test('DE-13 an owner whom two bring back at once is the owner again, and is there once', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cem] = devices;
		await ana.client.useRecoveryCode(CODE);
		await world.pass(15_000);
		for (const each of [ben, cem]) each.crash();
		const fresh = await comeBack(world, ana);
		await Promise.all([ben.start(), cem.start()]);
		await world.pass(60_000, 2_000);
		const chat = await group.chat(fresh);
		expect((await fresh.client.conversation(chat))?.state.kind).toBe('open');
		expect(await group.want(fresh, { kind: 'about', about: { name: 'As before' } })).toBe('ok');
		await group.say(fresh, 'here I am');
		await world.pass(15_000);
		for (const each of [ben, cem]) {
			const here = await each.client.conversation(await group.chat(each));
			expect(here?.state.kind).toBe('open');
			expect(await membersOf(group, each)).toBe('Ana owner, Ben member, Cleo member');
			expect(here?.subject).toMatchObject({ about: { name: 'As before' } });
			expect(await textsIn(group, each)).toEqual(['here I am']);
		}
	});

	test('DE-13 who was removed while they were gone is not brought back', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cem] = devices;
		await ben.client.useRecoveryCode(CODE);
		await world.pass(15_000);
		ben.crash();
		await group.want(ana, { kind: 'remove', account: ben.identity.account });
		await world.pass(15_000);
		const fresh = await comeBack(world, ben);
		await world.pass(60_000, 2_000);
		expect((await fresh.client.conversation(await group.chat(fresh)))?.state.kind).toBe('restored');
		expect(await membersOf(group, cem)).toBe('Ana owner, Cleo member');
	});

	test('DE-13 nobody brings back the browser that they lost by an older list', async () => {
		const { world, group, devices } = await smallGroup(3, { direct: false });
		const [ana, ben, cem] = devices;
		await connect(world, ben, cem);
		await ben.client.useRecoveryCode(CODE);
		await world.pass(15_000);
		const { account, device: lost } = ben.identity;
		const store = cem.openStore();
		const [person, list] = [
			await store.get('people', account),
			await store.get('deviceLists', account),
		];
		if (!person || !list) throw new Error('Cleo does not know Ben');
		await comeBack(world, ben);
		await world.pass(60_000, 2_000);
		const chat = await group.chat(cem);
		await cem.openStore().transact(async (tx) => {
			tx.put('people', account, person);
			tx.put('deviceLists', account, list);
			const here = await tx.get('conversations', chat);
			if (here) await queueDeviceChange(tx, here, { kind: 'their-devices', account });
		});
		await world.pass(20_000, 2_000);
		const seen = await ana.client.conversation(await group.chat(ana));
		expect(seen?.state).toMatchObject({ kind: 'frozen' });
		const channel = (await ana.openStore().get('conversations', await group.chat(ana)))
			?.channels[0];
		const row = await ana.openStore().get('channels', channel ?? '');
		expect(row?.others).not.toContain(lost);
	});

	test('the old browser, if it lives, says so and sends nothing any more', async () => {
		const { world, ana, ben } = await withCode();
		const fresh = await comeBack(world, ana.device);
		await world.pass(15_000);
		ana.device.offline = true;
		await ana.device.start();
		const late = await ana.device.client.send(ana.chat, 'from the old browser');
		expect(late.ok).toBe(true);
		await world.pass(1_000);
		expect((await ana.device.client.me())?.signedOut).toBeUndefined();
		ana.device.crash();
		ana.device.offline = false;
		await ana.device.start();
		await world.pass(20_000);
		expect((await ana.device.client.me())?.signedOut).toBeDefined();
		expect(await ana.device.client.send(ana.chat, 'more')).toMatchObject({
			error: { kind: 'closed' },
		});
		expect(await textsOf(ana.device, ana.chat)).toContain('hello from Ben');
		expect(await textsOf(ben.device, ben.chat)).not.toContain('from the old browser');
		expect(capsuleIn(world).keeper).toBe(fresh.identity.device);
		// And stays so.
		ana.device.crash();
		await ana.device.start();
		await world.pass(10_000);
		expect(ana.device.engine?.live().connection).toMatchObject({ kind: 'refused' });
		const back = await meet(fresh, ben.device);
		await say(ben, 'which one are you?');
		await world.pass(10_000);
		expect(await textsOf(fresh, back.chat)).toContain('which one are you?');
		expect(await textsOf(ana.device, ana.chat)).not.toContain('which one are you?');
	});

	test('a service worker of the old browser holds back what was written there', async () => {
		const { world, ana, ben } = await withCode();
		await comeBack(world, ana.device);
		await world.pass(15_000);
		ana.device.offline = true;
		await ana.device.start();
		await say(ana, 'from the old browser');
		ana.device.crash();
		ana.device.offline = false;
		ana.device.inBackground = true;
		await ana.device.start();
		await world.pass(20_000);
		expect(await textsOf(ben.device, ben.chat)).not.toContain('from the old browser');
		// Where nobody came back it sends, as ever.
		ben.device.crash();
		ben.device.inBackground = true;
		await ben.device.start();
		const sent = await say(ben, 'in the background');
		await world.pass(10_000);
		expect(await deliveryOf(ben.device, sent)).not.toBe('queued');
	});

	test('a connection that ends as the relay says that all is well holds nothing back for good', async () => {
		const { world, ana, ben } = await withCode(9);
		ana.device.crash();
		let cuts = 0;
		world.liar = (_device, wire) => {
			let asked: number | undefined;
			wire.overhear((frame) => {
				if (frame.type === 'keepCapsule') asked = frame.request;
			});
			wire.lie((frame) => {
				const isSaid = frame.type === 'accepted' && frame.request === asked;
				if (!isSaid) return frame;
				cuts++;
				// The answer is heard, and before anything follows from it the connection is over.
				queueMicrotask(() => wire.cut());
				return frame;
			});
		};
		await ana.device.start();
		await world.flush();
		await world.pass(60_000);
		expect(cuts).toBe(1);
		const id = await say(ana, 'written after it came back');
		await world.pass(5_000);
		expect(await deliveryOf(ana.device, id)).not.toBe('queued');
		expect(await textsOf(ben.device, ben.chat)).toContain('written after it came back');
	});

	test('a relay that only claims that another device came back signs nobody out', async () => {
		const { world, ana, ben } = await withCode();
		const record = capsuleIn(world);
		world.relayDisk.capsules.set(record.place, { ...record, keeper: ben.device.identity.device });
		ana.device.crash();
		await ana.device.start();
		await world.pass(20_000);
		expect((await ana.device.client.me())?.signedOut).toBeUndefined();
		await say(ana, 'still here');
		await world.pass(10_000);
		expect(await textsOf(ben.device, ben.chat)).toContain('still here');
	});

	test('killed at any moment of coming back, the code can be entered once more', async () => {
		const { world, ana, ben } = await withCode();
		ana.device.crash();
		const fresh = world.addBlank('Ana again');
		// As after a crash before the last step: keys are made and people are here, and nobody has started.
		const first = await fresh.client.comeBack(CODE);
		expect(first.ok).toBe(true);
		await fresh.openStore().transact((tx) => {
			tx.delete('me', ONLY);
			tx.delete('recovery', ONLY);
			return Promise.resolve();
		});
		expect(await fresh.client.comeBack(CODE)).toMatchObject({ ok: true });
		await fresh.start();
		await world.pass(10_000);
		const back = await meet(fresh, ben.device);
		await say(back, 'at last');
		await world.pass(10_000);
		expect(await textsOf(ben.device, ben.chat)).toContain('at last');
		expect(await fresh.client.comeBack(CODE)).toEqual({ ok: false, error: { kind: 'started' } });
	});
});

describe('a code that brings nobody back', () => {
	const attempt = async (world: World, code: string, name = 'nobody') => {
		const outcome = await world.addBlank(name).client.comeBack(code);
		return outcome.ok ? 'back' : outcome.error;
	};

	test('a typo is named by its group, a wrong code and a relay that is away are told apart', async () => {
		const { world } = await withCode();
		expect(await attempt(world, CODE.replace('89AB', '89UB'))).toEqual({
			kind: 'malformed',
			group: 3,
		});
		expect(await attempt(world, CODE.slice(2))).toEqual({ kind: 'malformed', group: undefined });
		expect(await attempt(world, CODE.replace('0', '1'))).toEqual({ kind: 'unknown' });
		world.killRelay();
		expect(await attempt(world, CODE)).toEqual({ kind: 'offline' });
	});

	test('CP-1 what is poisoned is refused whole, and nothing of it stays', async () => {
		const { world } = await withCode();
		const record = capsuleIn(world);
		const keys = await smallCrypto.capsuleKeys(CODE);
		if (!keys) throw new Error('not a code');
		const plain = await keys.open(record.sealed);
		if (!plain) throw new Error('not its key');
		const stranger = await createIdentity({ deviceName: 'x', created: 1 });
		const foreign = await exportAccount(stranger);
		const [about] = [
			{ type: 'about' as const, account: 'A'.repeat(43) as typeof stranger.account },
		];
		const poisons: readonly [Uint8Array, string][] = [
			[record.sealed.slice(0, 100), 'damaged'],
			[new Uint8Array(0), 'damaged'],
			[await keys.seal(plain.slice(0, -3)), 'damaged'],
			[await keys.seal(new Uint8Array(2000).fill(1)), 'damaged'],
			[await keys.seal(Uint8Array.of(2, ...plain.slice(1))), 'newer'],
			// The key of somebody else, under the name of this account.
			[
				await keys.seal(
					await encodeCapsule({
						...{ ...foreign, profileVersion: 1, passkey: undefined },
						entries: [
							{ ...about, profile: { name: 'Eve', picture: null }, created: 1, written: 0 },
						],
					}),
				),
				'damaged',
			],
		];
		for (const [index, [sealed, kind]] of poisons.entries()) {
			world.relayDisk.capsules.set(record.place, { ...record, sealed });
			expect(await attempt(world, CODE, `${index}`)).toEqual({ kind });
			expect(await world.devices.at(-1)?.client.me()).toBeUndefined();
			expect(await world.devices.at(-1)?.client.conversations()).toEqual([]);
		}
	});
});
