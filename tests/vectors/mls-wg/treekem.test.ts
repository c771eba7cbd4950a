// The working group's vectors of TreeKEM: who can open what in an update path, and to which commit secret that leads
// (RFC 9420 7.4 to 7.6). Paths of our own making must lead every other member to one commit secret as well.
import { strict as assert } from 'node:assert';
import type { RatchetTree } from 'ts-mls';
import { applyUpdatePathSecret } from 'ts-mls/createCommit.js';
import { verifyLeafNodeSignature } from 'ts-mls/leafNode.js';
import { getCommitSecret } from 'ts-mls/pathSecrets.js';
import type { PrivateKeyPath } from 'ts-mls/privateKeyPath.js';
import { toPrivateKeyPath, updateLeafKey } from 'ts-mls/privateKeyPath.js';
import { getHpkePublicKey } from 'ts-mls/ratchetTree.js';
import { treeHashRoot } from 'ts-mls/treeHash.js';
import { isLeaf, leafToNodeIndex, toLeafIndex, toNodeIndex } from 'ts-mls/treemath.js';
import type { UpdatePath } from 'ts-mls/updatePath.js';
import {
	applyUpdatePath,
	createUpdatePath,
	decodeUpdatePath,
	updatePathEncoder,
} from 'ts-mls/updatePath.js';
import { SIGNING_HANDLE } from '../../../src/core/crypto/mls-suite.ts';
import vectors from './treekem.json' with { type: 'json' };
import {
	SUITE_NUMBER,
	assertBytes,
	assertHpkeKey,
	assertSignatureKey,
	assertValidTree,
	bytesOf,
	decodeWhole,
	describeVectors,
	groupContextOf,
	suiteOf,
	treeOf,
} from './vectors.ts';

const suite = await suiteOf();

type Vector = (typeof vectors)[number];

describeVectors({ topic: 'TreeKEM', vectors }, async (vector) => {
	assert.equal(vector.cipher_suite, SUITE_NUMBER);
	const tree = treeOf(vector.ratchet_tree);
	await assertValidTree(tree, vector.group_id);
	const members = await Promise.all(vector.leaves_private.map((leaf) => privatePath(tree, leaf)));
	for (const update of vector.update_paths) {
		const { sender, tree_hash_after: hash } = update;
		const path = decodeWhole(decodeUpdatePath, updatePathEncoder, update.update_path);
		const followed = await follow({ vector, tree, members, sender, path });
		assertBytes(await treeHashRoot(followed.tree, suite.hash), hash);
		for (const [leaf, secret] of update.path_secrets.entries()) {
			const opened = followed.secrets.get(leaf);
			if (secret === null) assert.equal(opened, undefined);
			else assertBytes(opened?.pathSecret, secret);
		}
		for (const { commitSecret } of followed.secrets.values()) {
			assertBytes(commitSecret, update.commit_secret);
		}
	}
	for (const { index: sender, signature_priv: key } of vector.leaves_private) {
		const { path, commitSecret } = await createPath({ vector, tree, sender, key });
		const { secrets } = await follow({ vector, tree, members, sender, path });
		assert.equal(secrets.size, members.length - 1);
		for (const opened of secrets.values()) assert.deepEqual(opened.commitSecret, commitSecret);
	}
});

/** The private keys of one member, each checked against the tree. */
async function privatePath(
	tree: RatchetTree,
	leaf: Vector['leaves_private'][number],
): Promise<PrivateKeyPath> {
	const node = tree[leafToNodeIndex(toLeafIndex(leaf.index))];
	assert(node?.nodeType === 'leaf');
	await assertSignatureKey(leaf.signature_priv, node.leaf.signaturePublicKey);
	assert(leaf.path_secrets.every((path) => !isLeaf(toNodeIndex(path.node))));
	const secrets = leaf.path_secrets.map((path) => [path.node, bytesOf(path.path_secret)] as const);
	const path = await toPrivateKeyPath(Object.fromEntries(secrets), leaf.index, suite);
	const whole = updateLeafKey(path, bytesOf(leaf.encryption_priv));
	for (const [index, key] of Object.entries(whole.privateKeys)) {
		const held = tree[Number(index)];
		assert(held);
		await assertHpkeKey(Buffer.from(key).toString('hex'), getHpkePublicKey(held));
	}
	return whole;
}

/** What an update path does to the tree, and what each member but its sender learns from it, by leaf. */
async function follow({
	vector,
	tree,
	members,
	sender,
	path,
}: {
	readonly vector: Vector;
	readonly tree: RatchetTree;
	readonly members: readonly PrivateKeyPath[];
	readonly sender: number;
	readonly path: UpdatePath;
}) {
	const from = toLeafIndex(sender);
	const groupId = bytesOf(vector.group_id);
	assert(await verifyLeafNodeSignature(path.leafNode, groupId, sender, suite.signature));
	const after = await applyUpdatePath(tree, from, path, suite.hash);
	const treeHash = await treeHashRoot(after, suite.hash);
	const context = { ...groupContextOf({ ...vector, tree_hash: '' }), treeHash };
	const secrets = new Map<number, { pathSecret: Uint8Array; commitSecret: Uint8Array }>();
	for (const member of members) {
		if (member.leafIndex === sender) continue;
		const { nodeIndex, pathSecret } = await applyUpdatePathSecret(
			tree,
			member,
			from,
			context,
			path,
			[],
			suite,
		);
		const commitSecret = await getCommitSecret(after, nodeIndex, pathSecret, suite.kdf);
		secrets.set(member.leafIndex, { pathSecret, commitSecret });
	}
	return { tree: after, secrets };
}

async function createPath({
	vector,
	tree,
	sender,
	key,
}: {
	readonly vector: Vector;
	readonly tree: RatchetTree;
	readonly sender: number;
	readonly key: string;
}) {
	const created = await createUpdatePath(
		tree,
		toLeafIndex(sender),
		groupContextOf({ ...vector, epoch: vector.epoch - 1, tree_hash: '' }),
		SIGNING_HANDLE,
		await suiteOf(key),
	);
	// The patch adds the fifth (7.4), which the library's own declarations do not have.
	const [, path, , , commitSecret] = created as unknown as [
		...typeof created,
		commitSecret: Uint8Array,
	];
	return { path, commitSecret };
}
