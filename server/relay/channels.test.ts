import { describe, expect, it } from 'vitest';
import type { UpFrame } from '../../src/protocol/frames.ts';
import type { ChannelId } from '../../src/protocol/ids.ts';
import {
	newAddress,
	newChannel,
	newEnvelope,
	RelayRoom,
	settle,
	someBytes,
	type Device,
} from '../../tests/support/relay-fixture.ts';

type Commit = Extract<UpFrame, { type: 'commit' }>;

async function people(count: number, room = new RelayRoom()) {
	const devices: Device[] = [];
	for (let index = 0; index < count; index++) devices.push(await room.device().login());
	return { room, devices: devices as [Device, Device, Device, Device] };
}

const commit = (
	channel: ChannelId,
	epoch: number,
	rest: Partial<Commit> = {},
): Omit<Commit, 'request'> => ({
	...{ type: 'commit', envelope: newEnvelope(), channel, epoch, body: someBytes() },
	...{ add: [], remove: [], welcome: null, snapshot: null, ...rest },
});

describe('channels', () => {
	it('CH-1 a commit with epoch 0 founds a channel with the sender at leaf 0', async () => {
		const { room, devices } = await people(2);
		const [alice, bob] = devices;
		const channel = newChannel();
		const add = [{ leaf: 1, address: await bob.address() }];
		const frame = commit(channel, 0, { add, welcome: someBytes() });
		expect(await alice.request(frame)).toMatchObject({ type: 'accepted' });
		expect(room.disk.channels.get(channel)).toMatchObject({
			epoch: 1,
			members: [
				{ leaf: 0, mailbox: alice.id },
				{ leaf: 1, mailbox: bob.id },
			],
		});
		expect(alice.deliveries).toMatchObject([{ kind: 'commit', epoch: 0, body: frame.body }]);
		expect(bob.deliveries).toMatchObject([{ kind: 'welcome', epoch: 1, body: frame.welcome }]);
		expect(await alice.request(commit(newChannel(), 3))).toMatchObject({ code: 'channel-unknown' });
	});

	it('CH-2 only members submit, commit, whisper and leave', async () => {
		const { devices } = await people(3);
		const [alice, bob, eve] = devices;
		const channel = await alice.found(bob);
		expect((await eve.submit(channel))()).toMatchObject({ code: 'not-a-member' });
		expect(await eve.request(commit(channel, 1))).toMatchObject({ code: 'not-a-member' });
		expect(await eve.request(commit(channel, 0))).toMatchObject({ code: 'not-a-member' });
		expect(await eve.request({ type: 'leave', channel })).toMatchObject({ code: 'not-a-member' });
		expect((await eve.submit(newChannel()))()).toMatchObject({ code: 'channel-unknown' });
		eve.connection.say({ type: 'whisper', channel, body: someBytes() });
		await settle();
		expect(bob.connection.of('whispered')).toEqual([]);
		expect(bob.deliveries).toHaveLength(1);
	});

	it('CH-3 of several commits for one epoch exactly one passes, and the rest leave no trace', async () => {
		const { devices } = await people(3);
		const [alice, bob, carol] = devices;
		const channel = await alice.found(bob, carol);
		const answers = await Promise.all(
			[alice, bob, carol].map((device) => device.request(commit(channel, 1))),
		);
		const won = answers.filter(({ type }) => type === 'accepted');
		const lost = answers.filter(({ type }) => type === 'refused');
		expect(won).toHaveLength(1);
		for (const answer of lost) expect(answer).toMatchObject({ code: 'epoch-conflict', epoch: 2 });
		expect(lost).toHaveLength(2);
		for (const device of [alice, bob, carol])
			expect(device.deliveries.filter(({ epoch }) => epoch === 1 && device)).toHaveLength(
				device === alice ? 1 : 2, // the two that were added also hold their welcome
			);
	});

	it('CH-4 commit, removal and welcome go to all whom they concern, also to those away', async () => {
		const { room, devices } = await people(4);
		const [alice, bob, carol, dora] = devices;
		const channel = await alice.found(bob, carol);
		await bob.vanish();
		const add = [{ leaf: 3, address: await dora.address() }];
		const frame = commit(channel, 1, { add, remove: [2], welcome: someBytes() });
		expect(await alice.request(frame)).toMatchObject({ type: 'accepted' });
		const { envelope } = frame;
		expect(alice.deliveries.at(-1)).toMatchObject({ kind: 'commit', envelope });
		expect(carol.deliveries.at(-1)).toMatchObject({ kind: 'commit', envelope });
		expect(dora.deliveries.at(-1)).toMatchObject({ kind: 'welcome', envelope });
		await bob.login();
		expect(bob.deliveries.at(-1)).toMatchObject({ kind: 'commit', envelope });
		await alice.submit(channel, newEnvelope(), 2);
		expect(carol.deliveries.at(-1)?.envelope).toBe(envelope);
		expect(room.disk.channels.get(channel)?.members).toHaveLength(3);
	});

	it('CH-4 a commit that the disk does not take changes nothing at all', async () => {
		const { room, devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		const frame = commit(channel, 1);
		room.disk.full = true;
		expect(await alice.request(frame)).toMatchObject({ code: 'busy' });
		room.disk.full = false;
		expect(bob.deliveries).toHaveLength(1);
		expect(await alice.request(frame)).toMatchObject({ type: 'accepted' });
		expect(bob.deliveries).toHaveLength(2);
	});

	it('CH-4 mail and commits keep their order for a device that is connected', async () => {
		const { devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		const sent = [];
		for (let epoch = 1; epoch < 8; epoch++) {
			const frame = commit(channel, epoch);
			const messages = [newEnvelope(), newEnvelope()];
			const asked = alice.ask(frame);
			for (const envelope of messages) void alice.submit(channel, envelope, epoch);
			await asked;
			sent.push(frame.envelope, ...messages);
		}
		await settle();
		expect(bob.envelopes.slice(1)).toEqual(sent);
		const seqs = bob.deliveries.map(({ seq }) => seq);
		expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
	});

	it('CH-5 a message goes to every other device, and not back', async () => {
		const { devices } = await people(3);
		const [alice, bob, carol] = devices;
		const channel = await alice.found(bob, carol);
		const before = alice.deliveries.length;
		const envelope = newEnvelope();
		const answer = await alice.submit(channel, envelope);
		expect(bob.envelopes.at(-1)).toBe(envelope);
		expect(carol.envelopes.at(-1)).toBe(envelope);
		expect(alice.deliveries).toHaveLength(before);
		await bob.acknowledge();
		expect(answer).toThrow('no answer');
		await carol.acknowledge();
		expect(answer()).toMatchObject({ type: 'accepted' });
	});

	it('CH-6 three epochs behind passes, four does not, the future does not', async () => {
		const { devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		for (let epoch = 1; epoch < 5; epoch++) await alice.request(commit(channel, epoch));
		await bob.acknowledge();
		const passing = await alice.submit(channel, newEnvelope(), 2);
		await bob.acknowledge();
		expect(passing()).toMatchObject({ type: 'accepted' });
		expect((await alice.submit(channel, newEnvelope(), 1))()).toMatchObject({
			...{ code: 'epoch-too-old', epoch: 5 },
		});
		expect((await alice.submit(channel, newEnvelope(), 6))()).toMatchObject({
			...{ code: 'epoch-conflict', epoch: 5 },
		});
	});

	it('CH-6 what was accepted stays accepted when the channel has moved on', async () => {
		const { devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		const envelope = newEnvelope();
		await alice.submit(channel, envelope, 1);
		await bob.acknowledge();
		for (let epoch = 1; epoch < 6; epoch++) await alice.request(commit(channel, epoch));
		expect((await alice.submit(channel, envelope, 1))()).toMatchObject({ type: 'accepted' });
	});

	it('CH-7 after leaving a device gets nothing more, and an empty channel is forgotten', async () => {
		const { room, devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		expect(await bob.request({ type: 'leave', channel })).toMatchObject({ type: 'accepted' });
		const before = bob.deliveries.length;
		expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
		expect(await alice.request(commit(channel, 1, { remove: [1] }))).toMatchObject({
			type: 'accepted',
		});
		expect(bob.deliveries).toHaveLength(before);
		expect(await alice.request({ type: 'leave', channel })).toMatchObject({ type: 'accepted' });
		expect(room.disk.channels.size).toBe(0);
		expect((await alice.submit(channel))()).toMatchObject({ code: 'channel-unknown' });
	});

	it('CH-12 the newest snapshot is for members alone', async () => {
		const { devices } = await people(3);
		const [alice, bob, eve] = devices;
		const channel = await alice.found(bob);
		const fetch = (device: Device) => device.request({ type: 'fetchSnapshot', channel });
		expect(await fetch(bob)).toMatchObject({ type: 'snapshot', epoch: 1, sealed: null });
		const [first, second] = [someBytes(), someBytes()];
		await alice.request(commit(channel, 1, { snapshot: first }));
		expect(await bob.request(commit(channel, 1, { snapshot: second }))).toMatchObject({
			code: 'epoch-conflict',
		});
		expect(await fetch(bob)).toMatchObject({ epoch: 2, sealed: first });
		expect(await fetch(eve)).toMatchObject({ code: 'not-a-member' });
		await alice.request(commit(channel, 2, { remove: [1], snapshot: second }));
		expect(await fetch(alice)).toMatchObject({ epoch: 3, sealed: second });
		expect(await fetch(bob)).toMatchObject({ code: 'not-a-member' });
		const request = { type: 'fetchSnapshot', channel: newChannel() } as const;
		expect(await eve.request(request)).toMatchObject({ code: 'channel-unknown' });
	});

	it('CH-8 the same commit again is accepted again, until another has passed', async () => {
		const { room, devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		const frame = commit(channel, 1);
		await alice.request(frame);
		const before = bob.deliveries.length;
		expect(await alice.request(frame)).toMatchObject({ type: 'accepted' });
		room.restart();
		for (const device of [alice, bob]) {
			await device.login();
			await device.acknowledge();
		}
		expect(await alice.request(frame)).toMatchObject({ type: 'accepted' });
		expect(bob.deliveries).toHaveLength(before - 1); // the welcome was acknowledged before
		await bob.request(commit(channel, 2));
		expect(await alice.request(frame)).toMatchObject({ code: 'epoch-conflict', epoch: 3 });
	});

	it('CH-10 leaves that do not add up are refused', async () => {
		const { devices } = await people(3);
		const [alice, bob, carol] = devices;
		const channel = await alice.found(bob);
		const address = await carol.address();
		const welcome = someBytes();
		for (const leaves of [[0], [1], [2, 2]])
			expect(
				await alice.request(
					commit(channel, 1, { add: leaves.map((leaf) => ({ leaf, address })), welcome }),
				),
			).toMatchObject({ type: 'refused', code: 'malformed' });
		const replace = { add: [{ leaf: 1, address }], remove: [1, 7], welcome };
		expect(await alice.request(commit(channel, 1, replace))).toMatchObject({ type: 'accepted' });
	});

	it('CH-10 a device that lost its state replaces its own leaf', async () => {
		const { room, devices } = await people(2);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		const add = [{ leaf: 2, address: await bob.address() }];
		expect(await bob.request(commit(channel, 1, { add, remove: [1] }))).toMatchObject({
			type: 'accepted',
		});
		expect(room.disk.channels.get(channel)?.members).toContainEqual({ leaf: 2, mailbox: bob.id });
		expect(bob.deliveries.at(-1)).toMatchObject({ kind: 'commit', epoch: 1 });
	});

	it('a channel that is not in memory is read once for all who wait for it', async () => {
		const { room, devices } = await people(3, new RelayRoom({ limits: { cachedChannels: 1 } }));
		const [alice, bob, carol] = devices;
		const first = await alice.found(bob);
		await alice.found(carol);
		const sent = [newEnvelope(), newEnvelope(), newEnvelope()];
		for (const envelope of sent) void alice.submit(first, envelope);
		await settle();
		expect(bob.envelopes.slice(1)).toEqual(sent);
		expect(room.relay.stats().cachedChannels).toBe(1);
	});
});

describe('whispers', () => {
	it('WH-1 a whisper reaches the other connected devices at once and is never stored', async () => {
		const { room, devices } = await people(3);
		const [alice, bob, carol] = devices;
		const channel = await alice.found(bob, carol);
		await carol.vanish();
		const body = someBytes();
		alice.connection.say({ type: 'whisper', channel, body });
		alice.connection.say({ type: 'whisper', channel: newChannel(), body });
		await settle();
		expect(bob.connection.of('whispered')).toEqual([{ type: 'whispered', channel, body }]);
		expect(alice.connection.of('whispered')).toEqual([]);
		await carol.login();
		expect(carol.connection.of('whispered')).toEqual([]);
		expect(room.disk.waiting).toBe(0);
	});

	it('WH-1 LI-2 whispers over the limit and to a device that is behind are lost in silence', async () => {
		const { devices } = await people(
			2,
			new RelayRoom({ limits: { whispers: { perSecond: 1, burst: 2 } } }),
		);
		const [alice, bob] = devices;
		const channel = await alice.found(bob);
		for (let count = 0; count < 5; count++)
			alice.connection.say({ type: 'whisper', channel, body: someBytes() });
		expect(bob.connection.of('whispered')).toHaveLength(2);
		expect(alice.connection.closeCode).toBeUndefined();
	});

	it('an address of a device that is not there is of no use to a stranger', async () => {
		const { devices } = await people(1);
		const add = [{ leaf: 1, address: newAddress() }];
		const frame = commit(newChannel(), 0, { add, welcome: someBytes() });
		expect(await devices[0].request(frame)).toMatchObject({ code: 'address-unknown' });
	});
});
