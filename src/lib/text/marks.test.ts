import { describe, expect, test } from 'vitest';
import type { AccountId } from '../../core/model.ts';
import { parseInline, parseMarks, type Block, type Inline } from './marks.ts';

/** A line with its marks written out, so that a test reads at a glance. */
function show(parts: readonly Inline[]): string {
	return parts
		.map((part) => {
			switch (part.kind) {
				case 'text':
				case 'mention':
					return part.text;
				case 'code':
					return `<code>${part.text}</code>`;
				case 'link':
					return `<a>${part.text}</a>`;
				default:
					return `<${part.kind}>${show(part.children)}</${part.kind}>`;
			}
		})
		.join('');
}

function kinds(blocks: readonly Block[]): string[] {
	return blocks.map((block) => block.kind);
}

test.each([
	['plain text', 'plain text'],
	['*bold*', '<bold>bold</bold>'],
	['a *bold* word', 'a <bold>bold</bold> word'],
	['(*bold*), _so_!', '(<bold>bold</bold>), <italic>so</italic>!'],
	['*bold _both_*', '<bold>bold <italic>both</italic></bold>'],
	['~gone~', '<strike>gone</strike>'],
	['snake_case_name', 'snake_case_name'],
	['3*4*5', '3*4*5'],
	['2 * 3 * 4', '2 * 3 * 4'],
	['*not closed', '*not closed'],
	['* not bold*', '* not bold*'],
	['**', '**'],
	['****', '****'],
	['`*code*`', '<code>*code*</code>'],
	['*a `b` c*', '<bold>a <code>b</code> c</bold>'],
	['``', '``'],
	['see https://example.com/a_b_c now', 'see <a>https://example.com/a_b_c</a> now'],
	['*https://example.com*', '<bold><a>https://example.com</a></bold>'],
	['`https://example.com`', '<code>https://example.com</code>'],
	['*жирный* *粗体* *غامق*', '<bold>жирный</bold> <bold>粗体</bold> <bold>غامق</bold>'],
	['слово*не*слово', 'слово*не*слово'],
	['*👩‍👩‍👧‍👦*', '<bold>👩‍👩‍👧‍👦</bold>'],
	['<b>markup</b> & "quotes"', '<b>markup</b> & "quotes"'],
])('%s', (typed, shown) => {
	expect(show(parseInline(typed))).toBe(shown);
});

test('blocks keep their order and the blank lines between them', () => {
	const blocks = parseMarks('hello\n\n> quoted\n> twice\n- one\n- two\n3. three\n4. four\nend');
	expect(kinds(blocks)).toEqual(['lines', 'quote', 'list', 'list', 'lines']);
	expect(blocks[0]).toMatchObject({ lines: [[{ text: 'hello' }], []] });
	expect(blocks[3]).toMatchObject({ start: 3, items: [[{ text: 'three' }], [{ text: 'four' }]] });
});

test('a fenced block shows exactly what stands in it', () => {
	expect(parseMarks('before\n```\n*x* > - https://a.example\n```\nafter')).toMatchObject([
		{ kind: 'lines' },
		{ kind: 'code', text: '*x* > - https://a.example' },
		{ kind: 'lines' },
	]);
	expect(kinds(parseMarks('``` open only'))).toEqual(['lines']);
	expect(kinds(parseMarks('``````'))).toEqual(['lines']);
});

test('a lone > or - is just text', () => {
	expect(kinds(parseMarks('>\n-\n1.\n->'))).toEqual(['lines']);
});

test.each(['*a ', '_', '*_~', '`a', '``', '> ', '- ', 'a.b ', '```', 'http://', '*a* '])(
	'64 KiB of %j is read in well under a second',
	(piece) => {
		const text = piece.repeat(Math.ceil(65_536 / piece.length));
		const before = performance.now();
		parseMarks(text);
		expect(performance.now() - before).toBeLessThan(1000);
	},
);

describe('mentions', () => {
	const ANA = 'ana' as AccountId;
	/** Mentions of these words, wherever they stand. */
	function marked(text: string, ...names: readonly string[]): Block[] {
		const mentions = names.flatMap((name) => {
			const found = [...text.matchAll(new RegExp(`@${name}`, 'gu'))];
			return found.map(({ index }) => ({ account: ANA, at: index, length: name.length + 1 }));
		});
		return parseMarks(
			text,
			mentions.sort((a, b) => a.at - b.at),
		);
	}
	const mention = (text: string) => ({ kind: 'mention', text, account: ANA });
	const said = (text: string) => ({ kind: 'text', text });

	test('stand in lines, quotes and lists, wherever these begin', () => {
		expect(marked('a @Ana\n\n> @Ben: so\n- x @Ana y\n12. @Ana', 'Ana', 'Ben')).toEqual([
			{ kind: 'lines', lines: [[said('a '), mention('@Ana')], []] },
			{ kind: 'quote', lines: [[mention('@Ben'), said(': so')]] },
			{ kind: 'list', start: undefined, items: [[said('x '), mention('@Ana'), said(' y')]] },
			{ kind: 'list', start: 12, items: [[mention('@Ana')]] },
		]);
	});

	test('marks around one count, and none inside it', () => {
		expect(marked('*@Ana*', 'Ana')).toEqual([
			{ kind: 'lines', lines: [[{ kind: 'bold', children: [mention('@Ana')] }]] },
		]);
		expect(marked('@a~b ~x~', 'a~b')).toEqual([
			{
				kind: 'lines',
				lines: [[mention('@a~b'), said(' '), { kind: 'strike', children: [said('x')] }]],
			},
		]);
	});

	test('a name that looks like an address is a name; one in a block of code is code', () => {
		expect(marked('@ana.example, see kith.org', 'ana.example')).toMatchObject([
			{
				lines: [[mention('@ana.example'), said(', see '), { kind: 'link', text: 'kith.org' }]],
			},
		]);
		expect(marked('```\n@Ana\n``` @Ana', 'Ana')).toEqual([
			{ kind: 'code', text: '@Ana' },
			{ kind: 'lines', lines: [[said(' '), mention('@Ana')]] },
		]);
	});

	test('one that is cut off with its text is text', () => {
		expect(parseMarks('hi @A', [{ account: ANA, at: 3, length: 4 }])).toEqual([
			{ kind: 'lines', lines: [[said('hi @A')]] },
		]);
	});
});
