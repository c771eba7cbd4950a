import { describe, expect, test } from 'vitest';
import { fromBase64Url, idFrom, isAccountId, isId, toBase64Url } from './ids.ts';

const bytes = (length: number, step: number) =>
	Uint8Array.from({ length }, (_, at) => (at * step + step) % 256);

describe('base64url', () => {
	test('every length comes back as it was', () => {
		for (let length = 0; length <= 70; length++) {
			for (const step of [1, 37, 255]) {
				const original = bytes(length, step);
				const text = toBase64Url(original);
				expect(text).toBe(Buffer.from(original).toString('base64url'));
				expect(fromBase64Url(text)).toEqual(original);
			}
		}
	});

	test.each([
		['padding', 'AA=='],
		['the other alphabet', 'A+/A'],
		['white space', 'AA AA'],
		['a lone letter', 'AAAAA'],
		['spare bits that are set', 'AB'],
		['spare bits that are set, two bytes', 'AAB'],
		['letters beyond ASCII', 'AÄAA'],
	])('%s is not what we write', (_title, text) => {
		expect(fromBase64Url(text)).toBeUndefined();
	});
});

describe('FR-5 an id', () => {
	test('has 22 characters, an account 43', () => {
		for (const step of [0, 1, 99, 255]) {
			expect(isId(idFrom(bytes(16, step)))).toBe(true);
			expect(isAccountId(idFrom(bytes(32, step)))).toBe(true);
		}
	});

	test('has one spelling: of the texts that read as the same bytes, one is an id', () => {
		const id = toBase64Url(bytes(16, 5));
		const account = toBase64Url(bytes(32, 5));
		const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
		const endings = (text: string) => letters.map((letter) => text.slice(0, -1) + letter);
		expect(endings(id).filter(isId)).toHaveLength(4);
		expect(endings(account).filter(isAccountId)).toHaveLength(16);
		for (const text of endings(id).filter(isId)) expect(fromBase64Url(text)).toHaveLength(16);
		for (const text of endings(account).filter(isAccountId)) {
			expect(fromBase64Url(text)).toHaveLength(32);
		}
	});

	test.each(['', 'A', 'A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(21)}=`, `${'A'.repeat(22)}\n`])(
		'%j is none',
		(text) => {
			expect(isId(text)).toBe(false);
		},
	);
});
