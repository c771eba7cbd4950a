// What one device of a person hands to a new one (SPEC DE-8). The new one shows a public key, X25519, made for this once;
// whoever sees it can seal for it and find where that lies, and nothing more. Key: HKDF-SHA-256 of the agreed secret, bound
// to both public keys. Sealed = ephemeral public key, AES box.
import { idFrom, type Address } from '../../protocol/ids.ts';
import type { OfferKeys } from '../ports.ts';
import { openBox, sealBox } from './aes-box.ts';
import { ID_BYTES, concatBytes, toBufferSource, utf8 } from './bytes.ts';

const KEY_BYTES = 32;
const X25519 = { name: 'X25519' };

/** Keys of a device that wants to be brought in. */
export async function newOfferKeys(): Promise<OfferKeys> {
	const made = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as CryptoKeyPair;
	const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', made.publicKey));
	return {
		publicKey,
		address: await offerAddress(publicKey),
		async open(sealed) {
			if (sealed.length < KEY_BYTES) return undefined;
			const ephemeral = sealed.slice(0, KEY_BYTES);
			try {
				const key = await agree(made.privateKey, { ephemeral, theirs: ephemeral, publicKey });
				return await openBox(key, sealed.slice(KEY_BYTES), publicKey);
			} catch {
				return undefined; // no point of the curve
			}
		},
	};
}

/** Seals for whoever made `publicKey`; undefined for bytes that are no key. */
export async function sealOffer(
	publicKey: Uint8Array,
	plain: Uint8Array,
): Promise<{ readonly address: Address; readonly sealed: Uint8Array } | undefined> {
	if (publicKey.length !== KEY_BYTES) return undefined;
	const made = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as CryptoKeyPair;
	const ephemeral = new Uint8Array(await crypto.subtle.exportKey('raw', made.publicKey));
	try {
		const key = await agree(made.privateKey, { ephemeral, theirs: publicKey, publicKey });
		const box = await sealBox(key, plain, publicKey);
		return { address: await offerAddress(publicKey), sealed: concatBytes(ephemeral, box) };
	} catch {
		return undefined; // no point of the curve, or one of those that agree with everybody
	}
}

async function agree(
	privateKey: CryptoKey,
	{
		ephemeral,
		theirs,
		publicKey,
	}: {
		readonly ephemeral: Uint8Array;
		readonly theirs: Uint8Array;
		readonly publicKey: Uint8Array;
	},
): Promise<CryptoKey> {
	const other = await crypto.subtle.importKey('raw', toBufferSource(theirs), X25519, false, []);
	const agreed = await crypto.subtle.deriveBits({ ...X25519, public: other }, privateKey, 256);
	const material = await crypto.subtle.importKey('raw', agreed, 'HKDF', false, ['deriveKey']);
	const info = concatBytes(utf8('kith device offer'), ephemeral, publicKey);
	return crypto.subtle.deriveKey(
		{ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info },
		material,
		{ name: 'AES-GCM', length: 256 },
		false,
		['encrypt', 'decrypt'],
	);
}

/** Where what is sealed for this key lies. */
export async function offerAddress(publicKey: Uint8Array): Promise<Address> {
	const named = concatBytes(utf8('kith device address'), publicKey);
	const hash = await crypto.subtle.digest('SHA-256', toBufferSource(named));
	return idFrom<Address>(new Uint8Array(hash).subarray(0, ID_BYTES));
}
