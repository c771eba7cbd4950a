// Frames over a data channel that carries 256 KiB at most, and 16 KiB best: one byte says whether more follows.

/** Fits every browser's data channel without being split again. */
const CHUNK_BYTES = 64 * 1024 - 1;
const MORE = 1;
const LAST = 0;

/** Splits a frame into messages of the data channel. */
export function* chunksOf(frame: Uint8Array): Iterable<Uint8Array<ArrayBuffer>> {
	for (let at = 0; at === 0 || at < frame.length; at += CHUNK_BYTES) {
		const part = frame.subarray(at, at + CHUNK_BYTES);
		const chunk = new Uint8Array(part.length + 1);
		chunk[0] = at + CHUNK_BYTES < frame.length ? MORE : LAST;
		chunk.set(part, 1);
		yield chunk;
	}
}

/** Joins them again; `broken` for what no chunker writes, and for frames over `maxBytes`. */
export function createJoiner(
	maxBytes: number,
): (chunk: Uint8Array) => Uint8Array | 'broken' | undefined {
	let parts: Uint8Array[] = [];
	let bytes = 0;
	return (chunk) => {
		const [mark] = chunk;
		if (mark !== MORE && mark !== LAST) return 'broken';
		parts.push(chunk.subarray(1));
		bytes += chunk.length - 1;
		if (bytes > maxBytes) return 'broken';
		if (mark === MORE) return undefined;
		const frame = new Uint8Array(bytes);
		let at = 0;
		for (const part of parts) {
			frame.set(part, at);
			at += part.length;
		}
		parts = [];
		bytes = 0;
		return frame;
	};
}
