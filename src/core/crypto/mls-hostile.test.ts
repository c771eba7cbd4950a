// What a hostile relay, stranger or member can send, and what the stored form of a group must keep.
import { createCommit, joinGroupExternal } from 'ts-mls/createCommit.js';
import { createProposal } from 'ts-mls/createMessage.js';
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls/message.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { idFrom } from '../../protocol/ids.ts';
import type { ChannelId } from '../../protocol/ids.ts';
import type { GroupCrypto, GroupState, Identity, Opened, Result } from '../ports.ts';
import { utf8 } from './bytes.ts';
import { createIdentity, openIdentity } from './identity.ts';
import { createGroupCrypto } from './mls.ts';
import { GROUP_DATA, mlsOf } from './mls-group.ts';
import { generateKeyPackage } from './mls-key-package.ts';
import { createSuite } from './mls-suite.ts';

const clock = { now: () => Date.now() };
const DAY = 24 * 60 * 60 * 1000;

interface Device {
	readonly identity: Identity;
	readonly crypto: GroupCrypto;
}

async function newDevice(deviceName: string): Promise<Device> {
	return deviceOf(openIdentity(await createIdentity({ deviceName, created: clock.now() })));
}

async function deviceOf(identity: Identity, now = clock): Promise<Device> {
	return { identity, crypto: await createGroupCrypto({ identity, clock: now }) };
}

function newChannel(): ChannelId {
	return idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
}

function must<Value>(result: Result<Value, string>): Value {
	if (!result.ok) throw new Error(result.error);
	return result.value;
}

function mustBe<Kind extends Opened['kind']>(opened: Opened, kind: Kind) {
	if (opened.kind !== kind) throw new Error(`expected ${kind}, got ${opened.kind}`);
	return opened as Extract<Opened, { kind: Kind }>;
}

async function pairUp(inviter: Device, joiner: Device) {
	const founded = await inviter.crypto.found(newChannel(), utf8('context'));
	const keys = await joiner.crypto.newKeyPackage({ reusable: false });
	const staged = must(await inviter.crypto.stage(founded, { add: [keys.publicPart] }));
	const welcome = staged.welcome as Uint8Array;
	const joined = must(await joiner.crypto.join(welcome, keys));
	return { founded, staged, welcome, keys, a: staged.next, b: joined };
}

let alice: Device;
let bob: Device;
let mallory: Device;
beforeAll(async () => {
	[alice, bob, mallory] = await Promise.all([newDevice('A'), newDevice('B'), newDevice('M')]);
});

describe('bytes that nobody should have sent', () => {
	test('altered or cut messages and commits never open, never throw, and change nothing', async () => {
		const { a, b } = await pairUp(alice, bob);
		const sealed = await alice.crypto.seal(a, utf8('hello'), utf8('id'));
		const staged = must(await alice.crypto.stage(sealed.state, {}));
		for (const bytes of [sealed.bytes, staged.commit]) {
			for (let at = 0; at < bytes.length; at += at < 120 ? 1 : 37) {
				const altered = bytes.slice();
				altered[at] = (altered[at] ?? 0) ^ 0x11;
				for (const hostile of [altered, bytes.subarray(0, at)]) {
					const opened = await bob.crypto.open(b, hostile);
					expect(['unreadable', 'future', 'spent'], `byte ${at}`).toContain(opened.kind);
				}
			}
			const longer = new Uint8Array([...bytes, 0]);
			expect(await bob.crypto.open(b, longer)).toEqual({ kind: 'unreadable', reason: 'malformed' });
		}
		mustBe(await bob.crypto.open(b, sealed.bytes), 'message');
		mustBe(await bob.crypto.open(b, staged.commit), 'commit');
	});

	test('random bytes, and every other kind of MLS message, are malformed', async () => {
		const { a, b, staged, welcome, keys } = await pairUp(alice, bob);
		const malformed = { kind: 'unreadable', reason: 'malformed' };
		for (const bytes of [new Uint8Array(), welcome, staged.groupInfo, keys.publicPart]) {
			expect(await bob.crypto.open(b, bytes)).toEqual(malformed);
		}
		for (let round = 0; round < 200; round++) {
			const bytes = crypto.getRandomValues(new Uint8Array(round));
			expect((await bob.crypto.open(b, bytes)).kind).toBe('unreadable');
		}
		const { bytes } = await alice.crypto.seal(a, utf8('x'), utf8(''));
		expect(await bob.crypto.join(bytes, keys)).toEqual({ ok: false, error: 'malformed' });
		expect(await bob.crypto.resync(bytes)).toEqual({ ok: false, error: 'malformed' });
		expect(bob.crypto.welcomeRefs(bytes)).toEqual({ ok: false, error: 'malformed' });
		expect(await bob.crypto.inspectKeyPackage(bytes)).toEqual({ ok: false, error: 'malformed' });
	});

	test('altered welcomes and group infos are refused without throwing', async () => {
		const { welcome, keys, staged } = await pairUp(alice, bob);
		for (let at = 0; at < welcome.length; at += 11) {
			const altered = welcome.slice();
			altered[at] = (altered[at] ?? 0) ^ 0x11;
			expect((await bob.crypto.join(altered, keys)).ok, `welcome byte ${at}`).toBe(false);
		}
		for (let at = 4; at < staged.groupInfo.length; at += 29) {
			const altered = staged.groupInfo.slice();
			altered[at] = (altered[at] ?? 0) ^ 0x11;
			expect((await bob.crypto.resync(altered)).ok, `group info byte ${at}`).toBe(false);
		}
	});

	test('a message of another group is not for us', async () => {
		const here = await pairUp(alice, bob);
		const there = await pairUp(alice, bob);
		const { bytes } = await alice.crypto.seal(there.a, utf8('x'), utf8(''));
		const opened = await bob.crypto.open(here.b, bytes);
		expect(opened).toEqual({ kind: 'unreadable', reason: 'not-for-us' });
	});

	test("the caller's buffer may be reused at once", async () => {
		const { welcome, keys, a } = await pairUp(alice, bob);
		const lent = welcome.slice();
		const joined = must(await bob.crypto.join(lent, keys));
		lent.fill(0xff);
		expect(bob.crypto.members(joined)).toEqual(alice.crypto.members(a));
	});
});

describe('credentials', () => {
	test("another device's certificate does not make a leaf", async () => {
		const posing = await deviceOf({ ...mallory.identity, certificate: bob.identity.certificate });
		const keys = await posing.crypto.newKeyPackage({ reusable: false });
		const forged = { ok: false, error: 'forged' };
		expect(await alice.crypto.inspectKeyPackage(keys.publicPart)).toEqual(forged);
		const founded = await alice.crypto.found(newChannel(), utf8(''));
		expect(await alice.crypto.stage(founded, { add: [keys.publicPart] })).toEqual(forged);
		await expect(pairUp(posing, bob)).rejects.toThrow('forged');
	});

	test('a key package says whose it is, while it is valid', async () => {
		const keys = await bob.crypto.newKeyPackage({ reusable: true });
		const { account, device } = bob.identity;
		expect(await alice.crypto.inspectKeyPackage(keys.publicPart)).toEqual({
			ok: true,
			value: { account, device },
		});
		for (const later of [-2 * DAY, 360 * DAY]) {
			const shifted = await deviceOf(alice.identity, { now: () => Date.now() + later });
			expect((await shifted.crypto.inspectKeyPackage(keys.publicPart)).ok).toBe(true);
		}
		for (const later of [-4 * DAY, 366 * DAY]) {
			const shifted = await deviceOf(alice.identity, { now: () => Date.now() + later });
			expect(await shifted.crypto.inspectKeyPackage(keys.publicPart)).toEqual({
				ok: false,
				error: 'unsupported',
			});
		}
	});
});

describe('the rules that Kith adds to MLS', () => {
	test('nobody joins by an external commit, though the group info is public', async () => {
		const { b, staged } = await pairUp(alice, bob);
		const message = decodeMlsMessage(staged.groupInfo, 0)?.[0];
		if (message?.wireformat !== 'mls_group_info') throw new Error('no GroupInfo');
		const suite = await createSuite(mallory.identity);
		const now = BigInt(Math.floor(Date.now() / 1000));
		const own = await generateKeyPackage(mallory.identity, suite, { reusable: false, now });
		const { publicMessage } = await joinGroupExternal(
			message.groupInfo,
			own.publicPackage,
			own.privatePackage,
			false,
			suite,
			undefined,
			mlsOf(staged.next).clientConfig,
		);
		const commit = encodeMlsMessage({
			version: 'mls10',
			wireformat: 'mls_public_message',
			publicMessage,
		});
		expect(await bob.crypto.open(b, commit)).toEqual({ kind: 'unreadable', reason: 'forged' });
	});

	test('a resync keeps the members, and is told apart from joining', async () => {
		const { a, b, staged } = await pairUp(alice, bob);
		const back = must(await bob.crypto.resync(staged.groupInfo));
		const opened = mustBe(await alice.crypto.open(a, back.commit), 'commit');
		expect([opened.by?.device, opened.added, opened.removed]).toEqual([
			bob.identity.device,
			[],
			[],
		]);
		expect(alice.crypto.authenticator(opened.state)).toEqual(bob.crypto.authenticator(back.next));
		// The lost state turns up after all: it sees that its own leaf went to another life of this device.
		expect(mustBe(await bob.crypto.open(b, back.commit), 'commit').removedSelf).toBe(true);
	});

	test('stand-alone proposals and commits in the clear are refused', async () => {
		const { a, b } = await pairUp(alice, bob);
		const suite = await createSuite(alice.identity);
		const malformed = { kind: 'unreadable', reason: 'malformed' };
		for (const inTheClear of [true, false]) {
			const { message } = await createProposal(
				mlsOf(a),
				inTheClear,
				{ proposalType: 'remove', remove: { removed: 1 } },
				suite,
			);
			expect(await bob.crypto.open(b, encodeMlsMessage(message))).toEqual(malformed);
		}
		const { commit } = await createCommit(
			{ state: mlsOf(a), cipherSuite: suite },
			{ wireAsPublicMessage: true },
		);
		expect(await bob.crypto.open(b, encodeMlsMessage(commit))).toEqual(malformed);
	});

	test('a commit may not smuggle in extensions of the group that we do not know', async () => {
		const { a, b } = await pairUp(alice, bob);
		const suite = await createSuite(alice.identity);
		const commitWith = async (...types: number[]) => {
			const extensions = types.map((extensionType) => ({
				extensionType,
				extensionData: utf8('x'),
			}));
			const { commit } = await createCommit(
				{ state: mlsOf(a), cipherSuite: suite },
				{
					extraProposals: [
						{
							proposalType: 'group_context_extensions',
							groupContextExtensions: { extensions },
						},
					],
				},
			);
			return bob.crypto.open(b, encodeMlsMessage(commit));
		};
		expect((await commitWith(GROUP_DATA)).kind).toBe('commit');
		const malformed = { kind: 'unreadable', reason: 'malformed' };
		expect(await commitWith(GROUP_DATA, GROUP_DATA + 1)).toEqual(malformed);
		expect(await commitWith(GROUP_DATA + 1)).toEqual(malformed);
	});

	test('a leaf cannot turn into another device, though its certificate is valid', async () => {
		const { a, b } = await pairUp(alice, bob);
		const first = await createSuite(alice.identity);
		const second = await createSuite(mallory.identity);
		const own = mlsOf(a).ratchetTree[0];
		if (own?.nodeType !== 'leaf') throw new Error('no leaf');
		const leaf = {
			...own.leaf,
			credential: { credentialType: 'basic', identity: mallory.identity.certificate },
			signaturePublicKey: mallory.identity.devicePublicKey,
		} as const;
		const state = {
			...mlsOf(a),
			ratchetTree: mlsOf(a).ratchetTree.with(0, { nodeType: 'leaf', leaf }),
		};
		const signature: typeof first.signature = {
			...first.signature,
			sign: (handle, message) => {
				const isLeaf = new TextDecoder().decode(message).includes('LeafNodeTBS');
				return (isLeaf ? second : first).signature.sign(handle, message);
			},
		};
		const { commit } = await createCommit({ state, cipherSuite: { ...first, signature } });
		const opened = await bob.crypto.open(b, encodeMlsMessage(commit));
		expect(opened).toEqual({ kind: 'unreadable', reason: 'forged' });
	});

	test('short messages look alike, long ones cost at most 160 bytes more', async () => {
		const { a } = await pairUp(alice, bob);
		const sizeOf = async (length: number) =>
			(await alice.crypto.seal(a, new Uint8Array(length), utf8(''))).bytes.length;
		expect(await sizeOf(0)).toBe(await sizeOf(188));
		expect(await sizeOf(189)).toBe(await sizeOf(444));
		expect(await sizeOf(189)).toBeGreaterThan(await sizeOf(188));
		for (const length of [1000, 4096, 100_000]) {
			expect((await sizeOf(length)) - length).toBeLessThanOrEqual(160);
		}
	});
});

describe('what is stored', () => {
	test('a message changes the ratchet alone; a commit and a late message change the tree', async () => {
		const { a, b } = await pairUp(alice, bob);
		const late = await alice.crypto.seal(a, utf8('late'), utf8(''));
		const one = await alice.crypto.seal(late.state, utf8('one'), utf8(''));
		const opened = mustBe(await bob.crypto.open(b, one.bytes), 'message');
		const [before, after] = [b, opened.state].map((state) => bob.crypto.freeze(state));
		expect(after?.treeId).toBe(before?.treeId);
		expect(after?.tree).toBe(before?.tree);
		expect(after?.ratchet).not.toEqual(before?.ratchet);

		const staged = must(await alice.crypto.stage(one.state, {}));
		const committed = mustBe(await bob.crypto.open(opened.state, staged.commit), 'commit');
		const frozen = bob.crypto.freeze(committed.state);
		expect(frozen.treeId).not.toBe(after?.treeId);
		const read = mustBe(await bob.crypto.open(committed.state, late.bytes), 'message');
		const afterLate = bob.crypto.freeze(read.state);
		expect(afterLate.treeId).not.toBe(frozen.treeId);
		const thawed = bob.crypto.thaw(afterLate);
		expect((await bob.crypto.open(thawed, late.bytes)).kind).toBe('spent');
	});

	test('parts of different states do not thaw', async () => {
		const { a } = await pairUp(alice, bob);
		const staged = must(await alice.crypto.stage(a, {}));
		const [older, newer] = [a, staged.next].map((state) => alice.crypto.freeze(state));
		if (!older || !newer) throw new Error('nothing frozen');
		expect(() => alice.crypto.thaw({ ...newer, tree: older.tree })).toThrow('different states');
		expect(() => alice.crypto.thaw({ ...newer, tree: new Uint8Array() })).toThrow();
	});

	test('skipped messages open after storage', async () => {
		const { a, b } = await pairUp(alice, bob);
		let state: GroupState = a;
		const sent: Uint8Array[] = [];
		for (let n = 0; n < 5; n++) {
			const sealed = await alice.crypto.seal(state, utf8(`${n}`), utf8(''));
			state = sealed.state;
			sent.push(sealed.bytes);
		}
		let reader = mustBe(await bob.crypto.open(b, sent[4] as Uint8Array), 'message').state;
		for (const at of [2, 0, 3, 1]) {
			reader = bob.crypto.thaw(structuredClone(bob.crypto.freeze(reader)));
			const opened = mustBe(await bob.crypto.open(reader, sent[at] as Uint8Array), 'message');
			expect(opened.plaintext).toEqual(utf8(`${at}`));
			reader = opened.state;
		}
	});
});
