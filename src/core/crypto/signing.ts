// Ed25519 (RFC 8032) with the purpose inside what is signed, so that a signature given for one purpose can never
// pass for another: what is signed is the purpose in ASCII, a zero byte, and the bytes.
import type { SigningPurpose } from '../ports.ts';
import { toBase64Url } from '../../protocol/ids.ts';
import { concatBytes, toBufferSource, utf8 } from './bytes.ts';

/** What the account key signs; the other purposes belong to device keys. */
export type AccountPurpose = 'kith device certificate' | 'kith device list';

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const MLS_LABEL = utf8('MLS 1.0 ');

/**
 * The bytes that a signature of `purpose` covers.
 *
 * MLS is the exception: RFC 9420 5.1.2 already puts a length byte and "MLS 1.0 " in front, which no purpose of
 * ours begins with, and another MLS implementation could not verify a second prefix. Throws when bytes for MLS
 * lack that label, or the device key could be made to sign anything.
 */
export function signedBytes(
	purpose: SigningPurpose | AccountPurpose,
	bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
	if (purpose !== 'kith mls') return concatBytes(utf8(purpose), Uint8Array.of(0), bytes);
	if (!MLS_LABEL.every((byte, at) => bytes[at + 1] === byte)) {
		throw new Error('Bytes to sign for MLS must carry its label (RFC 9420 5.1.2)');
	}
	return toBufferSource(bytes);
}

/** Keys of people one hears from again and again; the one not heard for longest goes first. */
const MOST_KEYS = 256;
const keys = new Map<string, Promise<CryptoKey>>();

function verificationKey(publicKey: Uint8Array): Promise<CryptoKey> {
	const name = toBase64Url(publicKey);
	const known = keys.get(name);
	keys.delete(name);
	const key =
		known ??
		crypto.subtle.importKey('raw', toBufferSource(publicKey), 'Ed25519', false, ['verify']);
	keys.set(name, key);
	const [oldest] = keys.keys();
	if (keys.size > MOST_KEYS && oldest !== undefined) keys.delete(oldest);
	return key;
}

/** A claim that `signature` is by `publicKey` over `bytes` for `purpose`. */
export interface SignatureClaim {
	readonly publicKey: Uint8Array;
	readonly purpose: SigningPurpose | AccountPurpose;
	readonly bytes: Uint8Array;
	readonly signature: Uint8Array;
}

/** True if the claim holds; false for anything else, a key or signature of the wrong shape included. */
export async function verifySignature(claim: SignatureClaim): Promise<boolean> {
	if (claim.publicKey.length !== PUBLIC_KEY_BYTES) return false;
	if (claim.signature.length !== SIGNATURE_BYTES) return false;
	const message = signedBytes(claim.purpose, claim.bytes);
	try {
		const key = await verificationKey(claim.publicKey);
		return await crypto.subtle.verify('Ed25519', key, toBufferSource(claim.signature), message);
	} catch {
		return false; // 32 bytes that are not a point: some engines say so at import, some at verification
	}
}

/** Signs with a CryptoKey, which may be (and for devices is) non-extractable. */
export async function signWith(
	key: CryptoKey,
	purpose: SigningPurpose | AccountPurpose,
	bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
	return new Uint8Array(await crypto.subtle.sign('Ed25519', key, signedBytes(purpose, bytes)));
}
