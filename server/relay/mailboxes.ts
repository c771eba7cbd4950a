// Messages on their way to devices. A connected device is either `live` (mail goes straight to its socket) or
// behind (mail goes to the store, and pages of it follow as the device acknowledges). Two rules carry everything:
// what is handed over has a higher number than all that was handed over before, and a posting is accepted only
// when each target either acknowledged it or has it on our disk (SPEC MB-2).
import type { Delivery } from '../../src/protocol/frames.ts';
import type { ChannelId, DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import { Deadlines } from './deadlines.ts';
import { appendAmong, type Appended } from './peers.ts';
import type {
	Message,
	Outcome,
	RelayConfig,
	RelayPorts,
	StoredMessage,
	StoreResult,
} from './ports.ts';
import { Sequence } from './sequence.ts';

/** Messages and bytes that one device may have unacknowledged; beyond that its mail waits in the store. */
const MAX_IN_FLIGHT = 1024;
const MAX_BYTES_IN_FLIGHT = 2 * 1024 * 1024;
/** Rows of one read: small enough that one returning device does not hold up the store for the others. */
const PAGE_ROWS = 128;
const READ_RETRY = 1000;
/**
 * A device that has not acknowledged for this long may be asleep behind a connection that only looks alive, ms: it
 * is woken as if it were away.
 */
const DOUBT_AFTER = 10_000;
/** A store that stays busy is not reported more often than this, ms. */
const REPORT_EVERY = 10_000;
const NO_BODY = new Uint8Array(0);

/** What a connected device offers to its mailbox. */
export interface Receiver {
	/** False when the connection ended over it. */
	deliver(frame: Delivery): boolean;
	caughtUp(): void;
	/** Skipped when the device is slow: a whisper may be lost (SPEC WH-1). */
	whispered(channel: ChannelId, body: Uint8Array): void;
	/** The same device is here again on another connection (SPEC HS-8). */
	replaced(): void;
}

/** One message on its way to one mailbox. */
interface Slot {
	readonly mailbox: DeviceId;
	seq: MailboxSeq;
	readonly size: number;
	handedAt: number | undefined;
	acknowledged: boolean;
	/** A row exists, or is being written. */
	stored: boolean;
	/** Until it is settled. */
	posting: Pending | undefined;
}

/** A posting that is not settled yet. */
interface Pending {
	/** Without its body once the store has it. */
	message: Message;
	readonly size: number;
	readonly slots: readonly Slot[];
	open: number;
	written: boolean;
	settled: boolean;
	readonly done: (outcome: Outcome) => void;
}

/** The mailbox of a connected device. */
export class ConnectedMailbox {
	readonly id: DeviceId;
	readonly receiver: Receiver;
	/** Highest number that went out on this connection. */
	delivered: MailboxSeq = 0;
	/** Where relays share a store: what this connection numbers itself is above it (SPEC MB-1). */
	readonly base: MailboxSeq;
	inFlight: Slot[] = [];
	bytesInFlight = 0;
	live = false;
	/** It acknowledged within the window the last time, so waiting for it again is worth it. */
	prompt = true;
	reading = false;
	/** Rows were stored since the running read began. */
	stale = false;
	caughtUp = false;
	/** It is looked at again once {@link DOUBT_AFTER} has passed. */
	watched = false;

	constructor(id: DeviceId, receiver: Receiver, base: MailboxSeq) {
		this.id = id;
		this.receiver = receiver;
		this.base = base;
	}

	get hasRoom(): boolean {
		return this.inFlight.length < MAX_IN_FLIGHT && this.bytesInFlight < MAX_BYTES_IN_FLIGHT;
	}
}

/** The first page of a mailbox that is not connected yet. */
interface Ahead {
	readonly page: Promise<StoreResult<readonly StoredMessage[]>>;
	/** Rows were stored since. */
	stale: boolean;
}

export interface MailboxCounts {
	/** Postings that needed no disk. */
	handedOver: number;
	appended: number;
	delivered: number;
	acknowledged: number;
	dropped: number;
}

export class Mailboxes {
	readonly counts: MailboxCounts = {
		handedOver: 0,
		appended: 0,
		delivered: 0,
		acknowledged: 0,
		dropped: 0,
	};
	readonly #ports: RelayPorts;
	readonly #config: RelayConfig;
	readonly #sequence: Sequence;
	readonly #connected = new Map<DeviceId, ConnectedMailbox>();
	/** Of devices that are logging in. */
	readonly #ahead = new Map<DeviceId, Ahead>();
	readonly #windows: Deadlines<Pending>;
	readonly #doubts: Deadlines<ConnectedMailbox>;
	readonly #writes = new Set<Promise<void>>();
	/** Called when mail waits for a device that is not connected, or does not seem to be. */
	readonly #wake: (mailbox: DeviceId) => void;
	#pendingBytes = 0;
	#reportedAt = 0;

	constructor(ports: RelayPorts, config: RelayConfig, wake: (mailbox: DeviceId) => void) {
		this.#ports = ports;
		this.#config = config;
		this.#wake = wake;
		this.#sequence = new Sequence(ports.store, ports.clock);
		this.#windows = new Deadlines(ports.clock, config.handoverWindow, (pending) =>
			this.#missed(pending),
		);
		this.#windows.settled = ({ settled }) => settled;
		this.#doubts = new Deadlines(ports.clock, DOUBT_AFTER, (box) => this.#doubt(box));
	}

	get pendingBytes(): number {
		return this.#pendingBytes;
	}

	find(id: DeviceId): ConnectedMailbox | undefined {
		return this.#connected.get(id);
	}

	/**
	 * Reads the first page of a device that is about to come in, together with whatever else is asked of the store in
	 * this turn. To be followed by {@link attach}, or by {@link forgetAhead}.
	 */
	readAhead(id: DeviceId): void {
		// What is in flight on another connection has yet to be written, and where relays share a store so has the login.
		if (this.#connected.has(id) || this.#ahead.has(id) || this.#ports.peers) return;
		const room = { rows: PAGE_ROWS, bytes: MAX_BYTES_IN_FLIGHT };
		this.#ahead.set(id, { page: this.#ports.store.read(id, 0, room), stale: false });
	}

	/** The device did not come in after all. */
	forgetAhead(id: DeviceId): void {
		this.#ahead.delete(id);
	}

	/** Connects a device's mailbox: what waits is sent first, in order (SPEC HS-7). */
	attach(id: DeviceId, receiver: Receiver, base: MailboxSeq = 0): ConnectedMailbox {
		const box = new ConnectedMailbox(id, receiver, base);
		const ahead = this.#ahead.get(id);
		this.#ahead.delete(id);
		this.#connected.set(id, box);
		this.#pump(box, ahead?.stale ? undefined : ahead?.page);
		return box;
	}

	/** What was handed over and not acknowledged is written down for the next login (SPEC MB-4). */
	detach(box: ConnectedMailbox): void {
		if (this.#connected.get(box.id) !== box) return;
		this.#connected.delete(box.id);
		this.#ports.peers?.release(box.id);
		const inFlight = box.inFlight;
		box.inFlight = [];
		// Mail that was stored while this connection lasted has woken nobody yet.
		if (inFlight.some(({ stored }) => stored) || !box.live) this.#wake(box.id);
		for (const slot of inFlight) if (slot.posting) this.#write(slot.posting);
	}

	/** Rising numbers for what the caller stores itself; undefined while the store is busy. */
	numbers(count: number): MailboxSeq[] | undefined {
		return this.#sequence.take(count);
	}

	/** Sends one message to many mailboxes and reports once, when it is safe or has failed. */
	post(message: Message, mailboxes: readonly DeviceId[], done: (outcome: Outcome) => void): void {
		const size = message.body.length;
		let seq = this.#sequence.first(mailboxes.length);
		if (seq === undefined || this.#pendingBytes + size > this.#config.limits.pendingBytes) {
			done('busy');
			return;
		}
		const slots: Slot[] = [];
		const open = mailboxes.length;
		const pending: Pending = { message, size, slots, open, written: false, settled: false, done };
		for (const mailbox of mailboxes) slots.push(slotOf({ mailbox, seq: seq++, size }, pending));
		this.#pendingBytes += size;
		if (open === 0) this.#settle(pending, 'accepted');
		else if (this.#handOver(pending)) this.#windows.add(pending);
		else this.#write(pending);
	}

	/** The store holds, or is about to hold, new rows for this mailbox that were not handed over. */
	stored(id: DeviceId): void {
		const ahead = this.#ahead.get(id);
		if (ahead) ahead.stale = true;
		const box = this.#connected.get(id);
		if (!box) return;
		box.live = false;
		box.stale = true;
		this.#pump(box);
	}

	/** Tells a sender that a message of theirs was dropped unread (SPEC MB-6, MB-7). */
	tellDropped(message: Message): void {
		this.counts.dropped++;
		if (message.kind === 'dropped') return;
		const notice: Message = { ...message, kind: 'dropped', body: NO_BODY };
		this.post(notice, [message.sender], () => undefined);
	}

	/** Everything up to `seq` is on the device (SPEC MB-3). */
	acknowledge(box: ConnectedMailbox, seq: MailboxSeq): void {
		if (seq > box.delivered) return;
		const now = this.#ports.clock.now();
		let stored = false;
		for (let slot = box.inFlight[0]; slot && slot.seq <= seq; slot = box.inFlight[0]) {
			box.inFlight.shift();
			box.bytesInFlight -= slot.size;
			slot.acknowledged = true;
			this.counts.acknowledged++;
			stored ||= slot.stored;
			box.prompt = now - (slot.handedAt ?? now) <= this.#config.handoverWindow;
			const pending = slot.posting;
			if (pending && --pending.open === 0) this.#settle(pending, 'accepted');
		}
		if (stored) void this.#ports.store.acknowledge(box.id, seq);
		if (!box.live) this.#pump(box);
	}

	/** Writes down everything that still waits for an acknowledgement; resolves when the store has answered. */
	async flush(): Promise<void> {
		for (const box of this.#connected.values())
			for (const slot of box.inFlight) if (slot.posting) this.#write(slot.posting);
		while (this.#writes.size > 0) await Promise.all(this.#writes);
	}

	/** Forgets the windows; to be called after {@link flush}. */
	stop(): void {
		this.#windows.clear();
		this.#doubts.clear();
	}

	/** Hands the message to every target that is live; true when waiting for them alone can settle it. */
	#handOver(pending: Pending): boolean {
		let enough = true;
		for (const slot of pending.slots) {
			const box = this.#connected.get(slot.mailbox);
			if (box?.live && this.#number(box, slot) && this.#send(box, slot, pending.message)) {
				enough &&= box.prompt;
			} else {
				enough = false;
			}
		}
		return enough;
	}

	/** False when nothing may be handed over now. */
	#number(box: ConnectedMailbox, slot: Slot): boolean {
		if (!box.hasRoom) return false;
		const { peers } = this.#ports;
		if (!peers) return true;
		// A row has another number than what was handed over before it was one: who is slow gets the row alone.
		slot.seq = Math.max(box.delivered, box.base) + 1;
		return box.prompt && slot.seq % peers.numbersPerRow !== 0;
	}

	#send(box: ConnectedMailbox, slot: Slot, message: Message): boolean {
		box.inFlight.push(slot);
		box.bytesInFlight += slot.size;
		box.delivered = slot.seq;
		slot.handedAt = this.#ports.clock.now();
		this.counts.delivered++;
		if (!box.watched) {
			box.watched = true;
			this.#doubts.add(box);
		}
		const { seq } = slot;
		const { kind, envelope, channel, epoch, at, body } = message;
		return box.receiver.deliver({ type: 'deliver', seq, kind, envelope, channel, epoch, at, body });
	}

	#doubt(box: ConnectedMailbox): void {
		const [oldest] = box.inFlight;
		box.watched = oldest !== undefined && this.#connected.get(box.id) === box;
		if (!oldest || !box.watched) return;
		const waited = this.#ports.clock.now() - (oldest.handedAt ?? 0);
		if (waited >= DOUBT_AFTER) this.#wake(box.id);
		this.#doubts.add(box);
	}

	/** The window closed: whoever has not acknowledged gets it from the store, should they vanish. */
	#missed(pending: Pending): void {
		if (pending.settled || pending.written) return;
		for (const slot of pending.slots) {
			const box = slot.acknowledged ? undefined : this.#connected.get(slot.mailbox);
			if (box) box.prompt = false;
		}
		this.#write(pending);
	}

	/**
	 * Appends for all targets that have not acknowledged, in one step: an envelope that the store knows is then
	 * always a complete one, and a repeated submit can be answered from it (SPEC MB-5).
	 */
	#write(pending: Pending): void {
		if (pending.settled || pending.written) return;
		pending.written = true;
		const slots = pending.slots.filter((slot) => !slot.acknowledged);
		for (const slot of slots) slot.stored = true;
		const { message } = pending;
		pending.message = { ...message, body: NO_BODY };
		const appended = this.#append(message, slots);
		for (const slot of slots) if (slot.handedAt === undefined) this.stored(slot.mailbox);
		const written = appended.then((result) => {
			this.#writes.delete(written);
			if (!result.ok) return this.#refuse(pending);
			if (!result.value.elsewhere) this.counts.appended++;
			this.#appended(pending, slots, result.value.full);
		});
		this.#writes.add(written);
	}

	#append(message: Message, targets: readonly Slot[]): Promise<StoreResult<Appended>> {
		const { store, peers } = this.#ports;
		if (!peers) return store.append({ message, targets });
		const isHere = (mailbox: DeviceId) => this.#connected.has(mailbox);
		return appendAmong({ store, peers, isHere }, message, targets);
	}

	#refuse(pending: Pending): void {
		const now = this.#ports.clock.now();
		if (now - this.#reportedAt >= REPORT_EVERY) {
			this.#reportedAt = now;
			this.#ports.log.warn('the store is busy: full disk, or more than it can write');
		}
		this.#settle(pending, 'busy');
	}

	#appended(pending: Pending, slots: readonly Slot[], full: readonly DeviceId[]): void {
		const refused = new Set(full);
		for (const { mailbox } of slots)
			if (!refused.has(mailbox) && !this.#connected.has(mailbox)) this.#wakeFor(pending, mailbox);
		const nobody = refused.size > 0 && pending.slots.every((slot) => refused.has(slot.mailbox));
		if (nobody) return this.#settle(pending, 'mailbox-full');
		this.#settle(pending, 'accepted');
		if (refused.size > 0) this.tellDropped(pending.message);
	}

	#wakeFor(pending: Pending, mailbox: DeviceId): void {
		if (pending.message.kind !== 'dropped') this.#wake(mailbox);
	}

	#settle(pending: Pending, outcome: Outcome): void {
		if (pending.settled) return;
		pending.settled = true;
		this.#pendingBytes -= pending.size;
		for (const slot of pending.slots) slot.posting = undefined;
		if (outcome === 'accepted' && !pending.written) this.counts.handedOver++;
		pending.done(outcome);
	}

	/** Sends the next page from the store, until nothing is left there; then the device is live. */
	#pump(box: ConnectedMailbox, ahead?: Ahead['page']): void {
		if (box.live || box.reading || !box.hasRoom || this.#connected.get(box.id) !== box) return;
		box.reading = true;
		box.stale = false;
		const room = {
			rows: Math.min(PAGE_ROWS, MAX_IN_FLIGHT - box.inFlight.length),
			bytes: MAX_BYTES_IN_FLIGHT - box.bytesInFlight,
		};
		const reading = ahead ?? this.#ports.store.read(box.id, box.delivered, room);
		void reading.then((page) => {
			box.reading = false;
			if (this.#connected.get(box.id) !== box) return;
			if (!page.ok) this.#ports.clock.schedule(READ_RETRY, () => this.#pump(box));
			else this.#page(box, page.value, room);
		});
	}

	#page(
		box: ConnectedMailbox,
		rows: readonly StoredMessage[],
		room: { rows: number; bytes: number },
	): void {
		let bytes = 0;
		for (const { seq, message } of rows) {
			const size = message.body.length;
			bytes += size;
			const slot = slotOf({ mailbox: box.id, seq, size }, undefined);
			slot.stored = true;
			if (!this.#send(box, slot, message)) return;
		}
		const end = rows.length < room.rows && bytes < room.bytes;
		if (end && !box.caughtUp) {
			box.caughtUp = true;
			box.receiver.caughtUp();
		}
		if (end && !box.stale) box.live = true;
		else this.#pump(box);
	}
}

function slotOf(
	{ mailbox, seq, size }: Pick<Slot, 'mailbox' | 'seq' | 'size'>,
	posting: Pending | undefined,
): Slot {
	return { mailbox, seq, size, handedAt: undefined, acknowledged: false, stored: false, posting };
}
