// What the engine needs from the world, shaped by the engine and not by any library. Each port has one real
// implementation per platform and a fake; both pass the same suite in tests/contracts.
import type { DownFrame, IceServer, UpFrame } from '../protocol/frames.ts';
import type { AccountId, Address, CapsuleId, ChannelId, DeviceId, Epoch } from '../protocol/ids.ts';
import type { ArchiveEntry, CapsuleContent } from './archive-entries.ts';
import type { DeviceListFailure, ReadDeviceList } from './device-model.ts';
export type { Entry, KeyRange, Store, StoreFailure, Touched, Transaction } from './store-port.ts';

/** A value, or an expected failure that the caller must look at. A bug throws instead. */
export type Result<Value, Failure> =
	{ readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: Failure };

// ---- GroupCrypto: MLS (RFC 9420) behind one file -------------------------------------------------------------

declare const groupState: unique symbol;
/**
 * One MLS group of this device, as a value: no operation changes it, each returns the next one. The engine
 * stores the next state before any byte that depends on it leaves the device.
 */
export interface GroupState {
	readonly [groupState]: true;
	readonly channel: ChannelId;
	readonly epoch: Epoch;
}

/** A device in a group, as its verified credential says. One leaf is one device. */
export interface GroupMember {
	readonly leaf: number;
	readonly account: AccountId;
	readonly device: DeviceId;
}

/**
 * What is stored of a group. `tree` is large and changes with the epoch, and when a late message uses up a secret of
 * an earlier one; `ratchet` changes with every message. Write `tree` when the stored `treeId` differs, always both
 * in one transaction: two parts that do not belong together do not thaw.
 */
export interface FrozenGroup {
	readonly epoch: Epoch;
	readonly treeId: string;
	readonly tree: Uint8Array;
	readonly ratchet: Uint8Array;
}

/** One published key package and its secrets. `ref` is the RFC 9420 5.2 KeyPackageRef in base64url. */
export interface KeyPackagePair {
	readonly ref: string;
	readonly publicPart: Uint8Array;
	readonly privatePart: Uint8Array;
}

/** What a commit should change; an empty change rotates this device's own keys. */
export interface GroupChange {
	/** Public key packages of devices to add. */
	readonly add?: readonly Uint8Array[];
	readonly remove?: readonly DeviceId[];
	/** New application data of the GroupContext (name, roles, policy), replacing the old. */
	readonly context?: Uint8Array;
	/** Said in the clear with the commit, and vouched for by its maker. */
	readonly authenticated?: Uint8Array;
}

/** A commit made but not yet ordered by the relay: adopt `next` only once the relay accepted `commit`. */
export interface StagedCommit {
	readonly commit: Uint8Array;
	/** SHA-256 of `commit` in base64url: how a device knows its own commit when it comes back. */
	readonly hash: string;
	readonly welcome?: Uint8Array;
	/** Public GroupInfo of the new epoch, for external resync (RFC 9420 12.4.3.2). */
	readonly groupInfo: Uint8Array;
	readonly next: GroupState;
}

/** Something sealed to the public key of one leaf. */
export interface LeafBox {
	readonly leaf: number;
	readonly sealed: Uint8Array;
}

/** The private half of a device's own leaf: all that opens a {@link LeafBox}. */
export interface LeafKey {
	readonly leaf: number;
	readonly key: Uint8Array;
}

export type GroupFailure =
	/** Not MLS, truncated, or breaking a rule of the RFC. */
	| 'malformed'
	/** A signature, tag, tree hash or credential that does not hold. */
	| 'forged'
	/** The Welcome, or an external commit, is for a key package or leaf that this device does not have. */
	| 'not-for-us'
	/** A key package past its lifetime, or of another suite or version. */
	| 'unsupported';

export type Opened =
	| {
			readonly kind: 'message';
			readonly state: GroupState;
			readonly sender: GroupMember;
			readonly plaintext: Uint8Array;
			readonly authenticated: Uint8Array;
			/** The one it was sealed in. */
			readonly epoch: Epoch;
	  }
	| {
			readonly kind: 'commit';
			readonly state: GroupState;
			/** An external commit only ever replaces a device's own leaf (resync): then nobody is added or removed. */
			readonly by: GroupMember | undefined;
			readonly added: readonly GroupMember[];
			readonly removed: readonly GroupMember[];
			readonly authenticated: Uint8Array;
			/** This device is not in the group any more; `state` stays readable for what came before. */
			readonly removedSelf: boolean;
	  }
	/** Of an epoch this device has not reached: park it. */
	| { readonly kind: 'future'; readonly epoch: Epoch }
	/** Of an epoch whose secrets are gone by the retention rule, or a generation already used. */
	| { readonly kind: 'spent'; readonly epoch: Epoch }
	/** Our own bytes coming back; MLS cannot open its own echo. */
	| { readonly kind: 'own' }
	| { readonly kind: 'unreadable'; readonly reason: GroupFailure };

export type OpenedMessage = Extract<Opened, { kind: 'message' }>;

export interface GroupCrypto {
	/** A key package for this device; `reusable` marks it last-resort (RFC 9420 16.8), as invite links need. */
	newKeyPackage(options: { reusable: boolean }): Promise<KeyPackagePair>;
	/** The device that a key package belongs to, after checking signature, lifetime and certificate. */
	inspectKeyPackage(
		publicPart: Uint8Array,
	): Promise<Result<Omit<GroupMember, 'leaf'>, GroupFailure>>;
	/** A new group with this device alone, at epoch 0. */
	found(channel: ChannelId, context: Uint8Array): Promise<GroupState>;
	/** References of the key packages a Welcome is for, so that the caller can look up the private part. */
	welcomeRefs(welcome: Uint8Array): Result<readonly string[], GroupFailure>;
	join(welcome: Uint8Array, keys: KeyPackagePair): Promise<Result<GroupState, GroupFailure>>;
	/** External commit that replaces this device's own leaf, `replaced`, after it lost its state. The new one may stand elsewhere. */
	resync(
		groupInfo: Uint8Array,
	): Promise<Result<StagedCommit & { readonly replaced: number }, GroupFailure>>;
	stage(state: GroupState, change: GroupChange): Promise<Result<StagedCommit, GroupFailure>>;
	seal(
		state: GroupState,
		plaintext: Uint8Array,
		authenticated: Uint8Array,
	): Promise<{ readonly state: GroupState; readonly bytes: Uint8Array }>;
	/** What a sealed message claims of itself in the clear; nobody vouches for it. Undefined for anything else. */
	claimOf(bytes: Uint8Array): Uint8Array | undefined;
	/** Opens a message or a commit. Never throws on foreign bytes. */
	open(state: GroupState, bytes: Uint8Array): Promise<Opened>;
	/** Seals to every leaf by its public key (EncryptWithLabel, RFC 9420 5.1.3), bound to `scope`. */
	sealToLeaves(state: GroupState, scope: string, plain: Uint8Array): Promise<readonly LeafBox[]>;
	/** Changes with each commit of this device, and with no other. */
	leafKey(state: GroupState): LeafKey;
	/** Undefined if none of the boxes is for this leaf and this scope. */
	openAsLeaf(
		own: LeafKey,
		scope: string,
		boxes: readonly LeafBox[],
	): Promise<Uint8Array | undefined>;
	/**
	 * Opens as many of the first messages as open plainly, each on the state that the one before left: far cheaper than
	 * one by one. Where it stops, `open` says why.
	 */
	openRun(state: GroupState, bodies: readonly Uint8Array[]): Promise<readonly OpenedMessage[]>;
	/** MLS exporter (RFC 9420 8.5) of the current epoch. */
	exportSecret(state: GroupState, label: string, length: number): Promise<Uint8Array>;
	/** Epoch authenticator (RFC 9420 8.7): equal on every member unless the group forked. */
	authenticator(state: GroupState): Uint8Array;
	members(state: GroupState): readonly GroupMember[];
	context(state: GroupState): Uint8Array;
	freeze(state: GroupState): FrozenGroup;
	/** Inverse of freeze; throws on bytes that freeze did not write (the store is ours). */
	thaw(frozen: FrozenGroup): GroupState;
}

// ---- Identity of this device ---------------------------------------------------------------------------------

/** Signatures carry the purpose in what is signed, so that one can never pass for another. */
export type SigningPurpose = 'kith login' | 'kith peer hello' | 'kith ephemeral' | 'kith mls';

/** The keys of this device; private halves never leave the implementation. */
export interface Identity {
	readonly account: AccountId;
	readonly device: DeviceId;
	readonly devicePublicKey: Uint8Array;
	/** Device certificate signed by the account key: account, device key, device name, time. */
	readonly certificate: Uint8Array;
	/**
	 * Ed25519 over `purpose` 0x00 `bytes`, by the device key. For 'kith mls' over `bytes` alone, which carry MLS's own
	 * label (RFC 9420 5.1.2); bytes without it are refused by throwing.
	 */
	sign(purpose: SigningPurpose, bytes: Uint8Array): Promise<Uint8Array>;
}

/** Entries of a backup as bytes, for what goes from device to device. */
export interface EntryCodec {
	sizeOf(entry: ArchiveEntry): number;
	encode(entries: readonly ArchiveEntry[]): Uint8Array;
	/** Without what this version does not know; undefined for bytes that are no entries. */
	decode(bytes: Uint8Array): readonly ArchiveEntry[] | undefined;
}

/** The person's key, as far as a device uses it. */
export interface AccountPort {
	/** The signed list that this device was made with. */
	readonly deviceList: Uint8Array;
	/** With that list. */
	exportAccount(): Promise<AccountSecret>;
	/** The list with one more link, signed; undefined where it cannot be: of a device that is there, or is not. */
	changeDevices(
		list: Uint8Array,
		change: { readonly add: Uint8Array } | { readonly remove: DeviceId },
		created: number,
	): Promise<Uint8Array | undefined>;
}

// ---- Sealing that is not MLS ---------------------------------------------------------------------------------

export interface InviteKeys {
	readonly address: Address;
	sealCard(card: Uint8Array): Promise<Uint8Array>;
	/** Undefined for a card that this link's secret does not open. */
	openCard(sealed: Uint8Array): Promise<Uint8Array | undefined>;
}

/** The keys of a recovery code (SPEC CP-1), or of a passkey (SPEC CP-7). */
export interface CapsuleKeys {
	/** Where the relay keeps it. */
	readonly capsule: CapsuleId;
	seal(plain: Uint8Array): Promise<Uint8Array>;
	/** Undefined for what was not sealed so. */
	open(sealed: Uint8Array): Promise<Uint8Array | undefined>;
}

/** What a whisper is bound to (SPEC WH-2). */
export interface WhisperScope {
	readonly channel: ChannelId;
	readonly epoch: Epoch;
	/** 32 bytes of the MLS exporter `kith ephemeral`. */
	readonly key: Uint8Array;
}

/** Keys that a browser shows to become one more device of a person (SPEC DE-8). */
export interface OfferKeys {
	readonly publicKey: Uint8Array;
	/** Where what is sealed for it lies. */
	readonly address: Address;
	/** Undefined for what was not sealed for this key. */
	open(sealed: Uint8Array): Promise<Uint8Array | undefined>;
}

export interface SmallCrypto {
	newOfferKeys(): Promise<OfferKeys>;
	/** Where what is sealed for this key lies. */
	offerAddress(publicKey: Uint8Array): Promise<Address>;
	/** Seals for whoever made `publicKey`; undefined for bytes that are no key. */
	sealOffer(
		publicKey: Uint8Array,
		plain: Uint8Array,
	): Promise<{ readonly address: Address; readonly sealed: Uint8Array } | undefined>;
	/** What a list of `account` says, if it goes on from what was `pinned`. */
	readDeviceList(
		list: Uint8Array,
		account: AccountId,
		pinned?: Pick<ReadDeviceList, 'sequence' | 'hash'>,
	): Promise<Result<ReadDeviceList, DeviceListFailure>>;
	/** Keys of an invite link from its 32-byte secret (SPEC AD-5). */
	inviteKeys(secret: Uint8Array): Promise<InviteKeys>;
	/** 160 random bits in 32 letters of Crockford's base 32, in groups of four. */
	newRecoveryCode(): string;
	/** The first group of four, from 1, with a letter that no code has. */
	strayGroup(code: string): number | undefined;
	/** Undefined for what is no recovery code. */
	capsuleKeys(code: string): Promise<CapsuleKeys | undefined>;
	/** AES-256-GCM under 32 bytes of `secret`, bound to `scope` (SPEC CH-11). */
	sealUnder(secret: Uint8Array, scope: string, plain: Uint8Array): Promise<Uint8Array>;
	/** Undefined for what was not sealed so. */
	openUnder(secret: Uint8Array, scope: string, sealed: Uint8Array): Promise<Uint8Array | undefined>;
	sealWhisper(scope: WhisperScope, identity: Identity, payload: Uint8Array): Promise<Uint8Array>;
	/** Undefined unless it was sealed for this scope and signed by one of `members`. */
	openWhisper(
		scope: WhisperScope,
		members: readonly GroupMember[],
		sealed: Uint8Array,
	): Promise<{ readonly from: GroupMember; readonly payload: Uint8Array } | undefined>;
	/** Ed25519 under a purpose, by the device whose key hashes to `device`. */
	verify(
		purpose: SigningPurpose,
		signed: { readonly device: DeviceId; readonly key: Uint8Array; readonly bytes: Uint8Array },
		signature: Uint8Array,
	): Promise<boolean>;
	safetyNumber(
		mine: AccountId,
		theirs: AccountId,
	): Promise<{ readonly digits: string; readonly qr: Uint8Array }>;
	sha256(bytes: Uint8Array): Promise<Uint8Array>;
	compareSafetyNumber(
		mine: AccountId,
		theirs: AccountId,
		scanned: Uint8Array,
	): Promise<'same' | 'different' | 'not-a-code'>;
}

// ---- Backup --------------------------------------------------------------------------------------------------

export type ArchiveSecret =
	| { readonly kind: 'passphrase'; readonly passphrase: string }
	/** 32 letters as {@link ArchiveCrypto.newCode} makes them; spaces, dashes and case do not matter. */
	| { readonly kind: 'code'; readonly code: string };

/** How the key of one backup is made of its secret (RFC 9106 for passphrases); `memory` in KiB. */
export type ArchiveKdf =
	| {
			readonly kind: 'passphrase';
			readonly memory: number;
			readonly passes: number;
			readonly lanes: number;
	  }
	| { readonly kind: 'code' };

/** The keys of one backup. */
export interface ArchiveKeys {
	/** 32 bytes over the header; only the right secret makes the same. */
	readonly tag: Uint8Array;
	/** Chunks are counted from 0, and the last one says so: none can be left out, moved or cut off. */
	seal(chunk: number, last: boolean, plain: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
	/** Undefined for a chunk that was not sealed in this place with this key. */
	open(
		chunk: number,
		last: boolean,
		sealed: Uint8Array,
	): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

export interface ArchiveCrypto {
	/** What new backups use. */
	readonly kdf: (kind: ArchiveSecret['kind']) => ArchiveKdf;
	/** A new recovery code: 160 random bits in 32 letters of Crockford's base 32, in groups of four. */
	newCode(): string;
	/** Undefined for a code that is not one, or a secret of the other kind. May take seconds, without blocking. */
	deriveKeys(
		secret: ArchiveSecret,
		from: { readonly kdf: ArchiveKdf; readonly salt: Uint8Array; readonly header: Uint8Array },
	): Promise<ArchiveKeys | undefined>;
}

// ---- Recovery ------------------------------------------------------------------------------------------------

/** Who the person is, outside any browser: whoever holds it is them. */
export interface AccountSecret {
	/** The account's private key as PKCS #8 (RFC 8410). */
	readonly accountKey: Uint8Array;
	/** The signed list of the account's devices, as the device that exported it knows it. */
	readonly deviceList: Uint8Array;
}

export type CapsuleFailure =
	/** Written by a newer Kith, in a form that this one does not know. */
	'newer' | 'damaged';

/** What keeping a capsule takes, beside the relay. */
export interface RecoveryPorts {
	exportAccount(): Promise<AccountSecret>;
	encode(content: CapsuleContent): Promise<Uint8Array>;
	decode(bytes: Uint8Array): Promise<Result<CapsuleContent, CapsuleFailure>>;
	passkeyKeys(secret: Uint8Array): Promise<CapsuleKeys | undefined>;
	/** Whether this list is the account's own and says that this device is not one of its devices any more. */
	isRemoved(deviceList: Uint8Array): Promise<boolean>;
}

// ---- Links ---------------------------------------------------------------------------------------------------

export interface RelayHandlers {
	frame(frame: DownFrame): void;
	/** Once, however it ended; nothing comes after it. */
	closed(): void;
}

export interface RelayConnection {
	/** False when the connection cannot take it; `closed` follows. */
	send(frame: UpFrame): boolean;
	close(): void;
}

export interface RelayLink {
	/** Authority (host and port) of the relay, as signed at login (SPEC HS-4). */
	readonly host: string;
	/** One attempt. Failing to connect is `closed`. */
	connect(handlers: RelayHandlers): RelayConnection;
	/** What lies under a capsule's id, without logging in: null for nothing, undefined when the relay does not answer. */
	fetchCapsule(capsule: CapsuleId): Promise<Uint8Array | null | undefined>;
	/** What stands behind a link, without logging in; undefined when the relay does not answer. */
	look(address: Address): Promise<Extract<DownFrame, { type: 'looked' }> | undefined>;
}

/** One open data channel to another device, not yet authenticated. */
export interface PeerLink {
	readonly device: DeviceId;
	/** DTLS fingerprints of both ends, as the platform reports them: what the hello is bound to. */
	readonly fingerprints: { readonly local: string; readonly remote: string };
	/** False when the channel is closed or its buffer is above the high water mark. */
	send(bytes: Uint8Array): boolean;
	close(): void;
}

export interface PeerHandlers {
	/** Signalling that must reach `to`. */
	signal(to: DeviceId, payload: string): void;
	opened(link: PeerLink): void;
	received(link: PeerLink, bytes: Uint8Array): void;
	closed(link: PeerLink): void;
}

/** WebRTC, where the platform has it. */
export interface PeerLinks {
	start(self: DeviceId, handlers: PeerHandlers, iceServers: readonly IceServer[]): void;
	/** Tries once; nothing happens if it fails. */
	connect(device: DeviceId): void;
	receiveSignal(from: DeviceId, payload: string): void;
	stop(): void;
}

// ---- World ---------------------------------------------------------------------------------------------------

export interface Clock {
	/** ms since 1970 by this device. */
	now(): number;
	/** Calls once after `ms`; the result takes it back. */
	schedule(ms: number, call: () => void): () => void;
}

export interface Random {
	bytes(length: number): Uint8Array<ArrayBuffer>;
	/** Uniform in [0, 1), for jitter only. */
	fraction(): number;
}

/** `info`: one line per life-cycle transition. Never content, names, keys or addresses. */
export interface Log {
	info(event: string, fields?: Readonly<Record<string, string | number | boolean>>): void;
	warn(event: string, fields?: Readonly<Record<string, string | number | boolean>>): void;
}
