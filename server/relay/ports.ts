// What the relay needs from the world. Everything here is small enough to be faked honestly: the same suites in
// tests/contracts run against the memory store, SQLite and whatever comes next.
import type {
	AddressPolicy,
	DeliveryKind,
	IceServer,
	PushSubscriptionData,
} from '../../src/protocol/frames.ts';
import type {
	Address,
	ChannelId,
	DeviceId,
	EnvelopeId,
	Epoch,
	MailboxSeq,
} from '../../src/protocol/ids.ts';

// ---- storage -------------------------------------------------------------------------------------------------

/** `busy`: the disk is full, the queue is at its bound or the engine failed. Nothing was stored (SPEC ER-2). */
export type StoreResult<Value> =
	{ readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: 'busy' };

/** What a `deliver` frame carries, but for the sequence number, which differs per mailbox. */
export interface Message {
	readonly kind: DeliveryKind;
	/** The device that sent it; for `dropped` the device that is told. */
	readonly sender: DeviceId;
	readonly envelope: EnvelopeId;
	readonly channel: ChannelId;
	readonly epoch: Epoch;
	/** Relay's clock when it took the envelope, ms. */
	readonly at: number;
	/** Lies in larger memory beside others, until the call returns that was given it: a store copies it. */
	readonly body: Uint8Array;
}

export interface Target {
	readonly mailbox: DeviceId;
	/** A store that several relays share takes no notice: it numbers rows as they come. */
	readonly seq: MailboxSeq;
	/** The whole operation is refused as `full` when this mailbox has no room; others are left out singly. */
	readonly required?: boolean;
}

/** One message for many mailboxes; its body is stored once. */
export interface Posting {
	readonly message: Message;
	readonly targets: readonly Target[];
}

export interface StoredMessage {
	readonly seq: MailboxSeq;
	readonly message: Message;
}

/** One message that one mailbox never read. */
export interface ExpiredMessage {
	readonly mailbox: DeviceId;
	readonly seq: MailboxSeq;
	/** Without its body, which nobody needs any more. */
	readonly message: Omit<Message, 'body'>;
}

/** A device's place in a channel. One device may hold several leaves while it replaces its own. */
export interface Member {
	readonly leaf: number;
	readonly mailbox: DeviceId;
}

export interface ChannelRecord {
	readonly channel: ChannelId;
	/** Rises with every change, so also with those that leave the epoch alone. */
	readonly revision: number;
	readonly epoch: Epoch;
	readonly members: readonly Member[];
	/** The commit that led to `epoch`: sent again, it is accepted again (SPEC CH-8). */
	readonly lastCommit: { readonly envelope: EnvelopeId; readonly sender: DeviceId };
}

export interface AddressRecord {
	readonly address: Address;
	readonly owner: DeviceId;
	/** Rises with every change. */
	readonly version: number;
	readonly policy: AddressPolicy;
	readonly card: Uint8Array | null;
	readonly revoked: boolean;
	readonly uses: number;
	/** Day (UTC, days since 1970) of the last use, and the uses on it. */
	readonly day: number;
	readonly usesOnDay: number;
	/** When somebody first came after its one use, ms (SPEC AD-8). */
	readonly latecomer?: number;
	/** Relay's clock at the last change, ms. */
	readonly changedAt: number;
}

export interface CapsuleRecord {
	/** SHA-256 of its id in base64url: who reads the database learns no id. */
	readonly place: string;
	readonly keeper: DeviceId;
	readonly sealed: Uint8Array;
	/** Relay's clock when it was last put or kept, ms. */
	readonly at: number;
	/** What lies beside it under another id (SPEC CP-6). */
	readonly pointer?: { readonly place: string; readonly sealed: Uint8Array } | undefined;
}

/** Who keeps what, and since when. */
export type HeldCapsule = Pick<CapsuleRecord, 'place' | 'keeper' | 'at'>;

/** One atomic step of a channel: either all of it is durable, or nothing happened. */
export interface ChannelChange {
	readonly channel: ChannelId;
	/** The revision that this step builds on; null founds the channel. */
	readonly revision: number | null;
	/** Null forgets the channel. */
	readonly next: ChannelRecord | null;
	/** Address records as they shall be; each replaces the one with `version - 1`. */
	readonly addresses: readonly AddressRecord[];
	readonly postings: readonly Posting[];
	/** Replaces the channel's snapshot; null takes it away, undefined leaves it as it is. It goes with the channel. */
	readonly snapshot?: Uint8Array | null;
}

export type ChannelOutcome =
	/** Durable. `full` names mailboxes that had no room and were left out. */
	| { readonly is: 'changed'; readonly full: readonly DeviceId[] }
	/** Channel or address is not as expected: read both again. */
	| { readonly is: 'conflict' }
	/** A required mailbox had no room. */
	| { readonly is: 'full' };

/**
 * Durable state of the relay. Three promises hold for every implementation:
 * - operations on one mailbox, channel, address or capsule take effect in the order of their calls, so a read sees
 *   every write that was called before it;
 * - a write's promise resolves with `ok` only when the write survives a power cut;
 * - a read returns only what is durable.
 */
export interface RelayStore {
	/** Sets `count` sequence numbers aside and returns the first; none is ever returned twice (SPEC MB-1). */
	reserve(count: number): Promise<StoreResult<MailboxSeq>>;
	/** True when the mailbox exists, or was made because `create` asked for it. */
	openMailbox(mailbox: DeviceId, create: boolean): Promise<StoreResult<boolean>>;
	/**
	 * Appends to every target that has room; `full` names the others. A message that is known already (same
	 * sender, envelope and kind) is left as it is.
	 */
	append(posting: Posting): Promise<StoreResult<{ readonly full: readonly DeviceId[] }>>;
	/** In order, from the first above `after`: at most `rows`, and no more once `bytes` of bodies are reached. */
	read(
		mailbox: DeviceId,
		after: MailboxSeq,
		room: { readonly rows: number; readonly bytes: number },
	): Promise<StoreResult<readonly StoredMessage[]>>;
	/** Deletes everything up to `seq`; a body goes with its last mailbox. */
	acknowledge(mailbox: DeviceId, seq: MailboxSeq): Promise<StoreResult<void>>;
	/** Messages taken before `before` (ms), oldest first. */
	expired(before: number, rows: number): Promise<StoreResult<readonly ExpiredMessage[]>>;
	/** Deletes the expired and posts the notices about them, atomically. */
	drop(expired: readonly ExpiredMessage[], notices: readonly Posting[]): Promise<StoreResult<void>>;
	readChannel(channel: ChannelId): Promise<StoreResult<ChannelRecord | undefined>>;
	changeChannel(change: ChannelChange): Promise<StoreResult<ChannelOutcome>>;
	/** Undefined where the last commit brought none. */
	readSnapshot(channel: ChannelId): Promise<StoreResult<Uint8Array | undefined>>;
	/** In the order asked for; undefined where nobody holds the address. */
	readAddresses(
		addresses: readonly Address[],
	): Promise<StoreResult<readonly (AddressRecord | undefined)[]>>;
	/** Stores `record` in place of version - 1 (or of nothing, for version 1); its owner may hold `max`. */
	putAddress(
		record: AddressRecord,
		max: number,
	): Promise<StoreResult<'put' | 'conflict' | 'too-many'>>;
	/** Forgets revoked and expired addresses whose last change or expiry lies before `before` (ms). */
	purgeAddresses(before: number): Promise<StoreResult<void>>;
	readPush(mailbox: DeviceId): Promise<StoreResult<PushSubscriptionData | undefined>>;
	writePush(
		mailbox: DeviceId,
		subscription: PushSubscriptionData | null,
	): Promise<StoreResult<void>>;
	/** A capsule, or a pointer to one; undefined where nothing lies. */
	readCapsule(place: string): Promise<StoreResult<Uint8Array | undefined>>;
	/**
	 * Stores it with its pointer, and deletes any other of its keeper. `taken`: another device keeps that one, or what the
	 * pointer's place belongs to, and `takesOver` is false.
	 */
	putCapsule(record: CapsuleRecord, takesOver: boolean): Promise<StoreResult<'put' | 'taken'>>;
	/** Moves the time of a capsule to `at`, for its keeper alone. */
	keepCapsule(held: HeldCapsule): Promise<StoreResult<'kept' | 'taken' | 'unknown'>>;
	/** Deletes a capsule that `keeper` keeps, and its pointer; `taken` where another device does. */
	dropCapsule(place: string, keeper: DeviceId): Promise<StoreResult<'dropped' | 'taken'>>;
	/** Deletes those of before `before` (ms). */
	purgeCapsules(before: number): Promise<StoreResult<void>>;
	/** Resolves when everything called before is settled and the files are closed. */
	close(): Promise<void>;
}

// ---- the rest of the world -----------------------------------------------------------------------------------

export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/** Calls `fn` once, `ms` from now, unless cancelled first. */
	schedule(ms: number, fn: () => void): () => void;
}

export interface Random {
	bytes(count: number): Uint8Array;
}

/**
 * Checks an Ed25519 signature (RFC 8032) by a device key over `message` and names the device (SPEC HS-5);
 * undefined when it does not hold. Never rejects on foreign bytes.
 */
export type VerifyDevice = (
	deviceKey: Uint8Array,
	message: Uint8Array,
	signature: Uint8Array,
) => Promise<DeviceId | undefined>;

export interface PushSender {
	/** Public VAPID key (RFC 8292) in base64url; null when this relay sends no pushes. */
	readonly vapidKey: string | null;
	/** Whether the operator lets the relay talk to that endpoint (SPEC PU-2). */
	allows(subscription: PushSubscriptionData): boolean;
	/** `gone`: the push service has forgotten the subscription (404 or 410). */
	send(subscription: PushSubscriptionData): Promise<'sent' | 'gone' | 'failed'>;
}

/** Never given an address, a key, a body or a network address. */
export interface RelayLog {
	info(event: string, facts?: Readonly<Record<string, number | string>>): void;
	warn(event: string, facts?: Readonly<Record<string, number | string>>): void;
}

/** One connection, as the edge sees it. */
export interface Socket {
	/** `dropped`: over the bound of what may wait for the peer; the bytes are gone. */
	send(bytes: Uint8Array): 'sent' | 'queued' | 'dropped';
	/** Uint8Array that wait for the peer. */
	buffered(): number;
	/** Ends the connection after what is queued, with a WebSocket close code (RFC 6455 7.4). */
	close(code: number): void;
	/** The `Host` of the upgrade request (SPEC HS-4). */
	readonly host: string;
	/** Whether whoever connects holds an invitation of the operator; asked only where registration is by invitation. */
	readonly invited?: boolean;
	/** Where the peer comes from, for limits only: an IPv4 address or an IPv6 /64. */
	readonly network: string;
}

/** Other relays on the same store. */
export interface Peers {
	/**
	 * This relay serves the mailbox from now on, and any other no longer (SPEC HS-8). The numbers above the returned,
	 * up to {@link numbersPerRow} of them, are its own: no row, and no other connection, has had them (SPEC MB-1).
	 */
	claim(mailbox: DeviceId): Promise<StoreResult<MailboxSeq>>;
	/** Numbers that stand between two rows. */
	readonly numbersPerRow: number;
	/** The device is not connected here any more. */
	release(mailbox: DeviceId): void;
	/** Hands a message to the relay that serves the mailbox, which answers for it; `away`: none does. */
	post(message: Message, mailbox: DeviceId): Promise<Outcome | 'away'>;
	/** May be lost, and is for nobody where no relay serves the mailbox. */
	whisper(mailbox: DeviceId, channel: ChannelId, body: Uint8Array): void;
	/** Whether this relay, as the only one of all, shall push to a device now (SPEC PU-1). */
	mayWake(mailbox: DeviceId, quiet: number): Promise<boolean>;
	/** From now on `host` hears what the others have for this relay. */
	serve(host: PeerHost): void;
}

/** What became of a posting. */
export type Outcome = 'accepted' | 'busy' | 'mailbox-full';

/** What a relay does for the others. */
export interface PeerHost {
	/** `away` when the device is not connected here. */
	post(message: Message, mailbox: DeviceId, done: (outcome: Outcome | 'away') => void): void;
	whispered(mailbox: DeviceId, channel: ChannelId, body: Uint8Array): void;
	/** The device is connected to another relay now. */
	claimed(mailbox: DeviceId): void;
	/** Some relay, perhaps this one, stored a row for it. */
	stored(mailbox: DeviceId, seq: MailboxSeq): void;
	/** Somebody changed it. */
	changed(channel: ChannelId): void;
}

export interface RelayPorts {
	readonly store: RelayStore;
	/** Absent where one relay is all there is. */
	readonly peers?: Peers;
	readonly clock: Clock;
	readonly random: Random;
	readonly verify: VerifyDevice;
	readonly push: PushSender;
	readonly log: RelayLog;
}

// ---- what the operator decides -------------------------------------------------------------------------------

export interface Rate {
	readonly perSecond: number;
	readonly burst: number;
}

export interface RelayConfig {
	/** Name and version for the About page. */
	readonly software: string;
	readonly registration: 'open' | 'invitation' | 'closed';
	/** How long mail waits, ms. */
	readonly retention: number;
	/**
	 * How long a device that is connected may take to acknowledge before its mail is written to disk, ms
	 * (SPEC MB-2).
	 */
	readonly handoverWindow: number;
	readonly limits: RelayLimits;
	/** Servers for WebRTC, made anew for each login because their credentials run out. */
	iceServers(now: number): readonly IceServer[];
}

export interface RelayLimits {
	/** Requests of one device. */
	readonly requests: Rate;
	/** Answers that say `rate-limited`, to one device, or to one network without a login. */
	readonly refusals: Rate;
	/** Whispers of one device. */
	readonly whispers: Rate;
	/** Looks without a login, and new connections, of one network. */
	readonly looks: Rate;
	readonly connections: Rate;
	/** New mailboxes of one network. */
	readonly registrations: Rate;
	/** New mailboxes of all networks together: a flood from many places stops here. */
	readonly registrationsOverall: Rate;
	/** Capsules that one device puts. */
	readonly capsules: Rate;
	/** Connections of one network at one time. */
	readonly connectionsPerNetwork: number;
	readonly addressesPerDevice: number;
	/** Uint8Array of bodies that may wait for the store at one time, over all devices. */
	readonly pendingBytes: number;
	/** Channels kept in memory. */
	readonly cachedChannels: number;
	/** Answers kept in memory for MB-5. */
	readonly rememberedAnswers: number;
}
