// The one cipher suite of Kith (RFC 9420 17.1, suite 1), put together from its parts: the index of ts-mls drags in
// the other suites and packages that are not installed.
//
// - Signing is turned around: ts-mls wants the private key as bytes to sign with, but a device key never leaves
//   WebCrypto. So the "key" that its states carry is an empty handle, and signing goes to the Identity port.
// - Hashes and HKDF are synchronous (noble-hashes, audited). A tree of 1,000 leaves takes 8,000 of them per commit
//   over inputs of 300 bytes, and a WebCrypto call costs twenty times what the hash does. Keys of AES and X25519
//   stay with WebCrypto.
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { CiphersuiteImpl, CiphersuiteName } from 'ts-mls';
import { getCiphersuiteFromName } from 'ts-mls/crypto/ciphersuite.js';
import { makeGenericHpke } from 'ts-mls/crypto/implementation/hpke.js';
import { constantTimeEqual } from 'ts-mls/util/constantTimeCompare.js';
import type { Identity } from '../ports.ts';
import { copyBytes, toBufferSource } from './bytes.ts';
import { verifySignature } from './signing.ts';

export const SUITE: CiphersuiteName = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519';

/** Stands where ts-mls wants a private key; there is nothing in it. */
export const SIGNING_HANDLE = new Uint8Array();

const hash: CiphersuiteImpl['hash'] = {
	digest: (data) => Promise.resolve(sha256(data)),
	mac: (key, data) => Promise.resolve(hmac(sha256, key, data)),
	verifyMac: (key, mac, data) => Promise.resolve(constantTimeEqual(hmac(sha256, key, data), mac)),
};

const kdf: CiphersuiteImpl['kdf'] = {
	extract: (salt, material) => Promise.resolve(extract(sha256, material, salt)),
	expand: (key, info, length) => Promise.resolve(expand(sha256, key, info, length)),
	size: 32,
};

/** The same HKDF inside HPKE's key schedule (RFC 9180 5.1). */
class SynchronousHkdf extends HkdfSha256 {
	override extract(salt: BytesLike, material: BytesLike): Promise<ArrayBuffer> {
		return Promise.resolve(toArrayBuffer(extract(sha256, toBytes(material), toBytes(salt))));
	}
	override expand(key: BytesLike, info: BytesLike, length: number): Promise<ArrayBuffer> {
		return Promise.resolve(toArrayBuffer(expand(sha256, toBytes(key), toBytes(info), length)));
	}
	override async extractAndExpand(
		salt: BytesLike,
		material: BytesLike,
		info: BytesLike,
		length: number,
	): Promise<ArrayBuffer> {
		return this.expand(await this.extract(salt, material), info, length);
	}
}

type BytesLike = ArrayBufferLike | ArrayBufferView;

function toBytes(data: BytesLike): Uint8Array {
	return ArrayBuffer.isView(data)
		? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
		: new Uint8Array(data);
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
	return copyBytes(bytes).buffer;
}

export async function createSuite(identity: Identity): Promise<CiphersuiteImpl> {
	const hpke = new CipherSuite({
		kem: new DhkemX25519HkdfSha256(),
		kdf: new SynchronousHkdf(),
		aead: new Aes128Gcm(),
	});
	return {
		name: SUITE,
		hash,
		kdf,
		hpke: await makeGenericHpke(getCiphersuiteFromName(SUITE).hpke, aead, hpke),
		rng: { randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
		signature: {
			sign: (_handle, message) => identity.sign('kith mls', message),
			verify: (publicKey, message, signature) =>
				verifySignature({ publicKey, purpose: 'kith mls', bytes: message, signature }),
			keygen: () => {
				throw new Error('Signature keys are device keys; none is made for a group');
			},
		},
	};
}

type AesOperation = 'encrypt' | 'decrypt';

const aead = {
	encrypt: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) =>
		aes('encrypt', key, { nonce, aad, input: plaintext }),
	decrypt: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array) =>
		aes('decrypt', key, { nonce, aad, input: ciphertext }),
};

async function aes(
	operation: AesOperation,
	rawKey: Uint8Array,
	{ nonce, aad, input }: { nonce: Uint8Array; aad: Uint8Array; input: Uint8Array },
): Promise<Uint8Array> {
	const key = await crypto.subtle.importKey('raw', toBufferSource(rawKey), 'AES-GCM', false, [
		operation,
	]);
	const parameters = {
		name: 'AES-GCM',
		iv: toBufferSource(nonce),
		additionalData: toBufferSource(aad),
	};
	return new Uint8Array(await crypto.subtle[operation](parameters, key, toBufferSource(input)));
}
