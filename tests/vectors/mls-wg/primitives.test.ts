// The working group's vectors of what everything else is made of (RFC 9420 2.1.2, 5.1, 5.2, 8, 8.4, appendix C).
import { strict as assert } from 'node:assert';
import { determineLength, lengthEncoder } from 'ts-mls/codec/variableLength.js';
import { refhash } from 'ts-mls/crypto/hash.js';
import { decryptWithLabel, encryptWithLabel } from 'ts-mls/crypto/hpke.js';
import { deriveSecret, deriveTreeSecret, expandWithLabel } from 'ts-mls/crypto/kdf.js';
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js';
import { InternalError } from 'ts-mls/mlsError.js';
import type { PreSharedKeyID } from 'ts-mls/presharedkey.js';
import { computePskSecret } from 'ts-mls/presharedkey.js';
import * as treemath from 'ts-mls/treemath.js';
import { SIGNING_HANDLE } from '../../../src/core/crypto/mls-suite.ts';
import cryptoBasics from './crypto-basics.json' with { type: 'json' };
import deserialization from './deserialization.json' with { type: 'json' };
import pskSecrets from './psk_secret.json' with { type: 'json' };
import treeMath from './tree-math.json' with { type: 'json' };
import { SUITE_NUMBER, assertBytes, bytesOf, describeVectors, suiteOf } from './vectors.ts';

const suite = await suiteOf();

describeVectors({ topic: 'crypto basics', vectors: cryptoBasics }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const { kdf } = suite;
	const {
		ref_hash: ref,
		expand_with_label: expanded,
		derive_secret: derived,
		derive_tree_secret: ofTree,
	} = vector;
	assertBytes(await refhash(ref.label, bytesOf(ref.value), suite.hash), ref.out);
	const [secret, context] = [bytesOf(expanded.secret), bytesOf(expanded.context)];
	assertBytes(
		await expandWithLabel(secret, expanded.label, context, expanded.length, kdf),
		expanded.out,
	);
	assertBytes(await deriveSecret(bytesOf(derived.secret), derived.label, kdf), derived.out);
	const { label, generation, length } = ofTree;
	assertBytes(
		await deriveTreeSecret(bytesOf(ofTree.secret), label, generation, length, kdf),
		ofTree.out,
	);
	await verifySigning(vector.sign_with_label);
	await verifyEncryption(vector.encrypt_with_label);
});

async function verifySigning(vector: (typeof cryptoBasics)[number]['sign_with_label']) {
	const [publicKey, content] = [bytesOf(vector.pub), bytesOf(vector.content)];
	const { signature: signing } = await suiteOf(vector.priv);
	const ours = await signWithLabel(SIGNING_HANDLE, vector.label, content, signing);
	for (const signature of [bytesOf(vector.signature), ours]) {
		assert(await verifyWithLabel(publicKey, vector.label, content, signature, signing));
	}
}

async function verifyEncryption(vector: (typeof cryptoBasics)[number]['encrypt_with_label']) {
	const { hpke } = suite;
	const [context, plaintext] = [bytesOf(vector.context), bytesOf(vector.plaintext)];
	const publicKey = await hpke.importPublicKey(bytesOf(vector.pub));
	const privateKey = await hpke.importPrivateKey(bytesOf(vector.priv));
	const ours = await encryptWithLabel(publicKey, vector.label, context, plaintext, hpke);
	const theirs = { enc: bytesOf(vector.kem_output), ct: bytesOf(vector.ciphertext) };
	for (const { enc, ct } of [theirs, ours]) {
		const opened = await decryptWithLabel(privateKey, vector.label, context, enc, ct, hpke);
		assertBytes(opened, vector.plaintext);
	}
}

describeVectors({ topic: 'tree math', vectors: treeMath }, (vector) => {
	const width = vector.n_leaves;
	assert.equal(treemath.nodeWidth(width), vector.n_nodes);
	assert.equal(treemath.root(width), vector.root);
	const nodes = Array.from({ length: vector.n_nodes }, (_, index) => treemath.toNodeIndex(index));
	const of = (relative: (node: treemath.NodeIndex) => number) =>
		nodes.map((node) => orNull(() => relative(node)));
	assert.deepEqual(of(treemath.left), vector.left);
	assert.deepEqual(of(treemath.right), vector.right);
	assert.deepEqual(
		of((node) => treemath.parent(node, width)),
		vector.parent,
	);
	assert.deepEqual(
		of((node) => treemath.sibling(node, width)),
		vector.sibling,
	);
});

/** Null for a node that has no such relative. */
function orNull(find: () => number): number | null {
	try {
		return find();
	} catch (error) {
		if (error instanceof InternalError) return null;
		throw error;
	}
}

describeVectors({ topic: 'deserialization', vectors: deserialization }, (vector) => {
	const { vlbytes_header: header, length } = vector;
	const bytes = bytesOf(header);
	assert.deepEqual(determineLength(bytes), { length, lengthFieldSize: bytes.length });
	const [size, write] = lengthEncoder(length);
	const encoded = new Uint8Array(size);
	write(0, encoded.buffer);
	assertBytes(encoded, header);
});

interface PskVector {
	readonly cipher_suite: number;
	readonly psks: readonly { psk_id: string; psk: string; psk_nonce: string }[];
	readonly psk_secret: string;
}

describeVectors<PskVector>({ topic: 'psk_secret', vectors: pskSecrets }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const psks = vector.psks.map(({ psk_id: id, psk, psk_nonce: nonce }) => {
		const named = { psktype: 'external', pskId: bytesOf(id), pskNonce: bytesOf(nonce) } as const;
		return [named, bytesOf(psk)] satisfies [PreSharedKeyID, Uint8Array];
	});
	assertBytes(await computePskSecret(psks, suite), vector.psk_secret);
});
