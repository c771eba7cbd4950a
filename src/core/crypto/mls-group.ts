// A ts-mls state as the engine's GroupState, and what both sides of the port say about members and failures.
import type { ClientState, LeafNode, MLSMessage, RatchetTree } from 'ts-mls';
import { decodeMlsMessage } from 'ts-mls/message.js';
import { CryptoError, CryptoVerificationError, ValidationError } from 'ts-mls/mlsError.js';
import type { ChannelId } from '../../protocol/ids.ts';
import { idFrom, toBase64Url } from '../../protocol/ids.ts';
import type { GroupFailure, GroupMember, GroupState } from '../ports.ts';
import { ID_BYTES, copyBytes } from './bytes.ts';
import { deviceIdOf, readCertificate } from './certificate.ts';
import { freezeTree } from './mls-frozen.ts';

/** Type of the GroupContext extension that holds the engine's group data (RFC 9420 17.3, private use). */
export const GROUP_DATA = 0xf4b1;

/** The part of a state that only commits change, frozen at most once however many messages pass. */
interface TreePart {
	readonly treeId: string;
	readonly frozen: () => Uint8Array;
}

/** What a GroupState is inside this room. */
interface HeldGroup {
	readonly channel: ChannelId;
	readonly epoch: number;
	readonly mls: ClientState;
	readonly treePart: TreePart;
}

/** A state whose tree part is new: founded, joined, committed, or a late message used up an old secret. */
export function holdNew(mls: ClientState): GroupState {
	const treeId = toBase64Url(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
	return hold(mls, treePartOf(treeId, mls));
}

/** The state after a message of the current epoch: only the ratchet moved. */
export function holdSameTree(mls: ClientState, before: GroupState): GroupState {
	return hold(mls, heldOf(before).treePart);
}

/** A state read back from the store; `tree` are the bytes that it was read from. */
export function holdThawed(mls: ClientState, treeId: string, tree: Uint8Array): GroupState {
	return hold(mls, { treeId, frozen: () => tree });
}

export function heldOf(state: GroupState): HeldGroup {
	return state as unknown as HeldGroup;
}

export function mlsOf(state: GroupState): ClientState {
	return heldOf(state).mls;
}

function hold(mls: ClientState, treePart: TreePart): GroupState {
	const held: HeldGroup = {
		channel: idFrom<ChannelId>(mls.groupContext.groupId),
		epoch: Number(mls.groupContext.epoch),
		mls,
		treePart,
	};
	return held as unknown as GroupState;
}

function treePartOf(treeId: string, mls: ClientState): TreePart {
	let bytes: Uint8Array | undefined;
	return { treeId, frozen: () => (bytes ??= freezeTree(treeId, mls)) };
}

/** The device that a leaf belongs to, for one whose credential was verified when it entered. */
export function deviceOf({ credential }: LeafNode): Omit<GroupMember, 'leaf'> | undefined {
	if (credential.credentialType !== 'basic') return undefined;
	const certificate = readCertificate(credential.identity);
	if (!certificate) return undefined;
	return { account: certificate.account, device: deviceIdOf(certificate.devicePublicKey) };
}

/** Certificates are read with each message; leaves never change in place. */
const devices = new WeakMap<LeafNode, Omit<GroupMember, 'leaf'>>();

/** The member at a leaf; undefined for a blank one. */
export function memberAt(tree: RatchetTree, leaf: number): GroupMember | undefined {
	const node = tree[leaf * 2];
	if (node?.nodeType !== 'leaf') return undefined;
	const device = devices.get(node.leaf) ?? deviceOf(node.leaf);
	if (!device) return undefined;
	devices.set(node.leaf, device);
	return { leaf, ...device };
}

export function membersOf(tree: RatchetTree): GroupMember[] {
	const members: GroupMember[] = [];
	for (let leaf = 0; leaf * 2 < tree.length; leaf++) {
		const member = memberAt(tree, leaf);
		if (member) members.push(member);
	}
	return members;
}

/** One MLSMessage (RFC 9420 6) and nothing after it; undefined for anything else. */
export function decodeMessage(bytes: Uint8Array): MLSMessage | undefined {
	try {
		// The library keeps views of what it decoded inside its states: they must not alias the caller's buffer.
		const decoded = decodeMlsMessage(copyBytes(bytes), 0);
		return decoded?.[1] === bytes.length ? decoded[0] : undefined;
	} catch {
		return undefined; // a codec error, or an index beyond the end: all the same to us
	}
}

/** Causes that ts-mls reports as mere invalidity although something claimed to be authentic was not. */
const FORGERIES = new Set([
	'Could not validate credential',
	'Unable to verify tree hash',
	'Parent hash did not match the UpdatePath',
]);
const UNSUPPORTED = new Set([
	'Current time not within Lifetime',
	'Invalid CipherSuite',
	'Invalid mls version',
]);

/** The closed code for an error that foreign bytes caused inside ts-mls or WebCrypto. */
export function failureOf(error: unknown): GroupFailure {
	if (error instanceof CryptoVerificationError || error instanceof CryptoError) return 'forged';
	if (error instanceof ValidationError) {
		if (FORGERIES.has(error.message)) return 'forged';
		if (UNSUPPORTED.has(error.message)) return 'unsupported';
		if (error.message === 'Could not find the leaf to resync') return 'not-for-us';
	}
	// WebCrypto refuses a tag with an OperationError and a key that is no point with a DataError.
	if (error instanceof DOMException) return 'forged';
	return 'malformed';
}
