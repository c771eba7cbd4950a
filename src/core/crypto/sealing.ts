// Records at rest (encryption.md, "Keys and identities" 2): each row is sealed under a random data key, which the
// store keeps only wrapped under a key that cannot leave WebCrypto. A copy of the database files is then noise,
// and further wrappings (a passphrase, a recovery code) need not touch a single row.
import { openBox, sealBox } from './aes-box.ts';
import { toBufferSource, utf8 } from './bytes.ts';

const NONCE_BYTES = 12;

/** What the store keeps of the data key: structured-cloneable. */
export interface StoredDataKey {
	readonly version: 1;
	/** Non-extractable AES-GCM. */
	readonly wrappingKey: CryptoKey;
	readonly wrappingNonce: Uint8Array<ArrayBuffer>;
	/** The raw data key, wrapped. */
	readonly wrappedDataKey: Uint8Array<ArrayBuffer>;
}

/** Seals and opens rows; holds nothing but the key, so any number may run at once. */
export interface Sealer {
	/** `associated` names where the row lives, as `store/key`: sealed rows cannot change places. */
	seal(plain: Uint8Array, associated: string): Promise<Uint8Array<ArrayBuffer>>;
	/** Rejects with {@link RowNotAuthentic} a row that was altered, moved, cut off, or sealed under another key. */
	open(sealed: Uint8Array, associated: string): Promise<Uint8Array<ArrayBuffer>>;
}

/** A row of our own store that this device did not write there: damage or tampering, never an expected answer. */
export class RowNotAuthentic extends Error {
	override readonly name = 'RowNotAuthentic';
}

export async function createDataKey(): Promise<StoredDataKey> {
	const [wrappingKey, dataKey] = await Promise.all([
		crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['wrapKey', 'unwrapKey']),
		crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']),
	]);
	const wrappingNonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
	const wrapping = { name: 'AES-GCM', iv: wrappingNonce };
	const wrapped = await crypto.subtle.wrapKey('raw', dataKey, wrappingKey, wrapping);
	return { version: 1, wrappingKey, wrappingNonce, wrappedDataKey: new Uint8Array(wrapped) };
}

/** Unwraps the data key. Rejects if what is stored was altered: without it nothing at rest can be read. */
export async function createSealer(stored: StoredDataKey): Promise<Sealer> {
	const key = await crypto.subtle.unwrapKey(
		'raw',
		toBufferSource(stored.wrappedDataKey),
		stored.wrappingKey,
		{ name: 'AES-GCM', iv: toBufferSource(stored.wrappingNonce) },
		'AES-GCM',
		false,
		['encrypt', 'decrypt'],
	);
	return {
		seal: (plain, associated) => sealBox(key, plain, utf8(associated)),
		async open(sealed, associated) {
			const plain = await openBox(key, sealed, utf8(associated));
			if (!plain) throw new RowNotAuthentic(`The row at ${associated} was altered or moved`);
			return plain;
		},
	};
}
