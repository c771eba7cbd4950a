import { expect, test } from 'vitest';
import { nameSearch, nameStart } from './search.ts';

test('every typed word is somewhere in the name, whatever its case and marks', () => {
	const cases = [
		['jose', 'José Álvarez', true],
		['ALV jo', 'José Álvarez', true],
		['  ', 'anyone', true],
		['leila', 'Leïla Benali', true],
		['حداد', 'ليلى حَدَّاد', true],
		['josé x', 'José Álvarez', false],
		['.*', 'Maya', false],
	] as const;
	for (const [typed, name, isFound] of cases) {
		expect(nameSearch(typed)(name), `${typed} in ${name}`).toBe(isFound);
	}
});

test('every typed word begins a word of the name, whatever its case and marks', () => {
	const cases = [
		['', 'anyone', true],
		['jo', 'José Álvarez', true],
		['alv JO', 'José Álvarez', true],
		['josé ', 'José Álvarez', true],
		['حَد', 'ليلى حداد', true],
		['os', 'José Álvarez', false],
		['jose x', 'José Álvarez', false],
	] as const;
	for (const [typed, name, isFound] of cases) {
		expect(nameStart(typed)(name), `${typed} in ${name}`).toBe(isFound);
	}
});
