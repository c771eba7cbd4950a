// Opening many messages of one epoch together. A message alone waits for WebCrypto five times, one after the other;
// together only the ratchet goes step by step, and everything else runs beside everything else. The steps are those of
// RFC 9420 6.3; whatever is not plain is left to `openMessage`, which has an answer for all of it.
import type { CiphersuiteImpl, ClientState, MlsPrivateMessage } from 'ts-mls';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { verifyFramedContentSignature } from 'ts-mls/framedContent.js';
import {
	decodePrivateMessageContent,
	decryptSenderData,
	privateContentAADEncoder,
	toAuthenticatedContent,
} from 'ts-mls/privateMessage.js';
import { ratchetToGeneration, type SecretTree } from 'ts-mls/secretTree.js';
import type { SenderData } from 'ts-mls/sender.js';
import type { GroupMember, GroupState, OpenedMessage } from '../ports.ts';
import { equalBytes } from './bytes.ts';
import { decodeMessage, holdSameTree, memberAt, mlsOf } from './mls-group.ts';

type PrivateMessage = MlsPrivateMessage['privateMessage'];

/** A message with the key that the ratchet gave for it. */
interface Keyed {
	readonly message: PrivateMessage;
	readonly sender: GroupMember;
	readonly key: Uint8Array;
	readonly nonce: Uint8Array;
	/** Secrets of the group after this message. */
	readonly tree: SecretTree;
}

/** As many of the first messages as open plainly: said in the current epoch by somebody else, and genuine. */
export async function openRun(
	state: GroupState,
	bodies: readonly Uint8Array[],
	suite: CiphersuiteImpl,
): Promise<readonly OpenedMessage[]> {
	const mls = mlsOf(state);
	const messages = plainHead(mls, bodies);
	const sent = await Promise.all(
		messages.map((message) =>
			decryptSenderData(message, mls.keySchedule.senderDataSecret, suite).catch(() => undefined),
		),
	);
	const keyed = await deriveKeys(mls, { messages, sent }, suite);
	const plain = await Promise.all(
		keyed.map((each) => openContent(mls, each, suite).catch(() => undefined)),
	);
	const run: OpenedMessage[] = [];
	for (const [index, { message, sender, tree }] of keyed.entries()) {
		const plaintext = plain[index];
		// The ratchet went on past this one on the way to the next: from here on they are opened one by one.
		if (!plaintext) break;
		run.push({
			kind: 'message',
			state: holdSameTree({ ...mls, secretTree: tree }, state),
			sender,
			plaintext,
			authenticated: message.authenticatedData,
			// The head is of the current epoch alone.
			epoch: Number(mls.groupContext.epoch),
		});
	}
	return run;
}

function plainHead(mls: ClientState, bodies: readonly Uint8Array[]): PrivateMessage[] {
	const head: PrivateMessage[] = [];
	for (const body of bodies) {
		const decoded = decodeMessage(body);
		if (decoded?.wireformat !== 'mls_private_message') break;
		const { privateMessage } = decoded;
		const { contentType, groupId, epoch } = privateMessage;
		const { groupContext } = mls;
		const isOurs = equalBytes(groupId, groupContext.groupId) && epoch === groupContext.epoch;
		if (!isOurs || contentType !== 'application') break;
		head.push(privateMessage);
	}
	return head;
}

async function deriveKeys(
	mls: ClientState,
	{
		messages,
		sent,
	}: {
		readonly messages: readonly PrivateMessage[];
		readonly sent: readonly (SenderData | undefined)[];
	},
	suite: CiphersuiteImpl,
): Promise<Keyed[]> {
	const keyed: Keyed[] = [];
	let tree = mls.secretTree;
	const { keyRetentionConfig } = mls.clientConfig;
	for (const [index, message] of messages.entries()) {
		const from = sent[index];
		if (!from || from.leafIndex === mls.privatePath.leafIndex) break;
		const sender = memberAt(mls.ratchetTree, from.leafIndex);
		if (!sender) break;
		try {
			const step = await ratchetToGeneration(tree, from, 'application', keyRetentionConfig, suite);
			tree = step.newTree;
			keyed.push({ message, sender, key: step.key, nonce: step.nonce, tree });
		} catch {
			break; // a generation of the past, or too far ahead
		}
	}
	return keyed;
}

/** The text; undefined if anything about it is not genuine. Rejects where the tag does not hold. */
async function openContent(
	mls: ClientState,
	{ message, sender, key, nonce }: Keyed,
	suite: CiphersuiteImpl,
): Promise<Uint8Array | undefined> {
	const { groupId, epoch, contentType, authenticatedData, ciphertext } = message;
	const aad = encode(privateContentAADEncoder)({ groupId, epoch, contentType, authenticatedData });
	const decrypted = await suite.hpke.decryptAead(key, nonce, aad, ciphertext);
	const decoded = decodePrivateMessageContent(contentType)(decrypted, 0)?.[0];
	if (!decoded) return undefined;
	const { content, auth } = toAuthenticatedContent(decoded, message, sender.leaf);
	const leaf = mls.ratchetTree[sender.leaf * 2];
	if (leaf?.nodeType !== 'leaf' || content.contentType !== 'application') return undefined;
	const genuine = await verifyFramedContentSignature(
		leaf.leaf.signaturePublicKey,
		'mls_private_message',
		content,
		auth,
		mls.groupContext,
		suite.signature,
	);
	return genuine ? content.applicationData : undefined;
}
