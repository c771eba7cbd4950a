// The backup file from its bytes to its entries and back (FORMAT.md). Both ways are streams: a chunk and an entry are
// all that is ever in memory.
import type {
	ArchiveCounts,
	ArchiveEntry,
	ArchiveFailure,
	ConversationEntry,
} from '../archive-entries.ts';
import type { ArchiveCrypto, ArchiveKdf, ArchiveKeys, ArchiveSecret, Result } from '../ports.ts';
import { decodeEntry, encodeEntry, MOST_ENTRY_BYTES } from './entries.ts';

const MAGIC = Uint8Array.from('KITHBKUP', (letter) => letter.charCodeAt(0));
const VERSION = 1;
const SALT_BYTES = 16;
const HEADER_BYTES = 32;
const TAG_BYTES = 32;
const START = HEADER_BYTES + TAG_BYTES;
const CHUNK_BYTES = 64 * 1024;
/** AES-GCM's own tag. */
const SEALED_BYTES = CHUNK_BYTES + 16;
const LENGTH_BYTES = 4;
const PASSPHRASE = 1;
const CODE = 2;

/** What a reader is willing to spend on a passphrase; memory in KiB. */
const LEAST_MEMORY = 8 * 1024;
const MOST_MEMORY = 256 * 1024;
const MOST_PASSES = 16;
const MOST_LANES = 4;

/** Inside this room only: {@link readArchive} turns it into a value. */
class Broken extends Error {
	readonly failure: ArchiveFailure;

	constructor(failure: ArchiveFailure) {
		super(failure);
		this.failure = failure;
	}
}

function headerOf(kdf: ArchiveKdf, salt: Uint8Array): Uint8Array<ArrayBuffer> {
	const header = new Uint8Array(HEADER_BYTES);
	const view = new DataView(header.buffer);
	header.set(MAGIC);
	view.setUint8(8, VERSION);
	view.setUint8(9, kdf.kind === 'passphrase' ? PASSPHRASE : CODE);
	if (kdf.kind === 'passphrase') {
		view.setUint32(10, kdf.memory);
		view.setUint8(14, kdf.passes);
		view.setUint8(15, kdf.lanes);
	}
	header.set(salt, HEADER_BYTES - SALT_BYTES);
	return header;
}

interface Head {
	readonly header: Uint8Array;
	readonly tag: Uint8Array;
	readonly salt: Uint8Array;
	readonly kdf: ArchiveKdf;
}

async function readHead(file: Blob): Promise<Result<Head, ArchiveFailure>> {
	const bytes = new Uint8Array(await file.slice(0, START).arrayBuffer());
	const fits = Math.min(bytes.length, MAGIC.length);
	const isOurs = MAGIC.subarray(0, fits).every((byte, at) => bytes[at] === byte);
	if (!isOurs || bytes.length === 0) return { ok: false, error: 'not-an-archive' };
	if (bytes.length > MAGIC.length && bytes[8] !== VERSION) {
		return { ok: false, error: (bytes[8] ?? 0) > VERSION ? 'newer' : 'damaged' };
	}
	if (bytes.length < START) return { ok: false, error: 'truncated' };
	const header = bytes.subarray(0, HEADER_BYTES);
	const kdf = kdfOf(new DataView(bytes.buffer));
	if (!kdf) return { ok: false, error: 'damaged' };
	const salt = header.subarray(HEADER_BYTES - SALT_BYTES);
	return { ok: true, value: { header, tag: bytes.subarray(HEADER_BYTES), salt, kdf } };
}

/** Undefined for one that would cost more than any honest backup does. */
function kdfOf(view: DataView): ArchiveKdf | undefined {
	const [memory, passes, lanes] = [view.getUint32(10), view.getUint8(14), view.getUint8(15)];
	if (view.getUint8(9) === CODE) {
		return memory + passes + lanes === 0 ? { kind: 'code' } : undefined;
	}
	if (view.getUint8(9) !== PASSPHRASE) return undefined;
	if (memory < LEAST_MEMORY || memory > MOST_MEMORY) return undefined;
	if (passes < 1 || passes > MOST_PASSES || lanes < 1 || lanes > MOST_LANES) return undefined;
	return { kind: 'passphrase', memory, passes, lanes };
}

/** Which kind of secret opens a file. */
export async function archiveLock(
	file: Blob,
): Promise<Result<ArchiveSecret['kind'], ArchiveFailure>> {
	const head = await readHead(file);
	return head.ok ? { ok: true, value: head.value.kdf.kind } : head;
}

/** Seals entries as a file. `end` is added. Throws for a secret that is none. */
export async function* sealArchive(
	entries: AsyncIterable<ArchiveEntry>,
	{
		secret,
		crypto,
		salt,
	}: { readonly secret: ArchiveSecret; readonly crypto: ArchiveCrypto; readonly salt: Uint8Array },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
	const kdf = crypto.kdf(secret.kind);
	const header = headerOf(kdf, salt);
	const keys = await crypto.deriveKeys(secret, { kdf, salt, header });
	if (!keys) throw new Error('not a secret that a backup can be locked with');
	const start = new Uint8Array(START);
	start.set(header);
	start.set(keys.tag, HEADER_BYTES);
	yield start;
	let chunk = 0;
	let held = new Uint8Array(CHUNK_BYTES);
	let filled = 0;
	for await (const bytes of framed(entries)) {
		for (let at = 0; at < bytes.length;) {
			// Only when more follows is it known that a full chunk is not the last.
			if (filled === CHUNK_BYTES) {
				yield await keys.seal(chunk++, false, held);
				held = new Uint8Array(CHUNK_BYTES);
				filled = 0;
			}
			const part = bytes.subarray(at, at + CHUNK_BYTES - filled);
			held.set(part, filled);
			filled += part.length;
			at += part.length;
		}
	}
	yield keys.seal(chunk, true, held.subarray(0, filled));
}

/** Each entry with its length before it, and the counts of them all at the end. */
export async function* framed(
	entries: AsyncIterable<ArchiveEntry> | Iterable<ArchiveEntry>,
): AsyncGenerator<Uint8Array> {
	const counts = { people: 0, conversations: 0, messages: 0 };
	for await (const entry of entries) {
		const bytes = encodeEntry(entry);
		if (!bytes) continue;
		count(counts, entry);
		yield withLength(bytes);
	}
	const end = encodeEntry({ type: 'end', ...counts });
	if (end) yield withLength(end);
}

function withLength(bytes: Uint8Array): Uint8Array {
	const whole = new Uint8Array(LENGTH_BYTES + bytes.length);
	new DataView(whole.buffer).setUint32(0, bytes.length);
	whole.set(bytes, LENGTH_BYTES);
	return whole;
}

function count(counts: { -readonly [Key in keyof ArchiveCounts]: number }, { type }: ArchiveEntry) {
	if (type === 'person') counts.people++;
	if (type === 'conversation') counts.conversations++;
	if (type === 'message') counts.messages++;
}

/** A backup that its secret opens. It may be read as often as wanted. */
export interface OpenArchive {
	/**
	 * Reads all entries in order; `take` may wait. The outcome tells whether all of it was good: nothing that was taken
	 * counts before that.
	 */
	read(take: (entry: ArchiveEntry) => Promise<void> | void): Promise<Result<void, ArchiveFailure>>;
}

/** Opens a backup. Its parts are checked as they are read. */
export async function openArchive(
	file: Blob,
	{ secret, crypto }: { readonly secret: ArchiveSecret; readonly crypto: ArchiveCrypto },
): Promise<Result<OpenArchive, ArchiveFailure>> {
	const head = await readHead(file);
	if (!head.ok) return head;
	const { header, tag, salt, kdf } = head.value;
	const keys = await crypto.deriveKeys(secret, { kdf, salt, header });
	if (!keys?.tag.every((byte, at) => byte === tag[at])) return { ok: false, error: 'wrong-key' };
	return {
		ok: true,
		value: {
			read: (take) => readFramed(chunksOf(file, keys), take),
		},
	};
}

/** Inverse of {@link framed}: the outcome tells whether all of it was good. */
export async function readFramed(
	chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	take: (entry: ArchiveEntry) => Promise<void> | void,
): Promise<Result<void, ArchiveFailure>> {
	try {
		for await (const entry of checked(entriesIn(chunks))) await take(entry);
		return { ok: true, value: undefined };
	} catch (error) {
		if (error instanceof Broken) return { ok: false, error: error.failure };
		throw error;
	}
}

async function* chunksOf(file: Blob, keys: ArchiveKeys): AsyncGenerator<Uint8Array> {
	for (let chunk = 0, at = START; ; chunk++, at += SEALED_BYTES) {
		const last = at + SEALED_BYTES >= file.size;
		const sealed = new Uint8Array(await file.slice(at, at + SEALED_BYTES).arrayBuffer());
		const plain = await keys.open(chunk, last, sealed);
		if (plain) yield plain;
		else throw new Broken(await whyNot(keys, { chunk, last, sealed }));
		if (last) return;
	}
}

/** A last chunk that is not whole, or that was not the last one when it was written, means that the end is missing. */
async function whyNot(
	keys: ArchiveKeys,
	{ chunk, last, sealed }: { chunk: number; last: boolean; sealed: Uint8Array },
): Promise<ArchiveFailure> {
	if (!last) return 'damaged';
	if (sealed.length < SEALED_BYTES) return 'truncated';
	return (await keys.open(chunk, false, sealed)) ? 'truncated' : 'damaged';
}

async function* entriesIn(
	chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<ArchiveEntry> {
	let held = new Uint8Array();
	for await (const chunk of chunks) {
		const joined = new Uint8Array(held.length + chunk.length);
		joined.set(held);
		joined.set(chunk, held.length);
		const view = new DataView(joined.buffer);
		let at = 0;
		while (at + LENGTH_BYTES <= joined.length) {
			const length = view.getUint32(at);
			if (length > MOST_ENTRY_BYTES) throw new Broken('damaged');
			if (at + LENGTH_BYTES + length > joined.length) break;
			const entry = decodeEntry(joined.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
			if (!entry) throw new Broken('damaged');
			if (entry !== 'unknown') yield entry;
			at += LENGTH_BYTES + length;
		}
		held = joined.slice(at);
	}
	if (held.length > 0) throw new Broken('damaged');
}

const MOST_CONVERSATIONS = 20_000;
const MOST_PEOPLE = 100_000;

/** The order of entries, what refers to what, and the counts at the end. */
async function* checked(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
	const counts = { people: 0, conversations: 0, messages: 0 };
	const conversations = new Set<string>();
	const people = new Set<string>();
	const groups = new Set<string>();
	let place: 'start' | 'middle' | 'end' = 'start';
	for await (const entry of entries) {
		if (place === 'end' || (place === 'start') !== (entry.type === 'about')) {
			throw new Broken('damaged');
		}
		place = entry.type === 'end' ? 'end' : 'middle';
		count(counts, entry);
		if (entry.type === 'person') people.add(entry.account);
		if (entry.type === 'conversation') {
			const isTwice = conversations.has(entry.id) || groups.has(entry.group?.id ?? '');
			if (isTwice || !hasSubject(entry, people) || !hasState(entry)) throw new Broken('damaged');
			conversations.add(entry.id);
			if (entry.group) groups.add(entry.group.id);
		}
		if (entry.type === 'message' && !conversations.has(entry.conversation)) {
			throw new Broken('damaged');
		}
		if (conversations.size > MOST_CONVERSATIONS || people.size > MOST_PEOPLE) {
			throw new Broken('damaged');
		}
		if (entry.type === 'end' && !isSame(counts, entry)) throw new Broken('damaged');
		yield entry;
	}
	if (place !== 'end') throw new Broken('damaged');
}

/** Whether a conversation says with whom it is, and nothing else. */
function hasSubject(
	{ subject, account, imported, group }: ConversationEntry,
	people: ReadonlySet<string>,
): boolean {
	if (subject === 'person' && !people.has(account ?? '')) return false;
	const isOfGroup = (subject === 'group') === (group !== undefined);
	return isOfGroup && (subject === 'imported') === (imported !== undefined);
}

/** States that a group ends in say when, and who ended it. */
function hasState({ state, stateBy, stateAt }: ConversationEntry): boolean {
	const isOver = state === 'removed' || state === 'left' || state === 'frozen';
	return isOver === (stateAt !== undefined) && (state === 'removed') === (stateBy !== undefined);
}

function isSame(one: ArchiveCounts, other: ArchiveCounts): boolean {
	return (
		one.people === other.people &&
		one.conversations === other.conversations &&
		one.messages === other.messages
	);
}
