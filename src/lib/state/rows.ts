// Turns messages into the rows of a conversation: days, the unread line, runs of one sender, lines of the system.
import type { AccountId, LogEvent, Message, MessageId, Position } from '../../core/model.ts';
import { dayKey } from '../text/formats.ts';

/** Place of a message among its neighbours by the same sender. */
export type Run = 'only' | 'first' | 'mid' | 'last';

export type Row =
	| { readonly kind: 'start'; readonly key: string }
	| { readonly kind: 'day'; readonly key: string; readonly at: number }
	| { readonly kind: 'unread'; readonly key: string }
	| {
			readonly kind: 'message';
			readonly key: MessageId;
			readonly message: Message;
			readonly run: Run;
	  }
	/** What people said who are blocked, in a row: one line that opens. */
	| {
			readonly kind: 'folded';
			/** Id of the first message. */
			readonly key: MessageId;
			/** The last of them. */
			readonly message: Message;
			readonly all: readonly Message[];
	  }
	| {
			readonly kind: 'event';
			/** Id of the first message. */
			readonly key: MessageId;
			/** The last of them. */
			readonly message: Message;
			/** What one person did in a row, all of one kind: told in one line. */
			readonly events: readonly [LogEvent, ...LogEvent[]];
	  };

/** Messages of one sender belong together up to this pause, in ms. */
const RUN_PAUSE = 5 * 60_000;
/** What somebody may do again and again. */
const REPEATED = new Set<LogEvent['kind']>([
	...(['added', 'removed', 'renamed', 'described', 'pictured', 'policy', 'role'] as const),
]);

export interface RowOptions {
	/** Position of the first message that was unread when the conversation was opened. */
	readonly unreadFrom: Position | undefined;
	/** True when nothing older exists: the conversation begins here. */
	readonly fromStart: boolean;
	/** What is not shown until it is asked for. */
	readonly isFolded: (message: Message) => boolean;
}

/** `messages`: oldest first. */
export function toRows(messages: readonly Message[], options: RowOptions): Row[] {
	const rows: Row[] = [];
	if (options.fromStart) rows.push({ kind: 'start', key: 'start' });
	const breaks = messages.map((message, index) =>
		breakBefore(messages[index - 1], message, options),
	);
	let divided = false;
	messages.forEach((message, index) => {
		const before = breaks[index];
		if (before?.day) rows.push({ kind: 'day', key: `day ${message.id}`, at: message.sent });
		if (before?.unread && !divided) {
			divided = true;
			rows.push({ kind: 'unread', key: 'unread' });
		}
		if (message.body.kind === 'event') {
			addEvent(rows, message, message.body.event);
			return;
		}
		if (options.isFolded(message)) {
			addFolded(rows, message);
			return;
		}
		const starts = before?.run ?? true;
		const ends = breaks[index + 1]?.run ?? true;
		const run = starts ? (ends ? 'only' : 'first') : ends ? 'last' : 'mid';
		rows.push({ kind: 'message', key: message.id, message, run });
	});
	return rows;
}

/** Adds a line, or the message to the line right above. */
function addFolded(rows: Row[], message: Message): void {
	const above = rows.at(-1);
	if (above?.kind === 'folded') {
		rows[rows.length - 1] = { ...above, message, all: [...above.all, message] };
	} else rows.push({ kind: 'folded', key: message.id, message, all: [message] });
}

/** Adds a line, or the event to the line right above. */
function addEvent(rows: Row[], message: Message, event: LogEvent): void {
	const above = rows.at(-1);
	if (above?.kind === 'event' && above.message.author === message.author) {
		if (isRepeated(above.events[0], event)) {
			rows[rows.length - 1] = { ...above, message, events: [...above.events, event] };
			return;
		}
	}
	rows.push({ kind: 'event', key: message.id, message, events: [event] });
}

function isRepeated(before: LogEvent, next: LogEvent): boolean {
	if (before.kind === 'role' && next.kind === 'role') {
		return before.role === next.role && next.role !== 'owner';
	}
	if (before.kind === 'added' && next.kind === 'added') return before.shared === next.shared;
	return before.kind === next.kind && REPEATED.has(next.kind);
}

interface Break {
	readonly day: boolean;
	readonly unread: boolean;
	readonly run: boolean;
}

function breakBefore(before: Message | undefined, message: Message, options: RowOptions): Break {
	const { unreadFrom } = options;
	const day = before === undefined || dayKey(before.sent) !== dayKey(message.sent);
	const unread =
		unreadFrom !== undefined &&
		message.position >= unreadFrom &&
		(before === undefined ? message.position === unreadFrom : before.position < unreadFrom);
	const run =
		day ||
		unread ||
		before.author !== message.author ||
		sharerOf(before) !== sharerOf(message) ||
		options.isFolded(before) !== options.isFolded(message) ||
		isLine(before) ||
		isLine(message) ||
		Math.abs(message.sent - before.sent) >= RUN_PAUSE;
	return { day, unread, run };
}

/** Whose word a message is, where not its author's. */
function sharerOf({ body }: Message): AccountId | undefined {
	return body.kind === 'text' ? body.sharedBy : undefined;
}

/** A line between the messages, which nobody says. */
function isLine({ body }: Message): boolean {
	return body.kind === 'event' || (body.kind === 'foreign' && body.what === 'system');
}
