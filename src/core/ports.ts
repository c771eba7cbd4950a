// What the engine needs from the world, shaped by the engine and not by any library. Each port has one real
// implementation per platform and a fake; both pass the same suite in tests/contracts.
import type { AccountId, ChannelId, DeviceId, Epoch } from '../protocol/ids.ts';

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

/** What is stored of a group. `tree` changes only with the epoch, so most writes carry `ratchet` alone. */
export interface FrozenGroup {
	readonly epoch: Epoch;
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
	  }
	| {
			readonly kind: 'commit';
			readonly state: GroupState;
			readonly by: GroupMember | undefined;
			readonly added: readonly GroupMember[];
			readonly removed: readonly GroupMember[];
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
	/** External commit that replaces this device's own leaf after it lost its state. */
	resync(groupInfo: Uint8Array): Promise<Result<StagedCommit, GroupFailure>>;
	stage(state: GroupState, change: GroupChange): Promise<Result<StagedCommit, GroupFailure>>;
	seal(
		state: GroupState,
		plaintext: Uint8Array,
		authenticated: Uint8Array,
	): Promise<{ readonly state: GroupState; readonly bytes: Uint8Array }>;
	/** Opens a message or a commit. Never throws on foreign bytes. */
	open(state: GroupState, bytes: Uint8Array): Promise<Opened>;
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
	/** Ed25519 over `purpose` 0x00 `bytes`, by the device key. */
	sign(purpose: SigningPurpose, bytes: Uint8Array): Promise<Uint8Array>;
}
