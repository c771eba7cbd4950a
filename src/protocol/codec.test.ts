import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { frame, frameUnion, parseCbor, writeCbor } from './codec.ts';
import { cards } from './cards.ts';
import { channelContexts, contents, whispers } from './content.ts';
import { REFUSALS, REFUSAL_CODES } from './errors.ts';
import { bytesUpTo, id, listUpTo, textUpTo, uint } from './fields.ts';
import { downFrames, loginStatement, upFrames } from './frames.ts';
import type { ChannelId } from './ids.ts';
import {
	MAX_BODY_BYTES,
	MAX_CARD_BYTES,
	MAX_EPHEMERAL_BYTES,
	MAX_FRAME_BYTES,
	MAX_NAME_UNITS,
	MAX_PICTURE_BYTES,
	MAX_RECEIPT_IDS,
	MAX_TEXT_BYTES,
} from './limits.ts';
import { peerFrames } from './peer-frames.ts';
import { PROTOCOL_FLOOR, PROTOCOL_VERSION } from './version.ts';

const ID = 'AAAAAAAAAAAAAAAAAAAAAA';
const UNIONS = { upFrames, downFrames, peerFrames, contents, channelContexts, whispers, cards };
const named = Object.entries(UNIONS);

describe.each(named)('%s', (_name, union) => {
	test('numbers and names are unique', () => {
		const shapes: readonly { readonly number: number; readonly name: string }[] = union.shapes;
		expect(new Set(shapes.map(({ number }) => number)).size).toBe(shapes.length);
		expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length);
	});

	test('decoding never throws', () => {
		let state = 1;
		const random = (below: number) => {
			state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
			return state % below;
		};
		const values = [0, -1, 1.5, 2 ** 53, '', ID, null, true, [], {}, new Uint8Array(32), [[ID]]];
		for (let run = 0; run < 20_000; run++) {
			const shape = union.shapes[random(union.shapes.length)];
			const items = [shape?.number ?? 0];
			const fields =
				Object.keys(shape?.fields ?? {}).length + (random(8) === 0 ? random(3) - 1 : 0);
			for (let field = 0; field < fields; field++)
				items.push(values[random(values.length)] as number);
			const bytes = writeCbor(items).slice();
			for (let flips = random(4); flips > 0 && bytes.length > 0; flips--) {
				bytes[random(bytes.length)] = random(256);
			}
			const cut = bytes.subarray(0, random(6) === 0 ? random(bytes.length + 1) : bytes.length);
			const decoded = union.decode(cut, MAX_FRAME_BYTES);
			expect(typeof decoded.ok).toBe('boolean');
		}
	});
});

test('numbers of the two directions do not meet, so that a frame cannot be taken for one of the other', () => {
	const up = new Set<number>(upFrames.shapes.map(({ number }) => number));
	expect(downFrames.shapes.filter(({ number }) => up.has(number))).toEqual([]);
});

describe('FR-2 what is not exactly one frame is malformed', () => {
	const union = frameUnion(
		frame(1, 'one', { count: uint, text: textUpTo(4), list: listUpTo(id(), 2) }),
		frame(2, 'none', {}),
	);
	const decode = (bytes: Uint8Array) => union.decode(bytes, 1000);
	const bytes = (...all: number[]) => Uint8Array.from(all);
	const good = writeCbor([1, 7, 'abcd', [ID]]);

	test('and what is one comes back as it was', () => {
		const value = { type: 'one', count: 7, text: 'abcd', list: [ID] } as const;
		expect(union.encode(value as never)).toEqual(good);
		expect(decode(good)).toEqual({ ok: true, value });
		expect(decode(writeCbor([2]))).toEqual({ ok: true, value: { type: 'none' } });
	});

	test('a frame may go without its last fields, and without no others', () => {
		const late = frameUnion(frame(1, 'one', { count: uint, more: v.optional(uint) }));
		const without = { type: 'one', count: 7, more: undefined } as const;
		expect(late.encode(without)).toEqual(writeCbor([1, 7]));
		expect(late.decode(writeCbor([1, 7]), 1000)).toEqual({ ok: true, value: without });
		expect(late.decode(writeCbor([1, 7, 8]), 1000)).toMatchObject({ value: { more: 8 } });
		for (const wrong of [[1], [1, 7, 'x'], [1, 7, null], [1, 7, 8, 9]]) {
			expect(late.decode(writeCbor(wrong), 1000)).toEqual({ ok: false, error: 'malformed' });
		}
	});

	test.each<[string, Uint8Array]>([
		['nothing', bytes()],
		['a trailing byte', bytes(...good, 0)],
		['a missing byte', good.subarray(0, -1)],
		['a missing field', writeCbor([1, 7, 'abcd'])],
		['a field too many', writeCbor([1, 7, 'abcd', [ID], 0])],
		['an unknown number', writeCbor([3, 7])],
		['a number that is text', writeCbor(['1', 7, 'abcd', [ID]])],
		['a map', writeCbor({ 0: 2 })],
		['an indefinite array', bytes(0x9f, 0x02, 0xff)],
		['a tag', bytes(0xc1, 0x81, 0x02)],
		['undefined', bytes(0x82, 0x02, 0xf7)],
		['NaN', bytes(0x81, 0xf9, 0x7e, 0x00)],
		['infinity', bytes(0x81, 0xf9, 0x7c, 0x00)],
		['a duplicate key', bytes(0x82, 0x02, 0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02)],
		['very deep nesting', bytes(...Array.from({ length: 900 }, () => 0x81), 0x00)],
		['a number beyond 2^53', bytes(0x84, 1, 0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x80)],
	])('%s', (_title, malformed) => {
		expect(decode(malformed)).toEqual({ ok: false, error: 'malformed' });
	});

	test('a frame that nobody declared cannot be encoded', () => {
		expect(() => union.encode({ type: 'two' } as never)).toThrow('two');
	});
});

test('what is decoded stays, whatever becomes of the bytes it came in', () => {
	const body = new Uint8Array([1, 2, 3, 4]);
	const bytes = upFrames.encode({ type: 'whisper', channel: ID as ChannelId, body });
	const decoded = upFrames.decode(bytes, MAX_FRAME_BYTES);
	bytes.fill(0);
	expect(decoded).toEqual({ ok: true, value: { type: 'whisper', channel: ID, body } });
});

describe('LI-1 bounds hold at the exact limit', () => {
	const list = <Item>(length: number, item: Item) => Array.from({ length }, () => item);
	const bytes = (length: number) => new Uint8Array(length);
	const inside = (
		union: { decode(bytes: Uint8Array, max: number): { ok: boolean } },
		items: unknown[],
	) => union.decode(writeCbor(items), MAX_FRAME_BYTES).ok;
	const textOf = (text: string) => [1, ID, '0'.repeat(16), 1, 0, text, null, null];

	test.each<[string, number, (size: number) => boolean]>([
		['a body', MAX_BODY_BYTES, (size) => inside(upFrames, [2, 0, ID, ID, 0, bytes(size)])],
		['a whisper', MAX_EPHEMERAL_BYTES, (size) => inside(upFrames, [5, ID, bytes(size)])],
		[
			'a card',
			MAX_CARD_BYTES,
			(size) =>
				inside(upFrames, [7, 0, ID, { uses: 1, usesPerDay: null, expires: null }, bytes(size)]),
		],
		['CO-4 a text in ASCII', MAX_TEXT_BYTES, (size) => inside(contents, textOf('a'.repeat(size)))],
		[
			'CO-4 a text beyond ASCII',
			MAX_TEXT_BYTES / 2,
			(size) => inside(contents, textOf('ä'.repeat(size))),
		],
		['ids in a receipt', MAX_RECEIPT_IDS, (size) => inside(contents, [2, list(size, ID), []])],
		['counts in a repair', MAX_RECEIPT_IDS, (size) => inside(contents, [4, ID, [], list(size, 1)])],
		[
			'a picture',
			MAX_PICTURE_BYTES,
			(size) => inside(contents, [3, { name: 'A', picture: bytes(size) }, 1, ID, bytes(1)]),
		],
		[
			'a name',
			MAX_NAME_UNITS,
			(size) => inside(contents, [3, { name: 'a'.repeat(size), picture: null }, 1, ID, bytes(1)]),
		],
		[
			'an envelope between devices',
			MAX_BODY_BYTES,
			(size) => inside(peerFrames, [3, ID, ID, 0, bytes(size)]),
		],
		['a number', Number.MAX_SAFE_INTEGER, (size) => inside(upFrames, [6, size])],
	])('%s', (_title, limit, passes) => {
		expect(passes(limit)).toBe(true);
		expect(passes(limit + 1)).toBe(false);
	});

	test('the size of a frame is looked at before anything is parsed', () => {
		const union = frameUnion(frame(1, 'one', { body: bytesUpTo(100) }));
		const encoded = union.encode({ type: 'one', body: bytes(90) });
		expect(union.decode(encoded, encoded.length).ok).toBe(true);
		expect(union.decode(encoded, encoded.length - 1)).toEqual({ ok: false, error: 'too-large' });
	});

	test('everything that the largest body needs fits into one frame', () => {
		const body = new Uint8Array(MAX_BODY_BYTES);
		const full = {
			type: 'submit',
			request: 2 ** 40,
			envelope: ID,
			channel: ID,
			epoch: 2 ** 40,
			body,
		};
		expect(upFrames.encode(full as never).length).toBeLessThan(MAX_FRAME_BYTES);
	});
});

test('CBOR is deterministic: maps are in the order of their keys', () => {
	expect(writeCbor({ b: 1, a: 2 })).toEqual(writeCbor({ a: 2, b: 1 }));
	expect(parseCbor(writeCbor({ b: 1, a: 2 }))).toEqual({ a: 2, b: 1 });
});

test('HS-4 what a device signs names the relay in lower case', () => {
	const challenge = new Uint8Array(32).fill(1);
	const key = new Uint8Array(32).fill(2);
	const statement = loginStatement(challenge, 'Relay.Example:8443', key);
	expect(statement).toEqual(
		Uint8Array.from([...challenge, ...key, ...new TextEncoder().encode('relay.example:8443')]),
	);
});

describe('ER-1 refusals', () => {
	test('each says whether trying again helps, and a sentence', () => {
		for (const code of REFUSAL_CODES) {
			expect(['later', 'changed', 'never']).toContain(REFUSALS[code].retry);
			expect(REFUSALS[code].sentence).toMatch(/^[A-Z].*\.$/);
		}
	});

	test('the list is closed: another code is malformed', () => {
		expect(downFrames.decode(writeCbor([74, 'busy', null]), 100).ok).toBe(true);
		expect(downFrames.decode(writeCbor([74, 'made-up', null]), 100).ok).toBe(false);
	});
});

test('HS-3 the floor is not above the version', () => {
	expect(PROTOCOL_FLOOR).toBeLessThanOrEqual(PROTOCOL_VERSION);
});
