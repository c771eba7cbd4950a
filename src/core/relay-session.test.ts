import { beforeEach, describe, expect, test } from 'vitest';
import { seededIdentity } from '../../tests/support/world/seeded-identity.ts';
import { Seeded } from '../../tests/support/world/seeded.ts';
import { ManualClock } from '../../tests/support/manual-clock.ts';
import { loginStatement, type DownFrame, type UpFrame } from '../protocol/frames.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import { signedBytes } from './crypto/signing.ts';
import type { Connection } from './model.ts';
import type { Identity, RelayHandlers } from './ports.ts';
import { startRelaySession, type Answer, type RelaySession } from './relay-session.ts';

const HOST = 'relay.example';
const CHALLENGE = new Uint8Array(32).fill(7);
const PING: UpFrame = { type: 'ping' };

/** One attempt of the session, from the relay's end. */
class Attempt {
	readonly said: UpFrame[] = [];
	readonly #handlers: RelayHandlers;
	open = true;
	/** The socket refuses to take anything more. */
	choked = false;

	constructor(handlers: RelayHandlers) {
		this.#handlers = handlers;
	}

	readonly connection = {
		send: (frame: UpFrame) => {
			if (!this.open || this.choked) return false;
			this.said.push(frame);
			return true;
		},
		close: () => this.end(),
	};

	says(frame: DownFrame): void {
		this.#handlers.frame(frame);
	}

	end(): void {
		if (!this.open) return;
		this.open = false;
		this.#handlers.closed();
	}
}

let clock: ManualClock;
let identity: Identity;
let attempts: Attempt[];
let states: Connection[];
let heard: string[];
let session: RelaySession;

beforeEach(async () => {
	clock = new ManualClock();
	attempts = [];
	states = [];
	heard = [];
	const random = new Seeded(5);
	identity = await seededIdentity(random, { deviceName: 'Ana', created: clock.now() });
	session = startRelaySession(
		{
			relay: {
				host: HOST,
				connect(handlers) {
					const attempt = new Attempt(handlers);
					attempts.push(attempt);
					return attempt.connection;
				},
				look: () => Promise.resolve(undefined),
				fetchCapsule: () => Promise.resolve(undefined),
			},
			identity,
			clock,
			random,
			log: { info: () => undefined, warn: () => undefined },
		},
		{
			connection: (state) => states.push(state),
			ready: () => heard.push('ready'),
			skew: (ms) => heard.push(`skew ${ms}`),
			delivered: ({ seq }) => heard.push(`delivered ${seq}`),
			caughtUp: () => heard.push('caught up'),
			whispered: () => heard.push('whispered'),
		},
	);
});

const last = () => {
	const attempt = attempts.at(-1);
	if (!attempt) throw new Error('the session has not connected');
	return attempt;
};

const hello = (time = clock.now()): DownFrame => ({
	...{ type: 'hello', version: 1, floor: 1, challenge: CHALLENGE, time },
});
const READY: DownFrame = {
	...{ type: 'ready', software: 'kith-relay/1', vapidKey: null, iceServers: [], retention: 5 },
};

/** WebCrypto answers from another thread. */
const signed = () => expect.poll(() => last().said.length).toBeGreaterThan(0);

async function logIn(): Promise<Attempt> {
	const attempt = last();
	attempt.says(hello());
	await signed();
	attempt.says(READY);
	attempt.says({ type: 'caughtUp' });
	attempt.said.length = 0;
	return attempt;
}

describe('logging in', () => {
	test('HS-1 HS-2 HS-4 the device waits for the challenge, and signs it with the host', async () => {
		expect(last().said).toEqual([]);
		last().says(hello());
		await signed();
		const [login] = last().said;
		expect(login).toMatchObject({
			...{ type: 'login', version: PROTOCOL_VERSION, deviceKey: identity.devicePublicKey },
		});
		const statement = loginStatement(CHALLENGE, HOST, identity.devicePublicKey);
		const raw = Uint8Array.from(identity.devicePublicKey);
		const key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
		const signature = login?.type === 'login' ? Uint8Array.from(login.signature) : new Uint8Array();
		const bytes = signedBytes('kith login', statement);
		expect(await crypto.subtle.verify('Ed25519', key, signature, bytes)).toBe(true);
	});

	test('HS-6 the offset of the clock comes with the hello, and with every pong', async () => {
		last().says(hello(clock.now() - 2_000));
		last().says(READY);
		last().says({ type: 'pong', time: clock.now() + 500 });
		expect(heard).toEqual(['skew 2000', 'ready', 'skew -500']);
		await signed();
	});

	test('HS-7 connecting, updating while mail comes, then online', async () => {
		const attempt = last();
		attempt.says(hello());
		await signed();
		attempt.says(READY);
		expect(session.caughtUp).toBe(false);
		attempt.says({
			...{ type: 'deliver', seq: 4, kind: 'message', envelope: 'e', channel: 'c' },
			...{ epoch: 0, at: 0, body: new Uint8Array() },
		} as DownFrame);
		attempt.says({ type: 'caughtUp' });
		expect(session.caughtUp).toBe(true);
		expect(heard.slice(1)).toEqual(['ready', 'delivered 4', 'caught up']);
		expect(states.map(({ kind }) => kind)).toEqual(['connecting', 'updating', 'online']);
		expect(session.facts).toMatchObject({ software: 'kith-relay/1', vapidKey: undefined });
	});

	test('HS-3 a relay whose floor is above us is not asked to let us in', () => {
		last().says({ ...hello(), floor: PROTOCOL_VERSION + 1 } as DownFrame);
		expect(states.at(-1)).toEqual({ kind: 'refused', reason: 'unsupported-version' });
		expect(attempts[0]?.said).toEqual([]);
	});

	test('a connection that ends while the device signs is not logged in on', async () => {
		const first = last();
		first.says(hello());
		first.end();
		clock.advance(1_000);
		last().says(hello());
		await signed();
		expect(first.said).toEqual([]);
		expect(last().said).toHaveLength(1);
	});

	test('a relay that says nothing for 15 s is left', () => {
		clock.advance(14_000);
		expect(attempts).toHaveLength(1);
		clock.advance(2_000);
		expect(attempts[0]?.open).toBe(false);
		expect(attempts).toHaveLength(2);
	});
});

describe('coming back', () => {
	test('waits longer each time, between 250 ms and 30 s, and never exactly as long as others', () => {
		const waits: number[] = [];
		for (let round = 0; round < 25; round++) {
			const from = clock.now();
			last().end();
			const state = states.at(-1);
			const at = state?.kind === 'offline' ? (state.retryAt ?? 0) : 0;
			waits.push(at - from);
			const before = attempts.length;
			clock.advance(at - from - 1);
			expect(attempts).toHaveLength(before);
			clock.advance(2);
			expect(attempts).toHaveLength(before + 1);
		}
		expect(waits[0]).toBeGreaterThanOrEqual(250);
		expect(waits[0]).toBeLessThanOrEqual(500);
		expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
		expect(Math.min(...waits.slice(-5))).toBeGreaterThanOrEqual(15_000);
		expect(new Set(waits).size).toBeGreaterThan(20);
	});

	test('begins anew with short waits after it was online', async () => {
		for (let round = 0; round < 10; round++) {
			last().end();
			clock.advance(30_000);
		}
		(await logIn()).end();
		const state = states.at(-1);
		expect(state?.kind === 'offline' && (state.retryAt ?? 0) - clock.now()).toBeLessThanOrEqual(
			500,
		);
	});

	test('at once when hurried, and not twice', () => {
		for (let round = 0; round < 10; round++) {
			last().end();
			clock.advance(30_000);
		}
		last().end();
		const before = attempts.length;
		session.hurry();
		session.hurry();
		expect(attempts).toHaveLength(before + 1);
		clock.advance(14_000);
		expect(attempts).toHaveLength(before + 1);
	});

	test('never after stop', async () => {
		const attempt = await logIn();
		session.stop();
		expect(attempt.open).toBe(false);
		clock.advance(10 * 60_000);
		session.hurry();
		expect(attempts).toHaveLength(1);
	});
});

describe('a connection that is half open', () => {
	test('HS-9 is pinged every 40 s, and left when no pong comes within 8 s', async () => {
		const attempt = await logIn();
		clock.advance(39_000);
		expect(attempt.said).toEqual([]);
		clock.advance(1_000);
		expect(attempt.said).toEqual([PING]);
		attempt.says({ type: 'pong', time: clock.now() });
		clock.advance(40_000);
		expect(attempt.said).toEqual([PING, PING]);
		clock.advance(7_999);
		expect(attempt.open).toBe(true);
		clock.advance(1);
		expect(attempt.open).toBe(false);
		expect(states.at(-1)?.kind).toBe('offline');
	});

	test('is looked at when somebody hurries', async () => {
		const attempt = await logIn();
		session.hurry();
		session.hurry();
		expect(attempt.said).toEqual([PING]);
		clock.advance(8_000);
		expect(attempt.open).toBe(false);
	});

	test('and one whose socket takes nothing more is left at once', async () => {
		const attempt = await logIn();
		attempt.choked = true;
		session.hurry();
		expect(attempt.open).toBe(false);
		expect(states.at(-1)?.kind).toBe('offline');
	});
});

describe('bye', () => {
	test('the wait that the relay names is kept', async () => {
		(await logIn()).says({ type: 'bye', code: 'shutting-down', retryAfter: 7_000 });
		expect(states.at(-1)).toEqual({ kind: 'offline', retryAt: clock.now() + 7_000 });
		clock.advance(6_999);
		expect(attempts).toHaveLength(1);
		clock.advance(1);
		expect(attempts).toHaveLength(2);
	});

	test('HS-8 replaced: the older connection comes back later, not at once', async () => {
		(await logIn()).says({ type: 'bye', code: 'replaced', retryAfter: null });
		expect(attempts[0]?.open).toBe(false);
		expect(states.at(-1)?.kind).toBe('offline');
		expect(attempts).toHaveLength(1);
		clock.advance(1_000);
		expect(attempts).toHaveLength(2);
	});

	test('what will not change is said, and asked again only after minutes', async () => {
		(await logIn()).says({ type: 'bye', code: 'registration-closed', retryAfter: null });
		expect(states.at(-1)).toEqual({ kind: 'refused', reason: 'registration-closed' });
		clock.advance(5 * 60_000 - 1);
		expect(attempts).toHaveLength(1);
		clock.advance(1);
		expect(attempts).toHaveLength(2);
	});
});

describe('questions', () => {
	const ADDRESS = { type: 'revokeAddress', address: 'AAAAAAAAAAAAAAAAAAAAAA' } as never;

	test('FR-6 an answer finds its question, whatever the order', async () => {
		const attempt = await logIn();
		const first = session.ask(ADDRESS);
		const second = session.ask(ADDRESS);
		attempt.says({ type: 'accepted', request: 1 });
		attempt.says({ type: 'refused', request: 0, code: 'busy', retryAfter: 5, epoch: null });
		expect(await second).toEqual({ type: 'accepted' });
		expect(await first).toMatchObject({ type: 'refused', code: 'busy', retryAfter: 5 });
	});

	test('an answer to nothing is ignored', async () => {
		const attempt = await logIn();
		attempt.says({ type: 'accepted', request: 99 });
		expect(attempt.open).toBe(true);
	});

	test('before login, and when the connection ends, nobody knows', async () => {
		expect(await session.ask(ADDRESS)).toEqual({ type: 'unknown' });
		const attempt = await logIn();
		const asked = session.ask(ADDRESS);
		attempt.end();
		expect(await asked).toEqual({ type: 'unknown' });
	});

	test('a connection that takes nothing more is ended, and its questions with it', async () => {
		const attempt = await logIn();
		const earlier: Promise<Answer> = session.ask(ADDRESS);
		attempt.choked = true;
		expect(await session.ask(ADDRESS)).toEqual({ type: 'unknown' });
		expect(await earlier).toEqual({ type: 'unknown' });
		expect(attempt.open).toBe(false);
	});

	test('what a connection that is over still says is not heard', async () => {
		const attempt = await logIn();
		attempt.open = false;
		clock.advance(60_000); // pinged, unanswered, left
		const before = heard.length;
		attempt.says({ type: 'caughtUp' });
		expect(heard).toHaveLength(before);
		expect(session.caughtUp).toBe(false);
	});
});
