import { describe, expect, test } from 'vitest';
import { cards } from './cards.ts';
import { contents } from './content.ts';
import { idFrom, type Address } from './ids.ts';
import { MAX_CARD_BYTES, MAX_NAME_CHARACTERS, MAX_NAME_UNITS } from './limits.ts';
import { cleanName, NO_NAME, shownName } from './names.ts';

const count = (text: string) => [...new Intl.Segmenter().segment(text)].length;
const FAMILY = '👩‍👩‍👧‍👦';
const SCOTLAND = '\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}';

describe('CO-9 what a name loses', () => {
	test.each([
		['spaces around and between', '  Ben   Okafor ', 'Ben Okafor'],
		['line ends of every kind', 'Ben\r\n\tO\u2028k\u2029a\u0085f\u000Bor', 'Ben O k a f or'],
		['controls', 'B\u0000e\u001B[31mn\u007F\u009B', 'Be[31mn'],
		['bidi overrides', '\u202EnaB\u202C\u202A\u202B\u202D', 'naB'],
		['isolates, which would end our own', '\u2069\u2066Ben\u2067\u2068', 'Ben'],
		['what takes no room', 'B\u200Be\u2060n\uFEFF\u00AD\u2061\u2064', 'Ben'],
		['Hangul fillers', '\u3164Ben\u115F\u1160\uFFA0', 'Ben'],
		['text hidden in tags', 'Ben\u{E0068}\u{E0069}\u{E0001}', 'Ben'],
		['half characters', 'Ben\uD83D', 'Ben\uFFFD'],
	])('%s', (_what, typed, kept) => {
		expect(cleanName(typed)).toBe(kept);
	});

	test('two ways to write a letter are one, also when something hid between the parts', () => {
		expect(cleanName('Zoe\u0308')).toBe('Zo\u00EB');
		expect(cleanName('Zoe\u200B\u0308')).toBe('Zo\u00EB');
	});

	test('nothing but what cannot be seen is no name', () => {
		const blank = [
			'',
			' \t\n',
			'\u200D\u200C',
			'\u200B\u202E\uFEFF',
			'\u2800\u2800',
			'\u3164',
			'\uFE0F',
		];
		for (const typed of blank) {
			expect(cleanName(typed)).toBe('');
			expect(shownName(typed)).toBe(NO_NAME);
		}
	});
});

test.each([
	FAMILY,
	SCOTLAND,
	'🇩🇪',
	'علی‌رضا',
	'محمد',
	'❤️',
	'👍🏽',
	"Zoë O'Brien-Łęcki",
	'山田 太郎',
	'<b>&amp;',
	'.',
])('%s stays as it is', (name) => {
	expect(cleanName(name)).toBe(name);
});

describe('a name is bounded', () => {
	test('in what a person counts, never cut through a character', () => {
		expect(cleanName('m'.repeat(10_000))).toBe('m'.repeat(MAX_NAME_CHARACTERS));
		const families = cleanName(FAMILY.repeat(64));
		expect(families).toBe(FAMILY.repeat(Math.floor(MAX_NAME_UNITS / FAMILY.length)));
		expect(count(cleanName('🇩🇪'.repeat(500)))).toBe(MAX_NAME_CHARACTERS);
	});

	test('in what travels: whatever is typed fits the wire', () => {
		const piled = `Z${'\u0300\u0489'.repeat(5_000)}`;
		for (const typed of [
			piled,
			`${FAMILY}\u200D`.repeat(9_000),
			'x\uD800'.repeat(9_000),
			'\u0344'.repeat(900),
		])
			expect(cleanName(typed).length).toBeLessThanOrEqual(MAX_NAME_UNITS);
		expect(cleanName(piled)).toMatch(/^Z/);
	});

	test('in the work it takes', () => {
		const before = performance.now();
		cleanName('\u202E \u{E0041}'.repeat(1_000_000));
		expect(performance.now() - before).toBeLessThan(100);
	});
});

test('cleaning twice changes nothing', () => {
	for (const typed of [
		`${'a'.repeat(63)} b`,
		' \u200B x\u0308\u200B\u0301 ',
		`${FAMILY.repeat(23)} ${SCOTLAND}`,
	]) {
		const once = cleanName(typed);
		expect(cleanName(once)).toBe(once);
	}
});

describe('CO-9 names of others are cleaned where they are read', () => {
	const id = idFrom<Address>(new Uint8Array(16));
	const keyPackage = new Uint8Array([1]);

	test.each([
		['\u202EnaB\u200B', 'naB'],
		['\u200D\u2060', NO_NAME],
	])('%j is read as %s', (name, shown) => {
		const profile = { name, picture: null };
		const told = contents.encode({
			...{ type: 'profile', profile, version: 1, address: id, keyPackage, devices: undefined },
		});
		expect(contents.decode(told, MAX_CARD_BYTES)).toMatchObject({
			ok: true,
			value: { profile: { name: shown } },
		});
		const account = 'A'.repeat(43) as Parameters<typeof cards.encode>[0]['account'];
		const card = cards.encode({ type: 'card', account, profile, welcome: '', keyPackage });
		expect(cards.decode(card, MAX_CARD_BYTES)).toMatchObject({
			ok: true,
			value: { profile: { name: shown } },
		});
	});
});
