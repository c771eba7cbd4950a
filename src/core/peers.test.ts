import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../tests/support/manual-clock.ts';
import { seededIdentity } from '../../tests/support/world/seeded-identity.ts';
import { Seeded } from '../../tests/support/world/seeded.ts';
import { toBase64Url, type ChannelId, type DeviceId, type EnvelopeId } from '../protocol/ids.ts';
import { peerFrames, type PeerFrame } from '../protocol/peer-frames.ts';
import { smallCrypto } from './crypto/small-crypto.ts';
import { createDelivery } from './delivery.ts';
import { createPeerMesh, type PeerMesh } from './peers.ts';
import type { Identity, PeerHandlers, PeerLink } from './ports.ts';

const CHANNEL = 'CCCCCCCCCCCCCCCCCCCCCA' as ChannelId;
const ENVELOPE = 'EEEEEEEEEEEEEEEEEEEEEA' as EnvelopeId;
const OTHER = 'OOOOOOOOOOOOOOOOOOOOOA' as EnvelopeId;
const SEALED = { channel: CHANNEL, epoch: 2, envelope: ENVELOPE, body: new Uint8Array(3) };
const PRINTS = { local: 'AA:01', remote: 'BB:02' };

/** The other end of a link, in the hands of the test. */
class Wire {
	readonly said: PeerFrame[] = [];
	readonly link: PeerLink;
	open = true;
	/** Its buffer is above the high water mark. */
	busy = false;

	constructor(device: DeviceId, prints = PRINTS) {
		this.link = {
			device,
			fingerprints: prints,
			send: (bytes) => {
				if (this.busy) return false;
				const frame = peerFrames.decode(bytes, 1e6);
				if (this.open && frame.ok) this.said.push(frame.value);
				return this.open;
			},
			close: () => {
				this.open = false;
				handlers?.closed(this.link);
			},
		};
	}

	says(frame: PeerFrame): void {
		handlers?.received(this.link, peerFrames.encode(frame));
	}

	async heard<Type extends PeerFrame['type']>(
		type: Type,
	): Promise<Extract<PeerFrame, { type: Type }>> {
		await expect.poll(() => this.said.map((frame) => frame.type)).toContain(type);
		return this.said.find((frame): frame is never => frame.type === type) as never;
	}
}

let clock: ManualClock;
let ana: Identity;
let ben: Identity;
let mesh: PeerMesh;
let handlers: PeerHandlers | undefined;
let received: string[];
let changes: number;

beforeEach(async () => {
	clock = new ManualClock();
	const random = new Seeded(3);
	const created = clock.now();
	ana = await seededIdentity(random, { deviceName: 'Ana', created });
	ben = await seededIdentity(random, { deviceName: 'Ben', created });
	received = [];
	changes = 0;
	mesh = createPeerMesh(
		{
			peers: {
				start: (_self, given) => void (handlers = given),
				connect: (device) => received.push(`connect ${device}`),
				receiveSignal: (_from, payload) => received.push(`signal ${payload}`),
				stop: () => void (handlers = undefined),
			},
			identity: ana,
			crypto: smallCrypto,
			clock,
			random,
			log: { info: () => undefined, warn: () => undefined },
		},
		{
			changed: () => changes++,
			signal: () => undefined,
			envelope: (_from, { envelope }, stored) => {
				received.push(`envelope ${envelope}`);
				stored();
			},
			whisper: () => received.push('whisper'),
		},
	);
	mesh.start([]);
});

const NONCE = new Uint8Array(32).fill(9);

interface Side {
	readonly print: string;
	readonly nonce: Uint8Array;
	readonly device: DeviceId;
}

/** SPEC PE-2: what a side signs, its own half first. */
function statement(own: Side, other: Side): Uint8Array {
	const line = ({ print, nonce, device }: Side) => `${print}\n${toBase64Url(nonce)}\n${device}\n`;
	return new TextEncoder().encode(line(own) + line(other));
}

interface Proof {
	readonly by?: Identity;
	readonly prints?: typeof PRINTS;
	readonly nonce?: Uint8Array;
	readonly anasNonce?: Uint8Array;
}

/** Opens a link that claims to be Ben's, and proves it, rightly or not. */
async function approach(proof: Proof = {}): Promise<Wire> {
	const wire = new Wire(ben.device);
	handlers?.opened(wire.link);
	const introduced = await wire.heard('introduce');
	const by = proof.by ?? ben;
	wire.says({ type: 'introduce', deviceKey: by.devicePublicKey, nonce: NONCE });
	const prints = proof.prints ?? PRINTS;
	const own = { print: prints.remote, nonce: proof.nonce ?? NONCE, device: ben.device };
	const nonce = proof.anasNonce ?? introduced.nonce;
	const bytes = statement(own, { print: prints.local, nonce, device: ana.device });
	wire.says({ type: 'prove', signature: await by.sign('kith peer hello', bytes) });
	return wire;
}

const admitted = async (wire: Wire) => {
	await expect.poll(() => mesh.isLinked(ben.device) || !wire.open).toBe(true);
	return mesh.isLinked(ben.device);
};

describe('PE-2 a device that proves what it is', () => {
	test('is linked; what this side proves holds for it too', async () => {
		const wire = await approach();
		expect(await admitted(wire)).toBe(true);
		expect(changes).toBe(1);
		const introduced = await wire.heard('introduce');
		const { signature } = await wire.heard('prove');
		const own = { print: PRINTS.local, nonce: introduced.nonce, device: ana.device };
		const bytes = statement(own, { print: PRINTS.remote, nonce: NONCE, device: ben.device });
		const signed = { device: ana.device, key: ana.devicePublicKey, bytes };
		expect(await smallCrypto.verify('kith peer hello', signed, signature)).toBe(true);
	});

	test.each<[string, (random: Seeded) => Promise<Proof> | Proof]>([
		[
			'with another device’s key',
			async (random) => ({ by: await seededIdentity(random, { deviceName: 'Eve', created: 0 }) }),
		],
		[
			'for the fingerprints of another connection',
			() => ({ prints: { local: 'AA:01', remote: 'EE:66' } }),
		],
		[
			'for another of our nonces, as a replayed one is',
			() => ({ anasNonce: new Uint8Array(32).fill(1) }),
		],
		['for another of its own nonces', () => ({ nonce: new Uint8Array(32).fill(2) })],
		[
			'with the sides swapped, as an echo of ours is',
			() => ({ prints: { local: PRINTS.remote, remote: PRINTS.local } }),
		],
	])('is refused %s', async (_title, make) => {
		const wire = await approach(await make(new Seeded(8)));
		expect(await admitted(wire)).toBe(false);
		expect(wire.open).toBe(false);
		expect(changes).toBe(0);
	});

	test('nothing else counts before: an envelope ends the link', async () => {
		const wire = new Wire(ben.device);
		handlers?.opened(wire.link);
		wire.says({ type: 'envelope', ...SEALED });
		await expect.poll(() => wire.open).toBe(false);
		expect(received).toEqual([]);
		expect(await mesh.send(ben.device, SEALED)).toBe(false);
	});

	test('what follows the proof at once does not overtake its check', async () => {
		const arriving = approach();
		const wire = await arriving;
		wire.says({ type: 'envelope', ...SEALED });
		await wire.heard('acknowledge');
		expect(received).toEqual([`envelope ${ENVELOPE}`]);
	});

	test('bytes that are no frame end the link', async () => {
		const wire = await approach();
		await admitted(wire);
		handlers?.received(wire.link, Uint8Array.of(1, 2, 3));
		expect(wire.open).toBe(false);
		expect(mesh.isLinked(ben.device)).toBe(false);
	});
});

describe('PE-3 an acknowledgement', () => {
	test('settles what was sent on this connection', async () => {
		const wire = await approach();
		await admitted(wire);
		const sent = mesh.send(ben.device, SEALED);
		wire.says({ type: 'acknowledge', envelope: ENVELOPE });
		expect(await sent).toBe(true);
	});

	test('for something never sent settles nothing', async () => {
		const wire = await approach();
		await admitted(wire);
		wire.says({ type: 'acknowledge', envelope: ENVELOPE });
		const sent = mesh.send(ben.device, SEALED);
		wire.says({ type: 'acknowledge', envelope: OTHER });
		wire.link.close();
		expect(await sent).toBe(false);
	});

	test('on a newer link does not settle what went over the older', async () => {
		const first = await approach();
		await admitted(first);
		const sent = mesh.send(ben.device, SEALED);
		const second = await approach();
		await admitted(second);
		second.says({ type: 'acknowledge', envelope: ENVELOPE });
		expect(await sent).toBe(false);
		expect(first.open).toBe(false);
	});
});

test('a link that falls silent is ended after 12 s', async () => {
	const wire = await approach();
	await admitted(wire);
	clock.advance(5_000);
	wire.says({ type: 'pong' });
	clock.advance(10_000);
	expect(wire.open).toBe(true);
	clock.advance(10_000);
	expect(wire.open).toBe(false);
	expect(mesh.isLinked(ben.device)).toBe(false);
});

test('one of two sides begins, and not again before a quarter of a minute', () => {
	mesh.want(ana.device > ben.device ? ben.device : ana.device);
	const begins = ana.device < ben.device;
	const other = ben.device;
	mesh.want(other);
	mesh.want(other);
	expect(received.filter((each) => each === `connect ${other}`)).toHaveLength(begins ? 1 : 0);
	clock.advance(15_000);
	mesh.want(other);
	expect(received.filter((each) => each === `connect ${other}`)).toHaveLength(begins ? 2 : 0);
});

test('a link that opens and proves nothing is tried again while there are attempts', () => {
	const last = 'zzzzzzzzzzzzzzzzzzzzzA' as DeviceId; // so that this side begins
	const attempts = () => received.filter((each) => each === `connect ${last}`).length;
	mesh.want(last);
	handlers?.opened(new Wire(last).link);
	clock.advance(4_000);
	expect(attempts()).toBe(2);
	clock.advance(60_000);
	expect(attempts()).toBe(3);
});

describe('delivery', () => {
	test('PE-4 what is not acknowledged within 2 s goes through the relay with the same envelope id', async () => {
		const wire = await approach();
		await admitted(wire);
		const asked: unknown[] = [];
		const session = {
			ask: (question: unknown) => {
				asked.push(question);
				return Promise.resolve({ type: 'accepted' as const });
			},
		};
		const routes = createDelivery(clock, () => session as never, mesh);
		const delivered = routes.deliver(SEALED, [ben.device]);
		await wire.heard('envelope');
		clock.advance(1_999);
		expect(asked).toEqual([]);
		clock.advance(1);
		expect(await delivered).toEqual({ type: 'accepted' });
		expect(asked).toEqual([{ type: 'submit', ...SEALED }]);
		expect(mesh.isLinked(ben.device)).toBe(false);
	});

	test('what a busy link does not take goes through the relay, and the link stays', async () => {
		const wire = await approach();
		await admitted(wire);
		const session = { ask: () => Promise.resolve({ type: 'accepted' as const }) };
		const routes = createDelivery(clock, () => session as never, mesh);
		wire.busy = true;
		expect(await routes.deliver(SEALED, [ben.device])).toEqual({ type: 'accepted' });
		clock.advance(3_000);
		expect(mesh.isLinked(ben.device)).toBe(true);
	});

	test('what every device acknowledged the relay never sees', async () => {
		const wire = await approach();
		await admitted(wire);
		const routes = createDelivery(clock, () => expect.unreachable(), mesh);
		const delivered = routes.deliver(SEALED, [ben.device]);
		wire.says({ type: 'acknowledge', envelope: ENVELOPE });
		expect(await delivered).toEqual({ type: 'accepted' });
	});
});
