// The stored form of a group, in two parts. `tree` holds what a commit changes; `ratchet` holds the sender
// ratchets of the current epoch, which every message changes. At 1,000 leaves the first is half a megabyte and
// the second 70 kB.
//
// Secrets of an earlier epoch that a late message uses up must go too (RFC 9420 9.2), and they live in `tree`:
// that is why `treeId`, and not the epoch, says whether `tree` has to be written.
//
// tree = CBOR [2, treeId, removed, context, key schedule, private path, confirmation tag, nodes, tree, earlier];
// earlier = [[context, sender data secret, resumption PSK, tree, ratchets]...], oldest first;
// nodes are the distinct nodes of all trees, and a tree is a list of places in it (+1; 0 is a blank), because
// consecutive epochs share nearly all their nodes. The inner encodings are those of RFC 9420.
import type { ClientConfig, ClientState, EpochReceiverData } from 'ts-mls';
import type { GenerationSecret, Node, RatchetTree, SecretTree, SecretTreeNode } from 'ts-mls';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { decodeGroupContext, groupContextEncoder } from 'ts-mls/groupContext.js';
import { decodeKeySchedule, encodeKeySchedule } from 'ts-mls/keySchedule.js';
import { decodePrivateKeyPath, privateKeyPathEncoder } from 'ts-mls/privateKeyPath.js';
import { decodeNode, encodeNode } from 'ts-mls/ratchetTree.js';
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import { concatBytes, copyBytes } from './bytes.ts';
import { SIGNING_HANDLE } from './mls-suite.ts';

const VERSION = 2;
const SECRET_BYTES = 32;

const encodeGroupContext = encode(groupContextEncoder);
const encodePrivateKeyPath = encode(privateKeyPathEncoder);

type Kind = keyof SecretTreeNode;
/** Commits of earlier epochs are never opened, so only their application ratchets are kept. */
const CURRENT_KINDS: readonly Kind[] = ['application', 'handshake'];
const EARLIER_KINDS: readonly Kind[] = ['application'];

const EMPTY_RATCHET: GenerationSecret = {
	secret: new Uint8Array(),
	generation: 0,
	unusedGenerations: {},
};
const EMPTY_NODE: SecretTreeNode = { application: EMPTY_RATCHET, handshake: EMPTY_RATCHET };

/** The part of a state that only commits (and late messages of earlier epochs) change. */
export function freezeTree(treeId: string, state: ClientState): Uint8Array {
	const places = new Map<Node, number>();
	const nodes: Uint8Array[] = [];
	const placesOf = (tree: RatchetTree): number[] =>
		tree.map((node) => {
			if (!node) return 0;
			const known = places.get(node);
			if (known !== undefined) return known;
			nodes.push(encodeNode(node));
			places.set(node, nodes.length);
			return nodes.length;
		});
	const tree = placesOf(state.ratchetTree);
	const earlier = [...state.historicalReceiverData.values()].map((epoch) => [
		encodeGroupContext(epoch.groupContext),
		epoch.senderDataSecret,
		epoch.resumptionPsk,
		placesOf(epoch.ratchetTree),
		packRatchets(epoch.secretTree, epoch.ratchetTree, EARLIER_KINDS),
	]);
	const frozen = writeCbor([
		VERSION,
		treeId,
		state.groupActiveState.kind === 'removedFromGroup',
		encodeGroupContext(state.groupContext),
		encodeKeySchedule(state.keySchedule),
		encodePrivateKeyPath(state.privatePath),
		state.confirmationTag,
		nodes,
		tree,
		earlier,
	]);
	return copyBytes(frozen);
}

/** The part of a state that every message changes. */
export function freezeRatchet(treeId: string, state: ClientState): Uint8Array {
	const ratchets = packRatchets(state.secretTree, state.ratchetTree, CURRENT_KINDS);
	return copyBytes(writeCbor([treeId, ratchets]));
}

/** Inverse of the two above. Throws on anything that they did not write, or wrote for different trees. */
export function thawGroup(
	tree: Uint8Array,
	ratchet: Uint8Array,
	clientConfig: ClientConfig,
): { readonly treeId: string; readonly state: ClientState } {
	const whole = parseCbor(tree) as FrozenTree;
	const [treeId, ratchets] = parseCbor(ratchet) as [string, PackedRatchets];
	if (whole[0] !== VERSION) throw new Error(`Unknown version of a stored group: ${whole[0]}`);
	if (whole[1] !== treeId)
		throw new Error('The stored tree and ratchet belong to different states');
	const [, , removed, context, schedule, path, confirmationTag, packedNodes, places, earlier] =
		whole;
	const nodes = packedNodes.map((node) => required(decodeNode(node, 0)));
	const treeOf = (at: readonly number[]): RatchetTree =>
		at.map((place) => (place === 0 ? undefined : nodes[place - 1]));
	const ratchetTree = treeOf(places);
	const epochs = earlier.map(([packedContext, senderDataSecret, resumptionPsk, at, packed]) => {
		const groupContext = required(decodeGroupContext(packedContext, 0));
		const epochTree = treeOf(at);
		const epoch: EpochReceiverData = {
			groupContext,
			senderDataSecret,
			resumptionPsk,
			ratchetTree: epochTree,
			secretTree: unpackRatchets(packed, epochTree, EARLIER_KINDS),
		};
		return [groupContext.epoch, epoch] as const;
	});
	const state: ClientState = {
		groupContext: required(decodeGroupContext(context, 0)),
		keySchedule: required(decodeKeySchedule(schedule, 0)),
		privatePath: required(decodePrivateKeyPath(path, 0)),
		confirmationTag,
		ratchetTree,
		secretTree: unpackRatchets(ratchets, ratchetTree, CURRENT_KINDS),
		historicalReceiverData: new Map(epochs),
		groupActiveState: { kind: removed ? 'removedFromGroup' : 'active' },
		signaturePrivateKey: SIGNING_HANDLE,
		unappliedProposals: {},
		clientConfig,
	};
	return { treeId, state };
}

type FrozenTree = [
	version: number,
	treeId: string,
	removed: boolean,
	context: Uint8Array,
	schedule: Uint8Array,
	path: Uint8Array,
	confirmationTag: Uint8Array,
	nodes: Uint8Array[],
	tree: number[],
	earlier: [Uint8Array, Uint8Array, Uint8Array, number[], PackedRatchets][],
];

/**
 * The ratchets of the leaves that are not blank, by leaf and then by kind: their next secrets in one string, their
 * generations, and for those with skipped messages [which, generations, secrets].
 */
type PackedRatchets = [
	secrets: Uint8Array,
	generations: number[],
	skipped: [which: number, generations: number[], secrets: Uint8Array][],
];

function packRatchets(
	secretTree: SecretTree,
	ratchetTree: RatchetTree,
	kinds: readonly Kind[],
): PackedRatchets {
	const ratchets = leavesOf(ratchetTree).flatMap((leaf) =>
		kinds.map((kind) => secretTree[leaf]?.[kind] ?? EMPTY_RATCHET),
	);
	const skipped: PackedRatchets[2] = [];
	for (const [which, { unusedGenerations }] of ratchets.entries()) {
		const unused = Object.entries(unusedGenerations);
		if (unused.length === 0) continue;
		const secrets = concatBytes(...unused.map(([, secret]) => secret));
		skipped.push([which, unused.map(([generation]) => Number(generation)), secrets]);
	}
	return [
		concatBytes(...ratchets.map(({ secret }) => secret)),
		ratchets.map(({ generation }) => generation),
		skipped,
	];
}

function unpackRatchets(
	[secrets, generations, skipped]: PackedRatchets,
	ratchetTree: RatchetTree,
	kinds: readonly Kind[],
): SecretTree {
	const unused = new Map(skipped.map(([which, at, packed]) => [which, { at, packed }]));
	const ratchetAt = (which: number): GenerationSecret => {
		const skips = unused.get(which);
		const entries = skips?.at.map(
			(generation, n) => [generation, secretAt(skips.packed, n)] as const,
		);
		return {
			secret: secretAt(secrets, which),
			generation: generations[which] ?? 0,
			unusedGenerations: Object.fromEntries(entries ?? []),
		};
	};
	const tree: SecretTree = new Array<SecretTreeNode>(ratchetTree.length).fill(EMPTY_NODE);
	for (const [n, leaf] of leavesOf(ratchetTree).entries()) {
		const node = { ...EMPTY_NODE };
		for (const [k, kind] of kinds.entries()) node[kind] = ratchetAt(n * kinds.length + k);
		tree[leaf] = node;
	}
	return tree;
}

function secretAt(packed: Uint8Array, n: number): Uint8Array {
	return copyBytes(packed.subarray(n * SECRET_BYTES, (n + 1) * SECRET_BYTES));
}

/** Node indices of the leaves that are not blank. */
function leavesOf(tree: RatchetTree): number[] {
	return tree.flatMap((node, index) => (node?.nodeType === 'leaf' ? [index] : []));
}

function required<Value>(decoded: [Value, number] | undefined): Value {
	if (!decoded) throw new Error('A stored group is damaged');
	return decoded[0];
}
