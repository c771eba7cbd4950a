// The keys behind an invite link (SPEC AD-5). The link's 32-byte secret stays in the fragment; HKDF-SHA-256
// (RFC 5869) makes of it the address that the relay knows and the key of the card that the relay keeps.
import { idFrom } from '../../protocol/ids.ts';
import type { Address } from '../../protocol/ids.ts';
import type { InviteKeys } from '../ports.ts';
import { openBox, sealBox } from './aes-box.ts';
import { ID_BYTES, toBufferSource, utf8 } from './bytes.ts';

const SECRET_BYTES = 32;

/** Throws for a secret that is not 32 bytes: the caller checks what it reads from a link. */
export async function deriveInviteKeys(secret: Uint8Array): Promise<InviteKeys> {
	if (secret.length !== SECRET_BYTES) throw new Error('The secret of an invite link has 32 bytes');
	const material = await crypto.subtle.importKey('raw', toBufferSource(secret), 'HKDF', false, [
		'deriveBits',
		'deriveKey',
	]);
	const hkdf = (label: string) => ({
		name: 'HKDF',
		hash: 'SHA-256',
		salt: new Uint8Array(),
		info: utf8(label),
	});
	const [addressBytes, key] = await Promise.all([
		crypto.subtle.deriveBits(hkdf('kith link address'), material, ID_BYTES * 8),
		crypto.subtle.deriveKey(
			hkdf('kith link card'),
			material,
			{ name: 'AES-GCM', length: 256 },
			false,
			['encrypt', 'decrypt'],
		),
	]);
	const address = idFrom<Address>(new Uint8Array(addressBytes));
	// The relay could otherwise show the card of one address under another.
	const associated = new Uint8Array(addressBytes);
	return {
		address,
		sealCard: (card) => sealBox(key, card, associated),
		openCard: (sealed) => openBox(key, sealed, associated),
	};
}
