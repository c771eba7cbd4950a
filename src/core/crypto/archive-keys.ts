// The keys of a backup. A passphrase goes through Argon2id (RFC 9106 4, second recommendation: 64 MiB, 3 passes); a
// recovery code is random already. HKDF-SHA-256 (RFC 5869) makes of either the key of the header's tag and the key of
// the chunks, which are AES-256-GCM with a counting nonce (STREAM, Hoang et al. 2015, as age has it).
import { argon2idAsync } from '@noble/hashes/argon2.js';
import type { ArchiveCrypto, ArchiveKdf, ArchiveKeys, ArchiveSecret } from '../ports.ts';
import { toBufferSource, utf8 } from './bytes.ts';
import { newRecoveryCode, recoveryCodeBytes } from './recovery-code.ts';

const PASSPHRASE: ArchiveKdf = { kind: 'passphrase', memory: 64 * 1024, passes: 3, lanes: 1 };
const NONCE_BYTES = 12;

export const archiveCrypto: ArchiveCrypto = {
	kdf: (kind) => (kind === 'passphrase' ? PASSPHRASE : { kind: 'code' }),
	newCode: newRecoveryCode,
	async deriveKeys(secret, { kdf, salt, header }) {
		const material = await materialOf(secret, kdf, salt);
		return material && keysFrom(material, header);
	},
};

async function materialOf(
	secret: ArchiveSecret,
	kdf: ArchiveKdf,
	salt: Uint8Array,
): Promise<Uint8Array | undefined> {
	if (secret.kind === 'code')
		return kdf.kind === 'code' ? recoveryCodeBytes(secret.code) : undefined;
	if (kdf.kind !== 'passphrase') return undefined;
	return argon2idAsync(utf8(secret.passphrase.normalize('NFKC')), salt, {
		m: kdf.memory,
		t: kdf.passes,
		p: kdf.lanes,
		dkLen: 32,
		maxmem: kdf.memory * 1024 + 2 ** 20,
	});
}

async function keysFrom(material: Uint8Array, header: Uint8Array): Promise<ArchiveKeys> {
	const base = await crypto.subtle.importKey('raw', toBufferSource(material), 'HKDF', false, [
		'deriveKey',
	]);
	const hkdf = (label: string) => ({
		name: 'HKDF',
		hash: 'SHA-256',
		// The header holds the salt of the file, and binds the key to everything else in it.
		salt: toBufferSource(header),
		info: utf8(label),
	});
	const [tagKey, key] = await Promise.all([
		crypto.subtle.deriveKey(
			hkdf('kith archive tag'),
			base,
			{ name: 'HMAC', hash: 'SHA-256', length: 256 },
			false,
			['sign'],
		),
		crypto.subtle.deriveKey(
			hkdf('kith archive chunks'),
			base,
			{ name: 'AES-GCM', length: 256 },
			false,
			['encrypt', 'decrypt'],
		),
	]);
	const tag = await crypto.subtle.sign('HMAC', tagKey, toBufferSource(header));
	return {
		tag: new Uint8Array(tag),
		async seal(chunk, last, plain) {
			const algorithm = { name: 'AES-GCM', iv: nonceOf(chunk, last) };
			return new Uint8Array(await crypto.subtle.encrypt(algorithm, key, toBufferSource(plain)));
		},
		async open(chunk, last, sealed) {
			const algorithm = { name: 'AES-GCM', iv: nonceOf(chunk, last) };
			try {
				return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, toBufferSource(sealed)));
			} catch {
				return undefined; // an OperationError: the tag does not hold
			}
		},
	};
}

/** 11 bytes of counter, one that says whether it is the last. The key is of this file alone: no nonce comes twice. */
function nonceOf(chunk: number, last: boolean): Uint8Array<ArrayBuffer> {
	const nonce = new Uint8Array(NONCE_BYTES);
	new DataView(nonce.buffer).setBigUint64(3, BigInt(chunk));
	nonce[NONCE_BYTES - 1] = last ? 1 : 0;
	return nonce;
}
