// Handing on history: the pieces that another own device asks for, joining those that came with what is here, and asking again. Not every
// engine does it: one that runs for seconds leaves it to the next (SPEC DE-10).
import type { ArchiveEntry } from './archive-entries.ts';
import { gather, historyOf } from './archive-gather.ts';
import { Merge } from './archive-merge.ts';
import type { EngineContext } from './context.ts';
import type { Clock, EntryCodec, Store } from './ports.ts';
import type { DeviceId } from './model.ts';
import type { TransferRow } from './device-records.ts';
import { ONLY, type MeRow } from './records.ts';
import { conversationOf, subjectOf } from './subjects.ts';
import {
	ASK_AGAIN_AFTER,
	askForMore,
	cursorOf,
	HEAD,
	isOneCatchingUp,
	MOST_CURSORS,
	readCursor,
	withTurn,
	type Chunk,
	type HistoryKeeping,
} from './transfer.ts';

/** Of one piece, sealed with some more around it. */
const MOST_BYTES = 256 * 1024;
/** Messages that are looked at for one piece. */
const PAGE = 500;
/** The newest messages of a conversation that come with its place in the list, and for how many conversations. */
const FIRST_LOOK = 20;
const MOST_FIRST_LOOKS = 50;
/** Who does not answer is asked every eight minutes at last. */
const MOST_DOUBLINGS = 3;
const EVERYTHING = { prefix: '', limit: 20_000 };

/** What an engine that hands on history does; `codec` writes entries as bytes. */
export function historyKeeping(codec: EntryCodec): HistoryKeeping {
	return {
		chunkOf: (ports, cursor) => chunkOf(ports, codec, cursor),
		joinChunk: (context) => joinChunk(context, codec),
		askAgain: (context) => askAgain(context, codec),
	};
}

/** The piece that `cursor` asks for; one that names nothing is empty. */
async function chunkOf(
	{ store, clock }: { readonly store: Store; readonly clock: Clock },
	codec: EntryCodec,
	cursor: string,
): Promise<Chunk> {
	if (cursor === '' || cursor.startsWith(HEAD)) {
		return headOf({ store, clock }, codec, Number(cursor.slice(HEAD.length)) || 0);
	}
	const { kind, before, subject } = readCursor(cursor);
	const row = await conversationOf(store, subject);
	const found = row && (await historyOf(store, row.id, { before, limit: PAGE }));
	if (!found) return { entries: codec.encode([]), more: [] };
	const entries: ArchiveEntry[] = [];
	let bytes = codec.sizeOf(found.conversation);
	let oldest = before;
	for (const { entry, position } of found.messages) {
		const size = entry ? codec.sizeOf(entry) : 0;
		if (bytes + size > MOST_BYTES && oldest !== before) break;
		if (entry) entries.push(entry);
		bytes += size;
		oldest = position;
	}
	const isAll = !found.more && oldest === (found.messages.at(-1)?.position ?? before);
	const { person } = found;
	return {
		entries: codec.encode([...(person ? [person] : []), found.conversation, ...entries]),
		more: isAll ? [] : [cursorOf(kind, oldest, subject)],
	};
}

/** Who is known and what conversations there are, from the `skip`th on; in the end the newest of what was said. */
async function headOf(
	ports: { readonly store: Store; readonly clock: Clock },
	codec: EntryCodec,
	skip: number,
): Promise<Chunk> {
	const rows = await gather(ports);
	const entries: ArchiveEntry[] = [];
	let [at, bytes] = [0, 0];
	for await (const entry of rows ?? []) {
		if (entry.type === 'link') continue; // of the device that made it
		if (at++ < skip) continue;
		const slim = withoutPicture(entry);
		const size = codec.sizeOf(slim);
		if (bytes + size > MOST_BYTES && entries.length > 0) {
			return { entries: codec.encode(entries), more: [`${HEAD}${at - 1}`] };
		}
		bytes += size;
		entries.push(slim);
	}
	return withNewest(ports.store, codec, { entries, bytes });
}

async function withNewest(
	store: Store,
	codec: EntryCodec,
	{ entries, bytes }: { readonly entries: ArchiveEntry[]; readonly bytes: number },
): Promise<Chunk> {
	const here = new Set(entries.flatMap((each) => (each.type === 'conversation' ? [each.id] : [])));
	const newest = (await store.list('conversations', EVERYTHING))
		.map(({ value }) => value)
		.filter(({ hidden, last }) => !hidden && last)
		.sort((a, b) => ((a.last?.position ?? '') < (b.last?.position ?? '') ? 1 : -1));
	let size = bytes;
	for (const { id } of newest.slice(0, MOST_FIRST_LOOKS)) {
		if (!here.has(id)) continue; // its entry went with an earlier piece
		const found = await historyOf(store, id, { before: '', limit: FIRST_LOOK });
		for (const { entry } of found?.messages ?? []) {
			const each = entry ? codec.sizeOf(entry) : 0;
			if (!entry || size + each > MOST_BYTES) continue;
			size += each;
			entries.push(entry);
		}
	}
	const more = newest.slice(0, MOST_CURSORS).flatMap((row) => {
		const subject = subjectOf(row);
		return subject === undefined ? [] : [cursorOf('c', '', subject)];
	});
	return { entries: codec.encode(entries), more };
}

/** Pictures come from the people themselves. */
function withoutPicture(entry: ArchiveEntry): ArchiveEntry {
	if (entry.type !== 'person') return entry;
	return { ...entry, profile: { ...entry.profile, picture: null } };
}

/** Joins what came with what is here, and asks for the next. */
async function joinChunk(context: EngineContext, codec: EntryCodec): Promise<void> {
	const { store, persist } = context;
	const row = await store.get('transfer', ONLY);
	const me = await store.get('me', ONLY);
	if (!row?.chunk || !me?.self) return;
	const { chunk } = row;
	const [cursor = HEAD] = row.queue;
	const isHead = cursor.startsWith(HEAD);
	const entries = codec.decode(chunk.entries) ?? [];
	const merge = new Merge(context, me, isHead ? 'mirror' : 'join');
	for (const entry of entries) await merge.take(entry);
	await merge.take({ type: 'end', people: 0, conversations: 0, messages: 0 });
	const { messages: added } = await merge.finish();
	const { self } = me;
	// What is missing of late was asked for: where nothing was new, nothing is missing any more.
	const isEnough = readCursor(cursor).kind === 'm' && added === 0;
	const more = isEnough ? [] : chunk.more.slice(0, MOST_CURSORS);
	await persist(async (tx) => {
		const fresh = await tx.get('transfer', ONLY);
		if (!fresh?.chunk || fresh.queue[0] !== row.queue[0]) return;
		const queue = [...more, ...fresh.queue.slice(1)];
		const total = isHead ? queue.length : fresh.total;
		const messages = fresh.messages + merge.read;
		const { from, began, turns = [] } = fresh;
		const asked = context.clock.now();
		const next = withTurn({ from, began, queue, total, messages, asked, turns }, asked);
		tx.put('transfer', ONLY, next);
		askForMore(tx, self, next);
	});
}

async function askAgain(context: EngineContext, codec: EntryCodec): Promise<number | undefined> {
	const { store, persist, clock } = context;
	const row = await store.get('transfer', ONLY);
	if (!row || row.queue.length === 0) return undefined;
	if (row.chunk) {
		await joinChunk(context, codec);
		return ASK_AGAIN_AFTER;
	}
	// Whoever is away has the question in their mail: they are not asked every minute for as long as that takes.
	const patience = ASK_AGAIN_AFTER * 2 ** Math.min(MOST_DOUBLINGS, row.times ?? 0);
	const since = clock.now() - (row.asked ?? 0);
	if (since >= 0 && since < patience) return patience - since; // before: the clock was set back
	await persist(async (tx) => {
		const fresh = await tx.get('transfer', ONLY);
		const me = await tx.get('me', ONLY);
		if (!fresh || !me?.self || fresh.chunk) return;
		const asked = clock.now();
		const next = { ...askedElse(fresh, me, asked), asked, times: (fresh.times ?? 0) + 1 };
		tx.put('transfer', ONLY, next);
		askForMore(tx, me.self, next);
	});
	return ASK_AGAIN_AFTER;
}

/** Who does not answer comes last, and who is gone not at all. */
function askedElse(row: TransferRow, { device: self, devices }: MeRow, now: number): TransferRow {
	const { from, queue } = row;
	const isThere = (device: DeviceId) => !devices || devices.ids.includes(device);
	const turns = row.turns?.filter(({ device }) => isThere(device)) ?? [];
	const [cursor] = queue;
	if (turns.length > 0 && cursor !== undefined && isOneCatchingUp(queue)) {
		const last = isThere(from) ? [{ device: from, cursor }] : [];
		return withTurn({ ...row, queue: [], turns: [...turns, ...last] }, now);
	}
	if (isThere(from)) return { ...row, turns };
	const other = devices?.ids.find((device) => device !== self);
	return other ? { ...row, turns, from: other } : { ...row, turns, queue: [] };
}
