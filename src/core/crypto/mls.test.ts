import { beforeAll, describe, expect, test } from 'vitest';
import { idFrom } from '../../protocol/ids.ts';
import type { ChannelId } from '../../protocol/ids.ts';
import type { GroupCrypto, GroupState, Identity, Opened, Result, StagedCommit } from '../ports.ts';
import { utf8 } from './bytes.ts';
import { createIdentity, openIdentity } from './identity.ts';
import { createGroupCrypto } from './mls.ts';

const clock = { now: () => Date.now() };

interface Device {
	readonly identity: Identity;
	readonly crypto: GroupCrypto;
}

async function newDevice(deviceName: string, now = clock): Promise<Device> {
	const identity = openIdentity(await createIdentity({ deviceName, created: now.now() }));
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
	if (opened.kind !== kind) throw new Error(`expected ${kind}, got ${JSON.stringify(opened)}`);
	return opened as Extract<Opened, { kind: Kind }>;
}

function text(bytes: Uint8Array): string {
	return new TextDecoder().decode(bytes);
}

/** Alice founds a group and adds the others in one commit. */
async function newGroup(alice: Device, ...others: Device[]) {
	const founded = await alice.crypto.found(newChannel(), utf8('context'));
	const packages = await Promise.all(
		others.map(({ crypto }) => crypto.newKeyPackage({ reusable: false })),
	);
	const add = packages.map(({ publicPart }) => publicPart);
	const staged = must(await alice.crypto.stage(founded, { add }));
	const states: GroupState[] = [];
	for (const [index, { crypto }] of others.entries()) {
		states.push(must(await crypto.join(staged.welcome as Uint8Array, packages[index] as never)));
	}
	return { staged, states: [staged.next, ...states] as [GroupState, ...GroupState[]] };
}

async function deliver(device: Device, state: GroupState, staged: StagedCommit) {
	return mustBe(await device.crypto.open(state, staged.commit), 'commit');
}

let alice: Device;
let bob: Device;
let carol: Device;
beforeAll(async () => {
	[alice, bob, carol] = await Promise.all([
		newDevice("Alice's laptop"),
		newDevice("Bob's phone"),
		newDevice("Carol's tablet"),
	]);
});

describe('a group of two', () => {
	test('both see the same members, context and authenticator', async () => {
		const { states } = await newGroup(alice, bob);
		const [a, b] = states as [GroupState, GroupState];
		expect(b.channel).toBe(a.channel);
		expect([a.epoch, b.epoch]).toEqual([1, 1]);
		expect(bob.crypto.members(b)).toEqual([
			{ leaf: 0, account: alice.identity.account, device: alice.identity.device },
			{ leaf: 1, account: bob.identity.account, device: bob.identity.device },
		]);
		expect(alice.crypto.members(a)).toEqual(bob.crypto.members(b));
		expect(text(bob.crypto.context(b))).toBe('context');
		expect(alice.crypto.authenticator(a)).toEqual(bob.crypto.authenticator(b));
		const keys = await Promise.all([
			alice.crypto.exportSecret(a, 'kith ephemeral', 32),
			bob.crypto.exportSecret(b, 'kith ephemeral', 32),
		]);
		expect(keys[0]).toEqual(keys[1]);
		expect(keys[0]).toHaveLength(32);
	});

	test('messages pass both ways, with sender and authenticated data', async () => {
		const { states } = await newGroup(alice, bob);
		const [a, b] = states as [GroupState, GroupState];
		const sealed = await alice.crypto.seal(a, utf8('hello'), utf8('envelope 1'));
		const opened = mustBe(await bob.crypto.open(b, sealed.bytes), 'message');
		expect(text(opened.plaintext)).toBe('hello');
		expect(text(opened.authenticated)).toBe('envelope 1');
		expect(opened.sender.device).toBe(alice.identity.device);
		const answer = await bob.crypto.seal(opened.state, utf8('hi'), utf8(''));
		const back = mustBe(await alice.crypto.open(sealed.state, answer.bytes), 'message');
		expect(text(back.plaintext)).toBe('hi');
	});

	test('messages arrive in any order, each once', async () => {
		const { states } = await newGroup(alice, bob);
		let [a, b] = states as [GroupState, GroupState];
		const sent: Uint8Array[] = [];
		for (const word of ['one', 'two', 'three', 'four']) {
			const sealed = await alice.crypto.seal(a, utf8(word), utf8(''));
			a = sealed.state;
			sent.push(sealed.bytes);
		}
		for (const [at, word] of [
			[3, 'four'],
			[0, 'one'],
			[2, 'three'],
			[1, 'two'],
		] as const) {
			const opened = mustBe(await bob.crypto.open(b, sent[at] as Uint8Array), 'message');
			expect(text(opened.plaintext)).toBe(word);
			b = opened.state;
			expect(await bob.crypto.open(b, sent[at] as Uint8Array)).toEqual({ kind: 'spent', epoch: 1 });
		}
	});

	test('its own message and its own commit come back as own', async () => {
		const { states } = await newGroup(alice, bob);
		const sealed = await alice.crypto.seal(states[0], utf8('x'), utf8(''));
		expect(await alice.crypto.open(sealed.state, sealed.bytes)).toEqual({ kind: 'own' });
		const staged = must(await alice.crypto.stage(sealed.state, {}));
		expect(await alice.crypto.open(sealed.state, staged.commit)).toEqual({ kind: 'own' });
	});

	test('a message of an epoch not reached yet is future, and opens after the commit', async () => {
		const { states } = await newGroup(alice, bob);
		const [a, b] = states as [GroupState, GroupState];
		const staged = must(await alice.crypto.stage(a, {}));
		const sealed = await alice.crypto.seal(staged.next, utf8('later'), utf8(''));
		expect(await bob.crypto.open(b, sealed.bytes)).toEqual({ kind: 'future', epoch: 2 });
		const { state } = await deliver(bob, b, staged);
		expect(text(mustBe(await bob.crypto.open(state, sealed.bytes), 'message').plaintext)).toBe(
			'later',
		);
	});

	test('late messages open for six epochs, then are spent', async () => {
		const { states } = await newGroup(alice, bob);
		let [a, b] = states as [GroupState, GroupState];
		const first = await alice.crypto.seal(a, utf8('first'), utf8(''));
		const second = await alice.crypto.seal(first.state, utf8('second'), utf8(''));
		a = second.state;
		for (let epoch = 2; epoch <= 7; epoch++) {
			const staged = must(await alice.crypto.stage(a, {}));
			a = staged.next;
			b = (await deliver(bob, b, staged)).state;
		}
		const late = mustBe(await bob.crypto.open(b, first.bytes), 'message');
		expect(text(late.plaintext)).toBe('first');
		expect(late.sender.device).toBe(alice.identity.device);
		expect(await bob.crypto.open(late.state, first.bytes)).toEqual({ kind: 'spent', epoch: 1 });
		const staged = must(await alice.crypto.stage(a, {}));
		b = (await deliver(bob, late.state, staged)).state;
		expect(await bob.crypto.open(b, second.bytes)).toEqual({ kind: 'spent', epoch: 1 });
	});

	test('of many skipped messages the newest 500 stay readable', async () => {
		const { states } = await newGroup(alice, bob);
		let [a, b] = states as [GroupState, GroupState];
		const sent: Uint8Array[] = [];
		for (let n = 0; n < 620; n++) {
			const sealed = await alice.crypto.seal(a, utf8(`${n}`), utf8(''));
			a = sealed.state;
			sent.push(sealed.bytes);
		}
		b = mustBe(await bob.crypto.open(b, sent[50] as Uint8Array), 'message').state;
		b = mustBe(await bob.crypto.open(b, sent[619] as Uint8Array), 'message').state;
		for (const [at, kind] of [
			[0, 'spent'],
			[118, 'spent'],
			[119, 'message'],
			[618, 'message'],
		] as const) {
			expect((await bob.crypto.open(b, sent[at] as Uint8Array)).kind, `message ${at}`).toBe(kind);
		}
	});

	test('a losing commit leaves the old state usable for the winner', async () => {
		const { states } = await newGroup(alice, bob);
		const [a, b] = states as [GroupState, GroupState];
		must(await alice.crypto.stage(a, { context: utf8('loses') }));
		const winner = must(await bob.crypto.stage(b, { context: utf8('wins') }));
		const opened = await deliver(alice, a, winner);
		expect(opened.by?.device).toBe(bob.identity.device);
		expect(text(alice.crypto.context(opened.state))).toBe('wins');
		expect(alice.crypto.authenticator(opened.state)).toEqual(bob.crypto.authenticator(winner.next));
		expect(winner.hash).not.toBe('');
	});
});

describe('members come and go', () => {
	test('an added and a removed device are named to everyone', async () => {
		const { states } = await newGroup(alice, bob);
		const [a, b] = states as [GroupState, GroupState];
		const keys = await carol.crypto.newKeyPackage({ reusable: true });
		const adding = must(await alice.crypto.stage(a, { add: [keys.publicPart] }));
		const atBob = await deliver(bob, b, adding);
		const carolMember = { leaf: 2, account: carol.identity.account, device: carol.identity.device };
		expect(atBob.added).toEqual([carolMember]);
		expect(atBob.removed).toEqual([]);
		const c = must(await carol.crypto.join(adding.welcome as Uint8Array, keys));

		const removing = must(await bob.crypto.stage(atBob.state, { remove: [carol.identity.device] }));
		const atAlice = await deliver(alice, adding.next, removing);
		expect(atAlice.removed).toEqual([carolMember]);
		expect(atAlice.by?.device).toBe(bob.identity.device);

		const before = await alice.crypto.seal(adding.next, utf8('before'), utf8(''));
		const after = await alice.crypto.seal(atAlice.state, utf8('after'), utf8(''));
		const atCarol = await deliver(carol, c, removing);
		expect(atCarol.removedSelf).toBe(true);
		const readable = mustBe(await carol.crypto.open(atCarol.state, before.bytes), 'message');
		expect(text(readable.plaintext)).toBe('before');
		expect((await carol.crypto.open(readable.state, after.bytes)).kind).toBe('future');
	});

	test('a reusable key package joins two groups', async () => {
		const keys = await bob.crypto.newKeyPackage({ reusable: true });
		for (const inviter of [alice, carol]) {
			const founded = await inviter.crypto.found(newChannel(), utf8(''));
			const staged = must(await inviter.crypto.stage(founded, { add: [keys.publicPart] }));
			const welcome = staged.welcome as Uint8Array;
			expect(must(bob.crypto.welcomeRefs(welcome))).toEqual([keys.ref]);
			const joined = must(await bob.crypto.join(welcome, keys));
			expect(bob.crypto.authenticator(joined)).toEqual(inviter.crypto.authenticator(staged.next));
		}
	});

	test('removing a device that is not there is a bug and throws', async () => {
		const { states } = await newGroup(alice, bob);
		await expect(
			alice.crypto.stage(states[0], { remove: [carol.identity.device] }),
		).rejects.toThrow('not in the group');
	});
});

describe('boxes for leaves', () => {
	const scope = 'channel 4';

	test('open for who is there, with nothing but the key of the leaf', async () => {
		const { states } = await newGroup(alice, bob, carol);
		const [a, b, c] = states as [GroupState, GroupState, GroupState];
		const boxes = await alice.crypto.sealToLeaves(a, scope, utf8('secret'));
		for (const [{ crypto }, state] of [
			[alice, a],
			[bob, b],
			[carol, c],
		] as const) {
			const opened = await crypto.openAsLeaf(crypto.leafKey(state), scope, boxes);
			expect(text(opened ?? utf8('nothing'))).toBe('secret');
		}
		expect(await bob.crypto.openAsLeaf(bob.crypto.leafKey(b), 'channel 5', boxes)).toBeUndefined();
		const stolen = { ...bob.crypto.leafKey(b), leaf: 2 };
		expect(await bob.crypto.openAsLeaf(stolen, scope, boxes)).toBeUndefined();
	});

	test('not for who was taken out, nor with a key from before an own commit', async () => {
		const { states } = await newGroup(alice, bob, carol);
		const [a, b, c] = states as [GroupState, GroupState, GroupState];
		const removing = must(await alice.crypto.stage(a, { remove: [carol.identity.device] }));
		const before = await alice.crypto.sealToLeaves(removing.next, scope, utf8('without Carol'));
		expect(before.map(({ leaf }) => leaf)).toEqual([0, 1]);
		expect(await carol.crypto.openAsLeaf(carol.crypto.leafKey(c), scope, before)).toBeUndefined();
		const old = bob.crypto.leafKey(b);
		expect(await bob.crypto.openAsLeaf(old, scope, before)).toEqual(utf8('without Carol'));
		const atBob = await deliver(bob, b, removing);
		const rotating = must(await bob.crypto.stage(atBob.state, {}));
		const after = await bob.crypto.sealToLeaves(rotating.next, scope, utf8('later'));
		expect(await bob.crypto.openAsLeaf(old, scope, after)).toBeUndefined();
		const own = bob.crypto.leafKey(rotating.next);
		expect(await bob.crypto.openAsLeaf(own, scope, after)).toEqual(utf8('later'));
	});

	test.each([0, 31, 32, 79, 80, 200])('%i bytes that are no box open nothing', async (length) => {
		const { states } = await newGroup(alice, bob);
		const own = alice.crypto.leafKey(states[0]);
		const boxes = [{ leaf: 0, sealed: new Uint8Array(length).fill(7) }];
		expect(await alice.crypto.openAsLeaf(own, scope, boxes)).toBeUndefined();
	});
});
