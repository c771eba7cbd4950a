// Just enough of a zip (APPNOTE 6.3) to take one text out of it: the central directory, stored and deflated entries,
// zip64 for exports with many pictures. Only what is needed is read; every size is bounded before it is believed.

export type ZipFailure = 'truncated' | 'damaged' | 'locked' | 'too-large';

export interface ZipEntry {
	readonly name: string;
	readonly method: number;
	readonly locked: boolean;
	readonly crc: number;
	readonly packed: number;
	readonly size: number;
	/** Of its local header, from the start of the file. */
	readonly offset: number;
}

type Outcome<Value> =
	{ readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: ZipFailure };

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const MOST_DIRECTORY_BYTES = 32 * 1024 * 1024;
const IN_ZIP64 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;

const fail = (error: ZipFailure) => ({ ok: false, error }) as const;

/** True for bytes that begin as a zip does. */
export async function isZip(file: Blob): Promise<boolean> {
	const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
	return first === 0x50 && second === 0x4b;
}

async function viewOf(file: Blob, from: number, length: number): Promise<DataView> {
	return new DataView(await file.slice(from, from + length).arrayBuffer());
}

/** The entries of a zip, files and folders. */
export async function listZip(file: Blob): Promise<Outcome<readonly ZipEntry[]>> {
	const from = Math.max(0, file.size - END_BYTES - LONGEST_COMMENT);
	const tail = await viewOf(file, from, file.size - from);
	let at = tail.byteLength - END_BYTES;
	while (at >= 0 && tail.getUint32(at, true) !== END) at--;
	if (at < 0) return fail('truncated');
	let size = tail.getUint32(at + 12, true);
	let offset = tail.getUint32(at + 16, true);
	if (offset === IN_ZIP64 || size === IN_ZIP64) {
		const wide = await readEnd64(file, tail, at);
		if (!wide) return fail('damaged');
		({ size, offset } = wide);
	}
	if (size > MOST_DIRECTORY_BYTES) return fail('too-large');
	if (offset + size > file.size) return fail('truncated');
	return entriesIn(await viewOf(file, offset, size));
}

async function readEnd64(file: Blob, tail: DataView, end: number) {
	const at = end - LOCATOR_BYTES;
	if (at < 0 || tail.getUint32(at, true) !== END_64_LOCATOR) return undefined;
	const record = await viewOf(file, Number(tail.getBigUint64(at + 8, true)), 56);
	if (record.byteLength < 56 || record.getUint32(0, true) !== END_64) return undefined;
	return {
		size: Number(record.getBigUint64(40, true)),
		offset: Number(record.getBigUint64(48, true)),
	};
}

function entriesIn(directory: DataView): Outcome<readonly ZipEntry[]> {
	const names = new TextDecoder();
	const entries: ZipEntry[] = [];
	let at = 0;
	while (at < directory.byteLength) {
		if (at + CENTRAL_BYTES > directory.byteLength) return fail('damaged');
		if (directory.getUint32(at, true) !== CENTRAL) return fail('damaged');
		const nameBytes = directory.getUint16(at + 28, true);
		const extraBytes = directory.getUint16(at + 30, true);
		const next = at + CENTRAL_BYTES + nameBytes + extraBytes + directory.getUint16(at + 32, true);
		if (next > directory.byteLength) return fail('damaged');
		const sizes = sizesOf(directory, at, at + CENTRAL_BYTES + nameBytes + extraBytes);
		const name = new Uint8Array(
			directory.buffer,
			directory.byteOffset + at + CENTRAL_BYTES,
			nameBytes,
		);
		entries.push({
			name: names.decode(name),
			method: directory.getUint16(at + 10, true),
			locked: (directory.getUint16(at + 8, true) & 1) !== 0,
			crc: directory.getUint32(at + 16, true),
			...sizes,
		});
		at = next;
	}
	return { ok: true, value: entries };
}

/** Sizes and place of an entry; those that do not fit 32 bits stand in the zip64 field, in this order. */
function sizesOf(directory: DataView, at: number, end: number) {
	const sizes = {
		size: directory.getUint32(at + 24, true),
		packed: directory.getUint32(at + 20, true),
		offset: directory.getUint32(at + 42, true),
	};
	let extra = at + CENTRAL_BYTES + directory.getUint16(at + 28, true);
	while (extra + 4 <= end) {
		const length = directory.getUint16(extra + 2, true);
		if (directory.getUint16(extra, true) === 1) {
			let from = extra + 4;
			for (const key of ['size', 'packed', 'offset'] as const) {
				if (sizes[key] !== IN_ZIP64 || from + 8 > Math.min(end, extra + 4 + length)) continue;
				sizes[key] = Number(directory.getBigUint64(from, true));
				from += 8;
			}
		}
		extra += 4 + length;
	}
	return sizes;
}

/** The bytes of one entry, checked by its CRC. Nothing beyond `limit` bytes is ever unpacked, whatever sizes it claims. */
export async function readEntry(
	file: Blob,
	entry: ZipEntry,
	limit: number,
): Promise<Outcome<Uint8Array<ArrayBuffer>>> {
	if (entry.locked) return fail('locked');
	if (entry.size > limit) return fail('too-large');
	const header = await viewOf(file, entry.offset, LOCAL_BYTES);
	if (header.byteLength < LOCAL_BYTES) return fail('truncated');
	if (header.getUint32(0, true) !== LOCAL) return fail('damaged');
	const start =
		entry.offset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
	if (start + entry.packed > file.size) return fail('truncated');
	if (entry.method !== STORED && entry.method !== DEFLATED) return fail('damaged');
	const packed = file.slice(start, start + entry.packed).stream();
	const plain =
		entry.method === STORED ? packed : packed.pipeThrough(new DecompressionStream('deflate-raw'));
	const read = await collect(plain, limit);
	if (!read.ok) return read;
	if (read.value.length !== entry.size || crc32(read.value) !== entry.crc) return fail('damaged');
	return read;
}

/** All of a stream, unless it is longer than `limit` bytes: then it is left there. */
async function collect(
	stream: ReadableStream<Uint8Array>,
	limit: number,
): Promise<Outcome<Uint8Array<ArrayBuffer>>> {
	const parts: Uint8Array<ArrayBuffer>[] = [];
	let length = 0;
	const reader = stream.getReader();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) break;
			length += value.length;
			if (length > limit) {
				void reader.cancel().catch(() => undefined);
				return fail('too-large');
			}
			parts.push(value as Uint8Array<ArrayBuffer>);
		}
	} catch {
		return fail('damaged'); // what the platform's inflater says to bytes that are not deflate
	}
	return { ok: true, value: new Uint8Array(await new Blob(parts).arrayBuffer()) };
}

let table: Uint32Array | undefined;

function crc32(bytes: Uint8Array): number {
	table ??= Uint32Array.from({ length: 256 }, (_, index) => {
		let value = index;
		for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
		return value;
	});
	let crc = 0xffffffff;
	for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
	return (crc ^ 0xffffffff) >>> 0;
}
