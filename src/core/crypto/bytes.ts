// What WebCrypto needs done to bytes before it takes them.

/** Length of every id but an AccountId (protocol/ids.ts). */
export const ID_BYTES = 16;

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array<ArrayBuffer> {
	return encoder.encode(text);
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
	const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** A copy in memory of its own. Not `slice`: in Node that is a view for a Buffer, and a CBOR encoder may give one. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
	return new Uint8Array(bytes);
}

/** Not constant-time: for public values only (keys, hashes, ids). */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** The same bytes as WebCrypto's types want them: over an ArrayBuffer, never shared memory. */
export function toBufferSource(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
	return bytes.buffer instanceof ArrayBuffer
		? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
		: copyBytes(bytes);
}
