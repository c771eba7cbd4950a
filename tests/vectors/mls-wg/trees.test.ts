// The working group's vectors of ratchet trees: what makes one valid, and what proposals do to it (RFC 9420 4, 7.3,
// 7.7 to 7.9, 12.1).
import { strict as assert } from 'node:assert';
import type { Proposal, RatchetTree } from 'ts-mls';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { decodeProposal, proposalEncoder } from 'ts-mls/proposal.js';
import { addLeafNode, ratchetTreeEncoder, removeLeafNode, resolution } from 'ts-mls/ratchetTree.js';
import { treeHash, treeHashRoot } from 'ts-mls/treeHash.js';
import { leafToNodeIndex, toLeafIndex, toNodeIndex } from 'ts-mls/treemath.js';
import treeOperations from './tree-operations.json' with { type: 'json' };
import treeValidations from './tree-validation.json' with { type: 'json' };
import {
	SUITE_NUMBER,
	assertBytes,
	assertValidTree,
	decodeWhole,
	describeVectors,
	suiteOf,
	treeOf,
} from './vectors.ts';

const { hash: hashing } = await suiteOf();

describeVectors({ topic: 'tree validation', vectors: treeValidations }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const tree = treeOf(vector.tree);
	const nodes = [...tree.keys()].map((index) => toNodeIndex(index));
	assert.deepEqual(
		nodes.map((node) => resolution(tree, node)),
		vector.resolutions,
	);
	assert.equal(vector.tree_hashes.length, nodes.length);
	for (const [node, hash] of vector.tree_hashes.entries()) {
		assertBytes(await treeHash(tree, toNodeIndex(node), hashing), hash);
	}
	await assertValidTree(tree, vector.group_id);
});

const OPERATIONS = {
	topic: 'tree operations',
	vectors: treeOperations,
	// It says whose leaf an Update replaces, and there is none among the vectors.
	free: ['.proposal_sender'],
};

describeVectors(OPERATIONS, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const [before, after] = [treeOf(vector.tree_before), treeOf(vector.tree_after)];
	assertBytes(await treeHashRoot(before, hashing), vector.tree_hash_before);
	assertBytes(await treeHashRoot(after, hashing), vector.tree_hash_after);
	const proposal = decodeWhole(decodeProposal, proposalEncoder, vector.proposal);
	assertBytes(encode(ratchetTreeEncoder)(applied(proposal, before)), vector.tree_after);
});

function applied(proposal: Proposal, tree: RatchetTree): RatchetTree {
	switch (proposal.proposalType) {
		case 'add':
			return addLeafNode(tree, proposal.add.keyPackage.leafNode)[0];
		case 'remove': {
			const leaf = toLeafIndex(proposal.remove.removed);
			// RFC 9420 12.1.3: checked before, as whoever processes a commit does.
			assert(tree[leafToNodeIndex(leaf)]);
			return removeLeafNode(tree, leaf);
		}
		default:
			throw new Error(`No operation of the vectors: ${proposal.proposalType}`);
	}
}
