// Which channel two people talk in, when there is more than one; and what is whispered there.
import { describe, expect, test } from 'vitest';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import { createWhisperSealer } from '../../src/core/whispers.ts';
import type { Device } from '../support/world/device.ts';
import {
	befriend,
	channelOf,
	planRotation,
	say,
	textsOf,
	type Party,
} from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

async function openEachOther(world: World): Promise<[Party, Party]> {
	const a = await world.addDevice('Ana');
	const b = await world.addDevice('Ben');
	const ofA = await a.client.createInvite({ kind: 'one-time' });
	const ofB = await b.client.createInvite({ kind: 'one-time' });
	await world.flush();
	const open = async (device: Device, fragment: string): Promise<Party> => {
		const accepted = await device.client.acceptInvite(fragment);
		if (!accepted.ok) throw new Error(accepted.error.kind);
		return { device, chat: accepted.value };
	};
	return [await open(a, ofB.fragment), await open(b, ofA.fragment)];
}

describe('CH-9 of several channels', () => {
	test('founded at once, both sides use the same, and read both', async () => {
		const world = new World({ seed: 81, direct: false });
		const [ana, ben] = await openEachOther(world);
		await say(ana, 'from Ana');
		await say(ben, 'from Ben');
		await world.flush();
		await world.pass(10_000);
		expect(await channelsOf(ana)).toHaveLength(2);
		const { channel } = await channelOf(ana);
		expect((await channelOf(ben)).channel).toBe(channel);
		expect([...(await channelsOf(ana))].sort()[0]).toBe(channel);
		await say(ana, 'again');
		await world.pass(10_000);
		const texts = await textsOf(ana.device, ana.chat);
		expect([...texts].sort()).toEqual(['again', 'from Ana', 'from Ben']);
		expect(await textsOf(ben.device, ben.chat)).toEqual(texts);
		expect((await ana.device.client.conversations()).length).toBe(2); // and the notes
	});

	test('the one of a newer generation is used, whatever its id', async () => {
		for (const seed of [82, 83, 84]) {
			const world = new World({ seed, direct: false });
			const [ana, ben] = await befriend(world, 'Ana', 'Ben');
			await world.pass(5_000);
			const { generation } = await channelOf(ana);
			ben.device.crash();
			ben.device.disk.shelves.get('trees')?.rows.clear();
			await ben.device.start();
			await say(ana, 'into the old one');
			await world.pass(30_000, 5_000);
			expect(await channelOf(ana)).toMatchObject({ generation: generation + 1 });
			expect((await channelOf(ben)).channel).toBe((await channelOf(ana)).channel);
			expect(await textsOf(ben.device, ben.chat)).toContain('into the old one');
		}
	});

	test('no more are kept than are of use', async () => {
		const world = new World({ seed: 85, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		await world.pass(5_000);
		for (let loss = 0; loss < 12; loss++) {
			ben.device.crash();
			ben.device.disk.shelves.get('trees')?.rows.clear();
			await ben.device.start();
			await world.pass(10_000, 2_000);
		}
		await say(ana, 'still here');
		await world.pass(10_000, 2_000);
		expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'still here']);
		for (const { disk } of [ana.device, ben.device]) {
			expect(disk.shelves.get('channels')?.rows.size).toBeLessThanOrEqual(8);
			expect(disk.shelves.get('trees')?.rows.size).toBeLessThanOrEqual(8);
		}
	});
});

async function channelsOf({ device, chat }: Party) {
	return (await device.openStore().get('conversations', chat))?.channels ?? [];
}

describe('WH-2 a whisper', () => {
	const sealerOf = ({ device }: Party) =>
		createWhisperSealer({ ...device.keys, store: device.openStore(), crypto: smallCrypto });
	const TYPING = { type: 'typing', on: true } as const;

	async function pair(seed: number) {
		const world = new World({ seed, direct: false });
		const [ana, ben] = await befriend(world, 'Ana', 'Ben');
		await world.pass(5_000);
		const { channel } = await channelOf(ana);
		return { world, ana, ben, channel };
	}

	test('is heard by the other devices of its channel, and by nobody else', async () => {
		const { world, ana, ben, channel } = await pair(86);
		const cem = await world.addDevice('Cem');
		const sealed = await sealerOf(ana).seal(channel, TYPING);
		expect(await sealerOf(ben).open(channel, sealed!)).toMatchObject({
			device: ana.device.identity.device,
			whisper: TYPING,
		});
		expect(await sealerOf(ana).open(channel, sealed!)).toBeUndefined();
		expect(await sealerOf({ device: cem, chat: ana.chat }).open(channel, sealed!)).toBeUndefined();
	});

	test('is not heard when a bit of it is turned', async () => {
		const { ana, ben, channel } = await pair(87);
		const sealed = await sealerOf(ana).seal(channel, TYPING);
		for (let at = 0; at < sealed!.length; at += 7) {
			const turned = sealed!.slice();
			turned[at] = (turned[at] ?? 0) ^ 4;
			expect(await sealerOf(ben).open(channel, turned)).toBeUndefined();
		}
	});

	test('of an earlier epoch is not heard any more', async () => {
		const { world, ana, ben, channel } = await pair(88);
		const sealed = await sealerOf(ana).seal(channel, TYPING);
		await planRotation(ana);
		await world.pass(5_000);
		expect(await sealerOf(ben).open(channel, sealed!)).toBeUndefined();
		const fresh = await sealerOf(ana).seal(channel, TYPING);
		expect(await sealerOf(ben).open(channel, fresh!)).toMatchObject({ whisper: TYPING });
	});
});
