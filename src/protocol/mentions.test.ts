import { describe, expect, test } from 'vitest';
import { writeCbor } from './codec.ts';
import { contents } from './content.ts';
import { idFrom, type AccountId } from './ids.ts';
import { MAX_FRAME_BYTES, MAX_MENTIONS } from './limits.ts';
import { soundMentions, type Mention } from './mentions.ts';

const ANA = idFrom<AccountId>(new Uint8Array(32).fill(1));
const ID = 'AAAAAAAAAAAAAAAAAAAAAA';
const of = (at: number, length: number): Mention => ({ account: ANA, at, length });

describe('CO-10 ranges that fit', () => {
	test.each([
		['one', '@Ana', [of(0, 4)]],
		['two that touch', '@Ana@Ben', [of(0, 4), of(4, 4)]],
		['a name beyond the first plane', 'hi @🦊!', [of(3, 3)]],
		['a name of two words, from right to left', '@علي حسن متى؟', [of(0, 8)]],
		['as many as there may be', '@a'.repeat(MAX_MENTIONS), twos(MAX_MENTIONS)],
	])('%s', (_name, text, mentions) => {
		expect(soundMentions(text, mentions)).toEqual(mentions);
	});
});

describe('CO-11 ranges that do not fit are ignored together', () => {
	test.each([
		['overlapping', '@Ana@Ben', [of(0, 5), of(4, 4)]],
		['the same twice', '@Ana', [of(0, 4), of(0, 4)]],
		['descending', '@Ana@Ben', [of(4, 4), of(0, 4)]],
		['beyond the end', '@Ana', [of(0, 5)]],
		['beginning beyond the end', '@Ana', [of(9, 2)]],
		['beyond what a number holds', '@Ana', [of(0, Number.MAX_SAFE_INTEGER)]],
		['with nothing in it', '@Ana', [of(0, 0)]],
		['with the sign alone', '@Ana', [of(0, 1)]],
		['of a name that is space', '@  x', [of(0, 3)]],
		['without the sign', 'I hate you', [of(0, 6)]],
		['ending inside a surrogate pair', '@🦊', [of(0, 2)]],
		['across lines', '@Ana\nBen', [of(0, 8)]],
		['of a name longer than names are', `@${'a'.repeat(257)}`, [of(0, 258)]],
		['more than there may be', '@a'.repeat(33), twos(33)],
		['one bad among good ones', '@Ana @Ben', [of(0, 4), of(5, 9)]],
	])('%s', (_name, text, mentions) => {
		expect(soundMentions(text, mentions)).toEqual([]);
	});

	test('whatever the ranges are, none that is taken leaves its text or cuts a letter', () => {
		const text = '@Ana 🦊@Zoë\n@👩‍🚀 x@@';
		for (let at = 0; at <= text.length + 1; at++) {
			for (let length = 0; length <= text.length + 1; length++) {
				for (const each of soundMentions(text, [of(at, length)])) {
					const part = text.slice(each.at, each.at + each.length);
					expect(part).toMatch(/^@[^\n]+$/u);
					expect(part.length).toBe(each.length);
					expect(part.isWellFormed()).toBe(true);
				}
			}
		}
	});

	test.each([
		['no list', 'Ana'],
		['null', null],
		['more than there may be', twos(33)],
		['somebody who is no account', [{ account: 'ana', at: 0, length: 4 }]],
		['a place before the text', [{ account: ANA, at: -1, length: 4 }]],
		['half a unit', [{ account: ANA, at: 0.5, length: 4 }]],
		['something of a later Kith', [{ everybody: true, at: 0, length: 4 }]],
	])('the text stays where mentions are %s', (_name, mentions) => {
		const order = '019b76da80000000';
		const frame = [1, ID, order, 1, 5, '@Ana @Ben', null, null, mentions];
		const decoded = contents.decode(writeCbor(frame), MAX_FRAME_BYTES);
		expect(decoded).toMatchObject({ ok: true, value: { text: '@Ana @Ben', mentions: undefined } });
	});
});

function twos(count: number): readonly Mention[] {
	return Array.from({ length: count }, (_, index) => of(index * 2, 2));
}
