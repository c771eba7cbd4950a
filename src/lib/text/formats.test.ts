import { expect, test } from 'vitest';
import { createFormats, dayKey, daysAgo } from './formats.ts';

const words = { today: 'Today', yesterday: 'Yesterday' };
const at = (text: string): number => new Date(text).getTime();
const now = at('2026-11-22T00:10:00');
const formats = createFormats('en-GB');

test('days are counted by the calendar, not by 24 hours', () => {
	expect(daysAgo(at('2026-11-21T23:59:00'), now)).toBe(1);
	expect(daysAgo(at('2026-11-22T00:00:00'), now)).toBe(0);
	expect(daysAgo(at('2026-11-23T00:00:00'), now)).toBe(-1);
	expect(dayKey(at('2026-11-21T23:59:00'))).not.toBe(dayKey(now));
});

test('the nearer, the shorter', () => {
	expect(formats.brief(at('2026-11-22T00:05:00'), now, words)).toBe('0:05');
	expect(formats.brief(at('2026-11-21T12:00:00'), now, words)).toBe('Yesterday');
	expect(formats.brief(at('2026-11-17T12:00:00'), now, words)).toBe('Tue');
	expect(formats.brief(at('2026-11-10T12:00:00'), now, words)).toBe('10/11/26');
	expect(formats.brief(at('2026-11-29T12:00:00'), now, words)).toBe('29/11/26');
	expect(formats.day(at('2026-11-12T12:00:00'), now, words)).toBe('Thursday 12 November');
	expect(formats.day(at('2025-11-12T12:00:00'), now, words)).toContain('2025');
});

test('sizes and lengths of time', () => {
	expect(formats.bytes(0)).toBe('0 byte');
	expect(formats.bytes(65_536)).toBe('64 kB');
	expect(formats.bytes(1_500_000)).toBe('1.4 MB');
	expect(formats.duration(30 * 86_400_000)).toBe('30 days');
	expect(formats.duration(10_000)).toBe('1 minute');
});
