import { describe, expect, it } from 'vitest';
import { REFUSAL_CODES } from '../../src/protocol/errors.ts';
import {
	newAddress,
	newChannel,
	newEnvelope,
	RelayRoom,
	settle,
	someBytes,
} from '../../tests/support/relay-fixture.ts';

describe('limits', () => {
	it('LI-2 requests of one device are limited, and the answer names the wait', async () => {
		const room = new RelayRoom({ limits: { requests: { perSecond: 2, burst: 3 } } });
		const [alice, bob] = [await room.device().login(), await room.device().login()];
		const ask = () => alice.request({ type: 'look', address: newAddress() });
		for (let count = 0; count < 3; count++) expect(await ask()).toMatchObject({ type: 'looked' });
		expect(await ask()).toMatchObject({ code: 'rate-limited', retryAfter: 500 });
		await alice.login(); // coming back does not help
		expect(await ask()).toMatchObject({ code: 'rate-limited' });
		expect(await bob.request({ type: 'look', address: newAddress() })).toMatchObject({
			type: 'looked',
		});
		await room.pass(500);
		expect(await ask()).toMatchObject({ type: 'looked' });
	});

	it('LI-3 who asks on regardless is answered so many times, then sent away, over logins too', async () => {
		const limits = { requests: { perSecond: 1, burst: 1 }, refusals: { perSecond: 1, burst: 3 } };
		const room = new RelayRoom({ limits });
		const [alice, bob] = [await room.device().login(), await room.device().login()];
		const press = () => alice.connection.say({ type: 'look', request: 9, address: newAddress() });
		for (let count = 0; count < 50; count++) press();
		expect(alice.connection.of('refused')).toHaveLength(3);
		expect(alice.connection.bye).toMatchObject({ code: 'rate-limited', retryAfter: 10_000 });
		await alice.login();
		expect(alice.connection.bye).toBeUndefined();
		press();
		expect(alice.connection.bye).toMatchObject({ code: 'rate-limited' });
		for (let count = 0; count < 3; count++)
			bob.connection.say({ type: 'leave', request: count, channel: newChannel() });
		expect(bob.connection.bye).toBeUndefined();
		await room.pass(10_000);
		await alice.login();
		expect(await alice.request({ type: 'look', address: newAddress() })).toMatchObject({
			type: 'looked',
		});
		for (let count = 0; count < 3; count++) press();
		expect(alice.connection.bye).toBeUndefined();
	});

	it('LI-3 looks without a login are answered so many times, too', () => {
		const room = new RelayRoom({
			limits: { looks: { perSecond: 1, burst: 1 }, refusals: { perSecond: 1, burst: 3 } },
		});
		const stranger = room.connect('a');
		for (let request = 0; request < 50; request++)
			stranger.say({ type: 'look', request, address: newAddress() });
		expect(stranger.of('refused')).toHaveLength(3);
		expect(stranger.bye).toMatchObject({ code: 'rate-limited' });
	});

	it('LI-2 a big frame costs more than a small one', async () => {
		const room = new RelayRoom({ limits: { requests: { perSecond: 1, burst: 40 } } });
		const alice = await room.device().login();
		const body = someBytes(512 * 1024);
		const channel = newChannel();
		const submit = () =>
			alice.request({ type: 'submit', envelope: newEnvelope(), channel, epoch: 1, body });
		expect(await submit()).toMatchObject({ code: 'channel-unknown' });
		expect(await submit()).toMatchObject({ code: 'rate-limited', retryAfter: 26_000 });
	});

	it('LI-2 connections of one network are limited, in number and in rate', async () => {
		const room = new RelayRoom({ limits: { connectionsPerNetwork: 2 } });
		const [first, , third] = [room.connect('a'), room.connect('a'), room.connect('a')];
		expect(third?.bye).toMatchObject({ code: 'rate-limited' });
		expect(room.connect('b').bye).toBeUndefined();
		first?.session.closed();
		expect(room.connect('a').bye).toBeUndefined();
		const rated = new RelayRoom({ limits: { connections: { perSecond: 1, burst: 1 } } });
		rated.connect('a').session.closed();
		expect(rated.connect('a').bye).toMatchObject({ code: 'rate-limited', retryAfter: 1000 });
		await rated.pass(1000);
		expect(rated.connect('a').bye).toBeUndefined();
	});

	it('LI-2 looks without a login are limited by network', async () => {
		const room = new RelayRoom({ limits: { looks: { perSecond: 1, burst: 1 } } });
		expect(await room.relay.lookUp(newAddress(), 'a')).toMatchObject({ state: 'unknown' });
		expect(await room.relay.lookUp(newAddress(), 'a')).toMatchObject({
			...{ code: 'rate-limited', retryAfter: 1000 },
		});
		expect(await room.relay.lookUp(newAddress(), 'b')).toMatchObject({ state: 'unknown' });
		const stranger = room.connect('a');
		stranger.say({ type: 'look', request: 5, address: newAddress() });
		expect(stranger.of('refused')).toMatchObject([{ request: 5, code: 'rate-limited' }]);
	});

	it('LI-2 new mailboxes of one network are limited', async () => {
		const room = new RelayRoom({ limits: { registrations: { perSecond: 0.01, burst: 1 } } });
		const known = await room.device().login();
		const refused = await room.device().login();
		expect(refused.connection.bye).toMatchObject({ code: 'rate-limited', retryAfter: 100_000 });
		await known.login();
		expect(known.connection.bye).toBeUndefined();
	});

	it('LI-2 new mailboxes of all networks together are limited, and known devices come in all the same', async () => {
		const limits = { registrationsOverall: { perSecond: 0.01, burst: 2 } };
		const room = new RelayRoom({ limits });
		const known = await room.device().login('192.0.2.1');
		await room.device().login('192.0.2.2');
		const refused = await room.device().login('192.0.2.3');
		expect(refused.connection.bye).toMatchObject({ code: 'rate-limited', retryAfter: 100_000 });
		await known.login('192.0.2.4');
		expect(known.connection.bye).toBeUndefined();
	});

	it('ER-1 every refusal has a code of the closed list', async () => {
		const room = new RelayRoom();
		const device = await room.device().login();
		const answer = await device.request({ type: 'leave', channel: newChannel() });
		expect(answer.type === 'refused' && REFUSAL_CODES.includes(answer.code)).toBe(true);
	});

	it('ER-2 while the disk is full everything is busy, nothing is promised, and it recovers by itself', async () => {
		const room = new RelayRoom();
		const [alice, bob] = [await room.device().login(), await room.device().login()];
		const channel = await alice.found(bob);
		await bob.vanish();
		room.disk.full = true;
		const policy = { uses: null, usesPerDay: null, expires: null };
		const envelope = newEnvelope();
		const refused = [
			(await alice.submit(channel, envelope))(),
			await alice.request({ type: 'putAddress', address: newAddress(), policy, card: null }),
			await alice.request({ type: 'revokeAddress', address: newAddress() }),
			await alice.request({ type: 'leave', channel }),
			await alice.request({ type: 'setPush', subscription: null }),
			await alice.request({ type: 'look', address: newAddress() }),
		];
		for (const answer of refused) expect(answer).toMatchObject({ code: 'busy', retryAfter: 1000 });
		expect((await room.device().login()).connection.bye).toMatchObject({ code: 'busy' });
		room.disk.full = false;
		expect(room.disk.waiting).toBe(0);
		expect((await alice.submit(channel, envelope))()).toMatchObject({ type: 'accepted' });
		await bob.login();
		expect(bob.envelopes).toEqual([envelope]);
	});

	it('ER-2 bodies that wait for the store are bounded', async () => {
		const room = new RelayRoom({ limits: { pendingBytes: 1000 }, hold: false });
		const [alice, bob] = [await room.device().login(), await room.device().login()];
		const channel = await alice.found(bob);
		const submit = () =>
			alice.ask({
				type: 'submit',
				envelope: newEnvelope(),
				channel,
				epoch: 1,
				body: someBytes(600),
			});
		const [first, second] = [await submit(), await submit()];
		expect(second()).toMatchObject({ code: 'busy' });
		await bob.acknowledge();
		expect(first()).toMatchObject({ type: 'accepted' });
		expect(room.relay.stats().pendingBytes).toBe(0);
	});
});

describe('draining', () => {
	it('settles what is under way, then sends everyone away at different times', async () => {
		const room = new RelayRoom();
		const devices = [];
		for (let count = 0; count < 8; count++) devices.push(await room.device().login());
		const [alice, bob] = devices;
		if (!alice || !bob) throw new Error('no devices');
		const channel = await alice.found(bob);
		const answer = await alice.submit(channel);
		await room.relay.drain();
		expect(answer()).toMatchObject({ type: 'accepted' });
		expect(room.disk.waiting).toBe(1);
		const waits = devices.map(({ connection }) => connection.bye?.retryAfter ?? -1);
		for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(500);
		expect(new Set(waits).size).toBeGreaterThan(1);
		expect(room.connect().bye).toMatchObject({ code: 'shutting-down' });
		expect(room.relay.stats()).toMatchObject({ connections: 0, devices: 0, pendingBytes: 0 });
		await settle();
	});
});
