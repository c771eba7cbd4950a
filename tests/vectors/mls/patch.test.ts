// One test per place where patches/ts-mls+1.6.4.patch mends the library. Each fails without its hunk; when the
// library is replaced or updated, these and the evolution decide whether the patch may go.
import type { RatchetTree } from 'ts-mls';
import { deriveSecret } from 'ts-mls/crypto/kdf.js';
import { ratchetTreeFromExtension } from 'ts-mls/groupInfo.js';
import { initializeEpoch } from 'ts-mls/keySchedule.js';
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js';
import { verifyParentHashes } from 'ts-mls/parentHash.js';
import { getCommitSecret } from 'ts-mls/pathSecrets.js';
import * as treeHash from 'ts-mls/treeHash.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { createGroupCrypto } from '../../../src/core/crypto/mls.ts';
import { mlsOf } from '../../../src/core/crypto/mls-group.ts';
import { createSuite } from '../../../src/core/crypto/mls-suite.ts';
import type {
	GroupChange,
	GroupState,
	KeyPackagePair,
	StagedCommit,
} from '../../../src/core/ports.ts';
import { idFrom } from '../../../src/protocol/ids.ts';
import type { ChannelId } from '../../../src/protocol/ids.ts';
import { makeDevices } from './evolution.ts';
import type { Device } from './evolution.ts';

/** Not in the library's own declarations: the patch adds it. */
const { subtreeHashes } = treeHash as unknown as {
	readonly subtreeHashes: (tree: RatchetTree, hash: unknown) => Promise<Uint8Array[]>;
};
const verifyWith = verifyParentHashes as unknown as (
	tree: RatchetTree,
	hash: unknown,
	hashes: Uint8Array[],
) => Promise<boolean>;

/** All members of one group, in step. */
class Group {
	readonly states = new Map<Device, GroupState>();
	last: StagedCommit | undefined;

	static async of(founder: Device, ...others: Device[]): Promise<Group> {
		const group = new Group();
		const channel = idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
		group.states.set(founder, await founder.crypto.found(channel, new Uint8Array()));
		await group.commit(founder, { joiners: others });
		return group;
	}

	async commit(
		actor: Device,
		{ joiners = [], ...change }: Omit<GroupChange, 'add'> & { joiners?: readonly Device[] },
	): Promise<StagedCommit> {
		const keys = new Map<Device, KeyPackagePair>();
		for (const device of joiners) {
			keys.set(device, await device.crypto.newKeyPackage({ reusable: false }));
		}
		const add = [...keys.values()].map(({ publicPart }) => publicPart);
		const staged = await actor.crypto.stage(this.stateOf(actor), { ...change, add });
		if (!staged.ok) throw new Error(staged.error);
		for (const [device, state] of [...this.states]) {
			if (device === actor) continue;
			const opened = await device.crypto.open(state, staged.value.commit);
			if (opened.kind !== 'commit') throw new Error(`leaf saw ${JSON.stringify(opened)}`);
			if (opened.removedSelf) this.states.delete(device);
			else this.states.set(device, opened.state);
		}
		this.states.set(actor, staged.value.next);
		for (const [device, pair] of keys) {
			const joined = await device.crypto.join(staged.value.welcome as Uint8Array, pair);
			if (!joined.ok) throw new Error(joined.error);
			this.states.set(device, joined.value);
		}
		this.last = staged.value;
		return staged.value;
	}

	stateOf(device: Device): GroupState {
		const state = this.states.get(device);
		if (!state) throw new Error('not in the group');
		return state;
	}

	agrees(): boolean {
		const views = [...this.states].map(([{ crypto: own }, state]) =>
			String(own.authenticator(state)),
		);
		return new Set(views).size === 1;
	}
}

function groupInfoOf(staged: StagedCommit) {
	const message = decodeMlsMessage(staged.groupInfo, 0)?.[0];
	if (message?.wireformat !== 'mls_group_info') throw new Error('no GroupInfo');
	return message.groupInfo;
}

function treeOf(staged: StagedCommit): RatchetTree {
	return ratchetTreeFromExtension(groupInfoOf(staged)) ?? [];
}

describe('ts-mls, mended', { timeout: 60_000 }, () => {
	let devices: Device[];
	const device = (index: number) => devices[index] as Device;
	const idOf = (index: number) => device(index).identity.device;
	beforeAll(async () => {
		devices = await makeDevices(16);
	});

	test('1: a joiner accepts intermediate nodes whose unmerged leaves differ (7.9.2)', async () => {
		const group = await Group.of(device(0), ...devices.slice(1, 8));
		await group.commit(device(0), { remove: [idOf(1), idOf(5)] });
		await group.commit(device(4), {});
		await group.commit(device(0), {});
		// Two adds without a path: the root now lists leaves 1 and 5, the nodes below it one each.
		await group.commit(device(0), { joiners: [device(8), device(9)] });
		const tree = treeOf(group.last as StagedCommit);
		const unmerged = [3, 7, 11].map((index) => {
			const node = tree[index];
			return node?.nodeType === 'parent' ? node.parent.unmergedLeaves : undefined;
		});
		expect(unmerged).toEqual([[1], [1, 5], [5]]);
		await group.commit(device(0), { joiners: [device(10)] });
		expect(group.agrees()).toBe(true);
	});

	test('2: verifying a full tree hashes each node a few times, not once per ancestor (7.9)', async () => {
		const group = await Group.of(device(0), ...devices.slice(1, 16));
		for (const [member] of [...group.states]) await group.commit(member, {});
		const tree = treeOf(group.last as StagedCommit);
		const { hash } = await createSuite(device(0).identity);
		let digests = 0;
		const counting = { ...hash, digest: (data: Uint8Array) => (digests++, hash.digest(data)) };
		expect(await verifyWith(tree, counting, await subtreeHashes(tree, counting))).toBe(true);
		expect(digests).toBeLessThan(4 * tree.length);
	});

	test('2: a parent node that no update accounts for is found (7.9.2)', async () => {
		const group = await Group.of(device(0), ...devices.slice(1, 8));
		for (const [member] of [...group.states]) await group.commit(member, {});
		await group.commit(device(0), { remove: [idOf(3)] });
		await group.commit(device(0), { joiners: [device(9)] });
		const tree = treeOf(group.last as StagedCommit);
		const { hash } = await createSuite(device(0).identity);
		expect(await verifyWith(tree, hash, await subtreeHashes(tree, hash))).toBe(true);
		const parents = tree.flatMap((node, index) => (node?.nodeType === 'parent' ? [index] : []));
		expect(parents.length).toBeGreaterThan(3);
		for (const index of parents) {
			const node = tree[index];
			if (node?.nodeType !== 'parent') continue;
			const changed = [
				{ ...node.parent, hpkePublicKey: node.parent.hpkePublicKey.map((byte) => byte ^ 1) },
				{ ...node.parent, parentHash: Uint8Array.of(1, 2, 3) },
			];
			for (const parent of changed) {
				const forged = tree.with(index, { nodeType: 'parent', parent });
				expect(await verifyWith(forged, hash, await subtreeHashes(forged, hash))).toBe(false);
			}
		}
	});

	test('3: a commit with only GroupContextExtensions carries a path (12.4)', async () => {
		const group = await Group.of(device(0), device(1), device(2));
		const before = treeOf(group.last as StagedCommit);
		const after = treeOf(await group.commit(device(0), { context: Uint8Array.of(1) }));
		const keyOf = (tree: RatchetTree) =>
			tree[0]?.nodeType === 'leaf' ? tree[0].leaf.hpkePublicKey : '';
		expect(keyOf(after)).not.toEqual(keyOf(before));
		expect(group.agrees()).toBe(true);
	});

	test('3: a commit with GroupContextExtensions and Remove can be processed (12.4.1)', async () => {
		const group = await Group.of(device(0), device(1), device(2));
		await group.commit(device(0), { context: Uint8Array.of(1), remove: [idOf(2)] });
		expect(group.agrees()).toBe(true);
		expect(device(1).crypto.context(group.stateOf(device(1)))).toEqual(Uint8Array.of(1));
	});

	test('4: a resync without a leaf ends, and says so (12.4.3.2)', async () => {
		const group = await Group.of(device(0), device(1));
		const { groupInfo } = group.last as StagedCommit;
		expect(await device(2).crypto.resync(groupInfo)).toEqual({ ok: false, error: 'not-for-us' });
	});

	test('5: external_pub carries its length prefix and is refused without (12.4.3.2)', async () => {
		const group = await Group.of(device(0), device(1));
		const groupInfo = groupInfoOf(group.last as StagedCommit);
		const found = groupInfo.extensions.find(
			({ extensionType }) => extensionType === 'external_pub',
		);
		expect(found?.extensionData).toHaveLength(33);
		expect(found?.extensionData[0]).toBe(32);
		const bare = groupInfo.extensions.map((extension) =>
			extension === found ? { ...found, extensionData: found.extensionData.slice(1) } : extension,
		);
		const altered = encodeMlsMessage({
			version: 'mls10',
			wireformat: 'mls_group_info',
			groupInfo: { ...groupInfo, extensions: bare },
		});
		expect(await device(1).crypto.resync(altered)).toEqual({ ok: false, error: 'malformed' });
	});

	test('6: a member whose leaf is given away in the same commit knows it is out (12.4.2)', async () => {
		const group = await Group.of(device(0), device(1), device(2));
		await group.commit(device(0), { remove: [idOf(1)], joiners: [device(3)] });
		expect(group.states.has(device(1))).toBe(false);
		expect(device(3).crypto.members(group.stateOf(device(3)))[1]?.device).toBe(idOf(3));
		expect(group.agrees()).toBe(true);
	});

	test("7: lifetimes are judged by the application's clock (7.3)", async () => {
		const longAgo = { now: () => Date.UTC(2001, 0, 1) };
		const { identity } = device(0);
		const past = await createGroupCrypto({ identity, clock: longAgo });
		const other = await createGroupCrypto({ identity: device(1).identity, clock: longAgo });
		const { publicPart } = await other.newKeyPackage({ reusable: false });
		const founded = await past.found(idFrom<ChannelId>(new Uint8Array(16)), new Uint8Array());
		expect((await past.stage(founded, { add: [publicPart] })).ok).toBe(true);
		const now = await device(0).crypto.found(
			idFrom<ChannelId>(new Uint8Array(16)),
			new Uint8Array(),
		);
		expect(await device(0).crypto.stage(now, { add: [publicPart] })).toEqual({
			ok: false,
			error: 'unsupported',
		});
	});

	test('8: the secret of a path without nodes is fresh, not zero (7.4)', async () => {
		const group = await Group.of(device(0), device(1));
		const { initSecret } = mlsOf(group.stateOf(device(1))).keySchedule;
		await group.commit(device(0), { remove: [idOf(1)] });
		const after = group.stateOf(device(0));
		// What the removed member knows: the old init secret, and everything public about the new epoch.
		const { kdf } = await createSuite(device(1).identity);
		const zeroes = new Uint8Array(32);
		const guess = await initializeEpoch(initSecret, zeroes, mlsOf(after).groupContext, zeroes, kdf);
		expect(guess.keySchedule.epochAuthenticator).not.toEqual(device(0).crypto.authenticator(after));
	});

	test('8: a path whose root is filtered out ends one derivation earlier (7.4)', async () => {
		const group = await Group.of(device(0), device(1), device(2), device(3));
		await group.commit(device(2), { remove: [idOf(0), idOf(1)] });
		const tree = mlsOf(group.stateOf(device(2))).ratchetTree;
		expect(tree.map((node) => node?.nodeType)).toEqual([
			...new Array<undefined>(4).fill(undefined),
			'leaf',
			'parent',
			'leaf',
		]);
		const { kdf } = await createSuite(device(2).identity);
		const pathSecret = new Uint8Array(32).fill(1);
		const expected = await deriveSecret(pathSecret, 'path', kdf);
		expect(await getCommitSecret(tree, 5 as never, pathSecret, kdf)).toEqual(expected);
		await group.commit(device(3), {});
		expect(group.agrees()).toBe(true);
	});
});
