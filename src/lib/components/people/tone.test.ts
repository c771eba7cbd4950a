import { expect, test } from 'vitest';
import type { AccountId } from '../../../core/model.ts';
import { keyLook } from './tone.ts';

test('reads the first bytes of the key, in the alphabet of addresses', () => {
	// 0xfb 0xff 0xff 0xff
	expect(keyLook(`-_____${'A'.repeat(37)}` as AccountId)).toEqual({
		tone: 12,
		angle: 230,
		x: 100,
		y: 100,
	});
	expect(keyLook('A'.repeat(43) as AccountId)).toEqual({ tone: 1, angle: 110, x: 0, y: 0 });
});
