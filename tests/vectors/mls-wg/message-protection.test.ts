// The working group's vectors of how messages are signed, sealed and opened (RFC 9420 6). Messages of our own making
// must open as theirs do: sealing draws at random, so that there is nothing to compare it with.
import { strict as assert } from 'node:assert';
import type { MLSMessage } from 'ts-mls';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { commitEncoder } from 'ts-mls/commit.js';
import { decodeMlsMessage, mlsMessageEncoder } from 'ts-mls/message.js';
import {
	protectApplicationData,
	protectProposal,
	unprotectPrivateMessage,
} from 'ts-mls/messageProtection.js';
import { protectProposalPublic, unprotectPublicMessage } from 'ts-mls/messageProtectionPublic.js';
import { decodeProposal, proposalEncoder } from 'ts-mls/proposal.js';
import { createSecretTree } from 'ts-mls/secretTree.js';
import { SIGNING_HANDLE } from '../../../src/core/crypto/mls-suite.ts';
import vectors from './message-protection.json' with { type: 'json' };
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

/** The vectors' messages are from the second of two leaves. */
const LEAVES = 2;
const SENDER = 1;
const NOTHING = new Uint8Array();
const PADDING = { kind: 'padUntilLength', padUntilLength: 64 } as const;

type Vector = (typeof vectors)[number];

describeVectors({ topic: 'message protection', vectors }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const proposal = [vector.proposal_pub, vector.proposal_priv, ...(await ownProposals(vector))];
	for (const message of proposal) {
		const { content } = await open(vector, message);
		assert(content.contentType === 'proposal');
		assertBytes(encode(proposalEncoder)(content.proposal), vector.proposal);
	}
	for (const message of [vector.commit_pub, vector.commit_priv]) {
		const { content, auth } = await open(vector, message);
		assert(content.contentType === 'commit' && auth.contentType === 'commit');
		assertBytes(encode(commitEncoder)(content.commit), vector.commit);
		assertBytes(auth.confirmationTag, vector.confirmation_tag);
	}
	for (const message of [vector.application_priv, await ownApplicationMessage(vector)]) {
		const { content } = await open(vector, message);
		assert(content.contentType === 'application');
		assertBytes(content.applicationData, vector.application);
	}
});

/** The group has no tree: each message is held against the one signature key that there is. */
async function open(vector: Vector, hex: string) {
	const suite = await suiteOf();
	const context = groupContextOf(vector);
	const key = bytesOf(vector.signature_pub);
	const message = decodeWhole(decodeMlsMessage, mlsMessageEncoder, hex);
	if (message.wireformat === 'mls_public_message') {
		const membership = bytesOf(vector.membership_key);
		return unprotectPublicMessage(membership, context, [], message.publicMessage, suite, key);
	}
	assert(message.wireformat === 'mls_private_message');
	const { content } = await unprotectPrivateMessage(
		bytesOf(vector.sender_data_secret),
		message.privateMessage,
		await secretTreeOf(vector),
		[],
		context,
		RETENTION,
		suite,
		key,
	);
	assert(content.content.sender.senderType === 'member');
	assert.equal(content.content.sender.leafIndex, SENDER);
	return content;
}

async function secretTreeOf(vector: Vector) {
	const { kdf } = await suiteOf();
	return createSecretTree(LEAVES, bytesOf(vector.encryption_secret), kdf);
}

async function ownProposals(vector: Vector): Promise<string[]> {
	const suite = await suiteOf(vector.signature_priv);
	const context = groupContextOf(vector);
	const proposal = decodeWhole(decodeProposal, proposalEncoder, vector.proposal);
	const open = await protectProposalPublic(
		SIGNING_HANDLE,
		bytesOf(vector.membership_key),
		context,
		NOTHING,
		proposal,
		SENDER,
		suite,
	);
	const { privateMessage } = await protectProposal(
		SIGNING_HANDLE,
		bytesOf(vector.sender_data_secret),
		proposal,
		NOTHING,
		context,
		await secretTreeOf(vector),
		SENDER,
		PADDING,
		suite,
	);
	return [
		encoded({ version: 'mls10', wireformat: 'mls_public_message', ...open }),
		encoded({ version: 'mls10', wireformat: 'mls_private_message', privateMessage }),
	];
}

async function ownApplicationMessage(vector: Vector): Promise<string> {
	const { privateMessage } = await protectApplicationData(
		SIGNING_HANDLE,
		bytesOf(vector.sender_data_secret),
		bytesOf(vector.application),
		NOTHING,
		groupContextOf(vector),
		await secretTreeOf(vector),
		SENDER,
		PADDING,
		await suiteOf(vector.signature_priv),
	);
	return encoded({ version: 'mls10', wireformat: 'mls_private_message', privateMessage });
}

function encoded(message: MLSMessage): string {
	return Buffer.from(encode(mlsMessageEncoder)(message)).toString('hex');
}
