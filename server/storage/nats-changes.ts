// A step of a channel over several keys and mailboxes, all or nothing, where the engine swaps only one key at a time.
// The channel's own key decides: an address is first marked with what it would become, then the channel is swapped for
// one that carries the rest of the step, and what it carries is carried out. Whoever finds such a channel left behind
// by a relay that died finishes it first; whoever finds a mark asks its channel whether it counts.
import { randomUUID } from 'node:crypto';
import { setTimeout as passes } from 'node:timers/promises';
import type { Address, ChannelId, DeviceId } from '../../src/protocol/ids.ts';
import type {
	AddressRecord,
	ChannelChange,
	ChannelOutcome,
	ChannelRecord,
	Posting,
} from '../relay/ports.ts';
import { State, type Entry } from './nats-state.ts';
import { Unavailable, type Streams } from './nats-streams.ts';

/** Whoever began a step gets this long to finish it, ms; then another relay does. */
const LEFT_BEHIND = 3000;
const LOOK_AGAIN = 20;

/** What a channel still has to carry out. */
type Rest = Pick<ChannelChange, 'addresses' | 'postings' | 'snapshot'>;

interface ChannelValue {
	/** Null: there is no such channel (any more). */
	readonly record: ChannelRecord | null;
	/** The step that led here. */
	readonly step: string;
	readonly rest: Rest | null;
}

interface Snapshot {
	/** The channel's, so that a relay which slept over its step puts nothing old in the place of something new. */
	readonly revision: number;
	readonly sealed: Uint8Array;
}

interface AddressValue {
	readonly record: AddressRecord;
	readonly mark: {
		readonly next: AddressRecord;
		readonly channel: ChannelId;
		readonly step: string;
	} | null;
}

/** Appends and asks for room, in the order of each mailbox. */
export interface MailRoom {
	append(posting: Posting): Promise<{ full: readonly DeviceId[] }>;
	hasRoom(mailbox: DeviceId, size: number): Promise<boolean>;
}

export class Changes {
	readonly #channels: State<ChannelValue>;
	readonly #addresses: State<AddressValue>;
	readonly #snapshots: State<Snapshot>;
	readonly #mail: MailRoom;

	constructor(streams: Streams, mail: MailRoom) {
		this.#channels = new State(streams, 'channel');
		this.#addresses = new State(streams, 'address');
		this.#snapshots = new State(streams, 'snapshot');
		this.#mail = mail;
	}

	async readChannel(channel: ChannelId): Promise<ChannelRecord | undefined> {
		return (await this.#settled(channel))?.value.record ?? undefined;
	}

	async readSnapshot(channel: ChannelId): Promise<Uint8Array | undefined> {
		await this.#settled(channel);
		return (await this.#snapshots.read(channel))?.value.sealed;
	}

	async readAddress(address: Address): Promise<AddressRecord | undefined> {
		return (await this.#resolved(address))?.value.record;
	}

	/** Stores `record` in place of version - 1; false when the address is not there any more, or marked. */
	async writeAddress(record: AddressRecord): Promise<boolean> {
		const found = await this.#resolved(record.address);
		if (found?.value.mark || (found?.value.record.version ?? 0) !== record.version - 1)
			return false;
		const value = { record, mark: null };
		const written = await this.#addresses.write(record.address, value, found?.revision ?? 0);
		return written !== undefined;
	}

	/** Forgets addresses that `ended` tells; a bounded number of them per call. */
	async purgeAddresses(ended: (record: AddressRecord) => boolean, most: number) {
		const gone: AddressRecord[] = [];
		for await (const entry of this.#addresses.walk(most)) {
			const { record, mark } = entry.value;
			if (!mark && ended(record) && (await this.#addresses.remove(entry))) gone.push(record);
		}
		return gone;
	}

	async change(change: ChannelChange): Promise<ChannelOutcome> {
		const { channel, revision, next, addresses, postings, snapshot } = change;
		const before = await this.#settled(channel);
		if ((before?.value.record?.revision ?? null) !== revision) return { is: 'conflict' };
		for (const { message, targets } of postings)
			for (const { mailbox, required } of targets)
				if (required && !(await this.#mail.hasRoom(mailbox, message.body.length)))
					return { is: 'full' };
		const step = randomUUID();
		const rest: Rest = { addresses, postings, ...(snapshot !== undefined && { snapshot }) };
		const value: ChannelValue = { record: next, step, rest };
		const marked = await this.#markAll(addresses, channel, step);
		if (!marked) return { is: 'conflict' };
		const written = await this.#channels.write(channel, value, before?.revision ?? 0);
		if (written === undefined) {
			await this.#unmark(addresses, step);
			return { is: 'conflict' };
		}
		const entry = { key: channel, value, revision: written, at: 0 };
		return { is: 'changed', full: await this.#carryOutOrUndo(entry, before) };
	}

	/** The channel with nothing left to carry out. */
	async #settled(channel: ChannelId): Promise<Entry<ChannelValue> | undefined> {
		for (;;) {
			const found = await this.#channels.read(channel);
			if (!found?.value.rest) return found;
			// NATS' clock and ours may differ; too early costs nothing but the same work twice.
			if (Date.now() - found.at > LEFT_BEHIND) await this.#carryOut(found);
			else await passes(LOOK_AGAIN);
		}
	}

	/** Without room for the first message nothing has happened yet that anybody could have seen: it is taken back. */
	async #carryOutOrUndo(
		entry: Entry<ChannelValue>,
		before: Entry<ChannelValue> | undefined,
	): Promise<readonly DeviceId[]> {
		try {
			return await this.#carryOut(entry);
		} catch (error) {
			if (!(error instanceof NothingSent)) throw error;
			const value = before?.value ?? { record: null, step: randomUUID(), rest: null };
			await this.#channels.write(entry.key, value, entry.revision);
			await this.#unmark(entry.value.rest?.addresses ?? [], entry.value.step);
			throw new Unavailable(error.message, true);
		}
	}

	/** May be done by several relays at a time, and again from the start. */
	async #carryOut({ key, value, revision }: Entry<ChannelValue>): Promise<readonly DeviceId[]> {
		const { record, step, rest } = value;
		if (!rest) return [];
		const full = await this.#send(rest.postings);
		if (rest.snapshot && record) await this.#keepSnapshot(record, rest.snapshot);
		else if (rest.snapshot === null || !record) await this.#forgetSnapshot(key);
		for (const next of rest.addresses) await this.#keepMark(next, step);
		const done = { record, step, rest: null };
		const written = await this.#channels.write(key, done, revision);
		if (!record && written !== undefined) await this.#channels.remove({ key, revision: written });
		return full;
	}

	async #send(postings: readonly Posting[]): Promise<readonly DeviceId[]> {
		const full: DeviceId[] = [];
		let sent = false;
		for (const { message, targets } of postings)
			for (const target of targets) {
				try {
					full.push(...(await this.#mail.append({ message, targets: [target] })).full);
					sent = true;
				} catch (error) {
					const refused = error instanceof Unavailable && error.refused;
					throw refused && !sent ? new NothingSent(error.message) : error;
				}
			}
		return full;
	}

	async #keepSnapshot({ channel, revision }: ChannelRecord, sealed: Uint8Array): Promise<void> {
		await this.#snapshots.change(channel, (kept) =>
			kept && kept.revision >= revision ? undefined : { revision, sealed },
		);
	}

	async #forgetSnapshot(channel: string): Promise<void> {
		const found = await this.#snapshots.read(channel);
		if (found) await this.#snapshots.remove(found);
	}

	/** All of them, or none. */
	async #markAll(
		nexts: readonly AddressRecord[],
		channel: ChannelId,
		step: string,
	): Promise<boolean> {
		for (const [index, next] of nexts.entries()) {
			const found = await this.#resolved(next.address);
			const value = found && { record: found.value.record, mark: { next, channel, step } };
			const free = found && !found.value.mark && found.value.record.version === next.version - 1;
			if (free && value && (await this.#addresses.write(next.address, value, found.revision)))
				continue;
			await this.#unmark(nexts.slice(0, index), step);
			return false;
		}
		return true;
	}

	async #unmark(nexts: readonly AddressRecord[], step: string): Promise<void> {
		for (const { address } of nexts)
			await this.#addresses.change(address, (value) =>
				value?.mark?.step === step ? { record: value.record, mark: null } : undefined,
			);
	}

	async #keepMark({ address }: AddressRecord, step: string): Promise<void> {
		await this.#addresses.change(address, (value) =>
			value?.mark?.step === step ? { record: value.mark.next, mark: null } : undefined,
		);
	}

	/** The address with its mark only while the step that set it may still happen. */
	async #resolved(address: Address): Promise<Entry<AddressValue> | undefined> {
		for (;;) {
			const found = await this.#addresses.read(address);
			const mark = found?.value.mark;
			if (!mark) return found;
			const channel = await this.#channels.read(mark.channel);
			if (channel?.value.step === mark.step) {
				await this.#keepMark(mark.next, mark.step);
				continue;
			}
			if (Date.now() - found.at <= LEFT_BEHIND) return found;
			await this.#fence(mark.channel, channel);
			await this.#unmark([mark.next], mark.step);
		}
	}

	/** Moves the channel's revision on, so that a relay that slept over its step finds it gone. */
	async #fence(channel: ChannelId, found: Entry<ChannelValue> | undefined): Promise<void> {
		const value = found?.value ?? { record: null, step: randomUUID(), rest: null };
		await this.#channels.write(channel, value, found?.revision ?? 0);
	}
}

class NothingSent extends Error {}
