// The keys behind a recovery code (SPEC CP-1): HKDF-SHA-256 (RFC 5869) makes of it the id that the relay knows and the
// key of what it keeps there. The code has 160 random bits, so nothing has to make guessing slow.
import { idFrom, type CapsuleId } from '../../protocol/ids.ts';
import type { CapsuleKeys } from '../ports.ts';
import { openBox, sealBox } from './aes-box.ts';
import { ID_BYTES, utf8 } from './bytes.ts';
import { recoveryCodeBytes } from './recovery-code.ts';

/** Undefined for what is no recovery code. */
export async function deriveCapsuleKeys(code: string): Promise<CapsuleKeys | undefined> {
	const bytes = recoveryCodeBytes(code);
	if (!bytes) return undefined;
	const material = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, [
		'deriveBits',
		'deriveKey',
	]);
	const hkdf = (label: string) => ({
		name: 'HKDF',
		hash: 'SHA-256',
		salt: new Uint8Array(),
		info: utf8(label),
	});
	const [idBits, key] = await Promise.all([
		crypto.subtle.deriveBits(hkdf('kith capsule id'), material, ID_BYTES * 8),
		crypto.subtle.deriveKey(
			hkdf('kith capsule key'),
			material,
			{ name: 'AES-GCM', length: 256 },
			false,
			['encrypt', 'decrypt'],
		),
	]);
	const associated = new Uint8Array(idBits);
	return {
		capsule: idFrom<CapsuleId>(associated),
		seal: (plain) => sealBox(key, plain, associated),
		open: (sealed) => openBox(key, sealed, associated),
	};
}
