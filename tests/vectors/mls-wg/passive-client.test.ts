// The working group's vectors of a client that never sends: it joins by a Welcome and follows the commits of others
// (RFC 9420 12.4.2, 12.4.3.1). Here everything else comes together.
import { strict as assert } from 'node:assert';
import { joinGroup } from 'ts-mls/clientState.js';
import { acceptAll } from 'ts-mls/incomingMessageAction.js';
import { verifyKeyPackage } from 'ts-mls/keyPackage.js';
import { decodeMlsMessage, mlsMessageEncoder } from 'ts-mls/message.js';
import { processMessage } from 'ts-mls/processMessages.js';
import type { PskIndex } from 'ts-mls/pskIndex.js';
import { SIGNING_HANDLE } from '../../../src/core/crypto/mls-suite.ts';
import vectors from './passive-client-handling-commit.json' with { type: 'json' };
import {
	CLIENT,
	SUITE_NUMBER,
	assertBytes,
	assertHpkeKey,
	assertSignatureKey,
	bytesOf,
	decodeWhole,
	describeVectors,
	suiteOf,
} from './vectors.ts';

type Vector = (typeof vectors)[number];

const TOPIC = {
	topic: 'passive client',
	vectors,
	// It is at hand, but nothing in this entry asks for it.
	free: ['.external_psks.0.psk_id', '.external_psks.0.psk'],
};

describeVectors(TOPIC, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	assert.equal(vector.ratchet_tree, null);
	const suite = await suiteOf();
	const psks = pskIndexOf(vector);
	let state = await join(vector, psks);
	assertBytes(state.keySchedule.epochAuthenticator, vector.initial_epoch_authenticator);
	for (const { proposals, commit, epoch_authenticator: authenticator } of vector.epochs) {
		for (const hex of [...proposals, commit]) {
			const message = decodeWhole(decodeMlsMessage, mlsMessageEncoder, hex);
			assert(message.wireformat === 'mls_public_message');
			({ newState: state } = await processMessage(message, state, psks, acceptAll, suite));
		}
		assertBytes(state.keySchedule.epochAuthenticator, authenticator);
	}
});

async function join(vector: Vector, psks: PskIndex) {
	const suite = await suiteOf();
	const own = decodeWhole(decodeMlsMessage, mlsMessageEncoder, vector.key_package);
	const sent = decodeWhole(decodeMlsMessage, mlsMessageEncoder, vector.welcome);
	assert(own.wireformat === 'mls_key_package' && sent.wireformat === 'mls_welcome');
	const { keyPackage } = own;
	assert(await verifyKeyPackage(keyPackage, suite.signature));
	await assertHpkeKey(vector.init_priv, keyPackage.initKey);
	await assertHpkeKey(vector.encryption_priv, keyPackage.leafNode.hpkePublicKey);
	await assertSignatureKey(vector.signature_priv, keyPackage.leafNode.signaturePublicKey);
	const privateKeys = {
		initPrivateKey: bytesOf(vector.init_priv),
		hpkePrivateKey: bytesOf(vector.encryption_priv),
		signaturePrivateKey: SIGNING_HANDLE,
	};
	return joinGroup(
		sent.welcome,
		keyPackage,
		privateKeys,
		psks,
		suite,
		undefined,
		undefined,
		CLIENT,
	);
}

function pskIndexOf({ external_psks: psks }: Vector): PskIndex {
	return {
		findPsk: (id) => {
			if (id.psktype !== 'external') return undefined;
			const named = Buffer.from(id.pskId).toString('hex');
			const found = psks.find(({ psk_id: known }) => known === named);
			return found && bytesOf(found.psk);
		},
	};
}
