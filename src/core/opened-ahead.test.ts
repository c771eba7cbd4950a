// What is opened ahead must be what opening in turn gives, and must never be taken for another state or other messages.
import { beforeEach, describe, expect, test } from 'vitest';
import { idFrom, type ChannelId, type EnvelopeId } from '../protocol/ids.ts';
import { createIdentity, openIdentity } from './crypto/identity.ts';
import { createGroupCrypto } from './crypto/mls.ts';
import type { LoadedChannel } from './channels.ts';
import type { Incoming } from './incoming.ts';
import { createOpenedAhead, messagesAtHead, type OpenedAhead } from './opened-ahead.ts';
import type { GroupCrypto, GroupState } from './ports.ts';

const channel = idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
const utf8 = (text: string) => new TextEncoder().encode(text);

async function newDevice(deviceName: string): Promise<GroupCrypto> {
	const clock = { now: () => Date.now() };
	const identity = openIdentity(await createIdentity({ deviceName, created: clock.now() }));
	return createGroupCrypto({ identity, clock });
}

function incoming(body: Uint8Array, kind: Incoming['kind'] = 'message'): Incoming {
	const envelope = idFrom<EnvelopeId>(crypto.getRandomValues(new Uint8Array(16)));
	return { kind, channel, envelope, epoch: 1, at: 0, body, stored: () => undefined };
}

/** A channel as it comes from the store. */
function stored(groups: GroupCrypto, state: GroupState): LoadedChannel {
	const { epoch, treeId, tree, ratchet } = groups.freeze(state);
	return {
		row: {
			...{ channel, conversation: channel as never, status: 'open', generation: 0, epoch },
			...{ treeId, ratchet: Uint8Array.from(ratchet), staged: undefined, others: [] },
			...{ sentCount: 0, counts: {}, parked: 0 },
		},
		state: groups.thaw({ epoch, treeId, tree, ratchet }),
	};
}

const words = (taken: Awaited<ReturnType<OpenedAhead['take']>>) =>
	taken.plain.map(({ plaintext }) => new TextDecoder().decode(plaintext));

let bob: GroupCrypto;
let opened: number;
/** As Bob joined. */
let start: GroupState;
let said: Incoming[];
let ahead: OpenedAhead;

beforeEach(async () => {
	const alice = await newDevice("Alice's laptop");
	bob = await newDevice("Bob's phone");
	const founded = await alice.found(channel, utf8('context'));
	const keys = await bob.newKeyPackage({ reusable: false });
	const staged = await alice.stage(founded, { add: [keys.publicPart] });
	if (!staged.ok || !staged.value.welcome) throw new Error('no welcome');
	const joined = await bob.join(staged.value.welcome, keys);
	if (!joined.ok) throw new Error(joined.error);
	start = joined.value;
	let { next } = staged.value;
	said = [];
	for (const word of ['one', 'two', 'three', 'four']) {
		const sealed = await alice.seal(next, utf8(word), utf8(''));
		next = sealed.state;
		said.push(incoming(sealed.bytes));
	}
	opened = 0;
	ahead = createOpenedAhead({
		...bob,
		openRun(state, bodies) {
			opened += bodies.length;
			return bob.openRun(state, bodies);
		},
	});
});

describe('opening ahead', () => {
	test('what was begun is taken as it is, also when more came meanwhile', async () => {
		ahead.begin(stored(bob, start), said.slice(0, 2));
		const taken = await ahead.take(stored(bob, start), said);
		expect([taken.looked, words(taken), opened]).toEqual([2, ['one', 'two'], 2]);
		const state = taken.plain.at(-1)?.state;
		const rest = state && (await ahead.take(stored(bob, state), said.slice(2)));
		expect(rest && [rest.looked, words(rest)]).toEqual([2, ['three', 'four']]);
	});

	test('a channel that moved meanwhile is opened from where it is', async () => {
		ahead.begin(stored(bob, start), said.slice(0, 2));
		const moved = (await bob.seal(start, utf8('own'), utf8(''))).state;
		const taken = await ahead.take(stored(bob, moved), said.slice(0, 2));
		expect([words(taken), opened]).toEqual([['one', 'two'], 4]);
		const after = taken.plain.at(-1)?.state;
		// What the own message used up stays used up.
		const fresh = after && (await bob.seal(after, utf8('own'), utf8('')));
		const again = fresh && (await bob.seal(moved, utf8('own'), utf8('')));
		expect(fresh && bob.freeze(fresh.state).ratchet).not.toEqual(
			again && bob.freeze(again.state).ratchet,
		);
	});

	test('other messages than those begun with are opened themselves', async () => {
		ahead.begin(stored(bob, start), said.slice(0, 3));
		const withoutFirst = await ahead.take(stored(bob, start), said.slice(1));
		expect(words(withoutFirst)).toEqual(['two', 'three', 'four']);
		const fewer = await ahead.take(stored(bob, start), said.slice(0, 2));
		expect([fewer.looked, words(fewer)]).toEqual([2, ['one', 'two']]);
	});

	test('what is forgotten, and what stands behind a commit, is not there', async () => {
		ahead.begin(stored(bob, start), said);
		ahead.forget(channel);
		expect(words(await ahead.take(stored(bob, start), said))).toHaveLength(4);
		expect(opened).toBe(8);
		const [first, ...others] = said;
		if (!first) throw new Error('nothing was said');
		const mixed = [first, incoming(utf8('a commit'), 'commit'), ...others];
		expect(messagesAtHead(mixed)).toEqual([first]);
		ahead.begin(stored(bob, start), mixed.slice(1));
		expect(opened).toBe(8);
	});
});
