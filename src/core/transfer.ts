// History for a new device. It asks one of the others for piece after piece, each answer names what there is to ask for next,
// and what came is joined with what is here: so a cut or a crash of either side costs the piece that was on its way, and no
// more (SPEC DE-10).
import type { EngineContext } from './context.ts';
import type { DeviceId, Position } from './model.ts';
import type { Clock, Store, Transaction } from './ports.ts';
import type { TransferRow } from './device-records.ts';
import { ONLY, outboxKey, type ConversationRow } from './records.ts';
import { subjectOf } from './subjects.ts';

/** What a device asks for first: who is known, and what conversations there are. */
export const HEAD = 'h/';
export const MOST_CURSORS = 4_000;
/** After this long without an answer it is asked again, ms. */
const ASK_AGAIN_AFTER = 60_000;

/** A piece of history, and what is to be asked for after it. */
export interface Chunk {
	/** As in a backup. */
	readonly entries: Uint8Array;
	readonly more: readonly string[];
}

/** What an engine does that lives long enough to hand on history. */
export interface HistoryKeeping {
	/** The piece that `cursor` asks for; one that names nothing is empty. */
	chunkOf(ports: { readonly store: Store; readonly clock: Clock }, cursor: string): Promise<Chunk>;
	/** Joins what came with what is here, and asks for the next. */
	joinChunk(context: EngineContext): Promise<void>;
}

/** What to ask for: `c`, the whole history of a conversation; `m`, what may be missing of it; from before a place on. */
export function cursorOf(kind: 'c' | 'm', before: Position, subject: string): string {
	return `${kind}/${before}/${subject}`;
}

/** Inverse of {@link cursorOf}; foreign text names nothing. */
export function readCursor(cursor: string): {
	readonly kind: 'c' | 'm';
	readonly before: Position;
	readonly subject: string;
} {
	const end = cursor.indexOf('/', 2);
	const kind = cursor.startsWith('m/') ? 'm' : 'c';
	return { kind, before: cursor.slice(2, end), subject: cursor.slice(end + 1) };
}

/**
 * Something was said here that this device may never get from who said it, for another own device has it: that one is
 * asked for what is missing.
 */
export async function catchUp(tx: Transaction, conversation: ConversationRow): Promise<void> {
	const me = await tx.get('me', ONLY);
	const other = me?.devices?.ids.find((device) => device !== me.device);
	const subject = subjectOf(conversation);
	if (!me?.self || !other || subject === undefined) return;
	const row = await tx.get('transfer', ONLY);
	const cursor = cursorOf('m', '', subject);
	if (row?.queue.includes(cursor)) return;
	const fresh = { from: other, began: 0, queue: [], total: undefined, messages: 0 };
	const next = { ...(row ?? fresh), queue: [...(row?.queue ?? []), cursor] };
	tx.put('transfer', ONLY, next);
	if (next.queue.length === 1) askForMore(tx, me.self, next);
}

/** Asks for the next piece. */
export function askForMore(
	tx: Transaction,
	self: ConversationRow['id'],
	row: Pick<TransferRow, 'from' | 'queue'>,
): void {
	const [next] = row.queue;
	if (next === undefined) return;
	tx.put('outbox', outboxKey.want(self), { kind: 'want', to: row.from, cursor: next });
}

/** A piece came; it is joined with what is here outside this transaction. */
export async function chunkArrived(
	tx: Transaction,
	from: DeviceId,
	{ cursor, entries, more }: Chunk & { readonly cursor: string },
): Promise<void> {
	const row = await tx.get('transfer', ONLY);
	if (!row || row.from !== from || row.queue[0] !== cursor || row.chunk) return;
	tx.put('transfer', ONLY, { ...row, chunk: { entries, more } });
}

/** Asks again where no answer came: also another device, if the one that was asked is not there any more. */
export async function askAgainForHistory(context: EngineContext): Promise<number | undefined> {
	const { store, persist, clock, history } = context;
	const row = await store.get('transfer', ONLY);
	if (!row || row.queue.length === 0) return undefined;
	if (row.chunk) {
		await history?.joinChunk(context);
		return ASK_AGAIN_AFTER;
	}
	const asked = row.asked ?? 0;
	const wait = asked + ASK_AGAIN_AFTER - clock.now();
	if (wait > 0) return wait;
	await persist(async (tx) => {
		const fresh = await tx.get('transfer', ONLY);
		const me = await tx.get('me', ONLY);
		if (!fresh || !me?.self || fresh.chunk) return;
		const isGone = me.devices !== undefined && !me.devices.ids.includes(fresh.from);
		const other = me.devices?.ids.find((device) => device !== me.device);
		const from = isGone && other ? other : fresh.from;
		const next = { ...fresh, from, asked: clock.now() };
		tx.put('transfer', ONLY, next);
		askForMore(tx, me.self, next);
	});
	return ASK_AGAIN_AFTER;
}
