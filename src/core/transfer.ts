// History for a new device. It asks one of the others for piece after piece, each answer names what there is to ask for next,
// and what came is joined with what is here: so a cut or a crash of either side costs the piece that was on its way, and no
// more (SPEC DE-10).
import type { EngineContext, Work } from './context.ts';
import type { DeviceId, Position } from './model.ts';
import type { Clock, Store, Transaction } from './ports.ts';
import type { TransferRow, Turn } from './device-records.ts';
import { ONLY, outboxKey, type ConversationRow } from './records.ts';
import { subjectOf } from './subjects.ts';

/** What a device asks for first: who is known, and what conversations there are. */
export const HEAD = 'h/';
export const MOST_CURSORS = 4_000;
/** After this long without an answer it is asked again, ms. */
export const ASK_AGAIN_AFTER = 60_000;

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
	/**
	 * Asks again where no answer came: also another device, if the one that was asked is not there any more. How long to
	 * wait before that is looked at again, ms; undefined where nothing is asked for.
	 */
	askAgain(context: EngineContext): Promise<number | undefined>;
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

/** Whether nothing but what may be missing of late is asked for. */
export function isOneCatchingUp(queue: TransferRow['queue']): boolean {
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
	const wanted = others.map((device) => ({ device, cursor }));
	const added = wanted.filter((each) => !turns.some((turn) => isSame(turn, each)));
	const all = [...turns, ...added].slice(0, MOST_CURSORS);
	const next = withTurn({ ...row, turns: all }, clock.now());
	tx.put('transfer', ONLY, next);
	if (row.queue.length === 0) askForMore(tx, me.self, next);
}

/**
 * Another own device brought this one into a group: what was said there before is on its way with the whole history, or was
 * said after that came by.
 */
export async function catchUpWithGroup(
	work: Pick<Work, 'tx' | 'clock'>,
	conversation: ConversationRow,
): Promise<void> {
	const { queue = [] } = (await work.tx.get('transfer', ONLY)) ?? {};
	const whole = cursorOf('c', '', subjectOf(conversation) ?? '');
	const isToCome = queue.some((cursor) => cursor.startsWith(HEAD) || cursor === whole);
	if (!isToCome) await catchUp(work, conversation);
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
	if (cursor === undefined) return undefined;
	const asked = { device: from, cursor };
	if (isSame(asked, answer)) return row;
	const others = turns.filter((turn) => !isSame(turn, answer));
	if (others.length === turns.length || !isOneCatchingUp(queue)) return undefined;
	return { ...row, from: answer.device, queue: [answer.cursor], turns: [...others, asked] };
}

function isSame(one: Turn, other: Turn): boolean {
	return one.device === other.device && one.cursor === other.cursor;
}
