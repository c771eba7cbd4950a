// Rows as bytes. Unlike the wire, rows are ours, so `undefined` is allowed; anything else that cannot be read back is
// a broken database and throws.
import { decode, encode } from 'cborg';

export function encodeRow(value: unknown): Uint8Array {
	return encode(value);
}

export function decodeRow(bytes: Uint8Array): unknown {
	return decode(bytes, { strict: true });
}
