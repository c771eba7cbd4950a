import { describe, expect, it } from 'vitest';
import {
	newEnvelope,
	RelayRoom,
	settle,
	someBytes,
	type Device,
} from '../../tests/support/relay-fixture.ts';

async function twoPeople(room = new RelayRoom()) {
	const alice = await room.device().login();
	const bob = await room.device().login();
	const channel = await alice.found(bob);
	return { room, alice, bob, channel };
}

const seqs = (device: Device) => device.deliveries.map(({ seq }) => seq);

describe('mailboxes', () => {
	it('MB-1 numbers rise strictly, also over a crash of the relay, without a write per message', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await alice.submit(channel);
		await bob.acknowledge();
		const before = seqs(bob);
		room.restart();
		await alice.login();
		await bob.login();
		await alice.submit(channel);
		await alice.submit(channel);
		const all = [...before, ...seqs(bob)];
		expect(all.length).toBeGreaterThanOrEqual(4);
		expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
	});

	it('HS-7 a known device and its mail come in with one trip to the store', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		await alice.submit(channel);
		await settle();
		room.store.hold = true;
		const login = bob.login();
		await expect.poll(() => room.store.queued).toBe(2);
		room.store.flush();
		await login;
		expect(bob.deliveries.at(-1)?.kind).toBe('message');
		expect(room.store.queued).toBe(0);
	});

	it('MB-4 mail that is stored while its device logs in comes once, and in order', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		await alice.submit(channel);
		await settle();
		room.store.hold = true;
		const login = bob.login();
		await expect.poll(() => room.store.queued).toBe(2);
		void alice.submit(channel); // after the first page was asked for, and before the device is there
		await expect.poll(() => room.store.queued).toBe(3);
		room.store.hold = false;
		room.store.flush();
		await login;
		await settle();
		const messages = bob.deliveries.filter(({ kind }) => kind === 'message');
		expect(messages).toHaveLength(2);
		expect(seqs(bob)).toEqual([...new Set(seqs(bob))].sort((x, y) => x - y));
	});

	it('MB-2 a message to a device that acknowledges in time is accepted and never written', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		const answer = await alice.submit(channel);
		expect(bob.deliveries.at(-1)?.kind).toBe('message');
		expect(answer).toThrow('no answer');
		await bob.acknowledge();
		expect(answer()).toMatchObject({ type: 'accepted' });
		expect(room.disk.references.size).toBe(0);
		expect(room.relay.stats()).toMatchObject({ handedOver: 1, appended: 0 });
	});

	it('MB-2 a device that misses the window gets it from the disk, and is not waited for again', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		const answer = await alice.submit(channel);
		await room.pass(99);
		expect(answer).toThrow('no answer');
		await room.pass(1);
		expect(answer()).toMatchObject({ type: 'accepted' });
		expect(room.disk.waiting).toBe(1);
		expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
		expect(room.disk.waiting).toBe(2);
		expect(bob.envelopes).toHaveLength(3);
		await bob.acknowledge();
		expect(room.disk.waiting).toBe(0);
	});

	it('MB-2 a device that acknowledges late is not waited for', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await alice.submit(channel);
		await room.pass(150);
		await bob.acknowledge();
		expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
		await bob.acknowledge(); // in time now
		expect(await alice.submit(channel)).toThrow('no answer');
	});

	it('MB-2 a crash between handing over and acknowledging leaves the sender without an answer', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		const envelope = newEnvelope();
		const answer = await alice.submit(channel, envelope);
		room.restart();
		expect(answer).toThrow('no answer');
		await bob.login();
		await alice.login();
		expect(bob.envelopes).toEqual([]);
		const again = await alice.submit(channel, envelope);
		await bob.acknowledge();
		expect(again()).toMatchObject({ type: 'accepted' });
		expect(bob.envelopes).toEqual([envelope]);
	});

	it('MB-2 nothing is accepted before the store is done', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		room.disk.full = true;
		expect((await alice.submit(channel))()).toMatchObject({ type: 'refused', code: 'busy' });
		room.disk.full = false;
		expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
	});

	it('MB-2 a message for one who is there and one who is away is written for both at once', async () => {
		const room = new RelayRoom();
		const [alice, bob, carol] = [room.device(), room.device(), room.device()];
		for (const device of [alice, bob, carol]) await device.login();
		const channel = await alice.found(bob, carol);
		await carol.vanish();
		expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
		expect(room.disk.waiting).toBe(2);
		expect(room.disk.references.size).toBe(1);
		expect(bob.envelopes).toHaveLength(2);
		await bob.acknowledge();
		expect(room.disk.waiting).toBe(1);
	});

	it('MB-3 acknowledging is cumulative, and beyond what was delivered it is ignored', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		for (let count = 0; count < 5; count++) await alice.submit(channel);
		await bob.login();
		await bob.acknowledge(Number.MAX_SAFE_INTEGER);
		expect(room.disk.waiting).toBe(5);
		await bob.acknowledge(seqs(bob)[2]);
		expect(room.disk.waiting).toBe(2);
		await bob.login();
		expect(bob.deliveries).toHaveLength(2);
	});

	it('MB-4 what was not acknowledged comes again after the next login, in order', async () => {
		const { alice, bob, channel } = await twoPeople();
		const sent = [newEnvelope(), newEnvelope(), newEnvelope()];
		for (const envelope of sent) await alice.submit(channel, envelope);
		expect(bob.envelopes.slice(-3)).toEqual(sent);
		await bob.vanish();
		await bob.login();
		expect(bob.envelopes).toEqual(sent);
		await bob.login();
		expect(bob.envelopes).toEqual(sent);
	});

	it('MB-5 the same envelope again gets the same answer and no second row', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		const envelope = newEnvelope();
		expect((await alice.submit(channel, envelope))()).toMatchObject({ type: 'accepted' });
		expect((await alice.submit(channel, envelope))()).toMatchObject({ type: 'accepted' });
		room.restart();
		await alice.login();
		expect((await alice.submit(channel, envelope))()).toMatchObject({ type: 'accepted' });
		await bob.login();
		expect(bob.envelopes).toEqual([envelope]);
	});

	it('MB-5 a repetition while the first is under way waits for the same outcome', async () => {
		const { alice, bob, channel } = await twoPeople();
		const envelope = newEnvelope();
		const first = await alice.submit(channel, envelope);
		await alice.login();
		const second = await alice.submit(channel, envelope);
		expect(second).toThrow('no answer');
		await bob.acknowledge();
		expect(second()).toMatchObject({ type: 'accepted' });
		expect(first).toThrow('no answer'); // its connection was replaced
		expect(bob.envelopes.filter((id) => id === envelope)).toHaveLength(1);
	});

	it('MB-6 a full mailbox refuses, and has room again once it is read', async () => {
		const { room, alice, bob, channel } = await twoPeople(
			new RelayRoom({ quota: { messages: 3, bytes: 1000 } }),
		);
		await bob.vanish();
		for (let count = 0; count < 3; count++)
			expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
		expect((await alice.submit(channel))()).toMatchObject({
			...{ type: 'refused', code: 'mailbox-full', retryAfter: 60_000 },
		});
		await bob.login();
		await bob.acknowledge();
		await bob.vanish();
		expect((await alice.submit(channel))()).toMatchObject({ type: 'accepted' });
		const answer = await alice.request({
			...{ type: 'submit', envelope: newEnvelope(), channel, epoch: 1, body: someBytes(970) },
		});
		expect(answer).toMatchObject({ code: 'mailbox-full' });
		expect(room.disk.waiting).toBe(1);
	});

	it('MB-6 one full mailbox among several is left out, and the sender is told', async () => {
		const room = new RelayRoom({ quota: { messages: 2, bytes: 1e6 } });
		const [alice, bob, carol] = [room.device(), room.device(), room.device()];
		for (const device of [alice, bob, carol]) await device.login();
		const channel = await alice.found(bob, carol);
		await carol.vanish();
		for (let count = 0; count < 2; count++) {
			await alice.submit(channel);
			await bob.acknowledge();
		}
		const envelope = newEnvelope();
		expect((await alice.submit(channel, envelope))()).toMatchObject({ type: 'accepted' });
		expect(bob.envelopes.at(-1)).toBe(envelope);
		expect(alice.deliveries.at(-1)).toMatchObject({ kind: 'dropped', envelope });
	});

	it('MB-7 mail that nobody read in time goes, and its sender is told once', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		const envelope = newEnvelope();
		await alice.submit(channel, envelope);
		await alice.vanish();
		await room.pass(30 * 24 * 60 * 60 * 1000 - 60_000);
		expect(room.disk.mailboxes.get(bob.id)).toHaveLength(1);
		for (let minute = 0; minute < 3; minute++) await room.pass(60_000);
		expect(room.disk.mailboxes.get(bob.id)).toHaveLength(0);
		await alice.login();
		expect(alice.deliveries).toMatchObject([{ kind: 'dropped', envelope, channel }]);
		expect(alice.deliveries[0]?.body).toHaveLength(0);
		await alice.acknowledge();
		await bob.login();
		expect(bob.deliveries).toEqual([]);
		expect(room.disk.waiting).toBe(0);
	});

	it('MB-7 a sender who is connected finds the notice at once', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		await bob.vanish();
		await alice.submit(channel);
		for (let day = 0; day < 31 * 24 * 60; day++) {
			room.clock.advance(60_000);
			alice.connection.say({ type: 'ping' });
			if (day % 100 === 0) await settle();
		}
		await settle();
		expect(alice.deliveries.at(-1)?.kind).toBe('dropped');
	});

	it('MB-8 a device that does not drain its socket is sent away, and its mail stays', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		bob.connection.stalled = true;
		bob.connection.backlogLimit = 100_000;
		for (let count = 0; count < 20; count++) {
			await alice.ask({
				...{ type: 'submit', envelope: newEnvelope(), channel, epoch: 1, body: someBytes(10_000) },
			});
			await room.pass(100);
		}
		expect(bob.connection.closeCode).toBe(1013);
		expect(room.disk.mailboxes.get(bob.id)).toHaveLength(20);
		await bob.login();
		expect(bob.deliveries).toHaveLength(20);
	});

	it('keeps the order while the backlog drains and new mail arrives', async () => {
		const { room, alice, bob, channel } = await twoPeople(
			new RelayRoom({ quota: { messages: 10_000, bytes: 1e9 } }),
		);
		await bob.vanish();
		const sent = Array.from({ length: 700 }, newEnvelope);
		for (const envelope of sent.slice(0, 650)) void alice.submit(channel, envelope);
		await settle();
		const arriving = bob.login();
		for (const envelope of sent.slice(650)) void alice.submit(channel, envelope);
		await bob.connection.until(({ type }) => type === 'deliver');
		while (bob.deliveries.length < sent.length) await bob.acknowledge();
		await bob.acknowledge();
		await arriving;
		expect(bob.envelopes).toEqual(sent);
		expect(seqs(bob)).toEqual([...seqs(bob)].sort((a, b) => a - b));
		expect(room.disk.waiting).toBe(0);
	});

	it('keeps the order when mail is stored while the last page is being read', async () => {
		const { room, alice, bob, channel } = await twoPeople();
		const sent = [newEnvelope(), newEnvelope(), newEnvelope(), newEnvelope()];
		await bob.vanish();
		await alice.submit(channel, sent[0]);
		room.store.hold = true;
		const arriving = bob.login();
		// Mail that comes in during the login makes it ask once more.
		await expect.poll(() => room.store.queued).toBe(2);
		await alice.submit(channel, sent[1]);
		room.store.flush();
		await bob.connection.until(({ type }) => type === 'ready');
		// The page is asked for and not yet read; now more mail comes in.
		await alice.submit(channel, sent[2]);
		expect(room.store.queued).toBe(2);
		room.store.flush(1);
		await settle();
		await alice.submit(channel, sent[3]);
		room.store.hold = false;
		room.store.flush();
		await arriving;
		await settle();
		expect(bob.envelopes).toEqual(sent);
	});

	it('sends no more than the window before it is acknowledged', async () => {
		const { alice, bob, channel } = await twoPeople(
			new RelayRoom({
				quota: { messages: 10_000, bytes: 1e9 },
				limits: { requests: { perSecond: 1e4, burst: 1e4 } },
			}),
		);
		await bob.vanish();
		for (let count = 0; count < 1300; count++) {
			void alice.submit(channel);
			if (count % 500 === 0) await settle(); // so many may wait for their answer, too
		}
		await settle();
		void bob.login();
		await bob.connection.until(({ type }) => type === 'deliver');
		await settle();
		expect(bob.deliveries).toHaveLength(1024);
		expect(bob.connection.of('caughtUp')).toHaveLength(0);
		await bob.acknowledge();
		expect(bob.deliveries).toHaveLength(1300);
		expect(bob.connection.of('caughtUp')).toHaveLength(1);
	});
});
