// Sealing to the members of a group by the public keys of their leaves (RFC 9420 5.1.3): what must reach a device that has
// nothing left of the group's state but the private half of its own leaf.
import type { CiphersuiteImpl, ClientState } from 'ts-mls';
import { decryptWithLabel, encryptWithLabel } from 'ts-mls/crypto/hpke.js';
import type { LeafBox, LeafKey } from '../ports.ts';
import { concatBytes, copyBytes, utf8 } from './bytes.ts';

const LABEL = 'kith snapshot';
/** A key of X25519 (RFC 9180 7.1). */
const ENCAPSULATED_BYTES = 32;

/** One box for each leaf; none for a leaf whose key is no key, as only a hostile member brings one. */
export async function sealToLeaves(
	{ hpke }: CiphersuiteImpl,
	{ ratchetTree }: ClientState,
	{ scope, plain }: { readonly scope: string; readonly plain: Uint8Array },
): Promise<LeafBox[]> {
	const boxes: LeafBox[] = [];
	for (const [index, node] of ratchetTree.entries()) {
		if (node?.nodeType !== 'leaf') continue;
		try {
			const key = await hpke.importPublicKey(node.leaf.hpkePublicKey);
			const { enc, ct } = await encryptWithLabel(key, LABEL, utf8(scope), plain, hpke);
			boxes.push({ leaf: index / 2, sealed: concatBytes(enc, ct) });
		} catch {
			continue;
		}
	}
	return boxes;
}

/** The private half of this device's leaf. */
export function leafKeyOf({ privatePath: { leafIndex, privateKeys } }: ClientState): LeafKey {
	return { leaf: leafIndex, key: copyBytes(privateKeys[leafIndex * 2] ?? new Uint8Array()) };
}

/** What is in the box for this leaf; undefined if there is none that this key opens. */
export async function openAsLeaf(
	{ hpke }: CiphersuiteImpl,
	{ leaf, key }: LeafKey,
	{ scope, boxes }: { readonly scope: string; readonly boxes: readonly LeafBox[] },
): Promise<Uint8Array | undefined> {
	const sealed = boxes.find((box) => box.leaf === leaf)?.sealed;
	if (!sealed || sealed.length < ENCAPSULATED_BYTES) return undefined;
	try {
		const own = await hpke.importPrivateKey(copyBytes(key));
		const [enc, ct] = [sealed.slice(0, ENCAPSULATED_BYTES), sealed.slice(ENCAPSULATED_BYTES)];
		return await decryptWithLabel(own, LABEL, utf8(scope), enc, ct, hpke);
	} catch {
		return undefined; // of another key, another scope, or no box at all
	}
}
