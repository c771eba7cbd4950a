// The one cipher suite of Kith (RFC 9420 17.1, suite 1) on WebCrypto, put together from the parts of ts-mls that we
// use: its own index drags in the other suites and packages that are not installed.
//
// Signing is turned around: ts-mls wants the private key as bytes to sign with, but a device key never leaves
// WebCrypto. So the "key" that its states carry is an empty handle, and signing goes to the Identity port.
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import type { CiphersuiteImpl, CiphersuiteName } from 'ts-mls';
import { getCiphersuiteFromName } from 'ts-mls/crypto/ciphersuite.js';
import { makeHashImpl } from 'ts-mls/crypto/implementation/default/makeHashImpl.js';
import { makeKdfImpl } from 'ts-mls/crypto/implementation/default/makeKdfImpl.js';
import { defaultRng } from 'ts-mls/crypto/implementation/default/rng.js';
import { makeGenericHpke } from 'ts-mls/crypto/implementation/hpke.js';
import type { Identity } from '../ports.ts';
import { toBufferSource } from './bytes.ts';
import { verifySignature } from './signing.ts';

export const SUITE: CiphersuiteName = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519';

/** Stands where ts-mls wants a private key; there is nothing in it. */
export const SIGNING_HANDLE = new Uint8Array();

export async function createSuite(identity: Identity): Promise<CiphersuiteImpl> {
	const { hash, hpke } = getCiphersuiteFromName(SUITE);
	const kdf = new HkdfSha256();
	const kem = new DhkemX25519HkdfSha256();
	return {
		name: SUITE,
		hash: makeHashImpl(crypto.subtle, hash),
		kdf: makeKdfImpl(kdf),
		hpke: await makeGenericHpke(hpke, aead, new CipherSuite({ kem, kdf, aead: new Aes128Gcm() })),
		rng: defaultRng,
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
