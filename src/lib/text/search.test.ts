import { expect, test } from 'vitest';
import { nameSearch } from './search.ts';

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
