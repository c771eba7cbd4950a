// Opening many together must never differ from opening one by one, whatever stands between the plain messages.
import { beforeAll, describe, expect, test } from 'vitest';
import { idFrom } from '../../protocol/ids.ts';
import type { ChannelId } from '../../protocol/ids.ts';
import type { GroupCrypto, GroupState, Opened } from '../ports.ts';
import { utf8 } from './bytes.ts';
import { createIdentity, openIdentity } from './identity.ts';
import { createGroupCrypto } from './mls.ts';

async function newDevice(deviceName: string): Promise<GroupCrypto> {
	const clock = { now: () => Date.now() };
	const identity = openIdentity(await createIdentity({ deviceName, created: clock.now() }));
	return createGroupCrypto({ identity, clock });
}

/** A member that says one thing after another. */
class Speaker {
	#state: GroupState;
	readonly #crypto: GroupCrypto;
	constructor(crypto: GroupCrypto, state: GroupState) {
		this.#crypto = crypto;
		this.#state = state;
	}

	async say(...words: string[]): Promise<Uint8Array[]> {
		const sealed: Uint8Array[] = [];
		for (const word of words) {
			const next = await this.#crypto.seal(this.#state, utf8(word), utf8(`about ${word}`));
			this.#state = next.state;
			sealed.push(next.bytes);
		}
		return sealed;
	}

	/** Renews its key; the commit is adopted at once. */
	async commit(): Promise<Uint8Array> {
		const staged = await this.#crypto.stage(this.#state, {});
		if (!staged.ok) throw new Error(staged.error);
		this.#state = staged.value.next;
		return staged.value.commit;
	}
}

let bob: GroupCrypto;
/** As Bob joined. */
let start: GroupState;
let asAlice: Speaker;
let asBob: Speaker;
let asCarol: Speaker;

beforeAll(async () => {
	const alice = await newDevice("Alice's laptop");
	bob = await newDevice("Bob's phone");
	const carol = await newDevice("Carol's tablet");
	const founded = await alice.found(
		idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16))),
		utf8('context'),
	);
	const pairs = await Promise.all(
		[bob, carol].map((each) => each.newKeyPackage({ reusable: false })),
	);
	const staged = await alice.stage(founded, { add: pairs.map(({ publicPart }) => publicPart) });
	if (!staged.ok || !staged.value.welcome) throw new Error('no welcome');
	const { welcome, next } = staged.value;
	const [atBob, atCarol] = await Promise.all(
		[bob, carol].map(async (each, index) => {
			const pair = pairs[index];
			const joined = pair && (await each.join(welcome, pair));
			if (!joined?.ok) throw new Error('not joined');
			return joined.value;
		}),
	);
	if (!atBob || !atCarol) throw new Error('not joined');
	start = atBob;
	asAlice = new Speaker(alice, next);
	asBob = new Speaker(bob, atBob);
	asCarol = new Speaker(carol, atCarol);
});

const told = (opened: Opened) =>
	opened.kind === 'message'
		? `${opened.sender.leaf} ${new TextDecoder().decode(opened.plaintext)}`
		: opened.kind;

/** One by one, as far as nothing but messages comes out. */
async function oneByOne(state: GroupState, bodies: readonly Uint8Array[]) {
	const run: Extract<Opened, { kind: 'message' }>[] = [];
	let current = state;
	for (const body of bodies) {
		const opened = await bob.open(current, body);
		if (opened.kind !== 'message') return { run, end: opened.kind };
		run.push(opened);
		current = opened.state;
	}
	return { run, end: undefined };
}

async function expectSame(state: GroupState, bodies: readonly Uint8Array[]) {
	const run = await bob.openRun(state, bodies);
	const expected = await oneByOne(state, bodies);
	expect(run.map(told)).toEqual(expected.run.map(told));
	expect(run.map((each) => bob.freeze(each.state).ratchet)).toEqual(
		expected.run.map((each) => bob.freeze(each.state).ratchet),
	);
	expect(run.map(({ authenticated }) => authenticated)).toEqual(
		expected.run.map(({ authenticated }) => authenticated),
	);
	return { run, end: expected.end };
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
	const copy = bytes.slice();
	copy[at] = (copy[at] ?? 0) ^ 1;
	return copy;
}

describe('a run', () => {
	test('of several senders, out of order and with gaps', async () => {
		const [a1, a2, a3, a4] = await asAlice.say('a1', 'a2', 'a3', 'a4');
		const [c1, , c3] = await asCarol.say('c1', 'c2', 'c3');
		const bodies = [a1, c3, a4, a2, c1, a3].filter((each) => each !== undefined);
		const { run } = await expectSame(start, bodies);
		expect(run).toHaveLength(6);
	});

	test('ends before what was said before, and goes on behind it', async () => {
		const [one, two, three] = await asAlice.say('1', '2', '3');
		if (!one || !two || !three) throw new Error('unsaid');
		const { run, end } = await expectSame(start, [one, two, one, three]);
		expect([run.length, end]).toEqual([2, 'spent']);
		const state = run.at(-1)?.state;
		expect(state && (await bob.openRun(state, [three])).map(told)).toEqual(['0 3']);
	});

	test('ends before own words, junk, and nothing at all', async () => {
		const [first] = await asCarol.say('first');
		const [own] = await asBob.say('mine');
		if (!first || !own) throw new Error('unsaid');
		expect((await expectSame(start, [first, own])).end).toBe('own');
		expect((await expectSame(start, [first, Uint8Array.of(1, 2, 3)])).end).toBe('unreadable');
		expect(await bob.openRun(start, [])).toEqual([]);
	});

	test('ends before a forgery, wherever it was altered, and the ratchet stays in front of it', async () => {
		const [one, two] = await asAlice.say('before', 'altered');
		if (!one || !two) throw new Error('unsaid');
		// Every part of the frame: group, epoch, type, authenticated data, sender data, content, tag.
		for (let at = 0; at < two.length; at += 7) {
			const { run } = await expectSame(start, [one, flipped(two, at)]);
			expect(run.map(told)).toEqual(['0 before']);
			const state = run[0]?.state;
			expect(state && (await bob.openRun(state, [two])).map(told)).toEqual(['0 altered']);
		}
	});

	test('ends with its epoch', async () => {
		const [before] = await asAlice.say('before the commit');
		const commit = await asAlice.commit();
		const [after] = await asAlice.say('after the commit');
		if (!before || !after) throw new Error('unsaid');
		expect((await expectSame(start, [before, commit, after])).end).toBe('commit');
		expect((await expectSame(start, [before, after])).end).toBe('future');
		const opened = await bob.open(start, commit);
		if (opened.kind !== 'commit') throw new Error(opened.kind);
		// What was said before the commit is late now, and not for a run.
		expect(await bob.openRun(opened.state, [before])).toEqual([]);
		await expectSame(opened.state, [after]);
	});
});
