import { expect, test } from 'vitest';
import { suggestName } from './names.ts';

test('the whole list is reachable and every language has its own', () => {
	expect(suggestName('en-GB', () => 0)).toBe('Amber Badger');
	expect(suggestName('en', () => 0.999_999)).toBe('Warm Wren');
	expect(suggestName('de-AT', () => 0)).toBe('Abendadler');
	expect(suggestName('ar', () => 0)).toBe('صقر ذهبي');
	expect(suggestName('fr', () => 0)).toBe('Amber Badger');
});
