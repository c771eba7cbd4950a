// The four frames that nearly all of a relay's traffic consists of, read and written where they lie: through general
// CBOR and schemas they cost more than all the rest of what a relay does for a message. Bytes and answers are those
// of frames.ts, which reads and writes every other frame, and decides about whatever looks unusual here.
import type { Decoded } from './codec.ts';
import {
	DELIVERY_KINDS,
	downFrames,
	upFrames,
	type Delivery,
	type DeliveryKind,
	type DownFrame,
	type UpFrame,
} from './frames.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import { Slab } from './slab.ts';

const SUBMIT = [0x86, 2] as const;
const ACKNOWLEDGE = [0x82, 6] as const;
const ACCEPTED = [0x82, 0x18, 69] as const;
const DELIVER = [0x88, 0x18, 67] as const;
/** CBOR's major types, in the upper three bits of an item's first byte (RFC 8949 section 3.1). */
const UINT = 0x00;
const BYTES = 0x40;
const TEXT = 0x60;
const ID_LETTERS = 22;
const TWO_32 = 0x1_0000_0000;

/** Bit 1: a letter of base64url; bit 2: one that a 16-byte id may end with (ids.ts). */
const LETTERS = new Uint8Array(256);
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
	LETTERS[letter.charCodeAt(0)] = 'AQgw'.includes(letter) ? 3 : 1;

const KINDS = Object.fromEntries(
	DELIVERY_KINDS.map((kind) => [kind, new TextEncoder().encode(kind)]),
) as Record<DeliveryKind, Uint8Array>;

/** As `upFrames.decode`, but that the body is for now, not for keeping (slab.ts). */
export function decodeUp(bytes: Uint8Array, maxBytes: number): Decoded<UpFrame> {
	const frame = bytes.length <= maxBytes ? (submitIn(bytes) ?? acknowledgeIn(bytes)) : undefined;
	return frame ? { ok: true, value: frame } : upFrames.decode(bytes, maxBytes);
}

/** As `downFrames.encode`; the bytes are for now, too. */
export function encodeDown(frame: DownFrame): Uint8Array {
	if (frame.type === 'deliver') return deliverOut(frame);
	if (frame.type === 'accepted') return acceptedOut(frame.request);
	return downFrames.encode(frame);
}

// ---- reading: NaN and undefined stand for whatever is not there in its one right form ----

const slab = new Slab();
let source = new Uint8Array(0);
let at = 0;

function begins(bytes: Uint8Array, head: readonly [number, number]): boolean {
	source = bytes as Uint8Array<ArrayBuffer>;
	at = head.length;
	return bytes[0] === head[0] && bytes[1] === head[1];
}

function submitIn(bytes: Uint8Array): UpFrame | undefined {
	if (!begins(bytes, SUBMIT)) return undefined;
	const request = numberIn(UINT);
	const envelope = idIn();
	const channel = idIn();
	const epoch = numberIn(UINT);
	const size = numberIn(BYTES);
	// Comparisons with NaN are false.
	if (!(request >= 0 && epoch >= 0 && size <= MAX_BODY_BYTES && at + size === bytes.length))
		return undefined;
	if (envelope === undefined || channel === undefined) return undefined;
	const body = slab.copy(bytes.subarray(at));
	return { type: 'submit', request, envelope, channel, epoch, body } as UpFrame;
}

function acknowledgeIn(bytes: Uint8Array): UpFrame | undefined {
	if (!begins(bytes, ACKNOWLEDGE)) return undefined;
	const seq = numberIn(UINT);
	return seq >= 0 && at === bytes.length ? { type: 'acknowledge', seq } : undefined;
}

/** The number in an item's head, in its shortest form. */
function numberIn(major: number): number {
	const info = (source[at++] ?? NaN) - major;
	if (info >= 0 && info < 24) return info;
	if (info === 24) return atLeast(24, bigEndian(1));
	if (info === 25) return atLeast(0x100, bigEndian(2));
	if (info === 26) return atLeast(0x1_0000, bigEndian(4));
	if (info !== 27) return NaN;
	const value = atLeast(1, bigEndian(4)) * TWO_32 + bigEndian(4);
	return value <= Number.MAX_SAFE_INTEGER ? value : NaN;
}

const atLeast = (least: number, value: number) => (value >= least ? value : NaN);

function bigEndian(size: number): number {
	let value = 0;
	for (const end = at + size; at < end; at++) value = value * 256 + (source[at] ?? NaN);
	return value;
}

const letters = new Array<number>(ID_LETTERS).fill(0);

function idIn(): string | undefined {
	if (source[at++] !== TEXT + ID_LETTERS) return undefined;
	let known = 3;
	for (let index = 0; index < ID_LETTERS; index++) {
		const letter = source[at++] ?? 0;
		letters[index] = letter;
		known = ((known & 1) * 3) & (LETTERS[letter] ?? 0);
	}
	return known === 3 ? String.fromCharCode(...letters) : undefined;
}

// ---- writing ----

let target = source;

function start(head: readonly number[], size: number): Uint8Array {
	target = slab.take(head.length + size);
	at = 0;
	for (const byte of head) target[at++] = byte;
	return target;
}

function acceptedOut(request: number): Uint8Array {
	const bytes = start(ACCEPTED, sizeOfHead(request));
	headOut(UINT, request);
	return bytes;
}

function deliverOut({ seq, kind, envelope, channel, epoch, at: time, body }: Delivery): Uint8Array {
	const name = KINDS[kind];
	const numbers = sizeOfHead(seq) + sizeOfHead(epoch) + sizeOfHead(time);
	const texts = 1 + name.length + 2 * (1 + ID_LETTERS);
	const bytes = start(DELIVER, numbers + texts + sizeOfHead(body.length) + body.length);
	headOut(UINT, seq);
	headOut(TEXT, name.length);
	bytes.set(name, at);
	at += name.length;
	idOut(envelope);
	idOut(channel);
	headOut(UINT, epoch);
	headOut(UINT, time);
	headOut(BYTES, body.length);
	bytes.set(body, at);
	return bytes;
}

function sizeOfHead(value: number): number {
	if (value < 24) return 1;
	if (value < 0x100) return 2;
	if (value < 0x1_0000) return 3;
	return value < TWO_32 ? 5 : 9;
}

function headOut(major: number, value: number): void {
	const size = sizeOfHead(value) - 1;
	if (size === 0) return void (target[at++] = major + value);
	target[at++] = major + 24 + Math.log2(size);
	let left = value;
	for (let index = at + size - 1; index >= at; index--) {
		target[index] = left % 256;
		left = Math.floor(left / 256);
	}
	at += size;
}

function idOut(id: string): void {
	target[at++] = TEXT + ID_LETTERS;
	for (let index = 0; index < ID_LETTERS; index++) target[at++] = id.charCodeAt(index);
}
