// A device certificate: the account key says "this device key is mine". It is what makes a leaf of a group, a
// mailbox and a person one and the same, and it is the credential of the device's leaves in MLS.
//
// Certificate = CBOR [body, signature]; body = CBOR [1, account key, device key, device name, created ms];
// the signature is by the account key over the body for 'kith device certificate'.
import { sha256 } from '@noble/hashes/sha2.js';
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { AccountId, DeviceId } from '../../protocol/ids.ts';
import { fromBase64Url, idFrom } from '../../protocol/ids.ts';
import type { Result } from '../ports.ts';
import { ID_BYTES, equalBytes } from './bytes.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, signWith, verifySignature } from './signing.ts';

export const MAX_DEVICE_NAME_CHARACTERS = 64;
const VERSION = 1;
/** Two keys, a signature and the longest name stay well below. */
const MAX_BYTES = 1024;

export interface DeviceCertificate {
	readonly account: AccountId;
	readonly devicePublicKey: Uint8Array;
	readonly deviceName: string;
	/** Milliseconds since 1970, by the clock of the device that certified. */
	readonly created: number;
}

export type CertificateFailure = 'malformed' | 'forged';

/** The DeviceId of a device key: first 16 bytes of its SHA-256. */
export function deviceIdOf(devicePublicKey: Uint8Array): DeviceId {
	return idFrom<DeviceId>(sha256(devicePublicKey).subarray(0, ID_BYTES));
}

/** The Ed25519 public key that an AccountId spells; throws for a text that is no AccountId. */
export function accountPublicKey(account: AccountId): Uint8Array<ArrayBuffer> {
	const key = fromBase64Url(account);
	if (key?.length !== PUBLIC_KEY_BYTES) throw new Error('Not an account id');
	return key;
}

/** Signs a certificate with the account's private key. Throws on a name or key that no one could accept. */
export async function issueCertificate(
	accountKey: CryptoKey,
	certificate: DeviceCertificate,
): Promise<Uint8Array> {
	const { account, devicePublicKey, deviceName, created } = certificate;
	const body = writeCbor([
		VERSION,
		accountPublicKey(account),
		devicePublicKey,
		deviceName,
		created,
	]);
	if (!readBody(body)) throw new Error('Device name, key or time out of bounds');
	return writeCbor([body, await signWith(accountKey, 'kith device certificate', body)]);
}

/** What a certificate says, without asking whether it is true. Undefined for bytes that are none. */
export function readCertificate(bytes: Uint8Array): DeviceCertificate | undefined {
	const signed = readSigned(bytes);
	return signed && readBody(signed.body);
}

/** What a certificate says, once its signature holds. */
export async function verifyCertificate(
	bytes: Uint8Array,
): Promise<Result<DeviceCertificate, CertificateFailure>> {
	const signed = readSigned(bytes);
	const certificate = signed && readBody(signed.body);
	if (!certificate) return { ok: false, error: 'malformed' };
	const holds = await verifySignature({
		publicKey: accountPublicKey(certificate.account),
		purpose: 'kith device certificate',
		bytes: signed.body,
		signature: signed.signature,
	});
	return holds ? { ok: true, value: certificate } : { ok: false, error: 'forged' };
}

/** RFC 9420 5.3.1: true if the certificate holds and is about exactly this signature key. */
export async function certifies(bytes: Uint8Array, signatureKey: Uint8Array): Promise<boolean> {
	const certificate = await verifyCertificate(bytes);
	return certificate.ok && equalBytes(certificate.value.devicePublicKey, signatureKey);
}

function readSigned(bytes: Uint8Array) {
	if (bytes.length > MAX_BYTES) return undefined;
	const items = parseCbor(bytes);
	if (!Array.isArray(items) || items.length !== 2) return undefined;
	const [body, signature] = items as unknown[];
	if (!(body instanceof Uint8Array) || !(signature instanceof Uint8Array)) return undefined;
	return signature.length === SIGNATURE_BYTES ? { body, signature } : undefined;
}

function readBody(bytes: Uint8Array): DeviceCertificate | undefined {
	const items = parseCbor(bytes);
	if (!Array.isArray(items) || items.length !== 5) return undefined;
	const [version, account, devicePublicKey, deviceName, created] = items as unknown[];
	if (version !== VERSION || !isPublicKey(account) || !isPublicKey(devicePublicKey))
		return undefined;
	if (
		typeof deviceName !== 'string' ||
		Array.from(deviceName).length > MAX_DEVICE_NAME_CHARACTERS
	) {
		return undefined;
	}
	if (typeof created !== 'number' || !Number.isSafeInteger(created) || created < 0)
		return undefined;
	return { account: idFrom<AccountId>(account), devicePublicKey, deviceName, created };
}

function isPublicKey(value: unknown): value is Uint8Array {
	return value instanceof Uint8Array && value.length === PUBLIC_KEY_BYTES;
}
