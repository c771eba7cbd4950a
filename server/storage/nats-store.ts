// The store of several relays: NATS JetStream holds what waits and what lasts, each relay only asks. Operations on one
// mailbox, channel or address take effect in the order of their calls; more order there is not between machines.
import type { PushSubscriptionData } from '../../src/protocol/frames.ts';
import type { Address, ChannelId, DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import type { ClusterFigures } from '../relay/figures.ts';
import type {
	AddressRecord,
	CapsuleRecord,
	HeldCapsule,
	ChannelChange,
	ChannelOutcome,
	ChannelRecord,
	ExpiredMessage,
	Posting,
	RelayStore,
	StoredMessage,
	StoreResult,
} from '../relay/ports.ts';
import type { MailboxQuota } from './memory-store.ts';
import { Changes } from './nats-changes.ts';
import { clusterFigures } from './nats-figures.ts';
import { Lanes } from './nats-lanes.ts';
import { Mail } from './nats-mail.ts';
import { NatsPeers } from './nats-peers.ts';
import { State } from './nats-state.ts';
import { openStreams, Unavailable, type StreamOptions, type Streams } from './nats-streams.ts';

/** Operations that may wait; beyond it the store is `busy`. */
const MAX_WAITING = 100_000;
/** Entries of each stream that one purge looks at: all of them get their turn, minute by minute. */
const PURGED_AT_ONCE = 500;

/** A question to each stream is for now and then, ms. */
const FIGURES_LAST = 10_000;

const busy = { ok: false, error: 'busy' } as const;

interface NatsStoreOptions extends StreamOptions {
	readonly quota: MailboxQuota;
}

/** Connects to NATS and makes what is missing there. Rejects with a sentence for the operator. */
export async function openNatsStore(options: NatsStoreOptions): Promise<NatsStore> {
	const store = new NatsStore(await openStreams(options), options.quota);
	await store.peers.follow();
	return store;
}

export class NatsStore implements RelayStore {
	/** The other relays on it. */
	readonly peers: NatsPeers;
	readonly #streams: Streams;
	readonly #mail: Mail;
	readonly #changes: Changes;
	readonly #numbers: State<number>;
	/** The addresses of each device. */
	readonly #owned: State<readonly Address[]>;
	readonly #push: State<PushSubscriptionData>;
	readonly #capsules: State<CapsuleRecord>;
	/** Where each device's capsule lies. */
	readonly #places: State<string>;
	/** Which capsule a pointer is of. That capsule says whether it still is, and holds what it says. */
	readonly #pointers: State<string>;
	readonly #common: State<Uint8Array>;
	readonly #lanes = new Lanes();
	#figures: { at: number; value: ClusterFigures | undefined } = { at: -Infinity, value: undefined };
	#closed = false;

	constructor(streams: Streams, quota: MailboxQuota) {
		this.#streams = streams;
		this.#mail = new Mail(streams, quota);
		this.#changes = new Changes(streams, {
			append: (posting) => this.#append(posting),
			hasRoom: (mailbox, size) => this.#lanes.run(mailbox, () => this.#mail.hasRoom(mailbox, size)),
		});
		this.peers = new NatsPeers(streams, (mailbox, tally) => this.#mail.seen(mailbox, tally));
		this.#numbers = new State(streams, 'numbers');
		this.#owned = new State(streams, 'owned');
		this.#push = new State(streams, 'push');
		this.#capsules = new State(streams, 'capsule');
		this.#places = new State(streams, 'place');
		this.#pointers = new State(streams, 'pointer');
		this.#common = new State(streams, 'common');
	}

	reserve(count: number): Promise<StoreResult<MailboxSeq>> {
		return this.#do('numbers', async () => {
			const end = await this.#numbers.change('numbers', (next = 1) => next + count);
			return (end ?? 0) - count;
		});
	}

	openMailbox(mailbox: DeviceId, create: boolean): Promise<StoreResult<boolean>> {
		return this.#do(mailbox, () => this.#mail.open(mailbox, create));
	}

	append(posting: Posting): Promise<StoreResult<{ full: readonly DeviceId[] }>> {
		return this.#answer(() => this.#append(posting));
	}

	read(
		mailbox: DeviceId,
		after: MailboxSeq,
		room: { rows: number; bytes: number },
	): Promise<StoreResult<readonly StoredMessage[]>> {
		return this.#do(mailbox, () => this.#mail.read(mailbox, after, room));
	}

	acknowledge(mailbox: DeviceId, seq: MailboxSeq): Promise<StoreResult<void>> {
		return this.#do(mailbox, () => this.#mail.acknowledge(mailbox, seq));
	}

	expired(before: number, rows: number): Promise<StoreResult<readonly ExpiredMessage[]>> {
		return this.#answer(() => this.#mail.expired(before, rows));
	}

	/** The notices first: after a crash in between both happen again, and a notice is the same message again. */
	drop(
		expired: readonly ExpiredMessage[],
		notices: readonly Posting[],
	): Promise<StoreResult<void>> {
		return this.#answer(async () => {
			await Promise.all(notices.map((notice) => this.#append(notice)));
			await Promise.all(
				expired.map((row) => this.#lanes.run(row.mailbox, () => this.#mail.drop(row))),
			);
		});
	}

	readChannel(channel: ChannelId): Promise<StoreResult<ChannelRecord | undefined>> {
		return this.#do(channel, () => this.#changes.readChannel(channel));
	}

	changeChannel(change: ChannelChange): Promise<StoreResult<ChannelOutcome>> {
		return this.#do(change.channel, () => this.#changes.change(change));
	}

	readSnapshot(channel: ChannelId): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#do(channel, () => this.#changes.readSnapshot(channel));
	}

	readAddresses(
		addresses: readonly Address[],
	): Promise<StoreResult<readonly (AddressRecord | undefined)[]>> {
		const read = (address: Address) =>
			this.#lanes.run(address, () => this.#changes.readAddress(address));
		return this.#answer(() => Promise.all(addresses.map(read)));
	}

	putAddress(
		record: AddressRecord,
		max: number,
	): Promise<StoreResult<'put' | 'conflict' | 'too-many'>> {
		return this.#do(record.address, async () => {
			const isNew = record.version === 1;
			if (isNew && !(await this.#own(record, max))) return 'too-many';
			if (await this.#changes.writeAddress(record)) return 'put';
			if (isNew) await this.#disownUnless(record);
			return 'conflict';
		});
	}

	purgeAddresses(before: number): Promise<StoreResult<void>> {
		return this.#do('purge addresses', async () => {
			const ended = ({ revoked, changedAt, policy }: AddressRecord) =>
				(revoked ? changedAt : (policy.expires ?? Infinity)) < before;
			const gone = await this.#changes.purgeAddresses(ended, PURGED_AT_ONCE);
			for (const record of gone) await this.#disown(record);
		});
	}

	readPush(mailbox: DeviceId): Promise<StoreResult<PushSubscriptionData | undefined>> {
		return this.#do(`push ${mailbox}`, async () => (await this.#push.read(mailbox))?.value);
	}

	writePush(
		mailbox: DeviceId,
		subscription: PushSubscriptionData | null,
	): Promise<StoreResult<void>> {
		return this.#do(`push ${mailbox}`, async () => {
			const found = await this.#push.read(mailbox);
			if (subscription) await this.#push.change(mailbox, () => subscription);
			else if (found) await this.#push.remove(found);
		});
	}

	readCapsule(place: string): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#do(place, async () => {
			const capsule = (await this.#capsules.read(place))?.value;
			return capsule?.sealed ?? (await this.#pointed(place))?.pointer?.sealed;
		});
	}

	putCapsule(record: CapsuleRecord, takesOver: boolean): Promise<StoreResult<'put' | 'taken'>> {
		const { place, keeper, pointer } = record;
		const isForeign = (known?: CapsuleRecord) => known && known.keeper !== keeper && !takesOver;
		return this.#do(place, async () => {
			if (pointer && isForeign(await this.#pointed(pointer.place))) return 'taken';
			let before: CapsuleRecord | undefined;
			const put = await this.#capsules.change(place, (known) => {
				before = known;
				return isForeign(known) ? undefined : record;
			});
			if (!put) return 'taken';
			if (pointer) await this.#pointers.change(pointer.place, () => place);
			if (before?.pointer?.place !== pointer?.place) await this.#forgetPointer(before);
			let earlier: string | undefined;
			await this.#places.change(keeper, (known) => {
				earlier = known;
				return place;
			});
			if (earlier !== undefined && earlier !== place) await this.#forgetCapsule(earlier, keeper);
			return 'put';
		});
	}

	keepCapsule({
		place,
		keeper,
		at,
	}: HeldCapsule): Promise<StoreResult<'kept' | 'taken' | 'unknown'>> {
		return this.#do(place, async () => {
			let known: CapsuleRecord | undefined;
			const kept = await this.#capsules.change(place, (found) => {
				known = found;
				return found?.keeper === keeper ? { ...found, at } : undefined;
			});
			if (kept) return 'kept';
			return known ? 'taken' : 'unknown';
		});
	}

	dropCapsule(place: string, keeper: DeviceId): Promise<StoreResult<'dropped' | 'taken'>> {
		return this.#do(place, () => this.#forgetCapsule(place, keeper));
	}

	purgeCapsules(before: number): Promise<StoreResult<void>> {
		return this.#do('purge capsules', async () => {
			for await (const entry of this.#capsules.walk(PURGED_AT_ONCE)) {
				if (entry.value.at >= before) continue;
				if (await this.#capsules.remove(entry)) await this.#forgetPointer(entry.value);
			}
		});
	}

	/** What all relays have in common: what the first of them brought along. Rejects when NATS does not answer. */
	async common(name: string, own: Uint8Array): Promise<Uint8Array> {
		await this.#common.change(name, (known) => (known ? undefined : own));
		return (await this.#common.read(name))?.value ?? own;
	}

	/** Opened with its connection, and shared: a successor needs nothing given up. */
	async open(): Promise<void> {}
	async release(): Promise<void> {}
	async reopen(): Promise<void> {}

	/** What the operator sees of it, at most {@link FIGURES_LAST} old; undefined while NATS has not answered. */
	async figures(now: number): Promise<ClusterFigures | undefined> {
		if (now - this.#figures.at > FIGURES_LAST) {
			const counted = await this.#answer(() => clusterFigures(this.#streams));
			this.#figures = { at: now, value: counted.ok ? counted.value : undefined };
		}
		return this.#figures.value;
	}

	async close(): Promise<void> {
		this.#closed = true;
		await this.#lanes.settled();
		await this.#streams.connection.drain();
	}

	/** Cuts the connection in the middle of whatever it does, as a crash would. For tests. */
	async crash(): Promise<void> {
		this.#closed = true;
		await this.#streams.connection.close();
	}

	async #append({ message, targets }: Posting): Promise<{ full: readonly DeviceId[] }> {
		const appended = targets.map(({ mailbox }) =>
			this.#lanes.run(mailbox, () => this.#mail.append(mailbox, message)),
		);
		const taken = await Promise.all(appended);
		return { full: targets.filter((_, index) => !taken[index]).map(({ mailbox }) => mailbox) };
	}

	/** Notes a new address with its owner, if they may hold one more. */
	async #own({ address, owner }: AddressRecord, max: number): Promise<boolean> {
		let isRoom = true;
		await this.#owned.change(owner, (held = []) => {
			if (held.includes(address)) return undefined;
			isRoom = held.length < max;
			return isRoom ? [...held, address] : undefined;
		});
		return isRoom;
	}

	/** Somebody else has that address already. */
	async #disownUnless(record: AddressRecord): Promise<void> {
		const found = await this.#changes.readAddress(record.address);
		if (found && found.owner !== record.owner) await this.#disown(record);
	}

	async #disown({ address, owner }: AddressRecord): Promise<void> {
		await this.#owned.change(owner, (held) => held?.filter((one) => one !== address));
	}

	async #forgetCapsule(place: string, keeper: DeviceId): Promise<'dropped' | 'taken'> {
		const found = await this.#capsules.read(place);
		if (!found) return 'dropped';
		if (found.value.keeper !== keeper) return 'taken';
		await this.#capsules.remove(found);
		await this.#forgetPointer(found.value);
		return 'dropped';
	}

	/** The capsule that is pointed to from `place`. */
	async #pointed(place: string): Promise<CapsuleRecord | undefined> {
		const of = (await this.#pointers.read(place))?.value;
		const capsule = of === undefined ? undefined : (await this.#capsules.read(of))?.value;
		return capsule?.pointer?.place === place ? capsule : undefined;
	}

	/** Of a capsule that is gone, unless another took the pointer's place over. */
	async #forgetPointer(capsule: CapsuleRecord | undefined): Promise<void> {
		const found = capsule?.pointer && (await this.#pointers.read(capsule.pointer.place));
		if (found && found.value === capsule.place) await this.#pointers.remove(found);
	}

	#do<Value>(key: string, operation: () => Promise<Value>): Promise<StoreResult<Value>> {
		return this.#answer(() => this.#lanes.run(key, operation));
	}

	async #answer<Value>(operation: () => Promise<Value>): Promise<StoreResult<Value>> {
		if (this.#closed || this.#lanes.waiting > MAX_WAITING) return busy;
		try {
			return { ok: true, value: await operation() };
		} catch (error) {
			if (error instanceof Unavailable) return busy;
			throw error;
		}
	}
}
