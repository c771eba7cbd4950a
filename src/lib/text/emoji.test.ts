import { expect, test } from 'vitest';
import { isEmojiOnly } from './emoji.ts';
import { cutAtGrapheme, graphemes, monogram, shortName } from './isolate.ts';

test.each(['🙂', '👩‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '🇩🇪', '1️⃣', '❤️', '🛤️😍', '🙂 🙂 🙂', ' 👋 '])(
	'%s stands alone',
	(text) => {
		expect(isEmojiOnly(text)).toBe(true);
	},
);

test.each(['', ' ', '🙂🙂🙂🙂', 'hi 🙂', '1', '12', '#', '©', '™', 'a', '🙂'.repeat(500)])(
	'%s is a message like any other',
	(text) => {
		expect(isEmojiOnly(text)).toBe(false);
	},
);

test('a cut never goes through what is seen as one character', () => {
	const family = '👩‍👩‍👧‍👦';
	const text = 'a'.repeat(8190) + family + 'b';
	expect(cutAtGrapheme(text, 8192)).toBe('a'.repeat(8190));
	expect(cutAtGrapheme('short', 8192)).toBe('short');
	expect(graphemes(family)).toHaveLength(1);
});

test('monograms and short names', () => {
	expect(monogram('Maya Lindqvist')).toBe('ML');
	expect(monogram('  Dad ')).toBe('D');
	expect(monogram('🦊 Fox')).toBe('🦊F');
	expect(monogram('')).toBe('');
	expect(shortName('Maya Lindqvist')).toBe('Maya');
	expect(shortName('J R Tolkien')).toBe('J R Tolkien');
});
