// What the tests of the working group's vectors share: bytes from hex, the cipher suite as Kith puts it together, and
// the proof that a vector would notice a slip in any of its values.
import { strict as assert } from 'node:assert';
import type { CiphersuiteImpl, ClientConfig, GroupContext, RatchetTree } from 'ts-mls';
import type { Decoder } from 'ts-mls/codec/tlsDecoder.js';
import type { BufferEncoder } from 'ts-mls/codec/tlsEncoder.js';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { defaultClientConfig } from 'ts-mls/clientConfig.js';
import { validateRatchetTree } from 'ts-mls/clientState.js';
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js';
import { decodeRatchetTree, ratchetTreeEncoder } from 'ts-mls/ratchetTree.js';
import { treeHashRoot } from 'ts-mls/treeHash.js';
import { describe, test } from 'vitest';
import { createIdentity, openIdentity } from '../../../src/core/crypto/identity.ts';
import { SIGNING_HANDLE, SUITE, createSuite } from '../../../src/core/crypto/mls-suite.ts';

/** MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 (RFC 9420 17.1). */
export const SUITE_NUMBER = 1;

/** Enough for the vectors, whose messages are of the first generations of one epoch. */
export const RETENTION = {
	retainKeysForGenerations: 20,
	retainKeysForEpochs: 0,
	maximumForwardRatchetSteps: 20,
};

/** A member who takes the word of everybody's credential, at any time: the vectors are of 2023, of nobody. */
export const CLIENT: ClientConfig = {
	...defaultClientConfig,
	lifetimeConfig: { ...defaultClientConfig.lifetimeConfig, validateLifetimeOnReceive: false },
	authService: { validateCredential: () => Promise.resolve(true) },
};

/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410 7). */
const PKCS8_ED25519 = '302e020100300506032b657004220420';

const stored = await createIdentity({ deviceName: 'Vectors', created: 0 });

/** The suite of a device whose signature key is `privateKey` (32 bytes in hex), or a fresh one. */
export async function suiteOf(privateKey?: string): Promise<CiphersuiteImpl> {
	if (privateKey === undefined) return createSuite(openIdentity(stored));
	const deviceKey = await crypto.subtle.importKey(
		'pkcs8',
		bytesOf(PKCS8_ED25519 + privateKey),
		'Ed25519',
		false,
		['sign'],
	);
	return createSuite(openIdentity({ ...stored, deviceKey }));
}

export function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
	assert.match(hex, /^([0-9a-f]{2})*$/iu);
	return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function assertBytes(actual: Uint8Array | undefined, hex: string): void {
	assert(actual);
	assert.equal(Buffer.from(actual).toString('hex'), hex.toLowerCase());
}

/** What `hex` holds: one value, nothing after it, and the same bytes when it is encoded again. */
export function decodeWhole<T>(decode: Decoder<T>, encoder: BufferEncoder<T>, hex: string): T {
	const decoded = decode(bytesOf(hex), 0);
	assert(decoded);
	assertBytes(encode(encoder)(decoded[0]), hex);
	return decoded[0];
}

/** A ratchet tree as the extension of that name holds it (RFC 9420 12.4.3.3). */
export function treeOf(hex: string): RatchetTree {
	return decodeWhole(decodeRatchetTree, ratchetTreeEncoder, hex);
}

/** That signatures, keys, unmerged leaves and parent hashes are as one who joins demands (RFC 9420 12.4.3.1). */
export async function assertValidTree(tree: RatchetTree, groupId: string): Promise<void> {
	const suite = await suiteOf();
	const hash = await treeHashRoot(tree, suite.hash);
	const context = groupContextOf({
		group_id: groupId,
		epoch: 0,
		tree_hash: Buffer.from(hash).toString('hex'),
		confirmed_transcript_hash: '',
	});
	const { lifetimeConfig, authService } = CLIENT;
	const error = await validateRatchetTree(tree, context, lifetimeConfig, authService, hash, suite);
	assert.equal(error, undefined);
}

/** That the private key (32 bytes in hex) belongs to an HPKE public key. */
export async function assertHpkeKey(privateKey: string, publicKey: Uint8Array): Promise<void> {
	const { hpke } = await suiteOf();
	const text = new Uint8Array(1);
	const { enc, ct } = await hpke.seal(await hpke.importPublicKey(publicKey), text, text);
	const opened = await hpke.open(await hpke.importPrivateKey(bytesOf(privateKey)), enc, ct, text);
	assert.deepEqual(opened, text);
}

/** That the private key (32 bytes in hex) belongs to a signature public key. */
export async function assertSignatureKey(privateKey: string, publicKey: Uint8Array): Promise<void> {
	const { signature: signing } = await suiteOf(privateKey);
	const text = new Uint8Array(1);
	const signature = await signWithLabel(SIGNING_HANDLE, 'LeafNodeTBS', text, signing);
	assert(await verifyWithLabel(publicKey, 'LeafNodeTBS', text, signature, signing));
}

/** The GroupContext that a vector spells out; the groups of the vectors have no extensions. */
export function groupContextOf(vector: {
	readonly group_id: string;
	readonly epoch: number;
	readonly tree_hash: string;
	readonly confirmed_transcript_hash: string;
}): GroupContext {
	return {
		version: 'mls10',
		cipherSuite: SUITE,
		groupId: bytesOf(vector.group_id),
		epoch: BigInt(vector.epoch),
		treeHash: bytesOf(vector.tree_hash),
		confirmedTranscriptHash: bytesOf(vector.confirmed_transcript_hash),
		extensions: [],
	};
}

interface Topic<V> {
	readonly topic: string;
	readonly vectors: readonly V[];
	/** Paths to values that `verify` must not depend on. */
	readonly free?: readonly string[];
}

/** Tests that `verify` accepts every vector of a topic, and none of which a single value was altered. */
export function describeVectors<V>(
	{ topic, vectors, free = [] }: Topic<V>,
	verify: (vector: V) => void | Promise<void>,
): void {
	describe(topic, () => {
		const entries = vectors.map((vector, index) => ({ vector, index }));
		test.each(entries)('entry $index holds', async ({ vector }) => verify(vector));
		test.each(entries)('entry $index does not hold when altered', async ({ vector }) => {
			const lies = [...alterations(vector, '')];
			assert(lies.length > 0);
			for (const [place, lie] of lies) {
				const verified = async () => verify(lie as V);
				if (free.includes(place)) await assert.doesNotReject(verified, `${place} counts`);
				else await assert.rejects(verified, `${place} may be altered`);
			}
		});
	});
}

/** `value` with one of the values in it altered, for each of them, and the path to it. */
function* alterations(value: unknown, place: string): Generator<[string, unknown]> {
	if (typeof value === 'string') yield [place, altered(value)];
	if (typeof value === 'number') yield [place, value + 1];
	if (typeof value !== 'object' || value === null) return;
	for (const [key, held] of Object.entries(value)) {
		for (const [where, lie] of alterations(held, `${place}.${key}`)) {
			yield [where, Array.isArray(value) ? value.with(Number(key), lie) : { ...value, [key]: lie }];
		}
	}
}

/** One bit of the byte in the middle: X25519 ignores some of the first and of the last (RFC 7748 5). */
function altered(text: string): string {
	if (!/^([0-9a-f]{2})+$/iu.test(text)) return `${text}!`;
	const bytes = bytesOf(text);
	const middle = bytes.length >> 1;
	return Buffer.from(bytes.with(middle, (bytes[middle] ?? 0) ^ 1)).toString('hex');
}
