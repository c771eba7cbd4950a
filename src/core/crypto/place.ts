// A place at the relay that only those find who have its secret, and the key of what lies there: HKDF-SHA-256
// (RFC 5869) without salt makes both of the secret. What lies at one place does not open at another.
import { openBox, sealBox } from './aes-box.ts';
import { ID_BYTES, utf8 } from './bytes.ts';

interface Place {
	/** 16 bytes: what the relay knows it by. */
	readonly id: Uint8Array;
	seal(plain: Uint8Array): Promise<Uint8Array>;
	/** Undefined for what was not sealed for this place under this secret. */
	open(sealed: Uint8Array): Promise<Uint8Array | undefined>;
}

/** `labels` are HKDF's `info`, one for each of the two. */
export async function placeOf(
	secret: Uint8Array<ArrayBuffer>,
	labels: { readonly id: string; readonly key: string },
): Promise<Place> {
	const material = await crypto.subtle.importKey('raw', secret, 'HKDF', false, [
		'deriveBits',
		'deriveKey',
	]);
	const hkdf = (label: string) => ({
		name: 'HKDF',
		hash: 'SHA-256',
		salt: new Uint8Array(),
		info: utf8(label),
	});
	const [bits, key] = await Promise.all([
		crypto.subtle.deriveBits(hkdf(labels.id), material, ID_BYTES * 8),
		crypto.subtle.deriveKey(hkdf(labels.key), material, { name: 'AES-GCM', length: 256 }, false, [
			'encrypt',
			'decrypt',
		]),
	]);
	const id = new Uint8Array(bits);
	return {
		id,
		// The relay could otherwise show what lies at one place at another.
		seal: (plain) => sealBox(key, plain, id),
		open: (sealed) => openBox(key, sealed, id),
	};
}
