// History for a new device. It asks one of the others for piece after piece, each answer names what there is to ask for next,
// and what came is joined with what is here: so a cut or a crash of either side costs the piece that was on its way, and no
// more (SPEC DE-10).
import type { EngineContext, Work } from './context.ts';
import type { DeviceId, Position } from './model.ts';
import type { Clock, Store, Transaction } from './ports.ts';
import type { TransferRow, Turn } from './device-records.ts';
import { ONLY, outboxKey, type ConversationRow, type MeRow } from './records.ts';
import { subjectOf } from './subjects.ts';

/** What a device asks for first: who is known, and what conversations there are. */
export const HEAD = 'h/';
export const MOST_CURSORS = 4_000;
/** After this long without an answer it is asked again, ms. */
export const ASK_AGAIN_AFTER = 60_000;
/** At last, every eight minutes. */
const MOST_DOUBLINGS = 3;

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

/** Whether history itself is on its way, and not only what may be missing of late. */
export function isOnItsWay({ queue }: Pick<TransferRow, 'queue'>): boolean {
	return queue.some((cursor) => !isCatchingUp(cursor));
}

function isCatchingUp(cursor: string): boolean {
	return cursor.startsWith('m/');
}

function isOneCatchingUp(queue: TransferRow['queue']): boolean {
	return queue.length <= 1 && queue.every(isCatchingUp);
}

/**
 * Something was said here that this device may never get from who said it, for another own device has it: each of them is
 * asked for what is missing, one after the other, for any may be the only one that has it.
 */
export async function catchUp(
	{ tx, clock }: Pick<Work, 'tx' | 'clock'>,
	conversation: ConversationRow,
): Promise<void> {
	const me = await tx.get('me', ONLY);
	const others = me?.devices?.ids.filter((device) => device !== me.device) ?? [];
	const [from] = others;
	const subject = subjectOf(conversation);
	if (!me?.self || !from || subject === undefined) return;
	const fresh: TransferRow = { from, began: 0, queue: [], total: undefined, messages: 0 };
	const row = (await tx.get('transfer', ONLY)) ?? fresh;
	const cursor = cursorOf('m', '', subject);
	const { turns = [] } = row;
	const added = others.filter((device) => {
		if (device === row.from && !row.chunk && row.queue.includes(cursor)) return false;
		return !turns.some((turn) => turn.device === device && turn.cursor === cursor);
	});
	const asked = [...turns, ...added.map((device) => ({ device, cursor }))];
	const next = withTurn({ ...row, turns: asked.slice(0, MOST_CURSORS) }, clock.now());
	tx.put('transfer', ONLY, next);
	if (row.queue.length === 0) askForMore(tx, me.self, next);
}

/** Where all that was asked for has come, the next turn begins. */
export function withTurn(row: TransferRow, now: number): TransferRow {
	const [turn, ...turns] = row.turns ?? [];
	if (row.queue.length > 0 || !turn) return row;
	return { ...row, from: turn.device, queue: [turn.cursor], turns, asked: now, times: 0 };
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
	const answered = row && !row.chunk && answeredBy(row, { device: from, cursor });
	if (answered) tx.put('transfer', ONLY, { ...answered, chunk: { entries, more } });
}

/** What was asked for last; or what somebody was asked for before another had the turn. */
function answeredBy(row: TransferRow, answer: Turn): TransferRow | undefined {
	const { from, queue, turns = [] } = row;
	const [cursor] = queue;
	if (from === answer.device && cursor === answer.cursor) return row;
	const isAnswer = (turn: Turn) => turn.device === answer.device && turn.cursor === answer.cursor;
	if (!turns.some(isAnswer) || !isOneCatchingUp(queue)) return undefined;
	const others = turns.filter((turn) => !isAnswer(turn));
	const waiting = cursor === undefined ? [] : [{ device: from, cursor }];
	return { ...row, from: answer.device, queue: [answer.cursor], turns: [...others, ...waiting] };
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
