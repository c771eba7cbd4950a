import { expect, test } from 'vitest';
import type { AccountId, ConversationId, Message, MessageId } from '../../core/model.ts';
import { toRows, type Row } from './rows.ts';

const at = (text: string): number => new Date(`2026-11-22T${text}`).getTime();

function message(position: string, author: string, sent: number): Message {
	return {
		id: position as MessageId,
		conversation: 'c' as ConversationId,
		position,
		author: author as AccountId,
		mine: author === 'me',
		body: { kind: 'text', text: position, replyTo: undefined },
		sent,
		received: sent,
		delivery: { kind: 'received' },
	};
}

function show(rows: readonly Row[]): string[] {
	return rows.map((row) => (row.kind === 'message' ? `${row.key} ${row.run}` : row.kind));
}

test('one sender in a row is a run until five minutes pass, the day ends or another speaks', () => {
	const rows = toRows(
		[
			message('a', 'maya', at('10:00:00')),
			message('b', 'maya', at('10:04:59')),
			message('c', 'maya', at('10:06:00')),
			message('d', 'me', at('10:06:30')),
			message('e', 'maya', at('23:59:30')),
			message('f', 'maya', at('23:59:30') + 60_000),
		],
		{ unreadFrom: undefined, fromStart: true },
	);
	expect(show(rows)).toEqual([
		'start',
		'day',
		'a first',
		'b mid',
		'c last',
		'd only',
		'e only',
		'day',
		'f only',
	]);
});

test('the unread line stands once, before the first unread message, and ends the run there', () => {
	const messages = ['a', 'b', 'c'].map((each) => message(each, 'maya', at('10:00:00')));
	expect(show(toRows(messages, { unreadFrom: 'b', fromStart: false }))).toEqual([
		'day',
		'a only',
		'unread',
		'b first',
		'c last',
	]);
	// The first unread message may be gone: the line stands before the next one.
	expect(show(toRows(messages, { unreadFrom: 'aa', fromStart: false }))[2]).toBe('unread');
	// A window that begins further on does not draw it somewhere else.
	expect(show(toRows(messages, { unreadFrom: 'Z', fromStart: false }))).not.toContain('unread');
});

test('keys are unique, or the list would draw one row for two', () => {
	const rows = toRows(
		[
			message('a', 'maya', at('10:00:00')),
			message('b', 'me', at('10:00:00') + 86_400_000),
			// A sender whose clock jumps back a day.
			message('c', 'maya', at('10:00:00')),
		],
		{ unreadFrom: 'b', fromStart: true },
	);
	const keys = rows.map((row) => row.key);
	expect(new Set(keys).size).toBe(keys.length);
});
