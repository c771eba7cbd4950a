// Frames from people who do not wish us well, against the real process. The seed is printed; SEED repeats a
// run, FRAMES changes its length.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeCbor } from '../../src/protocol/codec.ts';
import { downFrames, upFrames, type UpFrame } from '../../src/protocol/frames.ts';
import { idFrom, type CapsuleId } from '../../src/protocol/ids.ts';
import { MAX_CAPSULE_BYTES, MAX_POINTER_BYTES } from '../../src/protocol/limits.ts';
import {
	loginFrame,
	newAddress,
	newChannel,
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const SEED = Number(process.env.SEED ?? 20_260_101);
const FRAMES = Number(process.env.FRAMES ?? 100_000);
/** Memory that the relay may gain from all of it: frames in flight, caches, and what the collector leaves lying. */
const MAX_GROWTH = 256 * 1024 * 1024;

/** mulberry32: small, fast, the same everywhere. */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

class Fuzzer {
	readonly #random: () => number;
	/** Frames that were valid once; parts of them come back in all that follows. */
	#valid: Uint8Array[] = [];

	constructor(seed: number) {
		this.#random = seeded(seed);
	}

	below(limit: number): number {
		return Math.floor(this.#random() * limit);
	}

	chance(probability: number): boolean {
		return this.#random() < probability;
	}

	bytes(length: number): Uint8Array<ArrayBuffer> {
		const bytes = new Uint8Array(length);
		for (let at = 0; at < length; at++) bytes[at] = this.below(256);
		return bytes;
	}

	/** Something to send: mostly broken, sometimes only out of place, sometimes valid. */
	frame(): Uint8Array | string {
		const valid = upFrames.encode(this.#validFrame());
		this.#valid = [...this.#valid.slice(-63), valid];
		const replayed = this.#valid[this.below(this.#valid.length)] ?? valid;
		switch (this.below(10)) {
			case 0:
				return this.bytes(this.below(200));
			case 1:
				return valid.slice(0, this.below(valid.length));
			case 2:
				return new Uint8Array([...valid, ...this.bytes(1 + this.below(8))]);
			case 3:
			case 4:
				return this.#flipped(valid);
			case 5:
				return writeCbor(this.#item(0));
			case 6:
				return writeCbor([this.below(80), ...this.#items(0)]);
			case 7:
				return this.chance(0.02) ? this.bytes(this.below(300_000)) : this.#spliced(valid, replayed);
			case 8:
				return this.chance(0.3) ? String.fromCharCode(this.below(60_000)) : replayed;
			default:
				return valid;
		}
	}

	#validFrame(): UpFrame {
		const request = this.below(5);
		const body = this.bytes(this.below(64));
		const [channel, envelope, address] = [newChannel(), newEnvelope(), newAddress()];
		const policy = { uses: this.below(3), usesPerDay: null, expires: null };
		const epoch = this.below(3);
		const add = [{ leaf: this.below(4), address }];
		const frames: UpFrame[] = [
			{ type: 'ping' },
			{ type: 'submit', request, envelope, channel, epoch, body },
			{
				type: 'commit',
				request,
				envelope,
				channel,
				epoch,
				body,
				add,
				remove: [1],
				welcome: body,
				snapshot: null,
			},
			{
				type: 'commit',
				request,
				envelope,
				channel,
				epoch,
				body,
				add: [],
				remove: [],
				welcome: null,
				snapshot: null,
			},
			{ type: 'leave', request, channel },
			{ type: 'whisper', channel, body },
			{ type: 'acknowledge', seq: this.below(2 ** 30) * 2 ** 20 },
			{ type: 'putAddress', request, address, policy, card: body },
			{ type: 'revokeAddress', request, address },
			{ type: 'look', request, address },
			{ type: 'setPush', request, subscription: null },
			{
				type: 'putCapsule',
				request,
				capsule: this.#capsule(),
				sealed: this.chance(0.5) ? body : null,
				takesOver: this.chance(0.5),
				pointer: this.chance(0.5)
					? { capsule: this.#capsule(), sealed: body.slice(0, MAX_POINTER_BYTES) }
					: undefined,
			},
			{ type: 'keepCapsule', request, capsule: this.#capsule() },
			{ type: 'login', version: 1, deviceKey: this.bytes(32), signature: this.bytes(64) },
		];
		return frames[this.below(frames.length)] ?? { type: 'ping' };
	}

	/** One of few, so that the attackers meet at them. */
	#capsule(): CapsuleId {
		return idFrom<CapsuleId>(new Uint8Array(16).fill(this.below(8)));
	}

	#flipped(bytes: Uint8Array): Uint8Array {
		const flipped = bytes.slice();
		for (let count = 1 + this.below(4); count > 0; count--)
			flipped[this.below(flipped.length)] = this.below(256);
		return flipped;
	}

	#spliced(one: Uint8Array, other: Uint8Array): Uint8Array {
		const head = one.subarray(0, this.below(one.length));
		return new Uint8Array([...head, ...other.subarray(this.below(other.length))]);
	}

	#items(depth: number): unknown[] {
		return Array.from({ length: this.below(8) }, () => this.#item(depth + 1));
	}

	#item(depth: number): unknown {
		const kinds = depth > 6 ? 7 : 9;
		switch (this.below(kinds)) {
			case 0:
				return this.below(3) - 1;
			case 1:
				return this.#random() * 1e20;
			case 2:
				return this.bytes(this.below(80));
			case 3:
				return newAddress();
			case 4:
				return '\u0000'.repeat(this.below(40));
			case 5:
				return null;
			case 6:
				return this.chance(0.5);
			case 7:
				return this.#items(depth);
			default:
				return Object.fromEntries(this.#items(depth).map((item, index) => [`k${index}`, item]));
		}
	}
}

describe('hostile input', () => {
	let relay: RelayProcess;
	let alice: { keys: DeviceKeys; client: RelayClient };
	let bob: { keys: DeviceKeys; client: RelayClient };

	beforeAll(async () => {
		relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
		const login = async () => {
			const keys = await newDeviceKeys();
			return { keys, client: await RelayClient.login(relay.socketUrl, keys) };
		};
		[alice, bob] = [await login(), await login()];
	});
	afterAll(() => relay.stop());

	/** One connection of the attacker, until the relay ends it or the frames are spent. */
	async function attack(fuzzer: Fuzzer, keys: DeviceKeys, frames: number): Promise<void> {
		const client = await RelayClient.connect(relay.socketUrl);
		let over = false;
		void client.closed.then(() => (over = true));
		if (fuzzer.chance(0.8)) await client.login(keys).catch(() => undefined);
		for (let sent = 0; sent < frames && !over;) {
			for (let burst = 1 + fuzzer.below(4); burst > 0; burst--, sent++)
				client.sendBytes(fuzzer.frame());
			await client.ping().catch(() => undefined);
		}
		if (!over) await client.close();
	}

	/** How many frames the relay itself has seen. */
	async function seen(): Promise<number> {
		const figures = await (await fetch(`${relay.origin}/metrics`)).text();
		return Number(/^kith_frames_total (\d+)$/m.exec(figures)?.[1]);
	}

	it(
		`FR-2 FR-4 ER-1 ${FRAMES} hostile frames (seed ${SEED}) do not disturb a bystander`,
		async () => {
			console.log(`hostile frames: seed ${SEED}`);
			const fuzzer = new Fuzzer(SEED);
			const channel = await alice.client.found([await bob.client.putAddress()]);
			const known: DeviceKeys[] = [];
			for (let count = 0; count < 32; count++) known.push(await newDeviceKeys());
			const keys = () => known[fuzzer.below(known.length)] ?? alice.keys;
			for (let count = 0; count < 500; count++) await attack(fuzzer, keys(), 100);
			const before = relay.residentBytes();
			let checks = 0;
			let slowest = 0;
			while ((await seen()) < FRAMES) {
				const attackers = [attack(fuzzer, await newDeviceKeys(), 100)];
				while (attackers.length < 40) attackers.push(attack(fuzzer, keys(), 100));
				const start = performance.now();
				const answer = await alice.client.submit(channel, fuzzer.bytes(200));
				slowest = Math.max(slowest, performance.now() - start);
				expect(answer).toMatchObject({ type: 'accepted' });
				checks++;
				await Promise.all(attackers);
			}
			const delivered = await bob.client.received(checks + 1);
			expect(delivered.filter(({ kind }) => kind === 'message')).toHaveLength(checks);
			const growth = relay.residentBytes() - before;
			console.log(
				`${await seen()} frames, ${checks} messages of the bystander, slowest ${slowest.toFixed(0)} ms, ${(growth / 1e6).toFixed(0)} MB more`,
			);
			expect(growth).toBeLessThan(MAX_GROWTH);
		},
		FRAMES * 3,
	);

	it('HS-4 a login that was overheard or forged opens nothing', async () => {
		const stranger = await RelayClient.connect(relay.socketUrl);
		const overheard = await loginFrame(bob.keys, stranger.challenge, new URL(relay.origin).host);
		const replayed = await RelayClient.connect(relay.socketUrl);
		replayed.send(overheard);
		expect(await replayed.closed).toBe(1008);
		expect(replayed.bye?.code).toBe('login-failed');
		const mallory = await newDeviceKeys();
		const own = await loginFrame(mallory, stranger.challenge, new URL(relay.origin).host);
		stranger.send({ ...own, deviceKey: bob.keys.publicKey });
		await stranger.closed;
		expect(stranger.bye?.code).toBe('login-failed');
		await bob.client.ping();
	});

	it('HS-4 keys that are no points of the curve are refused', async () => {
		for (const fill of [0, 1, 2, 255]) {
			const client = await RelayClient.connect(relay.socketUrl);
			const deviceKey = new Uint8Array(32).fill(fill);
			client.send({ type: 'login', version: 1, deviceKey, signature: new Uint8Array(64) });
			await client.closed;
			expect(client.bye?.code).toBe('login-failed');
		}
	});

	it('MB-3 forged acknowledgements delete nothing', async () => {
		const carol = await newDeviceKeys();
		const reader = await RelayClient.login(relay.socketUrl, carol);
		const channel = await alice.client.found([await reader.putAddress()]);
		await reader.close();
		const sent = newEnvelope();
		await alice.client.submit(channel, new Uint8Array(20), sent);
		// Of another device, and of the right device beyond what it was sent.
		bob.client.send({ type: 'acknowledge', seq: Number.MAX_SAFE_INTEGER });
		const early = await RelayClient.connect(relay.socketUrl);
		early.acknowledges = false;
		await early.login(carol);
		early.send({ type: 'acknowledge', seq: Number.MAX_SAFE_INTEGER });
		await early.ping();
		await early.close();
		const again = await RelayClient.login(relay.socketUrl, carol);
		expect(again.deliveries.map(({ envelope }) => envelope)).toContain(sent);
		await again.close();
	});

	it('CP-2 CP-5 a capsule stays what its device put, whoever else puts there', async () => {
		const capsule = idFrom<CapsuleId>(crypto.getRandomValues(new Uint8Array(16)));
		const [own, foreign] = [new Uint8Array(2000).fill(1), new Uint8Array(2000).fill(2)];
		const put = ({ client }: typeof alice, sealed: Uint8Array | null) =>
			client.request({
				...{ type: 'putCapsule', capsule, sealed, takesOver: false, pointer: undefined },
			});
		expect(await put(alice, own)).toMatchObject({ type: 'accepted' });
		expect(await put(bob, foreign)).toMatchObject({ code: 'capsule-taken' });
		expect(await put(bob, null)).toMatchObject({ code: 'capsule-taken' });
		const giant = await RelayClient.login(relay.socketUrl, await newDeviceKeys());
		giant.sendBytes(writeCbor([14, 0, capsule, new Uint8Array(MAX_CAPSULE_BYTES + 1), true]));
		await giant.closed;
		expect(giant.bye?.code).toBe('malformed');
		const body = new Uint8Array(Buffer.from(capsule, 'base64url'));
		const fetched = await fetch(`${relay.origin}/v1/capsule`, { method: 'POST', body });
		const decoded = downFrames.decode(new Uint8Array(await fetched.arrayBuffer()), 1e6);
		expect(decoded).toMatchObject({ value: { type: 'capsule', sealed: own } });
	});

	it('MB-8 one that never reads costs bounded memory and nobody else', async () => {
		const silent = await newDeviceKeys();
		const reader = await RelayClient.login(relay.socketUrl, silent);
		const channel = await alice.client.found([await reader.putAddress()]);
		reader.acknowledges = false;
		const before = relay.residentBytes();
		const body = new Uint8Array(100_000);
		for (let count = 0; count < 200; count++)
			expect((await alice.client.submit(channel, body)).type).toBe('accepted');
		expect(reader.deliveries.length).toBeLessThan(40);
		expect(relay.residentBytes() - before).toBeLessThan(MAX_GROWTH);
		await bob.client.ping();
		await reader.close();
	}, 60_000);
});
