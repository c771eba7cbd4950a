import { describe, expect, test } from 'vitest';
import type { AccountId, Written } from '../../core/model.ts';
import { followMentions, mentionQuery, withMention } from './mentions.ts';

const [ANA, BEN] = ['ana' as AccountId, 'ben' as AccountId];

/** A text in which what stands in square brackets is a mention. */
function written(marked: string): Written {
	let text = '';
	const mentions = [];
	for (const part of marked.split(/(?=\[)|(?<=\])/u)) {
		const name = /^\[(.*)\]$/u.exec(part)?.[1];
		if (name !== undefined) mentions.push({ account: ANA, at: text.length, length: name.length });
		text += name ?? part;
	}
	return { text, mentions };
}

/** The inverse of {@link written}. */
function shown({ text, mentions }: Written): string {
	let from = 0;
	let all = '';
	for (const { at, length } of mentions) {
		all += `${text.slice(from, at)}[${text.slice(at, at + length)}]`;
		from = at + length;
	}
	return all + text.slice(from);
}

describe('what @ asks for', () => {
	test.each([
		['@', { from: 0, typed: '' }],
		['hi @be', { from: 3, typed: 'be' }],
		['hi\n@be', { from: 3, typed: 'be' }],
		['(@be', { from: 1, typed: 'be' }],
		['¿@José M', { from: 1, typed: 'José M' }],
		['مرحبا @علي', { from: 6, typed: 'علي' }],
		['👋@be', { from: 2, typed: 'be' }],
		['ana@example', undefined],
		['@@', undefined],
		['@ be', undefined],
		['@be\n', undefined],
		['@one two three four', undefined],
		[`@${'x'.repeat(33)}`, undefined],
		['nobody', undefined],
	])('%j', (text, query) => {
		expect(mentionQuery({ text, mentions: [] }, text.length)).toEqual(query);
	});

	test('is read before the caret, and never inside a mention', () => {
		expect(mentionQuery({ text: '@be and more', mentions: [] }, 3)).toEqual({
			from: 0,
			typed: 'be',
		});
		expect(mentionQuery(written('[@Ben]'), 3)).toBeUndefined();
		expect(mentionQuery(written('[@Ben] and'), 8)).toBeUndefined();
		expect(mentionQuery(written('[@Ben] @an'), 8)).toEqual({ from: 5, typed: 'an' });
	});
});

test('who is chosen stands in place of what was typed, and one goes on behind it', () => {
	const before = written('ask @be or [@Ana]');
	const ben = { account: BEN, name: 'Ben 🦊' };
	const { written: after, caret } = withMention(before, { from: 4, typed: 'be' }, ben);
	expect(shown(after)).toBe('ask [@Ben 🦊] or [@Ana]');
	expect(after.mentions.map(({ account }) => account)).toEqual([BEN, ANA]);
	expect(after.text.slice(0, caret)).toBe('ask @Ben 🦊 ');
	expect(withMention({ text: '@', mentions: [] }, { from: 0, typed: '' }, ben)).toMatchObject({
		written: { text: '@Ben 🦊 ' },
		caret: 8,
	});
});

test.each([
	['hi [@Ana]', 'oh, hi @Ana', 'oh, hi [@Ana]'],
	['[@Ana]', '@Ana, so', '[@Ana], so'],
	['[@Ana] and [@Ana]', '@Anna and @Ana', '@Anna and [@Ana]'],
	['[@Ana]', '@An', '@An'],
	['a [@Ana]', 'a Ana', 'a Ana'],
	['[@Ana] x [@Ana]', '@Ana@Ana', '[@Ana][@Ana]'],
	['[@Ana]', 'no', 'no'],
	['[@Ana]', '', ''],
	['[@Ana]', '@Ana', '[@Ana]'],
])('%j, changed to %j: mentions go along, and those that are touched go', (before, text, after) => {
	expect(shown(followMentions(written(before), text))).toBe(after);
});
