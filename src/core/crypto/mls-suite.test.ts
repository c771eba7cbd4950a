// The suite replaces parts of what ts-mls brings (hashing, HKDF, signing). The library's own WebCrypto parts, which
// pass the vectors of the MLS working group, are the oracle.
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { makeAead } from 'ts-mls/crypto/implementation/default/makeAead.js';
import { makeHashImpl } from 'ts-mls/crypto/implementation/default/makeHashImpl.js';
import { makeKdfImpl } from 'ts-mls/crypto/implementation/default/makeKdfImpl.js';
import { makeGenericHpke } from 'ts-mls/crypto/implementation/hpke.js';
import { getCiphersuiteFromName } from 'ts-mls/crypto/ciphersuite.js';
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js';
import { describe, expect, test } from 'vitest';
import { utf8 } from './bytes.ts';
import { createIdentity, openIdentity } from './identity.ts';
import { SIGNING_HANDLE, SUITE, createSuite } from './mls-suite.ts';

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

const identity = openIdentity(await createIdentity({ deviceName: 'A', created: 0 }));
const suite = await createSuite(identity);
const [aead] = await makeAead('AES128GCM');
const oracle = {
	hash: makeHashImpl(crypto.subtle, 'SHA-256'),
	kdf: makeKdfImpl(new HkdfSha256()),
	hpke: await makeGenericHpke(
		getCiphersuiteFromName(SUITE).hpke,
		aead,
		new CipherSuite({
			kem: new DhkemX25519HkdfSha256(),
			kdf: new HkdfSha256(),
			aead: new Aes128Gcm(),
		}),
	),
};

describe('the suite agrees with the WebCrypto parts of ts-mls', () => {
	test.each([0, 1, 31, 32, 63, 64, 65, 300])('on hashes and HKDF of %i bytes', async (length) => {
		const [data, key] = [random(length), random(32)];
		expect(await suite.hash.digest(data)).toEqual(await oracle.hash.digest(data));
		const mac = await suite.hash.mac(key, data);
		expect(mac).toEqual(await oracle.hash.mac(key, data));
		expect(await suite.hash.verifyMac(key, mac, data)).toBe(true);
		expect(await suite.hash.verifyMac(key, mac.with(0, (mac[0] ?? 0) ^ 1), data)).toBe(false);
		expect(await suite.hash.verifyMac(key, mac.subarray(1), data)).toBe(false);
		expect(await suite.kdf.extract(key, data)).toEqual(await oracle.kdf.extract(key, data));
		for (const wanted of [12, 16, 32, 64]) {
			expect(await suite.kdf.expand(key, data, wanted)).toEqual(
				await oracle.kdf.expand(key, data, wanted),
			);
		}
	});

	test('on AES-GCM, in both directions', async () => {
		const [key, nonce, plain] = [random(16), random(12), random(100)];
		for (const aad of [new Uint8Array(), random(20)]) {
			const sealed = await suite.hpke.encryptAead(key, nonce, aad, plain);
			expect(sealed).toEqual(await oracle.hpke.encryptAead(key, nonce, aad, plain));
			expect(await suite.hpke.decryptAead(key, nonce, aad, sealed)).toEqual(plain);
			const altered = sealed.with(3, (sealed[3] ?? 0) ^ 1);
			await expect(suite.hpke.decryptAead(key, nonce, aad, altered)).rejects.toThrow();
		}
	});

	test('on HPKE, in both directions', async () => {
		const [ours, theirs] = [suite.hpke, oracle.hpke];
		const seed = random(32);
		const pair = await ours.deriveKeyPair(seed);
		const same = await theirs.deriveKeyPair(seed);
		const rawPublic = await ours.exportPublicKey(pair.publicKey);
		expect(rawPublic).toEqual(await theirs.exportPublicKey(same.publicKey));
		const [plain, info, context] = [random(50), random(40), utf8('exporter')];
		for (const [from, to] of [
			[ours, theirs],
			[theirs, ours],
		] as const) {
			const publicKey = await from.importPublicKey(rawPublic);
			const { enc, ct } = await from.seal(publicKey, plain, info, utf8(''));
			expect(await to.open(pair.privateKey, enc, ct, info, utf8(''))).toEqual(plain);
			const sent = await from.exportSecret(publicKey, context, 32, info);
			expect(await to.importSecret(pair.privateKey, context, sent.enc, 32, info)).toEqual(
				sent.secret,
			);
		}
	});
});

test('signatures are those of RFC 9420 5.1.2, made without a key in hand', async () => {
	const signature = await signWithLabel(SIGNING_HANDLE, 'LeafNodeTBS', utf8('x'), suite.signature);
	const verify = (label: string) =>
		verifyWithLabel(identity.devicePublicKey, label, utf8('x'), signature, suite.signature);
	expect(await verify('LeafNodeTBS')).toBe(true);
	expect(await verify('KeyPackageTBS')).toBe(false);
	expect(() => suite.signature.keygen()).toThrow('device keys');
});
