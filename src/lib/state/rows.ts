// Turns messages into the rows of a conversation: days, the unread line, runs of one sender.
import type { Message, MessageId, Position } from '../../core/model.ts';
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
	  };

/** Messages of one sender belong together up to this pause, in ms. */
const RUN_PAUSE = 5 * 60_000;

export interface RowOptions {
	/** Position of the first message that was unread when the conversation was opened. */
	readonly unreadFrom: Position | undefined;
	/** True when nothing older exists: the conversation begins here. */
	readonly fromStart: boolean;
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
		const starts = before?.run ?? true;
		const ends = breaks[index + 1]?.run ?? true;
		const run = starts ? (ends ? 'only' : 'first') : ends ? 'last' : 'mid';
		rows.push({ kind: 'message', key: message.id, message, run });
	});
	return rows;
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
		isLine(before) ||
		isLine(message) ||
		Math.abs(message.sent - before.sent) >= RUN_PAUSE;
	return { day, unread, run };
}

/** A line between the messages, which nobody says. */
function isLine({ body }: Message): boolean {
	return body.kind === 'event' || (body.kind === 'foreign' && body.what === 'system');
}
