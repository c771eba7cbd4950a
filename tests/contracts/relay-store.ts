// What every store of the relay must do. Run against each implementation.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
	AddressRecord,
	CapsuleRecord,
	ChannelChange,
	ChannelRecord,
	Message,
	Posting,
	RelayStore,
	StoreResult,
} from '../../server/relay/ports.ts';
import {
	idFrom,
	type Address,
	type ChannelId,
	type DeviceId,
	type EnvelopeId,
} from '../../src/protocol/ids.ts';

export const QUOTA = { messages: 5, bytes: 10_000 };

export interface StoreUnderTest {
	/** Opens the store on what was left; makes it the first time. */
	open(): Promise<RelayStore>;
	/** Ends the store of the last open without any ceremony. */
	crash(): Promise<void>;
	/** Makes every write fail for want of space, and ends that again. */
	fill(store: RelayStore): Promise<void>;
	free(store: RelayStore): Promise<void>;
	dispose(): Promise<void>;
}

/** `given`: rows keep the numbers of their targets. `own`: rows get rising numbers as they come. */
type Numbers = 'given' | 'own';

const device = () => idFrom<DeviceId>(randomBytes(16));
const newChannel = () => idFrom<ChannelId>(randomBytes(16));
const ROOM = { rows: 100, bytes: 1e6 };

function message(rest: Partial<Message> = {}): Message {
	return {
		...{ kind: 'message', sender: device(), envelope: idFrom<EnvelopeId>(randomBytes(16)) },
		...{
			channel: newChannel(),
			epoch: 7,
			at: 1000,
			body: new Uint8Array(randomBytes(30)),
			...rest,
		},
	};
}

/** The number that each posting was given, by which the tests name it; a store may hand it out under another. */
const given = new Map<EnvelopeId, number>();

function posting(seq: number, mailboxes: DeviceId[], rest: Partial<Message> = {}): Posting {
	const made = message(rest);
	given.set(made.envelope, seq);
	return { message: made, targets: mailboxes.map((mailbox) => ({ mailbox, seq })) };
}

function addressRecord(rest: Partial<AddressRecord> = {}): AddressRecord {
	return {
		...{ address: idFrom<Address>(randomBytes(16)), owner: device(), version: 1 },
		...{ policy: { uses: null, usesPerDay: 3, expires: null }, card: new Uint8Array([1, 2, 3]) },
		...{ revoked: false, uses: 0, day: 0, usesOnDay: 0, changedAt: 1000, ...rest },
	};
}

function channelRecord(rest: Partial<ChannelRecord> = {}): ChannelRecord {
	const lastCommit = { envelope: idFrom<EnvelopeId>(randomBytes(16)), sender: device() };
	const members = [{ leaf: 0, mailbox: device() }];
	return { channel: newChannel(), revision: 1, epoch: 1, members, lastCommit, ...rest };
}

const capsuleRecord = (rest: Partial<CapsuleRecord> = {}): CapsuleRecord => ({
	...{ place: randomBytes(32).toString('base64url'), keeper: device(), at: 1000 },
	...{ sealed: new Uint8Array(randomBytes(30)), ...rest },
});

const change = (next: ChannelRecord, rest: Partial<ChannelChange> = {}): ChannelChange => ({
	...{ channel: next.channel, revision: next.revision === 1 ? null : next.revision - 1, next },
	...{ addresses: [], postings: [], ...rest },
});

/** The value of a result that has to be ok. */
async function ok<Value>(result: Promise<StoreResult<Value>>): Promise<Value> {
	const settled = await result;
	if (!settled.ok) throw new Error('the store was busy');
	return settled.value;
}

export function relayStoreContract(
	name: string,
	make: () => Promise<StoreUnderTest>,
	numbers: Numbers = 'given',
): void {
	describe(`relay store: ${name}`, () => {
		let under: StoreUnderTest;
		let store: RelayStore;
		const read = (mailbox: DeviceId, after = 0, room = ROOM) =>
			ok(store.read(mailbox, after, room));
		const seqs = async (mailbox: DeviceId) =>
			(await read(mailbox)).map(({ message }) => given.get(message.envelope));
		/** The number by which the store hands out the row that was given `seq`. */
		const numberOf = async (mailbox: DeviceId, seq: number) => {
			const rows = await read(mailbox);
			return rows.find(({ message }) => given.get(message.envelope) === seq)?.seq ?? NaN;
		};

		beforeEach(async () => {
			under = await make();
			store = await under.open();
		});
		afterEach(() => under.dispose());

		it('MB-1 never sets the same numbers aside twice, over crashes too', async () => {
			const first = await ok(store.reserve(1000));
			expect(first).toBeGreaterThanOrEqual(1);
			expect(await ok(store.reserve(10))).toBe(first + 1000);
			await under.crash();
			store = await under.open();
			expect(await ok(store.reserve(1))).toBeGreaterThanOrEqual(first + 1010);
		});

		it('makes a mailbox only when asked to', async () => {
			const mailbox = device();
			expect(await ok(store.openMailbox(mailbox, false))).toBe(false);
			expect(await ok(store.openMailbox(mailbox, true))).toBe(true);
			expect(await ok(store.openMailbox(mailbox, true))).toBe(true);
			expect(await ok(store.openMailbox(mailbox, false))).toBe(true);
		});

		it('MB-2 what it confirmed survives a crash, byte for byte', async () => {
			const mailbox = device();
			const sent = posting(3, [mailbox], { body: new Uint8Array(randomBytes(5000)) });
			await ok(store.append(sent));
			await under.crash();
			store = await under.open();
			const seq = numbers === 'given' ? 3 : (expect.any(Number) as number);
			expect(await read(mailbox)).toEqual([{ seq, message: sent.message }]);
		});

		it('reads what was called for before, in order', async () => {
			const mailbox = device();
			void store.append(posting(4, [mailbox]));
			void store.append(posting(9, [mailbox]));
			const page = store.read(mailbox, 0, ROOM);
			void store.append(posting(12, [mailbox]));
			const [first, second, ...more] = await ok(page);
			expect([first, second].map((row) => row && given.get(row.message.envelope))).toEqual([4, 9]);
			expect(more).toEqual([]);
			const rest = await read(mailbox, first?.seq);
			expect(rest.map(({ message }) => given.get(message.envelope))).toEqual([9, 12]);
			expect(rest[0]?.seq).toBe(second?.seq);
			expect(second?.seq).toBeGreaterThan(first?.seq ?? Infinity);
			expect(rest[1]?.seq).toBeGreaterThan(second?.seq ?? Infinity);
		});

		it.skipIf(numbers === 'own')('reads in the order of the numbers given', async () => {
			const mailbox = device();
			void store.append(posting(9, [mailbox]));
			void store.append(posting(4, [mailbox]));
			expect((await read(mailbox)).map(({ seq }) => seq)).toEqual([4, 9]);
			expect((await read(mailbox, 4)).map(({ seq }) => seq)).toEqual([9]);
		});

		it('pages end at the rows or bytes asked for, and always move on', async () => {
			const mailbox = device();
			for (const seq of [1, 2, 3, 4])
				await ok(store.append(posting(seq, [mailbox], { body: new Uint8Array(1000) })));
			expect(await read(mailbox, 0, { rows: 3, bytes: 1e6 })).toHaveLength(3);
			expect(await read(mailbox, 0, { rows: 9, bytes: 1500 })).toHaveLength(2);
			expect(await read(mailbox, 0, { rows: 9, bytes: 1 })).toHaveLength(1);
			expect(await read(mailbox, await numberOf(mailbox, 4))).toEqual([]);
		});

		it('MB-3 acknowledging deletes up to and including, in that mailbox alone', async () => {
			const [one, two] = [device(), device()];
			for (const seq of [1, 2, 3]) await ok(store.append(posting(seq, [one, two])));
			await ok(store.acknowledge(one, await numberOf(one, 2)));
			expect(await seqs(one)).toEqual([3]);
			expect(await seqs(two)).toEqual([1, 2, 3]);
		});

		it('MB-5 the same message again changes nothing, until its last reader has it', async () => {
			const [one, two] = [device(), device()];
			const sent = posting(1, [one, two]);
			await ok(store.append(sent));
			await ok(store.acknowledge(one, await numberOf(one, 1)));
			const again = {
				...sent,
				targets: [
					{ mailbox: one, seq: 5 },
					{ mailbox: two, seq: 5 },
				],
			};
			expect(await ok(store.append(again))).toEqual({ full: [] });
			expect(await seqs(one)).toEqual([]);
			expect(await seqs(two)).toEqual([1]);
			await ok(store.append({ ...again, message: { ...sent.message, sender: device() } }));
			expect(await seqs(one)).toHaveLength(1);
		});

		it('MB-6 a full mailbox is named and left out; the others get theirs', async () => {
			const [full, free] = [device(), device()];
			for (const seq of [1, 2, 3, 4, 5]) await ok(store.append(posting(seq, [full])));
			expect(await ok(store.append(posting(6, [full, free])))).toEqual({ full: [full] });
			expect(await ok(store.append(posting(7, [full])))).toEqual({ full: [full] });
			expect(await seqs(full)).toEqual([1, 2, 3, 4, 5]);
			expect(await seqs(free)).toEqual([6]);
			await ok(store.acknowledge(full, await numberOf(full, 1)));
			expect(await ok(store.append(posting(8, [full])))).toEqual({ full: [] });
		});

		it('MB-6 bytes count like messages', async () => {
			const mailbox = device();
			const big = { body: new Uint8Array(6000) };
			expect(await ok(store.append(posting(1, [mailbox], big)))).toEqual({ full: [] });
			expect(await ok(store.append(posting(2, [mailbox], big)))).toEqual({ full: [mailbox] });
			await under.crash();
			store = await under.open();
			expect(await ok(store.append(posting(3, [mailbox], big)))).toEqual({ full: [mailbox] });
		});

		it('MB-7 finds the expired, oldest first, and drops them together with the notices', async () => {
			const [one, two] = [device(), device()];
			const old = posting(2, [one, two], { at: 100 });
			await ok(store.append(posting(1, [one], { at: 200 })));
			await ok(store.append(old));
			await ok(store.append(posting(3, [one], { at: 300 })));
			const found = await ok(store.expired(300, 10));
			expect(found.map(({ message: { at } }) => at)).toEqual([100, 100, 200]);
			expect(found[0]?.message).toMatchObject({ envelope: old.message.envelope, kind: 'message' });
			expect(await ok(store.expired(300, 2))).toHaveLength(2);
			const { sender } = old.message;
			const notice = { ...old.message, kind: 'dropped', body: new Uint8Array(0) } as const;
			await ok(store.drop(found, [{ message: notice, targets: [{ mailbox: sender, seq: 4 }] }]));
			expect(await seqs(one)).toEqual([3]);
			expect(await seqs(two)).toEqual([]);
			expect((await read(sender)).map(({ message }) => message)).toEqual([notice]);
		});

		it('CH-11 keeps the newest snapshot of a channel, in the step that moves its epoch', async () => {
			const first = channelRecord();
			const { channel } = first;
			const snapshot = async () => ok(store.readSnapshot(channel));
			expect(await snapshot()).toBeUndefined();
			await ok(store.changeChannel(change(first, { snapshot: Uint8Array.of(1) })));
			const second = { ...first, revision: 2, epoch: 2 };
			await ok(store.changeChannel(change(second, { snapshot: Uint8Array.of(2) })));
			await ok(store.changeChannel(change(second, { snapshot: Uint8Array.of(9) })));
			await under.crash();
			store = await under.open();
			expect(await snapshot()).toEqual(Uint8Array.of(2));
			await ok(store.changeChannel(change({ ...second, revision: 3 })));
			expect(await snapshot()).toEqual(Uint8Array.of(2));
			await ok(store.changeChannel(change({ ...second, revision: 4 }, { snapshot: null })));
			expect(await snapshot()).toBeUndefined();
			const last = { ...second, revision: 5 };
			await ok(store.changeChannel(change(last, { snapshot: Uint8Array.of(3) })));
			await ok(store.changeChannel({ ...change({ ...last, revision: 6 }), next: null }));
			expect(await snapshot()).toBeUndefined();
		});

		it('CH-3 changes a channel only from the revision that was expected', async () => {
			const first = channelRecord();
			expect(await ok(store.readChannel(first.channel))).toBeUndefined();
			expect(await ok(store.changeChannel(change(first)))).toEqual({ is: 'changed', full: [] });
			expect(await ok(store.readChannel(first.channel))).toEqual(first);
			expect(await ok(store.changeChannel(change(first)))).toEqual({ is: 'conflict' });
			const second = { ...first, revision: 2, epoch: 2 };
			const answers = await Promise.all([
				ok(store.changeChannel(change(second))),
				ok(store.changeChannel(change({ ...second, epoch: 99 }))),
			]);
			expect(answers).toEqual([{ is: 'changed', full: [] }, { is: 'conflict' }]);
			await under.crash();
			store = await under.open();
			expect(await ok(store.readChannel(first.channel))).toEqual(second);
			const end = change(first, { revision: 2, next: null });
			expect(await ok(store.changeChannel(end))).toEqual({ is: 'changed', full: [] });
			expect(await ok(store.readChannel(first.channel))).toBeUndefined();
		});

		it('CH-4 a change is all or nothing: rows, address uses and members', async () => {
			const [member, other] = [device(), device()];
			const address = addressRecord();
			await ok(store.putAddress(address, 10));
			const next = channelRecord();
			const used = { ...address, version: 2, uses: 1 };
			const both = { addresses: [used], postings: [posting(1, [member]), posting(1, [other])] };
			expect((await ok(store.changeChannel(change(next, both)))).is).toBe('changed');
			expect(await seqs(member)).toEqual([1]);
			expect(await seqs(other)).toEqual([1]);
			expect(await ok(store.readAddresses([address.address]))).toEqual([used]);
			// The same use once more: the address has moved on, so nothing of it happens.
			const late = channelRecord();
			expect((await ok(store.changeChannel(change(late, both)))).is).toBe('conflict');
			expect(await ok(store.readChannel(late.channel))).toBeUndefined();
			expect(await seqs(member)).toEqual([1]);
		});

		it('CH-4 a full mailbox stops a change only where it is required', async () => {
			const full = device();
			for (const seq of [1, 2, 3, 4, 5]) await ok(store.append(posting(seq, [full])));
			const next = channelRecord();
			const required = {
				message: message(),
				targets: [{ mailbox: full, seq: 6, required: true }],
			};
			expect(await ok(store.changeChannel(change(next, { postings: [required] })))).toEqual({
				is: 'full',
			});
			expect(await ok(store.readChannel(next.channel))).toBeUndefined();
			const optional = posting(6, [full]);
			expect(await ok(store.changeChannel(change(next, { postings: [optional] })))).toEqual({
				...{ is: 'changed', full: [full] },
			});
		});

		it('AD-1 keeps addresses by version, and no more per owner than allowed', async () => {
			const owner = device();
			const first = addressRecord({ owner });
			const unknown = idFrom<Address>(randomBytes(16));
			expect(await ok(store.putAddress(first, 2))).toBe('put');
			expect(await ok(store.putAddress(first, 2))).toBe('conflict');
			expect(await ok(store.putAddress(addressRecord({ owner, card: null }), 2))).toBe('put');
			expect(await ok(store.putAddress(addressRecord({ owner }), 2))).toBe('too-many');
			expect(await ok(store.putAddress(addressRecord(), 2))).toBe('put');
			const revoked = { ...first, version: 2, revoked: true, card: null };
			expect(await ok(store.putAddress(revoked, 2))).toBe('put');
			expect(await ok(store.readAddresses([unknown, first.address]))).toEqual([undefined, revoked]);
		});

		it('forgets addresses that ended before a time', async () => {
			const revoked = addressRecord({ revoked: true, changedAt: 100 });
			const expired = addressRecord({ policy: { uses: null, usesPerDay: null, expires: 150 } });
			const open = addressRecord({ changedAt: 1 });
			for (const record of [revoked, expired, open]) await ok(store.putAddress(record, 10));
			const all = [revoked, expired, open].map(({ address }) => address);
			await ok(store.purgeAddresses(150));
			expect(await ok(store.readAddresses(all))).toEqual([undefined, expired, open]);
			await ok(store.purgeAddresses(151));
			expect(await ok(store.readAddresses(all))).toEqual([undefined, undefined, open]);
		});

		it('CP-2 keeps one capsule per device, and another device takes it over only knowingly', async () => {
			const first = capsuleRecord();
			const sealedAt = ({ place }: CapsuleRecord) => ok(store.readCapsule(place));
			expect(await sealedAt(first)).toBeUndefined();
			expect(await ok(store.putCapsule(first, false))).toBe('put');
			const newer = capsuleRecord({ ...first, sealed: Uint8Array.of(2) });
			expect(await ok(store.putCapsule(newer, false))).toBe('put');
			await under.crash();
			store = await under.open();
			expect(await sealedAt(first)).toEqual(newer.sealed);
			// The same device under another id: the code was renewed.
			const renewed = capsuleRecord({ keeper: first.keeper });
			expect(await ok(store.putCapsule(renewed, false))).toBe('put');
			expect(await sealedAt(first)).toBeUndefined();
			const other = capsuleRecord({ place: renewed.place });
			expect(await ok(store.putCapsule(other, false))).toBe('taken');
			expect(await sealedAt(renewed)).toEqual(renewed.sealed);
			const elsewhere = capsuleRecord({ keeper: other.keeper });
			expect(await ok(store.putCapsule(elsewhere, false))).toBe('put');
			expect(await ok(store.putCapsule(other, true))).toBe('put');
			expect(await sealedAt(elsewhere)).toBeUndefined();
			expect(await ok(store.putCapsule(renewed, false))).toBe('taken');
			expect(await ok(store.dropCapsule(other.place, first.keeper))).toBe('taken');
			expect(await sealedAt(renewed)).toEqual(other.sealed);
			expect(await ok(store.dropCapsule(other.place, other.keeper))).toBe('dropped');
			expect(await sealedAt(renewed)).toBeUndefined();
			expect(await ok(store.dropCapsule(other.place, other.keeper))).toBe('dropped');
		});

		it('CP-6 a pointer comes, stays and goes with its capsule, and with it alone', async () => {
			const pointer = () => ({
				place: randomBytes(32).toString('base64url'),
				sealed: new Uint8Array(randomBytes(40)),
			});
			const [first, other] = [capsuleRecord({ pointer: pointer() }), capsuleRecord()];
			const read = (place = '') => ok(store.readCapsule(place));
			for (const record of [first, other]) await ok(store.putCapsule(record, false));
			await under.crash();
			store = await under.open();
			expect(await read(first.pointer?.place)).toEqual(first.pointer?.sealed);
			// Put anew with another, and without one.
			const moved = { ...first, pointer: pointer() };
			await ok(store.putCapsule(moved, false));
			expect(await read(first.pointer?.place)).toBeUndefined();
			expect(await read(moved.pointer.place)).toEqual(moved.pointer.sealed);
			// Nobody else's, unless knowingly; and what it led to stays.
			const claimed = { ...other, pointer: moved.pointer };
			expect(await ok(store.putCapsule(claimed, false))).toBe('taken');
			expect(await ok(store.putCapsule(claimed, true))).toBe('put');
			expect(await read(first.place)).toEqual(first.sealed);
			await ok(store.putCapsule({ ...other, pointer: undefined }, false));
			expect(await read(moved.pointer.place)).toBeUndefined();
			// Whoever takes the capsule over has the pointer, too, or nobody.
			await ok(store.putCapsule(moved, false));
			await ok(store.putCapsule({ ...first, keeper: device(), pointer: undefined }, true));
			expect(await read(moved.pointer.place)).toBeUndefined();
			const late = capsuleRecord({ pointer: pointer() });
			await ok(store.putCapsule(late, false));
			await ok(store.dropCapsule(late.place, late.keeper));
			expect(await read(late.pointer?.place)).toBeUndefined();
			await ok(store.putCapsule(late, false));
			await ok(store.purgeCapsules(late.at + 1));
			expect(await read(late.pointer?.place)).toBeUndefined();
		});

		it('CP-3 a capsule that its device keeps outlives one that nobody does', async () => {
			const [kept, left] = [capsuleRecord(), capsuleRecord()];
			for (const record of [kept, left]) await ok(store.putCapsule(record, false));
			const { place, keeper } = kept;
			expect(await ok(store.keepCapsule({ place, keeper: device(), at: 2000 }))).toBe('taken');
			const nowhere = capsuleRecord().place;
			expect(await ok(store.keepCapsule({ place: nowhere, keeper, at: 2000 }))).toBe('unknown');
			expect(await ok(store.keepCapsule({ place, keeper, at: 2000 }))).toBe('kept');
			await ok(store.purgeCapsules(1000));
			expect(await ok(store.readCapsule(left.place))).toEqual(left.sealed);
			await ok(store.purgeCapsules(1001));
			expect(await ok(store.readCapsule(left.place))).toBeUndefined();
			expect(await ok(store.readCapsule(place))).toEqual(kept.sealed);
		});

		it('keeps one push subscription per mailbox', async () => {
			const mailbox = device();
			const subscription = { endpoint: 'https://push.example/a', p256dh: 'p', auth: 'a' };
			expect(await ok(store.readPush(mailbox))).toBeUndefined();
			await ok(store.writePush(mailbox, subscription));
			await ok(store.writePush(mailbox, { ...subscription, auth: 'b' }));
			expect(await ok(store.readPush(mailbox))).toEqual({ ...subscription, auth: 'b' });
			await ok(store.writePush(mailbox, null));
			expect(await ok(store.readPush(mailbox))).toBeUndefined();
		});

		it('ER-2 without space everything is refused, nothing is half done, and it recovers', async () => {
			const mailbox = device();
			await ok(store.append(posting(1, [mailbox])));
			await under.fill(store);
			const body = new Uint8Array(9000);
			expect(await store.append(posting(2, [mailbox], { body }))).toEqual({
				...{ ok: false, error: 'busy' },
			});
			const next = channelRecord();
			const postings = [posting(3, [mailbox], { body })];
			expect((await store.changeChannel(change(next, { postings }))).ok).toBe(false);
			await under.free(store);
			expect(await seqs(mailbox)).toEqual([1]);
			expect(await ok(store.readChannel(next.channel))).toBeUndefined();
			expect(await ok(store.append(posting(4, [mailbox], { body })))).toEqual({ full: [] });
		});

		it('closing settles what was called before', async () => {
			const mailbox = device();
			const appended = store.append(posting(1, [mailbox]));
			await store.close();
			expect(await appended).toEqual({ ok: true, value: { full: [] } });
			store = await under.open();
			expect(await seqs(mailbox)).toEqual([1]);
		});
	});
}
