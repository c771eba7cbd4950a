import { describe, expect, it } from 'vitest';
import type { AddressPolicy } from '../../src/protocol/frames.ts';
import type { Address } from '../../src/protocol/ids.ts';
import {
	newAddress,
	newChannel,
	newEnvelope,
	OPEN_POLICY,
	RelayRoom,
	someBytes,
	type Device,
} from '../../tests/support/relay-fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

async function twoPeople(room = new RelayRoom()) {
	return { room, alice: await room.device().login(), bob: await room.device().login() };
}

/** Founds a channel through an address, once per call. */
const use = (device: Device, ...addresses: Address[]) =>
	device.request({
		...{ type: 'commit', envelope: newEnvelope(), channel: newChannel(), epoch: 0 },
		...{ body: someBytes(), remove: [], welcome: someBytes(), snapshot: null },
		add: addresses.map((address, index) => ({ leaf: index + 1, address })),
	});
const put = (
	device: Device,
	address: Address,
	{ card = someBytes(), ...policy }: Partial<AddressPolicy> & { card?: Uint8Array } = {},
) => device.request({ type: 'putAddress', address, card, policy: { ...OPEN_POLICY, ...policy } });
const look = (device: Device, address: Address) => device.request({ type: 'look', address });

describe('addresses', () => {
	it('AD-1 putAddress makes and replaces an address of the device, and of no other', async () => {
		const { alice, bob } = await twoPeople();
		const address = newAddress();
		const [first, second] = [someBytes(), someBytes()];
		expect(await put(alice, address, { card: first })).toMatchObject({ type: 'accepted' });
		expect(await put(alice, address, { card: second })).toMatchObject({ type: 'accepted' });
		expect(await look(bob, address)).toMatchObject({ state: 'open', card: second });
		expect(await put(bob, address)).toMatchObject({ code: 'address-taken' });
		expect(await bob.request({ type: 'revokeAddress', address })).toMatchObject({
			code: 'address-unknown',
		});
	});

	it('AD-2 an address that nobody made says so and nothing else', async () => {
		const { bob } = await twoPeople();
		expect(await look(bob, newAddress())).toMatchObject({ state: 'unknown', card: null });
		expect(await use(bob, newAddress())).toMatchObject({ code: 'address-unknown' });
	});

	it('AD-3 AD-4 a one-time address is used up by one accepted commit, not by looking', async () => {
		const { room, alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address, { uses: 1 });
		for (let count = 0; count < 3; count++)
			expect(await look(bob, address)).toMatchObject({ state: 'open' });
		expect(await use(bob, address, newAddress())).toMatchObject({ code: 'address-unknown' });
		expect(await use(bob, address)).toMatchObject({ type: 'accepted' });
		expect(await look(bob, address)).toMatchObject({ state: 'used', card: null });
		const before = alice.deliveries.length;
		expect(await use(bob, address)).toMatchObject({ code: 'address-used' });
		expect(alice.deliveries).toHaveLength(before);
		expect(room.disk.channels.size).toBe(1);
	});

	it('AD-3 two commits at once cannot both take the last use', async () => {
		const { alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address, { uses: 1 });
		const answers = await Promise.all([use(bob, address), use(bob, address), use(bob, address)]);
		const types = answers.map((answer) => (answer.type === 'refused' ? answer.code : answer.type));
		expect(types.sort()).toEqual(['accepted', 'address-used', 'address-used']);
	});

	it('AD-3 one commit that adds two devices through one address uses it twice', async () => {
		const { alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address, { uses: 1 });
		expect(await use(bob, address, address)).toMatchObject({ code: 'address-used' });
		await put(alice, address, { uses: 2 });
		expect(await use(bob, address, address)).toMatchObject({ type: 'accepted' });
		expect(await look(bob, address)).toMatchObject({ state: 'used' });
	});

	it('AD-3 AD-4 uses per day come back the next day', async () => {
		const { room, alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address, { usesPerDay: 2 });
		await room.pass(1000);
		await use(bob, address);
		await use(bob, address);
		expect(await look(bob, address)).toMatchObject({ state: 'limit' });
		const refused = await use(bob, address);
		expect(refused).toMatchObject({ code: 'address-limit', retryAfter: DAY - 1000 });
		await room.pass(DAY - 1000);
		await bob.login();
		expect(await use(bob, address)).toMatchObject({ type: 'accepted' });
	});

	it('AD-3 AD-4 an address expires by the relay’s clock', async () => {
		const { room, alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address, { expires: room.clock.now() + 1000 });
		await room.pass(999);
		expect(await look(bob, address)).toMatchObject({ state: 'open' });
		await room.pass(1);
		expect(await look(bob, address)).toMatchObject({ state: 'expired', card: null });
		expect(await use(bob, address)).toMatchObject({ code: 'address-expired' });
	});

	it('AD-4 AD-7 a revoked address stays revoked, and its channels live on', async () => {
		const { alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address);
		const channel = newChannel();
		await bob.request({
			...{ type: 'commit', envelope: newEnvelope(), channel, epoch: 0, body: someBytes() },
			...{ add: [{ leaf: 1, address }], remove: [], welcome: someBytes(), snapshot: null },
		});
		expect(await alice.request({ type: 'revokeAddress', address })).toMatchObject({
			type: 'accepted',
		});
		expect(await alice.request({ type: 'revokeAddress', address })).toMatchObject({
			type: 'accepted',
		});
		expect(await look(bob, address)).toMatchObject({ state: 'revoked', card: null });
		expect(await use(bob, address)).toMatchObject({ code: 'address-revoked' });
		expect(await put(alice, address)).toMatchObject({ code: 'address-revoked' });
		const submitted = await bob.submit(channel);
		await alice.acknowledge();
		expect(submitted()).toMatchObject({ type: 'accepted' });
	});

	it('AD-1 replacing a card does not give uses back', async () => {
		const { alice, bob } = await twoPeople();
		const address = newAddress();
		await put(alice, address, { uses: 1 });
		await use(bob, address);
		await put(alice, address, { uses: 1 });
		expect(await look(bob, address)).toMatchObject({ state: 'used' });
	});

	it('AD-6 a look without a connection answers the same', async () => {
		const { room, alice } = await twoPeople();
		const address = newAddress();
		const card = someBytes();
		await put(alice, address, { card });
		expect(await room.relay.lookUp(address, '192.0.2.9')).toEqual({
			ok: true,
			state: 'open',
			card,
		});
		room.disk.full = true;
		expect(await room.relay.lookUp(address, '192.0.2.9')).toMatchObject({ code: 'busy' });
	});

	it('LI-2 a device holds a limited number of addresses', async () => {
		const { alice } = await twoPeople(new RelayRoom({ limits: { addressesPerDevice: 2 } }));
		const first = newAddress();
		expect(await put(alice, first)).toMatchObject({ type: 'accepted' });
		expect(await put(alice, newAddress())).toMatchObject({ type: 'accepted' });
		expect(await put(alice, newAddress())).toMatchObject({ code: 'too-many' });
		expect(await put(alice, first)).toMatchObject({ type: 'accepted' });
	});

	it('forgets expired and revoked addresses after 90 days, and frees their places', async () => {
		const { room, alice } = await twoPeople();
		const [kept, revoked] = [newAddress(), newAddress()];
		await put(alice, kept);
		await put(alice, revoked);
		await put(alice, newAddress(), { expires: room.clock.now() + 1 });
		await alice.request({ type: 'revokeAddress', address: revoked });
		await room.pass(91 * DAY);
		await room.pass(60_000);
		await room.pass(60_000);
		expect([...room.disk.addresses.keys()]).toEqual([kept]);
	});
});
