// The devices of an account, as a chain of links signed by the account key: each link adds or removes one device
// and names the hash of the link before it. Contacts pin the head they have seen; a list that does not contain
// it is a rollback or a fork, and both are refused.
//
// List = CBOR [link...]; link = CBOR [body, signature];
// body = CBOR [1, account key, sequence, hash of the previous link (empty at 0), created ms, change];
// change = [1, certificate] to add, [0, device key] to remove.
import { sha256 } from '@noble/hashes/sha2.js';
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { AccountId, DeviceId } from '../../protocol/ids.ts';
import type { DeviceListFailure, ReadDeviceList } from '../model.ts';
import type { Result } from '../ports.ts';
import { equalBytes } from './bytes.ts';
import type { DeviceCertificate } from './certificate.ts';
import { accountPublicKey, deviceIdOf, verifyCertificate } from './certificate.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, signWith, verifySignature } from './signing.ts';

const VERSION = 1;
const ADD = 1;
const REMOVE = 0;
const HASH_BYTES = 32;
/** Changes of devices in the life of an account; bounds what a stranger can make us verify. */
export const MAX_DEVICE_CHANGES = 1024;

/** The newest link of a list: what a contact pins. */
export interface DeviceListHead {
	readonly sequence: number;
	/** SHA-256 of the link. */
	readonly hash: Uint8Array;
}

export interface DeviceList {
	readonly account: AccountId;
	readonly head: DeviceListHead;
	/** The devices that count, oldest first. */
	readonly devices: ReadonlyMap<DeviceId, DeviceCertificate>;
}

export type DeviceChange =
	| { readonly kind: 'add'; readonly certificate: Uint8Array }
	| { readonly kind: 'remove'; readonly devicePublicKey: Uint8Array };

/** The list of a new account: its first device alone. */
export async function createDeviceList(
	accountKey: CryptoKey,
	first: {
		readonly account: AccountId;
		readonly certificate: Uint8Array;
		readonly created: number;
	},
): Promise<Uint8Array> {
	const { account, certificate, created } = first;
	const change: DeviceChange = { kind: 'add', certificate };
	return writeCbor([await signLink(accountKey, { account, sequence: 0, created, change })]);
}

/** The list with one more link. Throws if `list` does not verify: never sign on top of what is not ours. */
export async function changeDeviceList(
	accountKey: CryptoKey,
	list: Uint8Array,
	next: { readonly account: AccountId; readonly created: number; readonly change: DeviceChange },
): Promise<Uint8Array> {
	const verified = await verifyDeviceList(list, next.account);
	if (!verified.ok) throw new Error(`The device list is ${verified.error}`);
	const { head } = verified.value;
	const link = await signLink(accountKey, {
		...next,
		sequence: head.sequence + 1,
		after: head.hash,
	});
	const grown = writeCbor([...(parseCbor(list) as Uint8Array[]), link]);
	const check = await verifyDeviceList(grown, next.account, head);
	if (!check.ok) throw new Error(`The change makes the device list ${check.error}`);
	return grown;
}

/**
 * Reads a list of `account`: every link signed by its key, chained, certificates valid, and containing `pinned`
 * where one is known. What the caller pins afterwards is `head`.
 */
export async function verifyDeviceList(
	bytes: Uint8Array,
	account: AccountId,
	pinned?: DeviceListHead,
): Promise<Result<DeviceList, DeviceListFailure>> {
	const links = parseCbor(bytes);
	if (!Array.isArray(links) || links.length === 0 || links.length > MAX_DEVICE_CHANGES) {
		return { ok: false, error: 'malformed' };
	}
	const devices = new Map<DeviceId, DeviceCertificate>();
	let hash: Uint8Array = new Uint8Array();
	for (const [sequence, link] of (links as unknown[]).entries()) {
		const failure = await applyLink(link, { account, sequence, after: hash }, devices);
		if (failure) return { ok: false, error: failure };
		hash = sha256(link as Uint8Array);
		if (pinned?.sequence === sequence && !equalBytes(pinned.hash, hash)) {
			return { ok: false, error: 'forked' };
		}
	}
	const head = { sequence: links.length - 1, hash };
	if (pinned && head.sequence < pinned.sequence) return { ok: false, error: 'rollback' };
	return { ok: true, value: { account, head, devices } };
}

/** The same for the engine, which knows devices by their ids. */
export async function readDeviceList(
	bytes: Uint8Array,
	account: AccountId,
	pinned?: DeviceListHead,
): Promise<Result<ReadDeviceList, DeviceListFailure>> {
	const list = await verifyDeviceList(bytes, account, pinned);
	if (!list.ok) return list;
	const { head, devices } = list.value;
	const named = [...devices].map(([device, { deviceName: name, created }]) => {
		return { device, name, created };
	});
	return { ok: true, value: { ...head, devices: named } };
}

async function signLink(
	accountKey: CryptoKey,
	link: {
		readonly account: AccountId;
		readonly sequence: number;
		readonly after?: Uint8Array;
		readonly created: number;
		readonly change: DeviceChange;
	},
): Promise<Uint8Array> {
	const { account, sequence, after = new Uint8Array(), created, change } = link;
	const encoded =
		change.kind === 'add' ? [ADD, change.certificate] : [REMOVE, change.devicePublicKey];
	const key = accountPublicKey(account);
	const body = writeCbor([VERSION, key, sequence, after, created, encoded]);
	return writeCbor([body, await signWith(accountKey, 'kith device list', body)]);
}

/** Verifies one link and does to `devices` what it says; a failure if it does not hold at its place. */
async function applyLink(
	link: unknown,
	place: { readonly account: AccountId; readonly sequence: number; readonly after: Uint8Array },
	devices: Map<DeviceId, DeviceCertificate>,
): Promise<'malformed' | 'forged' | undefined> {
	const read = link instanceof Uint8Array ? readLink(link) : undefined;
	if (!read) return 'malformed';
	const publicKey = accountPublicKey(place.account);
	const chained =
		equalBytes(read.account, publicKey) &&
		read.sequence === place.sequence &&
		equalBytes(read.after, place.after);
	if (!chained) return 'forged';
	const { body, signature } = read;
	if (
		!(await verifySignature({ publicKey, purpose: 'kith device list', bytes: body, signature }))
	) {
		return 'forged';
	}
	if (read.change.kind === 'remove') {
		// Removing what is not there would make two lists of one meaning, and the last device cannot remove itself:
		// an account without devices is an account that nobody can reach or change again.
		const device = deviceIdOf(read.change.devicePublicKey);
		return devices.delete(device) && devices.size > 0 ? undefined : 'malformed';
	}
	const certificate = await verifyCertificate(read.change.certificate);
	if (!certificate.ok) return certificate.error;
	if (certificate.value.account !== place.account) return 'forged';
	const device = deviceIdOf(certificate.value.devicePublicKey);
	if (devices.has(device)) return 'malformed';
	devices.set(device, certificate.value);
	return undefined;
}

function readLink(bytes: Uint8Array) {
	const parts = parseCbor(bytes);
	if (!Array.isArray(parts) || parts.length !== 2) return undefined;
	const [body, signature] = parts as unknown[];
	if (!(body instanceof Uint8Array) || !isBytes(signature, SIGNATURE_BYTES)) return undefined;
	const items = parseCbor(body);
	if (!Array.isArray(items) || items.length !== 6 || items[0] !== VERSION) return undefined;
	const [, account, sequence, after, created, change] = items as unknown[];
	const parsedChange = readChange(change);
	if (!isBytes(account, PUBLIC_KEY_BYTES) || !parsedChange) return undefined;
	if (!isBytes(after, HASH_BYTES) && !isBytes(after, 0)) return undefined;
	if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(created)) return undefined;
	return { body, signature, account, sequence: sequence as number, after, change: parsedChange };
}

function readChange(change: unknown): DeviceChange | undefined {
	if (!Array.isArray(change) || change.length !== 2) return undefined;
	const [kind, bytes] = change as unknown[];
	if (kind === ADD && bytes instanceof Uint8Array) return { kind: 'add', certificate: bytes };
	if (kind === REMOVE && isBytes(bytes, PUBLIC_KEY_BYTES)) {
		return { kind: 'remove', devicePublicKey: bytes };
	}
	return undefined;
}

function isBytes(value: unknown, length: number): value is Uint8Array {
	return value instanceof Uint8Array && value.length === length;
}
