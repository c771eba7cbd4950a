// AES-256-GCM over whole byte strings: version, random 96-bit nonce, ciphertext with tag. Random nonces keep their
// safety margin up to 2^32 boxes of one key (NIST SP 800-38D 8.3); no key of ours comes near.
import { concatBytes, toBufferSource } from './bytes.ts';

const VERSION = Uint8Array.of(1);
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What a box is longer than what is in it. */
export const BOX_OVERHEAD = VERSION.length + NONCE_BYTES + TAG_BYTES;

/** Seals `plain`; only the same key and the same `associated` data open it again. */
export async function sealBox(
	key: CryptoKey,
	plain: Uint8Array,
	associated: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
	const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
	const sealed = await crypto.subtle.encrypt(
		{ name: 'AES-GCM', iv: nonce, additionalData: concatBytes(VERSION, associated) },
		key,
		toBufferSource(plain),
	);
	return concatBytes(VERSION, nonce, new Uint8Array(sealed));
}

/** Inverse of {@link sealBox}; undefined for a box of another key or associated data, or no box at all. */
export async function openBox(
	key: CryptoKey,
	box: Uint8Array,
	associated: Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
	if (box.length < BOX_OVERHEAD || box[0] !== VERSION[0]) return undefined;
	const nonce = toBufferSource(box.subarray(VERSION.length, VERSION.length + NONCE_BYTES));
	try {
		const plain = await crypto.subtle.decrypt(
			{ name: 'AES-GCM', iv: nonce, additionalData: concatBytes(VERSION, associated) },
			key,
			toBufferSource(box.subarray(VERSION.length + NONCE_BYTES)),
		);
		return new Uint8Array(plain);
	} catch {
		return undefined; // an OperationError: the tag does not hold
	}
}
