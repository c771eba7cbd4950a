// A store that forgets on exit, for tests and the simulated world. It keeps the port's promises exactly: an
// operation happens at once or not at all, in the order of the calls, and a crash loses what was not yet done.
import type { PushSubscriptionData } from '../../src/protocol/frames.ts';
import type { Address, ChannelId, DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import type {
	AddressRecord,
	CapsuleRecord,
	ChannelChange,
	ChannelOutcome,
	ChannelRecord,
	ExpiredMessage,
	HeldCapsule,
	Message,
	Posting,
	RelayStore,
	StoredMessage,
	StoreResult,
} from '../relay/ports.ts';

/** What one mailbox may hold (SPEC MB-6). */
export interface MailboxQuota {
	readonly messages: number;
	readonly bytes: number;
}

interface Row {
	readonly seq: MailboxSeq;
	readonly key: string;
	readonly message: Message;
}

/** What survives a crash. Open a store on it again to restart the relay. */
export class MemoryDisk {
	/** While true every operation is `busy`. */
	full = false;
	nextSeq = 1;
	readonly mailboxes = new Map<DeviceId, Row[]>();
	/** How many mailboxes hold each message. */
	readonly references = new Map<string, number>();
	readonly channels = new Map<ChannelId, ChannelRecord>();
	readonly snapshots = new Map<ChannelId, Uint8Array>();
	readonly addresses = new Map<Address, AddressRecord>();
	/** By place. */
	readonly capsules = new Map<string, CapsuleRecord>();
	readonly push = new Map<DeviceId, PushSubscriptionData>();

	/** Messages that wait, over all mailboxes: 0 when everybody has everything. */
	get waiting(): number {
		let rows = 0;
		for (const mailbox of this.mailboxes.values()) rows += mailbox.length;
		return rows;
	}
}

interface MemoryStoreOptions {
	readonly quota: MailboxQuota;
	/** See {@link MemoryStore.hold}. */
	readonly hold?: boolean;
}

const busy = { ok: false, error: 'busy' } as const;
const keyOf = ({ sender, envelope, kind }: Omit<Message, 'body'>) => sender + envelope + kind;

export class MemoryStore implements RelayStore {
	readonly #disk: MemoryDisk;
	readonly #quota: MailboxQuota;
	/** While true nothing happens until {@link flush}; otherwise everything does in the next microtask. */
	hold: boolean;
	#queue: (() => void)[] = [];
	#crashed = false;

	constructor(disk: MemoryDisk, { quota, hold = false }: MemoryStoreOptions) {
		this.#disk = disk;
		this.#quota = quota;
		this.hold = hold;
	}

	/** Operations that wait for {@link flush}. */
	get queued(): number {
		return this.#queue.length;
	}

	/** Performs the oldest `count` operations, or all. */
	flush(count = this.#queue.length): void {
		for (const run of this.#queue.splice(0, count)) run();
	}

	/** The process dies: what was not performed never happens, and nobody hears of it. */
	crash(): void {
		this.#crashed = true;
		this.#queue = [];
	}

	reserve(count: number): Promise<StoreResult<MailboxSeq>> {
		return this.#do((disk) => {
			const first = disk.nextSeq;
			disk.nextSeq += count;
			return first;
		});
	}

	openMailbox(mailbox: DeviceId, create: boolean): Promise<StoreResult<boolean>> {
		return this.#do((disk) => {
			if (create && !disk.mailboxes.has(mailbox)) disk.mailboxes.set(mailbox, []);
			return disk.mailboxes.has(mailbox);
		});
	}

	append(posting: Posting): Promise<StoreResult<{ full: readonly DeviceId[] }>> {
		return this.#do(() => ({ full: this.#append(posting) }));
	}

	read(
		mailbox: DeviceId,
		after: MailboxSeq,
		room: { rows: number; bytes: number },
	): Promise<StoreResult<readonly StoredMessage[]>> {
		return this.#do((disk) => {
			const page: StoredMessage[] = [];
			let bytes = 0;
			for (const { seq, message } of disk.mailboxes.get(mailbox) ?? []) {
				if (seq <= after) continue;
				if (page.length >= room.rows || bytes >= room.bytes) break;
				page.push({ seq, message });
				bytes += message.body.length;
			}
			return page;
		});
	}

	acknowledge(mailbox: DeviceId, seq: MailboxSeq): Promise<StoreResult<void>> {
		return this.#do(() => this.#remove(mailbox, (row) => row.seq <= seq));
	}

	expired(before: number, rows: number): Promise<StoreResult<readonly ExpiredMessage[]>> {
		return this.#do((disk) => {
			const found: ExpiredMessage[] = [];
			for (const [mailbox, waiting] of disk.mailboxes)
				for (const { seq, message } of waiting)
					if (message.at < before) found.push({ mailbox, seq, message });
			return found.sort((a, b) => a.message.at - b.message.at).slice(0, rows);
		});
	}

	drop(
		expired: readonly ExpiredMessage[],
		notices: readonly Posting[],
	): Promise<StoreResult<void>> {
		return this.#do(() => {
			for (const { mailbox, seq } of expired) this.#remove(mailbox, (row) => row.seq === seq);
			for (const notice of notices) this.#append(notice);
		});
	}

	readChannel(channel: ChannelId): Promise<StoreResult<ChannelRecord | undefined>> {
		return this.#do((disk) => disk.channels.get(channel));
	}

	changeChannel(change: ChannelChange): Promise<StoreResult<ChannelOutcome>> {
		return this.#do((disk): ChannelOutcome => {
			const { channel, revision, next, addresses, postings, snapshot } = change;
			const current = disk.channels.get(channel)?.revision ?? null;
			const unexpected = addresses.some((record) => !this.#follows(record));
			if (current !== revision || unexpected) return { is: 'conflict' };
			for (const { message, targets } of postings)
				for (const { mailbox, required } of targets)
					if (required && !this.#hasRoom(mailbox, message.body.length)) return { is: 'full' };
			if (next) disk.channels.set(channel, next);
			else disk.channels.delete(channel);
			if (snapshot) disk.snapshots.set(channel, snapshot);
			else if (snapshot === null || !next) disk.snapshots.delete(channel);
			for (const record of addresses) disk.addresses.set(record.address, record);
			return { is: 'changed', full: postings.flatMap((posting) => this.#append(posting)) };
		});
	}

	readSnapshot(channel: ChannelId): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#do((disk) => disk.snapshots.get(channel));
	}

	readAddresses(
		addresses: readonly Address[],
	): Promise<StoreResult<readonly (AddressRecord | undefined)[]>> {
		return this.#do((disk) => addresses.map((address) => disk.addresses.get(address)));
	}

	putAddress(
		record: AddressRecord,
		max: number,
	): Promise<StoreResult<'put' | 'conflict' | 'too-many'>> {
		return this.#do((disk) => {
			if (!this.#follows(record)) return 'conflict';
			if (record.version === 1) {
				let held = 0;
				for (const { owner } of disk.addresses.values()) if (owner === record.owner) held++;
				if (held >= max) return 'too-many';
			}
			disk.addresses.set(record.address, record);
			return 'put';
		});
	}

	purgeAddresses(before: number): Promise<StoreResult<void>> {
		return this.#do((disk) => {
			for (const { address, revoked, changedAt, policy } of disk.addresses.values()) {
				const ended = revoked ? changedAt : (policy.expires ?? Infinity);
				if (ended < before) disk.addresses.delete(address);
			}
		});
	}

	readPush(mailbox: DeviceId): Promise<StoreResult<PushSubscriptionData | undefined>> {
		return this.#do((disk) => disk.push.get(mailbox));
	}

	writePush(
		mailbox: DeviceId,
		subscription: PushSubscriptionData | null,
	): Promise<StoreResult<void>> {
		return this.#do((disk) => {
			if (subscription) disk.push.set(mailbox, subscription);
			else disk.push.delete(mailbox);
		});
	}

	readCapsule(place: string): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#do(
			({ capsules }) =>
				capsules.get(place)?.sealed ?? pointedFrom(capsules, place)?.pointer?.sealed,
		);
	}

	putCapsule(record: CapsuleRecord, takesOver: boolean): Promise<StoreResult<'put' | 'taken'>> {
		return this.#do(({ capsules }) => {
			const pointed = record.pointer && pointedFrom(capsules, record.pointer.place);
			const others = [capsules.get(record.place), pointed];
			if (!takesOver && others.some((other) => other && other.keeper !== record.keeper))
				return 'taken';
			for (const { place, keeper } of capsules.values())
				if (keeper === record.keeper) capsules.delete(place);
			if (pointed && capsules.has(pointed.place))
				capsules.set(pointed.place, { ...pointed, pointer: undefined });
			capsules.set(record.place, record);
			return 'put';
		});
	}

	keepCapsule({
		place,
		keeper,
		at,
	}: HeldCapsule): Promise<StoreResult<'kept' | 'taken' | 'unknown'>> {
		return this.#do(({ capsules }) => {
			const known = capsules.get(place);
			if (known?.keeper !== keeper) return known ? 'taken' : 'unknown';
			capsules.set(place, { ...known, at });
			return 'kept';
		});
	}

	dropCapsule(place: string, keeper: DeviceId): Promise<StoreResult<'dropped' | 'taken'>> {
		return this.#do(({ capsules }) => {
			const known = capsules.get(place);
			if (known && known.keeper !== keeper) return 'taken';
			capsules.delete(place);
			return 'dropped';
		});
	}

	purgeCapsules(before: number): Promise<StoreResult<void>> {
		return this.#do(({ capsules }) => {
			for (const { place, at } of capsules.values()) if (at < before) capsules.delete(place);
		});
	}

	async close(): Promise<void> {
		this.flush();
		await Promise.resolve();
	}

	#do<Value>(operation: (disk: MemoryDisk) => Value): Promise<StoreResult<Value>> {
		return new Promise((resolve) => {
			if (this.#crashed) return;
			this.#queue.push(() =>
				resolve(this.#disk.full ? busy : { ok: true, value: operation(this.#disk) }),
			);
			if (!this.hold) queueMicrotask(() => this.flush());
		});
	}

	#follows(record: AddressRecord): boolean {
		return (this.#disk.addresses.get(record.address)?.version ?? 0) === record.version - 1;
	}

	#hasRoom(mailbox: DeviceId, size: number): boolean {
		const rows = this.#disk.mailboxes.get(mailbox) ?? [];
		const bytes = rows.reduce((sum, { message }) => sum + message.body.length, 0);
		return rows.length < this.#quota.messages && bytes + size <= this.#quota.bytes;
	}

	#append({ message, targets }: Posting): DeviceId[] {
		const key = keyOf(message);
		const full: DeviceId[] = [];
		if (this.#disk.references.has(key)) return full;
		let references = 0;
		for (const { mailbox, seq } of targets) {
			if (!this.#hasRoom(mailbox, message.body.length)) {
				full.push(mailbox);
				continue;
			}
			const rows = this.#disk.mailboxes.get(mailbox) ?? [];
			rows.push({ seq, key, message });
			rows.sort((a, b) => a.seq - b.seq);
			this.#disk.mailboxes.set(mailbox, rows);
			references++;
		}
		if (references > 0) this.#disk.references.set(key, references);
		return full;
	}

	#remove(mailbox: DeviceId, matches: (row: Row) => boolean): void {
		const rows = this.#disk.mailboxes.get(mailbox);
		if (!rows) return;
		for (const { key } of rows.filter(matches)) {
			const left = (this.#disk.references.get(key) ?? 1) - 1;
			if (left > 0) this.#disk.references.set(key, left);
			else this.#disk.references.delete(key);
		}
		this.#disk.mailboxes.set(
			mailbox,
			rows.filter((row) => !matches(row)),
		);
	}
}

function pointedFrom(
	capsules: ReadonlyMap<string, CapsuleRecord>,
	place: string,
): CapsuleRecord | undefined {
	return capsules.values().find(({ pointer }) => pointer?.place === place);
}
