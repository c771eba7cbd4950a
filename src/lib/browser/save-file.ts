// Saving a file that is made piece by piece: to where the person says, or as a download where the browser cannot ask.

type Pieces = AsyncIterable<Uint8Array<ArrayBuffer>> | Iterable<Uint8Array<ArrayBuffer>>;

/** Where a file goes. */
export interface SaveTarget {
	/** Writes all of it and resolves with its size in bytes. If it fails, nothing is left there. */
	save(chunks: Pieces): Promise<number>;
}

export interface FileKind {
	readonly name: string;
	/** MIME type. */
	readonly type: string;
	/** With the dot. */
	readonly ending: string;
}

type Picker = (options: {
	readonly suggestedName: string;
	readonly types: readonly { readonly accept: Readonly<Record<string, readonly string[]>> }[];
}) => Promise<FileSystemFileHandle>;

/** Asks where; must be called right from a press, for the question needs it. Undefined when it was closed. */
export async function chooseTarget({
	name,
	type,
	ending,
}: FileKind): Promise<SaveTarget | undefined> {
	const full = `${safeName(name)}${ending}`;
	const picker = (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
	if (!picker) return { save: (chunks) => download(chunks, full, type) };
	try {
		const handle = await picker({ suggestedName: full, types: [{ accept: { [type]: [ending] } }] });
		return { save: (chunks) => writeTo(handle, chunks) };
	} catch (error) {
		if (error instanceof DOMException && error.name === 'AbortError') return undefined;
		return { save: (chunks) => download(chunks, full, type) };
	}
}

async function writeTo(handle: FileSystemFileHandle, chunks: Pieces): Promise<number> {
	const file = await handle.createWritable();
	let size = 0;
	try {
		for await (const chunk of chunks) {
			await file.write(chunk);
			size += chunk.length;
		}
		await file.close();
	} catch (error) {
		// What was there before stays: the browser writes beside it until it is closed.
		await file.abort().catch(() => undefined);
		throw error;
	}
	return size;
}

/** Parts of a blob may rest on the disk; they are joined by the browser, not here. */
async function download(chunks: Pieces, name: string, type: string): Promise<number> {
	let file = new Blob([], { type });
	let parts: Uint8Array<ArrayBuffer>[] = [];
	for await (const chunk of chunks) {
		parts.push(chunk);
		if (parts.length < 64) continue;
		file = new Blob([file, ...parts], { type });
		parts = [];
	}
	file = new Blob([file, ...parts], { type });
	const link = document.createElement('a');
	link.href = URL.createObjectURL(file);
	link.download = name;
	link.click();
	// The download has begun by then; the bytes need not stay in memory.
	setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
	return file.size;
}

/** A name that every file system takes. */
function safeName(name: string): string {
	const plain = name
		// eslint-disable-next-line no-control-regex -- exactly those must not be in a name
		.replaceAll(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"/\\|?*]/gu, ' ')
		.replaceAll(/\s+/gu, ' ')
		.replaceAll(/^[. ]+|[. ]+$/gu, '');
	return beginning(plain).trim() || 'Kith';
}

const NAME_CHARACTERS = 80;
/** File systems end at 255, and the browser may add a number. */
const NAME_BYTES = 200;

/** As much of it as fits, and no half of a character. */
function beginning(name: string): string {
	const encoder = new TextEncoder();
	let bytes = 0;
	let kept = '';
	for (const character of Array.from(name).slice(0, NAME_CHARACTERS)) {
		bytes += encoder.encode(character).length;
		if (bytes > NAME_BYTES) break;
		kept += character;
	}
	return kept;
}

/** "2026-11-23", as the clock on the wall says. */
export function dateForName(ms: number): string {
	const at = new Date(ms);
	const two = (value: number) => value.toString().padStart(2, '0');
	return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
