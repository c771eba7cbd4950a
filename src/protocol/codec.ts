// Bytes become types here and nowhere else. A frame is a CBOR array (RFC 8949): its number, then its fields in
// the order they are declared. The size is checked before anything is parsed; decoding never throws (SPEC FR-*).
import { decode as decodeCbor, encode as encodeCbor } from 'cborg';
import * as v from 'valibot';

type Fields = Readonly<Record<string, v.GenericSchema>>;

export interface FrameShape<Name extends string = string, F extends Fields = Fields> {
	readonly number: number;
	readonly name: Name;
	readonly fields: F;
}

/**
 * Declares one frame. `number` is what travels; the order of `fields` is the order on the wire. Fields that may be
 * undefined stand at the end, and are left out where they are (SPEC FR-2).
 */
export function frame<const Name extends string, F extends Fields>(
	number: number,
	name: Name,
	fields: F,
): FrameShape<Name, F> {
	return { number, name, fields };
}

/** The value of a frame: its name under `type`, and its fields. */
export type FrameValue<Shape> =
	Shape extends FrameShape<infer Name, infer F>
		? { readonly type: Name } & { readonly [Key in keyof F]: v.InferOutput<F[Key]> }
		: never;

export type Decoded<Value> =
	| { readonly ok: true; readonly value: Value }
	| { readonly ok: false; readonly error: 'malformed' | 'too-large' };

const malformed = { ok: false, error: 'malformed' } as const;
const tooLarge = { ok: false, error: 'too-large' } as const;

const strict = {
	strict: true,
	allowIndefinite: false,
	allowUndefined: false,
	allowBigInt: false,
	allowNaN: false,
	allowInfinity: false,
	rejectDuplicateMapKeys: true,
};

/** CBOR of one item, or undefined for bytes that are not exactly one well-formed item. */
export function parseCbor(bytes: Uint8Array): unknown {
	try {
		return decodeCbor(bytes, strict);
	} catch {
		return undefined; // truncated, nested beyond the stack, indefinite, trailing: all the same to us
	}
}

/** Deterministic CBOR (RFC 8949 section 4.2) of plain data. */
export function writeCbor(value: unknown): Uint8Array {
	return encodeCbor(value);
}

/** A closed union of frames that travel in one direction. */
interface FrameUnion<Shape extends FrameShape> {
	readonly shapes: readonly Shape[];
	encode(value: FrameValue<Shape>): Uint8Array;
	/** The value shares nothing with `bytes`, which may be used again at once. */
	decode(bytes: Uint8Array, maxBytes: number): Decoded<FrameValue<Shape>>;
}

/** Joins shapes into one union; numbers and names must be unique (checked by a test). */
export function frameUnion<const Shapes extends readonly FrameShape[]>(
	...shapes: Shapes
): FrameUnion<Shapes[number]> {
	type Value = FrameValue<Shapes[number]>;
	const byNumber = new Map(
		shapes.map((shape) => [shape.number, { shape, fields: Object.entries(shape.fields) }]),
	);
	const byName = new Map(
		shapes.map((shape) => [shape.name, { number: shape.number, keys: Object.keys(shape.fields) }]),
	);
	return {
		shapes,
		encode(value) {
			const fields = value as Record<string, unknown> & { type: string };
			const entry = byName.get(fields.type);
			if (!entry) throw new Error(`no frame is called ${fields.type}`);
			const last = entry.keys.findLastIndex((key) => fields[key] !== undefined);
			const present = entry.keys.slice(0, last + 1);
			return encodeCbor([entry.number, ...present.map((key) => fields[key])]);
		},
		decode(bytes, maxBytes) {
			if (bytes.length > maxBytes) return tooLarge;
			const items = parseCbor(bytes);
			if (!Array.isArray(items)) return malformed;
			const entry = byNumber.get(items[0] as number);
			if (!entry || items.length > entry.fields.length + 1) return malformed;
			const value: Record<string, unknown> = { type: entry.shape.name };
			for (const [index, [key, schema]] of entry.fields.entries()) {
				const parsed = v.safeParse(schema, items[index + 1]);
				if (!parsed.success) return malformed;
				value[key] = parsed.output;
			}
			return { ok: true, value: value as Value };
		},
	};
}
