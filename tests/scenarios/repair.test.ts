// What cannot be opened, or never comes, is seen, asked for, and mended.
import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/core/model.ts';
import type { Message as RelayMessage } from '../../server/relay/ports.ts';
import { writeCbor } from '../../src/protocol/codec.ts';
import { newEnvelopeId } from '../../src/core/context.ts';
import { loadChannel, saveChannel } from '../../src/core/channels.ts';
import {
	befriend,
	channelOf,
	deliveryOf,
	planRotation,
	say,
	textsOf,
	type Party,
} from '../support/world/people.ts';
import type { DownFrame } from '../../src/protocol/frames.ts';
import { World } from '../support/world/world.ts';

async function pair(seed: number): Promise<{ world: World; ana: Party; ben: Party }> {
	const world = new World({ seed, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(5_000);
	return { world, ana, ben };
}

/** Changes what waits for a device on the relay's disk, as a faulty disk or a hostile relay does. */
function tamper(
	world: World,
	{ device }: Party,
	change: (message: RelayMessage) => RelayMessage | undefined,
): number {
	const rows = world.relayDisk.mailboxes.get(device.identity.device) ?? [];
	const kept = rows.flatMap((row) => {
		const message = row.message.kind === 'message' ? change(row.message) : row.message;
		return message ? [{ ...row, message }] : [];
	});
	world.relayDisk.mailboxes.set(device.identity.device, kept);
	return rows.length;
}

const kinds = ({ messages }: { messages: readonly Message[] }) =>
	messages.map(({ body }) => body.kind);

test('CO-7 an envelope that cannot be opened: a placeholder, and it mends itself', async () => {
	const { world, ana, ben } = await pair(61);
	ben.device.crash();
	await say(ana, 'garbled');
	await world.flush();
	expect(
		tamper(world, ben, (message) => {
			const body = message.body.slice();
			body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
			return { ...message, body };
		}),
	).toBe(1);
	await ben.device.start();
	const wire = ben.device.wire;
	for (let frames = 0; frames < 6 && wire?.waiting; frames++) {
		wire.step(frames % 2 === 0, false);
		await world.settled();
	}
	expect(kinds(await ben.device.client.messages(ben.chat, { at: 'end', limit: 9 }))).toContain(
		'unreadable',
	);
	await world.pass(30_000, 5_000);
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'garbled']);
	expect((await ben.device.client.conversation(ben.chat))?.unread).toBe(1);
	expect(world.relayDisk.waiting).toBe(0);
});

test('CO-7 a name that cannot be opened is told again', async () => {
	const { world, ana, ben } = await pair(64);
	ben.device.crash();
	await ana.device.client.setProfile({ name: 'Ana Maria', picture: null });
	await world.pass(5_000);
	const waiting = tamper(world, ben, (message) => {
		const body = message.body.slice();
		body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
		return { ...message, body };
	});
	expect(waiting).toBe(1);
	await ben.device.start();
	await world.pass(30_000, 5_000);
	const seen = await ben.device.client.conversation(ben.chat);
	expect(seen?.subject).toMatchObject({ person: { profile: { name: 'Ana Maria' } } });
	expect(seen?.unread).toBe(0);
});

test('an envelope that nobody can send again says so in the end', async () => {
	const { world, ana, ben } = await pair(69);
	ben.device.crash();
	await say(ana, 'garbled');
	await world.flush();
	tamper(world, ben, (message) => ({ ...message, body: message.body.slice(0, -1) }));
	ana.device.crash();
	await ben.device.start();
	await world.flush();
	const page = () => ben.device.client.messages(ben.chat, { at: 'end', limit: 9 });
	const shown = async () => (await page()).messages.at(-1)?.body;
	await world.pass(60_000, 5_000);
	expect(await shown()).toEqual({ kind: 'unreadable', state: 'asked' });
	for (let day = 0; day < 31; day++) {
		world.clock.advance(24 * 60 * 60_000);
		await world.flush();
	}
	await world.pass(10 * 60_000, 30_000);
	expect(await shown()).toEqual({ kind: 'unreadable', state: 'lost' });
	// Its author comes back, and it is said after all.
	await ana.device.start();
	await world.pass(60_000, 5_000);
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'garbled']);
});

test('CO-6 a message that never comes is missed when the next one does, and asked for', async () => {
	const { world, ana, ben } = await pair(62);
	ben.device.crash();
	const lost = await say(ana, 'lost');
	await world.flush();
	expect(tamper(world, ben, () => undefined)).toBe(1);
	await say(ana, 'comes');
	await world.flush();
	await ben.device.start();
	await world.flush();
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'comes']);
	expect(await deliveryOf(ana.device, lost)).toBe('sent');
	await world.pass(30_000, 5_000);
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'lost', 'comes']);
	expect(await deliveryOf(ana.device, lost)).toBe('delivered');
});

test('CO-6 a hole is asked for again after a restart', async () => {
	const { world, ana, ben } = await pair(63);
	ben.device.crash();
	await say(ana, 'lost');
	await world.flush();
	tamper(world, ben, () => undefined);
	await say(ana, 'comes');
	await ben.device.start();
	await world.flush();
	ben.device.crash();
	await ben.device.start();
	await world.pass(30_000, 5_000);
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'lost', 'comes']);
});

test('a relay that injects garbage fills neither the log nor the disk', async () => {
	const { world, ana, ben } = await pair(64);
	const { channel, epoch } = await channelOf(ben);
	ben.device.crash();
	await say(ana, 'real');
	await world.flush();
	const [real] = world.relayDisk.mailboxes.get(ben.device.identity.device) ?? [];
	if (!real) throw new Error('nothing waits');
	for (let each = 0; each < 300; each++) {
		world.relayDisk.mailboxes.get(ben.device.identity.device)?.push({
			...real,
			seq: world.relayDisk.nextSeq++,
			message: {
				...real.message,
				channel,
				epoch,
				envelope: newEnvelopeId(world),
				body: world.random.bytes(200),
			},
		});
	}
	await ben.device.start();
	await world.flush();
	await world.pass(60_000, 5_000);
	// The sender knows nothing of them, so every placeholder goes again.
	expect(await textsOf(ben.device, ben.chat)).toEqual(['hello from Ben', 'real']);
	expect((await ben.device.client.conversation(ben.chat))?.unread).toBe(1);
});

describe('content', () => {
	/** Seals raw bytes in Ana's channel, as another version of the app would, and submits them. */
	async function sendRaw({ world, ana }: { world: World; ana: Party }, plaintext: Uint8Array) {
		const { groups } = ana.device.keys;
		const store = ana.device.openStore();
		const { channel } = await channelOf(ana);
		const sealed = await store.transact(async (tx) => {
			const loaded = await loadChannel(tx, groups, channel);
			if (!loaded) throw new Error('no channel');
			const { state, bytes } = await groups.seal(loaded.state, plaintext, new Uint8Array());
			saveChannel(tx, loaded.row, groups.freeze(state));
			return { epoch: state.epoch, body: bytes };
		});
		if (!sealed.ok) throw new Error(sealed.error);
		const envelope = newEnvelopeId(world);
		void ana.device.engine?.session.ask({ type: 'submit', envelope, channel, ...sealed.value });
		await world.flush();
	}

	test('CO-1 of an unknown kind is shown as made by a newer version, and kept', async () => {
		const all = await pair(65);
		await sendRaw(all, writeCbor([77, 'a poll', ['yes', 'no']]));
		await say(all.ana, 'after it');
		await all.world.flush();
		expect(await textsOf(all.ben.device, all.ben.chat)).toEqual([
			'hello from Ben',
			'newer',
			'after it',
		]);
	});

	test('CO-3 the same message twice: the first copy is kept', async () => {
		const all = await pair(66);
		const id = await say(all.ana, 'first');
		await all.world.flush();
		const row = await all.ana.device.client.message(id);
		const order = row?.position.slice(0, 16) ?? '';
		await sendRaw(all, writeCbor([1, id, order, 3, 0, 'second', null, null]));
		expect(await textsOf(all.ben.device, all.ben.chat)).toEqual(['hello from Ben', 'first']);
	});

	test.each([
		['at once', 0],
		['when its keys are long gone', 8],
	])('what came, and comes again %s, is no gap', async (_when, rotations) => {
		const all = await pair(69);
		const { wire } = all.ben.device;
		const came: Extract<DownFrame, { type: 'deliver' }>[] = [];
		wire?.lie((frame) => {
			if (frame.type === 'deliver' && frame.kind === 'message') came.push(frame);
			return frame;
		});
		// More than one page of what is remembered.
		for (let at = 0; at < 140; at++) await say(all.ana, `${at}`);
		await all.world.flush();
		for (let each = 0; each < rotations; each++) {
			await planRotation(all.ana);
			await all.world.flush();
		}
		const before = await textsOf(all.ben.device, all.ben.chat);
		expect(before).toHaveLength(141);
		wire?.lie((frame) => {
			if (frame.type !== 'deliver' || frame.kind !== 'message') return frame;
			return [...came.splice(0).map((each) => ({ ...each, seq: frame.seq })), frame];
		});
		const touched = new Set<string>();
		const stop = all.ben.device.openStore().watch((rows) => {
			for (const { store, key } of rows) if (store === 'messages') touched.add(key);
		});
		await say(all.ana, 'and on');
		await all.world.pass(90_000, 5_000);
		stop();
		expect(came).toEqual([]);
		// Nor was there one that was mended meanwhile.
		expect(touched.size).toBe(1);
		expect(await textsOf(all.ben.device, all.ben.chat)).toEqual([...before, 'and on']);
		expect((await all.ben.device.client.conversation(all.ben.chat))?.unread).toBe(141);
	});

	test('CO-2 an order absurdly far ahead does not carry everybody’s clock away', async () => {
		const all = await pair(67);
		const far = 'ffffffffffff0000';
		await sendRaw(
			all,
			writeCbor([1, 'AAAAAAAAAAAAAAAAAAAAAA', far, 2, 0, 'from the end of time', null, null]),
		);
		const id = await say(all.ben, 'from now');
		await all.world.flush();
		const row = await all.ben.device.client.message(id);
		expect(parseInt(row?.position.slice(0, 12) ?? '', 16)).toBeLessThan(Date.UTC(2100, 0));
	});

	test('a contact can take away neither others’ messages nor their own by naming them', async () => {
		const all = await pair(68);
		const mine = await say(all.ben, 'Ben keeps this');
		const theirs = await say(all.ana, 'and this');
		await all.world.flush();
		await sendRaw(all, writeCbor([5, [mine, theirs], []]));
		await sendRaw(
			all,
			writeCbor([1, 'AAAAAAAAAAAAAAAAAAAAAA', '0000000000010000', 9, 0, 'x', null, mine]),
		);
		expect(await textsOf(all.ben.device, all.ben.chat)).toEqual(
			expect.arrayContaining(['Ben keeps this', 'and this']),
		);
	});
});
