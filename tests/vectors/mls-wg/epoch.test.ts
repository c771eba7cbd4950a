// The working group's vectors of an epoch's secrets and of its transcript (RFC 9420 6.3.2, 8, 8.2, 8.5, 9).
import { strict as assert } from 'node:assert';
import {
	authenticatedContentEncoder,
	decodeAuthenticatedContent,
} from 'ts-mls/authenticatedContent.js';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { verifyConfirmationTag } from 'ts-mls/framedContent.js';
import { decodeGroupContext, groupContextEncoder } from 'ts-mls/groupContext.js';
import { initializeEpoch, mlsExporter } from 'ts-mls/keySchedule.js';
import { createSecretTree, ratchetToGeneration } from 'ts-mls/secretTree.js';
import { expandSenderDataKey, expandSenderDataNonce } from 'ts-mls/sender.js';
import { createConfirmedHash, createInterimHash } from 'ts-mls/transcriptHash.js';
import keySchedules from './key-schedule.json' with { type: 'json' };
import secretTrees from './secret-tree.json' with { type: 'json' };
import transcripts from './transcript-hashes.json' with { type: 'json' };
import {
	RETENTION,
	SUITE_NUMBER,
	assertBytes,
	bytesOf,
	decodeWhole,
	describeVectors,
	groupContextOf,
	suiteOf,
} from './vectors.ts';

const suite = await suiteOf();

describeVectors({ topic: 'key schedule', vectors: keySchedules }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	let initSecret = bytesOf(vector.initial_init_secret);
	for (const [number, epoch] of vector.epochs.entries()) {
		const context = groupContextOf({ ...epoch, group_id: vector.group_id, epoch: number });
		assertBytes(encode(groupContextEncoder)(context), epoch.group_context);
		assert.deepEqual(
			decodeWhole(decodeGroupContext, groupContextEncoder, epoch.group_context),
			context,
		);
		const commitSecret = bytesOf(epoch.commit_secret);
		const pskSecret = bytesOf(epoch.psk_secret);
		const secrets = await initializeEpoch(initSecret, commitSecret, context, pskSecret, suite.kdf);
		await verifyEpoch(secrets, epoch);
		initSecret = bytesOf(epoch.init_secret);
	}
});

type EpochVector = (typeof keySchedules)[number]['epochs'][number];

async function verifyEpoch(
	secrets: Awaited<ReturnType<typeof initializeEpoch>>,
	vector: EpochVector,
): Promise<void> {
	const { keySchedule } = secrets;
	assertBytes(secrets.joinerSecret, vector.joiner_secret);
	assertBytes(secrets.welcomeSecret, vector.welcome_secret);
	assertBytes(secrets.encryptionSecret, vector.encryption_secret);
	assertBytes(keySchedule.initSecret, vector.init_secret);
	assertBytes(keySchedule.senderDataSecret, vector.sender_data_secret);
	assertBytes(keySchedule.exporterSecret, vector.exporter_secret);
	assertBytes(keySchedule.epochAuthenticator, vector.epoch_authenticator);
	assertBytes(keySchedule.externalSecret, vector.external_secret);
	assertBytes(keySchedule.confirmationKey, vector.confirmation_key);
	assertBytes(keySchedule.membershipKey, vector.membership_key);
	assertBytes(keySchedule.resumptionPsk, vector.resumption_psk);
	if (vector.external_pub !== undefined) {
		const external = await suite.hpke.deriveKeyPair(keySchedule.externalSecret);
		assertBytes(await suite.hpke.exportPublicKey(external.publicKey), vector.external_pub);
	}
	const { label, context, length, secret } = vector.exporter;
	assertBytes(
		await mlsExporter(keySchedule.exporterSecret, label, bytesOf(context), length, suite),
		secret,
	);
}

/** One that leaves the nonce as it was derived. */
const NO_REUSE_GUARD = new Uint8Array(4) as Parameters<typeof ratchetToGeneration>[1]['reuseGuard'];

const SECRET_TREES = {
	topic: 'secret tree',
	vectors: secretTrees,
	// The keys of the sender data depend on the first 32 bytes of the ciphertext (6.3.2), and the middle is behind them.
	free: ['.sender_data.ciphertext'],
};

describeVectors(SECRET_TREES, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const { sender_data_secret: secret, ciphertext, key, nonce } = vector.sender_data;
	const [senderDataSecret, sample] = [bytesOf(secret), bytesOf(ciphertext)];
	assertBytes(await expandSenderDataKey(suite, senderDataSecret, sample), key);
	assertBytes(await expandSenderDataNonce(suite, senderDataSecret, sample), nonce);
	assert.equal(vector.leaves.length, vector.n_leaves);
	const tree = await createSecretTree(
		vector.n_leaves,
		bytesOf(vector.encryption_secret),
		suite.kdf,
	);
	for (const [leafIndex, leaf] of vector.leaves.entries()) {
		const sender = { leafIndex, generation: leaf.generation, reuseGuard: NO_REUSE_GUARD };
		const application = await ratchetToGeneration(tree, sender, 'application', RETENTION, suite);
		assertBytes(application.key, leaf.application_key);
		assertBytes(application.nonce, leaf.application_nonce);
		const handshake = await ratchetToGeneration(tree, sender, 'commit', RETENTION, suite);
		assertBytes(handshake.key, leaf.handshake_key);
		assertBytes(handshake.nonce, leaf.handshake_nonce);
	}
});

describeVectors({ topic: 'transcript hashes', vectors: transcripts }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const { wireformat, content, auth } = decodeWhole(
		decodeAuthenticatedContent,
		authenticatedContentEncoder,
		vector.authenticated_content,
	);
	assert(content.contentType === 'commit' && auth.contentType === 'commit');
	const { signature, confirmationTag: tag } = auth;
	const before = bytesOf(vector.interim_transcript_hash_before);
	const confirmed = await createConfirmedHash(
		before,
		{ wireformat, content, signature },
		suite.hash,
	);
	assertBytes(confirmed, vector.confirmed_transcript_hash_after);
	const key = bytesOf(vector.confirmation_key);
	assert(await verifyConfirmationTag(key, tag, confirmed, suite.hash));
	const interim = await createInterimHash(confirmed, tag, suite.hash);
	assertBytes(interim, vector.interim_transcript_hash_after);
});
