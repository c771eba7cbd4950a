// Opening what came over the wire. Nothing here trusts a byte before ts-mls verified it, except to refuse early.
import type { CiphersuiteImpl, ClientState, Proposal, RatchetTree } from 'ts-mls';
import type { MlsPrivateMessage, MlsPublicMessage, ProposalWithSender } from 'ts-mls';
import { decryptSenderData } from 'ts-mls/privateMessage.js';
import { processMessage } from 'ts-mls/processMessages.js';
import { emptyPskIndex } from 'ts-mls/pskIndex.js';
import type { GroupFailure, GroupMember, GroupState, Opened } from '../ports.ts';
import { equalBytes } from './bytes.ts';
import {
	GROUP_DATA,
	decodeMessage,
	failureOf,
	holdNew,
	holdSameTree,
	memberAt,
	membersOf,
	mlsOf,
} from './mls-group.ts';

/** Opens a message or a commit of `state`'s group. Never throws on foreign bytes. */
export async function openMessage(
	state: GroupState,
	bytes: Uint8Array,
	suite: CiphersuiteImpl,
): Promise<Opened> {
	const message = decodeMessage(bytes);
	try {
		if (message?.wireformat === 'mls_private_message') {
			return await openPrivate(state, message, suite);
		}
		if (message?.wireformat === 'mls_public_message') {
			return await openExternalCommit(state, message, suite);
		}
	} catch (error) {
		return unreadable(failureOf(error));
	}
	return unreadable('malformed');
}

function unreadable(reason: GroupFailure): Opened {
	return { kind: 'unreadable', reason };
}

/** What the unauthenticated header already decides; undefined if the message is for the current or a kept epoch. */
function judgeHeader(
	mls: ClientState,
	header: { groupId: Uint8Array; epoch: bigint },
): Opened | undefined {
	if (!equalBytes(header.groupId, mls.groupContext.groupId)) return unreadable('not-for-us');
	if (header.epoch > BigInt(Number.MAX_SAFE_INTEGER)) return unreadable('malformed');
	const epoch = Number(header.epoch);
	if (header.epoch > mls.groupContext.epoch) return { kind: 'future', epoch };
	if (header.epoch < mls.groupContext.epoch && !mls.historicalReceiverData.has(header.epoch)) {
		return { kind: 'spent', epoch };
	}
	return undefined;
}

async function openPrivate(
	state: GroupState,
	message: MlsPrivateMessage,
	suite: CiphersuiteImpl,
): Promise<Opened> {
	const mls = mlsOf(state);
	const { privateMessage } = message;
	const judged = judgeHeader(mls, privateMessage);
	if (judged) return judged;
	if (privateMessage.contentType === 'proposal') return unreadable('malformed');
	const epoch = mls.historicalReceiverData.get(privateMessage.epoch) ?? {
		senderDataSecret: mls.keySchedule.senderDataSecret,
		secretTree: mls.secretTree,
		ratchetTree: mls.ratchetTree,
	};
	const spent: Opened = { kind: 'spent', epoch: Number(privateMessage.epoch) };
	const isCommit = privateMessage.contentType === 'commit';
	if (isCommit && privateMessage.epoch < mls.groupContext.epoch) return spent;

	// ts-mls opens the sender data once more.
	const remembering = rememberingDecryption(suite);
	const sent = await decryptSenderData(privateMessage, epoch.senderDataSecret, remembering);
	if (!sent) return unreadable('malformed');
	if (sent.leafIndex === mls.privatePath.leafIndex) return { kind: 'own' };
	const sender = memberAt(epoch.ratchetTree, sent.leafIndex);
	const ratchets = epoch.secretTree[sent.leafIndex * 2];
	if (!sender || !ratchets) return unreadable('forged');
	const ratchet = isCommit ? ratchets.handshake : ratchets.application;
	const used = sent.generation < ratchet.generation;
	if (used && ratchet.unusedGenerations[sent.generation] === undefined) return spent;

	if (isCommit) return processCommit(state, message, { suite: remembering });
	const result = await processMessage(message, mls, emptyPskIndex, () => 'reject', remembering);
	if (result.kind !== 'applicationMessage') return unreadable('malformed');
	const late = privateMessage.epoch < mls.groupContext.epoch;
	return {
		kind: 'message',
		state: late ? holdNew(result.newState) : holdSameTree(result.newState, state),
		sender,
		plaintext: result.message,
		authenticated: privateMessage.authenticatedData,
		epoch: Number(privateMessage.epoch),
	};
}

/** The suite with an AEAD that does not open the same bytes twice: half of what opening a message costs. */
function rememberingDecryption(suite: CiphersuiteImpl): CiphersuiteImpl {
	const { hpke } = suite;
	let last:
		| {
				readonly key: Uint8Array;
				readonly sealed: Uint8Array;
				readonly opened: Promise<Uint8Array>;
		  }
		| undefined;
	const decryptAead: typeof hpke.decryptAead = (...given) => {
		const [key, , , sealed] = given;
		if (last?.sealed !== sealed || !equalBytes(last.key, key)) {
			last = { key, sealed, opened: hpke.decryptAead(...given) };
		}
		return last.opened;
	};
	return { ...suite, hpke: { ...hpke, decryptAead } };
}

/** The leaf that an external commit takes away. */
export function replacedBy({ publicMessage }: MlsPublicMessage): number | undefined {
	const { content } = publicMessage;
	if (content.contentType !== 'commit') return undefined;
	const removed = content.commit.proposals
		.map((carried) => (carried.proposalOrRefType === 'proposal' ? carried.proposal : undefined))
		.find((proposal) => proposal?.proposalType === 'remove');
	return removed?.proposalType === 'remove' ? removed.remove.removed : undefined;
}

/** RFC 9420 12.4.3.2, narrowed to resync: the new leaf must bear the signature key of the one it removes. */
async function openExternalCommit(
	state: GroupState,
	message: MlsPublicMessage,
	suite: CiphersuiteImpl,
): Promise<Opened> {
	const mls = mlsOf(state);
	const { content } = message.publicMessage;
	const judged = judgeHeader(mls, content);
	if (judged) return judged;
	if (content.contentType !== 'commit' || content.sender.senderType !== 'new_member_commit') {
		return unreadable('malformed');
	}
	if (content.epoch < mls.groupContext.epoch)
		return { kind: 'spent', epoch: Number(content.epoch) };
	const leaf = replacedBy(message);
	if (leaf === undefined || !content.commit.path) return unreadable('forged');
	const replaced = mls.ratchetTree[leaf * 2];
	const { signaturePublicKey } = content.commit.path.leafNode;
	const same =
		replaced?.nodeType === 'leaf' &&
		equalBytes(replaced.leaf.signaturePublicKey, signaturePublicKey);
	if (!same) return unreadable('forged');
	// Our own leaf replaced by our own key: another copy of this device's keys exists, or we come from a backup.
	// Either way this state is over, and the engine must resync or retire.
	return processCommit(state, message, { suite, replaced: leaf });
}

/** `replaced` is the leaf that an external commit replaces; undefined for the commit of a member. */
async function processCommit(
	state: GroupState,
	message: MlsPrivateMessage | MlsPublicMessage,
	{ suite, replaced }: { readonly suite: CiphersuiteImpl; readonly replaced?: number },
): Promise<Opened> {
	const before = mlsOf(state);
	const external = replaced !== undefined;
	let proposals: readonly ProposalWithSender[] = [];
	let committer = replaced;
	const result = await processMessage(
		message,
		before,
		emptyPskIndex,
		(incoming) => {
			if (incoming.kind !== 'commit') return 'reject';
			proposals = incoming.proposals;
			committer ??= incoming.senderLeafIndex;
			return proposals.every(({ proposal }) => isAllowed(proposal, external)) ? 'accept' : 'reject';
		},
		suite,
	);
	if (result.kind !== 'newState' || result.actionTaken !== 'accept') return unreadable('malformed');
	const by = committer === undefined ? undefined : memberAt(before.ratchetTree, committer);
	if (!by) return unreadable('forged');
	const { newState } = result;
	const authenticated =
		message.wireformat === 'mls_private_message'
			? message.privateMessage.authenticatedData
			: message.publicMessage.content.authenticatedData;
	const removedSelf = newState.groupActiveState.kind === 'removedFromGroup';
	if (removedSelf) {
		// ts-mls leaves a removed member with the new tree under the old epoch: messages of that epoch that are still
		// under way could then no longer be attributed to their senders.
		const last = { ...newState, ratchetTree: before.ratchetTree };
		const removed = external ? [] : removedMembers(proposals, before.ratchetTree);
		const state = holdNew(last);
		return { kind: 'commit', state, by, added: [], removed, authenticated, removedSelf };
	}
	// RFC 9420 5.3.1 leaves it to us whether a new leaf may follow an old one: a device never turns into another.
	const isSame = membersOf(newState.ratchetTree).some(
		({ account, device }) => account === by.account && device === by.device,
	);
	if (!isSame) return unreadable('forged');
	return {
		kind: 'commit',
		state: holdNew(newState),
		by,
		added: addedMembers(proposals, newState.ratchetTree),
		removed: external ? [] : removedMembers(proposals, before.ratchetTree),
		authenticated,
		removedSelf,
	};
}

/**
 * What a commit may carry. The extension list of a group is ours alone: nobody may smuggle in external senders or
 * required capabilities. External commits come with exactly what a resync needs.
 */
function isAllowed(proposal: Proposal, external: boolean): boolean {
	switch (proposal.proposalType) {
		case 'remove':
			return true;
		case 'external_init':
			return external;
		case 'add':
			return !external;
		case 'group_context_extensions': {
			const { extensions } = proposal.groupContextExtensions;
			const ours = extensions.length === 1 && extensions[0]?.extensionType === GROUP_DATA;
			return ours && !external;
		}
		default:
			return false;
	}
}

function removedMembers(
	proposals: readonly ProposalWithSender[],
	tree: RatchetTree,
): GroupMember[] {
	return proposals.flatMap(({ proposal }) => {
		if (proposal.proposalType !== 'remove') return [];
		return memberAt(tree, proposal.remove.removed) ?? [];
	});
}

function addedMembers(proposals: readonly ProposalWithSender[], tree: RatchetTree): GroupMember[] {
	return proposals.flatMap(({ proposal }) => {
		if (proposal.proposalType !== 'add') return [];
		return memberWithKey(tree, proposal.add.keyPackage.leafNode.signaturePublicKey) ?? [];
	});
}

function memberWithKey(tree: RatchetTree, signatureKey: Uint8Array): GroupMember | undefined {
	const index = tree.findIndex(
		(node) => node?.nodeType === 'leaf' && equalBytes(node.leaf.signaturePublicKey, signatureKey),
	);
	return index < 0 ? undefined : memberAt(tree, index / 2);
}
