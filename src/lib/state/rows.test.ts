import { expect, test } from 'vitest';
import type {
	AccountId,
	ConversationId,
	LogEvent,
	Message,
	MessageId,
	Role,
} from '../../core/model.ts';
import { toRows, type Row } from './rows.ts';

const isFolded = () => false;
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
		{ unreadFrom: undefined, fromStart: true, isFolded },
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
	expect(show(toRows(messages, { unreadFrom: 'b', fromStart: false, isFolded }))).toEqual([
		'day',
		'a only',
		'unread',
		'b first',
		'c last',
	]);
	// The first unread message may be gone: the line stands before the next one.
	expect(show(toRows(messages, { unreadFrom: 'aa', fromStart: false, isFolded }))[2]).toBe(
		'unread',
	);
	// A window that begins further on does not draw it somewhere else.
	expect(show(toRows(messages, { unreadFrom: 'Z', fromStart: false, isFolded }))).not.toContain(
		'unread',
	);
});

test('keys are unique, or the list would draw one row for two', () => {
	const rows = toRows(
		[
			message('a', 'maya', at('10:00:00')),
			message('b', 'me', at('10:00:00') + 86_400_000),
			// A sender whose clock jumps back a day.
			message('c', 'maya', at('10:00:00')),
		],
		{ unreadFrom: 'b', fromStart: true, isFolded },
	);
	const keys = rows.map((row) => row.key);
	expect(new Set(keys).size).toBe(keys.length);
});

function event(position: string, author: string, happened: LogEvent): Message {
	return {
		...message(position, author, at(`10:00:${position.charCodeAt(0) - 87}`)),
		body: { kind: 'event', event: happened },
	};
}

const added = (...who: string[]): LogEvent => ({ kind: 'added', who: who as AccountId[] });
const role = (who: string, role: Role): LogEvent => ({ kind: 'role', who: who as AccountId, role });
const HIDE = { unreadFrom: undefined, fromStart: false, isFolded };

/** "first key, author, how many" of each line. */
function lines(rows: readonly Row[]): string[] {
	return rows.flatMap((row) =>
		row.kind === 'event' ? [`${row.key} ${row.message.author} ${row.events.length}`] : [],
	);
}

test('what one person does again and again is one line, read up to the last', () => {
	const rows = toRows(
		[
			event('a', 'ana', added('ben')),
			event('b', 'ana', added('cem')),
			event('c', 'ana', role('ben', 'admin')),
			event('d', 'ana', role('cem', 'admin')),
			event('e', 'ana', role('cem', 'member')),
			event('f', 'ana', { kind: 'renamed', name: 'one' }),
			event('g', 'ana', { kind: 'renamed', name: 'two' }),
		],
		HIDE,
	);
	expect(lines(rows)).toEqual(['a ana 2', 'c ana 2', 'e ana 1', 'f ana 2']);
	expect(rows.map((row) => (row.kind === 'event' ? row.message.id : ''))).toContain('g');
});

test('another person, a message or the unread line in between begins a new line', () => {
	const rows = toRows(
		[
			event('a', 'ana', added('ben')),
			event('b', 'ben', added('cem')),
			message('c', 'cem', at('10:00:12')),
			event('d', 'ben', added('dov')),
			event('e', 'ben', added('eli')),
		],
		{ ...HIDE, unreadFrom: 'e' },
	);
	expect(lines(rows)).toEqual(['a ana 1', 'b ben 1', 'd ben 1', 'e ben 1']);
});

test('people who came with more or less of what was said before are told of in lines of their own', () => {
	const given = (who: string): LogEvent => {
		return { kind: 'added', who: [who as AccountId], shared: 'last-25' };
	};
	const events = [event('a', 'ana', given('ben')), event('b', 'ana', given('cem'))];
	const rows = toRows([...events, event('c', 'ana', added('dov'))], HIDE);
	expect(lines(rows)).toEqual(['a ana 2', 'c ana 1']);
});

test('what was shared and what was said are no run', () => {
	const own = message('b', 'ben', at('10:00:12'));
	const body = {
		kind: 'text',
		text: 'a',
		replyTo: undefined,
		sharedBy: 'ana' as AccountId,
	} as const;
	const rows = toRows([{ ...message('a', 'ben', at('10:00:10')), body }, own], HIDE);
	expect(show(rows).filter((row) => row !== 'day')).toEqual(['a only', 'b only']);
});

test('what happens once stays a line of its own, as often as it happens', () => {
	const once: LogEvent[] = [
		{ kind: 'left', who: 'ana' as AccountId },
		{ kind: 'frozen' },
		role('ben', 'owner'),
	];
	for (const each of once) {
		const rows = toRows([event('a', 'ana', each), event('b', 'ana', each)], HIDE);
		expect(lines(rows), each.kind).toEqual(['a ana 1', 'b ana 1']);
	}
});

test('what is folded away is one line for each run of it, and ends the runs beside it', () => {
	const messages = ['a', 'b', 'c', 'd', 'e'].map((each, index) => {
		return message(each, index === 2 || index === 3 ? 'noisy' : 'maya', at('10:00:00'));
	});
	const options = { unreadFrom: undefined, fromStart: true };
	const rows = toRows(messages, { ...options, isFolded: ({ author }) => author === 'noisy' });
	expect(show(rows)).toEqual(['start', 'day', 'a first', 'b last', 'folded', 'e only']);
	expect(rows.find(({ kind }) => kind === 'folded')).toMatchObject({
		key: 'c',
		message: { id: 'd' },
		all: [{ id: 'c' }, { id: 'd' }],
	});
	const opened = toRows(messages, { ...options, isFolded: ({ id }) => id === 'c' });
	expect(show(opened)).toEqual([
		...['start', 'day', 'a first', 'b last', 'folded', 'd only', 'e only'],
	]);
});
