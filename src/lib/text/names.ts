// A name to begin with for somebody who came through a link: pleasant, harmless, and plainly not a real one.
// Each language joins its words in its own way, so nothing is translated word by word.

const ENGLISH = {
	first: [
		...['Amber', 'Autumn', 'Azure', 'Bright', 'Calm', 'Cedar', 'Clever', 'Coral', 'Copper', 'Dawn'],
		...[
			'Early',
			'Gentle',
			'Golden',
			'Hazel',
			'Indigo',
			'Ivory',
			'Jolly',
			'Lucky',
			'Maple',
			'Merry',
		],
		...['Misty', 'Olive', 'Quiet', 'Ruby', 'Silver', 'Spring', 'Sunny', 'Swift', 'Violet', 'Warm'],
	],
	second: [
		...['Badger', 'Bear', 'Crane', 'Deer', 'Dolphin', 'Eagle', 'Falcon', 'Finch', 'Fox', 'Hare'],
		...['Heron', 'Jay', 'Kestrel', 'Koala', 'Lark', 'Lynx', 'Marten', 'Otter', 'Owl', 'Panda'],
		...['Penguin', 'Plover', 'Puffin', 'Raven', 'Robin', 'Seal', 'Swallow', 'Swan', 'Tern', 'Wren'],
	],
};

// German makes one word of two.
const GERMAN = {
	first: [
		...[
			'Abend',
			'Ahorn',
			'Apfel',
			'Berg',
			'Bernstein',
			'Birken',
			'Blüten',
			'Fluss',
			'Gold',
			'Herbst',
		],
		...['Himmel', 'Honig', 'Insel', 'Küsten', 'Linden', 'Mond', 'Morgen', 'Nebel', 'Nord', 'Regen'],
		...['Sand', 'Schnee', 'Silber', 'Sommer', 'Sonnen', 'Stern', 'Tau', 'Wald', 'Wiesen', 'Wolken'],
	],
	second: [
		...['adler', 'amsel', 'biber', 'dachs', 'eule', 'falke', 'fink', 'fuchs', 'hase', 'hirsch'],
		...['igel', 'kauz', 'kranich', 'lachs', 'lerche', 'luchs', 'marder', 'meise', 'möwe', 'otter'],
		...['rabe', 'reh', 'reiher', 'robbe', 'schwan', 'specht', 'star', 'storch', 'wal', 'ziege'],
	],
};

// Arabic puts the noun first; all are masculine, so the adjective fits each of them.
const ARABIC = {
	first: [
		...['صقر', 'نسر', 'هدهد', 'غزال', 'فهد', 'دلفين', 'بلبل', 'حصان', 'كروان', 'طاووس'],
		...['أرنب', 'سنجاب', 'كناري', 'لقلق', 'نورس', 'ثعلب', 'باز', 'دب', 'غراب', 'قنفذ'],
	],
	second: [
		...['ذهبي', 'فضي', 'هادئ', 'لطيف', 'سريع', 'ذكي', 'مرح', 'أمين', 'صبور', 'بديع'],
		...['كريم', 'جميل', 'نبيل', 'وفي', 'مشرق', 'حكيم', 'رشيق', 'سعيد', 'طيب', 'عنبري'],
	],
};

/** `random` gives numbers from 0 up to 1; `locale` is a BCP 47 tag, English where the language is unknown. */
export function suggestName(locale: string, random: () => number): string {
	const pick = (words: readonly string[]): string =>
		words[Math.floor(random() * words.length)] ?? '';
	switch (locale.split('-')[0]) {
		case 'de':
			return pick(GERMAN.first) + pick(GERMAN.second);
		case 'ar':
			return `${pick(ARABIC.first)} ${pick(ARABIC.second)}`;
		default:
			return `${pick(ENGLISH.first)} ${pick(ENGLISH.second)}`;
	}
}
