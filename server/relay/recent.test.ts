import { describe, expect, it } from 'vitest';
import { Recent } from './recent.ts';

describe('what was used of late', () => {
	it('stays, and the rest goes', () => {
		const recent = new Recent<number, string>(100);
		for (let key = 0; key < 1000; key++) {
			recent.set(key, String(key));
			expect(recent.get(0)).toBe('0');
			expect(recent.size).toBeLessThanOrEqual(100);
		}
		for (let key = 960; key < 1000; key++) expect(recent.get(key)).toBe(String(key));
		expect(recent.get(500)).toBeUndefined();
	});

	it('is one entry a key, and gone when it is deleted', () => {
		const recent = new Recent<string, number>(4);
		for (const value of [1, 2, 3, 4, 5]) recent.set('a', value);
		expect([recent.get('a'), recent.size]).toEqual([5, 1]);
		for (const key of ['b', 'c', 'd']) recent.set(key, 0);
		recent.delete('c');
		expect(recent.get('c')).toBeUndefined();
	});
});
