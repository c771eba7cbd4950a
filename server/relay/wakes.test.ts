import { describe, expect, it } from 'vitest';
import { RelayRoom, type Device } from '../../tests/support/relay-fixture.ts';

const endpoint = 'https://push.example/bob';
const subscription = { endpoint, p256dh: 'p256dh', auth: 'auth' };
const subscribe = (device: Device, to: typeof subscription | null = subscription) =>
	device.request({ type: 'setPush', subscription: to });

async function twoPeople(room = new RelayRoom()) {
	const alice = await room.device().login();
	const bob = await room.device().login();
	const channel = await alice.found(bob);
	await subscribe(bob);
	return { room, alice, bob, channel };
}

describe('pushes', () => {
	it('PU-1 mail for a device that is away wakes it once', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		for (let count = 0; count < 5; count++) await alice.submit(channel);
		expect(room.push.sent).toEqual([endpoint]);
	});

	it('PU-1 it is woken again after a minute, or once it was connected', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		await alice.submit(channel);
		await room.pass(59_999);
		await alice.submit(channel);
		expect(room.push.sent).toHaveLength(1);
		await room.pass(1);
		await alice.submit(channel);
		expect(room.push.sent).toHaveLength(2);
		await room.pass(30_000);
		await bob.login();
		await bob.acknowledge();
		await bob.vanish();
		await alice.submit(channel);
		expect(room.push.sent).toHaveLength(3);
		await room.pass(30_000); // the end of an earlier minute does not end this one
		await alice.submit(channel);
		expect(room.push.sent).toHaveLength(3);
	});

	it('PU-1 a device that sleeps behind an open connection is woken', async () => {
		const { room, alice, channel } = await twoPeople();
		await alice.submit(channel);
		await room.pass(9_999);
		expect(room.push.sent).toEqual([]);
		await room.pass(1);
		expect(room.push.sent).toEqual([endpoint]);
		await room.pass(20_000);
		expect(room.push.sent).toHaveLength(1);
	});

	it('PU-1 mail that was left unread when the connection ended wakes the device', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await alice.submit(channel);
		await room.pass(1000);
		expect(room.disk.waiting).toBe(1);
		await bob.vanish();
		expect(room.push.sent).toEqual([endpoint]);
	});

	it('PU-1 a device that left with nothing unread is not woken', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await alice.submit(channel);
		await bob.acknowledge();
		await room.pass(60_000);
		await bob.vanish();
		expect(room.push.sent).toEqual([]);
	});

	it('PU-1 a device that is connected is not woken', async () => {
		const { room, alice, channel } = await twoPeople();
		await alice.submit(channel);
		await room.pass(1000);
		expect(room.disk.waiting).toBe(1);
		expect(room.push.sent).toEqual([]);
	});

	it('PU-2 an endpoint that the operator does not allow is refused and never called', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		const elsewhere = { ...subscription, endpoint: 'https://internal.example/' };
		expect(await subscribe(bob, elsewhere)).toMatchObject({ code: 'push-refused' });
		room.disk.push.set(bob.id, elsewhere);
		await bob.vanish();
		await alice.submit(channel);
		expect(room.push.sent).toEqual([]);
	});

	it('PU-3 a subscription that is gone is removed', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		room.push.outcome = 'gone';
		await bob.vanish();
		await alice.submit(channel);
		expect(room.push.sent).toHaveLength(1);
		expect(room.disk.push.size).toBe(0);
	});

	it('PU-4 testPush says whether the push service took it', async () => {
		const { room, alice, bob } = await twoPeople();
		expect(await bob.request({ type: 'testPush' })).toMatchObject({ type: 'accepted' });
		expect(room.push.sent).toEqual([endpoint]);
		room.push.outcome = 'failed';
		expect(await bob.request({ type: 'testPush' })).toMatchObject({ code: 'push-failed' });
		expect(room.disk.push.size).toBe(1);
		expect(await alice.request({ type: 'testPush' })).toMatchObject({ code: 'push-failed' });
	});

	it('setPush with null forgets the subscription', async () => {
		const { room, bob } = await twoPeople();
		expect(await subscribe(bob, null)).toMatchObject({ type: 'accepted' });
		expect(room.disk.push.size).toBe(0);
	});
});
