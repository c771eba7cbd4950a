import { expect, test } from 'vitest';
import { layoutPieces } from './runs.ts';

test('ordinary text stays whole, however long', () => {
	for (const text of [
		'',
		'hello',
		'مرحبا '.repeat(5_000),
		`https://example.com/${'a'.repeat(200)}`,
	])
		expect(layoutPieces(text)).toEqual([text]);
});

test.each([
	['joined letters', 'ب'.repeat(32_768)],
	['families', '👩‍👩‍👧‍👦'.repeat(2_000)],
	['piled accents', `a${'\u0301'.repeat(1_000)}b`.repeat(20)],
	['a long run among words', `before ${'x'.repeat(5_000)} after`],
])('%s: short pieces that are the text, cut only between characters', (_what, text) => {
	const pieces = layoutPieces(text);
	expect(pieces.join('')).toBe(text);
	expect(pieces.length).toBeGreaterThan(1);
	const ends = new Set(Array.from(new Intl.Segmenter().segment(text), ({ index }) => index));
	let at = 0;
	for (const piece of pieces.slice(0, -1)) {
		at += piece.length;
		expect(ends.has(at)).toBe(true);
	}
});

test('64 KiB are cut in a moment', () => {
	const before = performance.now();
	layoutPieces('ب'.repeat(65_536));
	layoutPieces(`${'x'.repeat(255)} `.repeat(256));
	expect(performance.now() - before).toBeLessThan(300);
});
