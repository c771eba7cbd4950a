import { expect, test } from 'vitest';
import { Seeded } from '../../tests/support/world/seeded.ts';
import { writeCbor } from './codec.ts';
import { DELIVERY_KINDS, downFrames, upFrames, type DownFrame, type UpFrame } from './frames.ts';
import { decodeUp, encodeDown } from './hot-frames.ts';
import { idFrom, type ChannelId, type EnvelopeId } from './ids.ts';
import { MAX_BODY_BYTES, MAX_FRAME_BYTES } from './limits.ts';
import { Slab } from './slab.ts';

const random = new Seeded(7);
const below = (bound: number) => random.below(bound);
const someBytes = (size: number) => random.bytes(size);
/** Numbers of every length that CBOR has. */
const someNumber = () =>
	Math.min(Number.MAX_SAFE_INTEGER, Math.floor(2 ** (random.fraction() * 54)));
const sizes = [0, 1, 23, 24, 255, 256, 4096, 65_535, 65_536];

const edges = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];

function submit(number: number, body: Uint8Array): UpFrame {
	const [envelope, channel] = [idFrom<EnvelopeId>(someBytes(16)), idFrom<ChannelId>(someBytes(16))];
	return { type: 'submit', request: number, envelope, channel, epoch: someNumber(), body };
}

function deliver(number: number, body: Uint8Array): DownFrame {
	return {
		...{ type: 'deliver', seq: number, kind: DELIVERY_KINDS[below(4)] ?? 'message' },
		...{ envelope: idFrom(someBytes(16)), channel: idFrom(someBytes(16)) },
		...{ epoch: someNumber(), at: someNumber(), body },
	};
}

/** Numbers and sizes at the edges of CBOR's lengths, and between them. */
const numbers = [...edges, ...Array.from({ length: 500 }, someNumber)];
const bodies = [...sizes, ...Array.from({ length: 40 }, () => below(500))].map(someBytes);
const bodyOf = (index: number) => bodies[index % bodies.length] ?? new Uint8Array();

test('FR-1: frames written in place are those of the general encoder, byte by byte', () => {
	for (const [index, number] of numbers.entries()) {
		for (const frame of [
			deliver(number, bodyOf(index)),
			{ type: 'accepted', request: number } as const,
		])
			expect(Buffer.compare(encodeDown(frame), downFrames.encode(frame))).toBe(0);
	}
	const rare = { type: 'pong', time: 5 } as const;
	expect(encodeDown(rare)).toEqual(downFrames.encode(rare));
});

test('frames read in place are read as the general decoder does', () => {
	for (const [index, number] of numbers.entries()) {
		for (const frame of [
			submit(number, bodyOf(index)),
			{ type: 'acknowledge', seq: number } as const,
		]) {
			const bytes = upFrames.encode(frame);
			expect(decodeUp(bytes, MAX_FRAME_BYTES)).toEqual({ ok: true, value: frame });
		}
	}
	expect(decodeUp(upFrames.encode({ type: 'ping' }), 100)).toEqual({
		ok: true,
		value: { type: 'ping' },
	});
});

test('what was read stays when the bytes are used again', () => {
	const frame = submit(1, someBytes(300));
	const bytes = upFrames.encode(frame).slice();
	const decoded = decodeUp(bytes, MAX_FRAME_BYTES);
	bytes.fill(0);
	decodeUp(upFrames.encode(submit(2, someBytes(300))), MAX_FRAME_BYTES);
	expect(decoded).toEqual({ ok: true, value: frame });
});

test('FR-2, FR-3, FR-5: whatever is damaged gets the answer of the general decoder', () => {
	const originals = [
		submit(70_000, someBytes(30)),
		submit(3, someBytes(300)),
		{ type: 'acknowledge', seq: 2 ** 40 } as const,
	].map((frame) => upFrames.encode(frame).slice());
	let accepted = 0;
	for (let run = 0; run < 60_000; run++) {
		const original = originals[below(originals.length)] ?? new Uint8Array();
		const bytes = damaged(original);
		const expected = upFrames.decode(bytes, MAX_FRAME_BYTES);
		expect(decodeUp(bytes, MAX_FRAME_BYTES)).toEqual(expected);
		if (expected.ok) accepted++;
	}
	// Both outcomes were met often, or the runs would prove little.
	expect(accepted).toBeGreaterThan(5_000);
	expect(accepted).toBeLessThan(55_000);
});

/** Bytes flipped, cut, added or taken out; most of them near the front, where heads and ids stand. */
function damaged(original: Uint8Array): Uint8Array {
	const bytes = [...original];
	for (let flips = 1 + below(2); flips > 0; flips--) {
		const place = below(random.chance(0.8) ? Math.min(70, bytes.length) : bytes.length);
		const how = below(8);
		if (how === 0) bytes.splice(place, 1);
		else if (how === 1) bytes.splice(place, 0, below(256));
		else if (how === 2) bytes.length = Math.max(1, place);
		else bytes[place] = random.chance(0.3) ? 0x18 + below(8) : below(256);
	}
	return Uint8Array.from(bytes);
}

test('FR-2: numbers and lengths are read in their shortest form only, and within their bounds', () => {
	const id = writeCbor('AAECAwQFBgcICQoLDA0ODw');
	const spelled = (request: readonly number[], body: readonly number[]) =>
		Uint8Array.from([0x86, 2, ...request, ...id, ...id, 1, ...body]);
	const heads = [
		...[
			[0x18, 23],
			[0x18, 24],
			[0x19, 0, 255],
			[0x19, 1, 0],
			[0x1a, 0, 0, 255, 255],
		],
		...[[0x1b, 0, 0, 0, 0, 255, 255, 255, 255], [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0], [0x1c], [0x1f]],
		...[[0x1b, 0, 0x1f, 255, 255, 255, 255, 255, 255], [0x20], [0xf6], [0x1b, 255, 0, 0]],
	];
	const lengths = [[0x40], [0x41, 9], [0x58, 1, 9], [0x59, 0, 1, 9], [0x5a, 0, 0, 0, 1, 9], [0x5f]];
	for (const head of heads)
		for (const length of lengths) {
			const bytes = spelled(head, length);
			expect(decodeUp(bytes, 1000)).toEqual(upFrames.decode(bytes, 1000));
		}
	for (const size of [MAX_BODY_BYTES, MAX_BODY_BYTES + 1]) {
		const bytes = upFrames.encode(submit(1, new Uint8Array(size)));
		expect(decodeUp(bytes, MAX_FRAME_BYTES).ok).toBe(size === MAX_BODY_BYTES);
		expect(decodeUp(bytes, 4096)).toEqual({ ok: false, error: 'too-large' });
	}
});

test('bytes from a slab belong to one taker', () => {
	const slab = new Slab();
	const taken = Array.from({ length: 2_000 }, (_, index) => slab.take(index % 300).fill(index));
	expect(taken.every((bytes, index) => bytes.every((byte) => byte === index % 256))).toBe(true);
	expect(slab.take(100_000).length).toBe(100_000);
});
