import { expect, test } from 'vitest';
import { DEFAULT_SETTINGS, type Conversation, type Settings } from '../../core/model.ts';
import { isBackupDue } from './backup-due.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 23);
type App = Parameters<typeof isBackupDue>[0];

function talked(sent: number | undefined, kind: 'person' | 'notes' | 'imported' = 'person') {
	return { subject: { kind }, last: sent === undefined ? undefined : { sent } } as Conversation;
}

function due(
	settings: Partial<Settings>,
	{ conversations = [talked(NOW)], kind = 'kept', created = NOW - 400 * DAY, known = true } = {},
): boolean {
	return isBackupDue({
		settings: { ...DEFAULT_SETTINGS, ...settings },
		me: known ? ({ created } as App['me']) : undefined,
		storage: { kind } as App['storage'],
		now: NOW,
		conversations,
	});
}

test.each([
	['a week less a moment', 7 * DAY - 1, false],
	['a week', 7 * DAY, true],
	['a year', 365 * DAY, true],
	['written in the future, by a clock that was wrong', -DAY, false],
])('the last backup is %s old', (_name, age, expected) => {
	expect(due({ backupEvery: 7, lastBackup: NOW - age })).toBe(expected);
});

test('without any backup the time counts from the beginning', () => {
	expect(due({ backupEvery: 30 }, { created: NOW - 29 * DAY })).toBe(false);
	expect(due({ backupEvery: 30 }, { created: NOW - 30 * DAY })).toBe(true);
});

test('only what was written since with a person is worth one', () => {
	const settings = { backupEvery: 7, lastBackup: NOW - 8 * DAY };
	expect(due(settings, { conversations: [talked(NOW - 9 * DAY)] })).toBe(false);
	expect(due(settings, { conversations: [talked(undefined)] })).toBe(false);
	expect(due(settings, { conversations: [] })).toBe(false);
	expect(due(settings, { conversations: [talked(NOW, 'notes'), talked(NOW, 'imported')] })).toBe(
		false,
	);
	expect(due(settings, { conversations: [talked(NOW - 9 * DAY), talked(NOW - 7 * DAY)] })).toBe(
		true,
	);
});

test('nobody who said never is asked, nor where there is nobody, nor where nothing is kept', () => {
	expect(due({ backupEvery: 0 })).toBe(false);
	expect(due({ backupEvery: 7 }, { known: false })).toBe(false);
	expect(due({ backupEvery: 7 }, { kind: 'memory' })).toBe(false);
	expect(due({ backupEvery: 7 })).toBe(true);
});
