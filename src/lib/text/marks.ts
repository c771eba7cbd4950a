// Light marks as people type them in a chat: *bold* _italic_ ~strike~ `code` ```block``` > quote, - and 1. lists.
// What was typed is never changed; this only says how to show it. Linear in the length of the text, because
// anybody may send 64 KiB of asterisks.
import type { Mention } from '../../core/model.ts';
import { findLinks, type LinkTarget } from './links.ts';

export type Inline =
	| { readonly kind: 'text'; readonly text: string }
	| { readonly kind: 'code'; readonly text: string }
	| { readonly kind: 'link'; readonly text: string; readonly target: LinkTarget }
	/** `text`: as whoever wrote it calls them. */
	| { readonly kind: 'mention'; readonly text: string; readonly account: Mention['account'] }
	| { readonly kind: Style; readonly children: readonly Inline[] };

export type Style = 'bold' | 'italic' | 'strike';

export type Block =
	/** Lines that stand together; each was ended by a line break. */
	| { readonly kind: 'lines'; readonly lines: readonly (readonly Inline[])[] }
	| { readonly kind: 'quote'; readonly lines: readonly (readonly Inline[])[] }
	| {
			readonly kind: 'list';
			/** Number of the first item, or undefined for bullets. */
			readonly start: number | undefined;
			readonly items: readonly (readonly Inline[])[];
	  }
	| { readonly kind: 'code'; readonly text: string };

const STYLES: Readonly<Record<string, Style>> = { '*': 'bold', _: 'italic', '~': 'strike' };
const FENCE = '```';
const QUOTE = /^> ?/u;
const BULLET = /^[-•*] (?=\S)/u;
const NUMBER = /^(\d{1,4})\. (?=\S)/u;
/** A mark that touches a letter or digit on its outer side is part of the word: snake_case, 3*4*5. */
const WORD = /[\p{L}\p{N}]/u;

type Mentions = readonly Mention[];

/** A line with the mentions in it, `at` counted from its start. */
interface Line {
	readonly text: string;
	readonly mentions: Mentions;
}

/** The blocks of a message, top to bottom. Code shows what was typed, mentions too. */
export function parseMarks(text: string, mentions: Mentions = []): Block[] {
	const blocks: Block[] = [];
	let from = 0;
	for (;;) {
		const open = text.indexOf(FENCE, from);
		const close = open < 0 ? -1 : text.indexOf(FENCE, open + FENCE.length);
		const code = close < 0 ? '' : text.slice(open + FENCE.length, close);
		if (close < 0 || code.trim() === '') break;
		addLines(blocks, part(text.slice(from, open).replace(/\n$/u, ''), mentions, from));
		blocks.push({ kind: 'code', text: code.replace(/^\n|\n$/gu, '') });
		from = close + FENCE.length;
		if (text[from] === '\n') from++;
	}
	addLines(blocks, part(text.slice(from), mentions, from));
	return blocks;
}

/** The text that begins at `from`, with the mentions that are wholly in it. */
function part(text: string, mentions: Mentions, from: number): Line {
	const within = mentions.filter(({ at, length }) => {
		return at >= from && at + length <= from + text.length;
	});
	return { text, mentions: within.map((each) => ({ ...each, at: each.at - from })) };
}

function addLines(blocks: Block[], { text, mentions }: Line): void {
	if (text === '') return;
	let run: { kind: LineKind; lines: Line[] } | undefined;
	let from = 0;
	for (const line of text.split('\n')) {
		const kind = lineKind(line);
		// A numbered list goes on with its second item, whatever number was typed.
		if (run?.kind !== kind) {
			if (run) blocks.push(toBlock(run.kind, run.lines));
			run = { kind, lines: [] };
		}
		run.lines.push(part(line, mentions, from));
		from += line.length + 1;
	}
	if (run) blocks.push(toBlock(run.kind, run.lines));
}

type LineKind = 'plain' | 'quote' | 'bullet' | 'number';

function lineKind(line: string): LineKind {
	if (QUOTE.test(line) && line.replace(QUOTE, '').trim() !== '') return 'quote';
	if (BULLET.test(line) && !isStarredPhrase(line)) return 'bullet';
	return NUMBER.test(line) ? 'number' : 'plain';
}

/** `* so *` is not a list. */
function isStarredPhrase(line: string): boolean {
	return line.startsWith('*') && line.trimEnd().endsWith('*') && line.length > 2;
}

function toBlock(kind: LineKind, lines: readonly Line[]): Block {
	switch (kind) {
		case 'plain':
			return { kind: 'lines', lines: lines.map(inlineOf) };
		case 'quote':
			return { kind: 'quote', lines: lines.map((line) => inlineOf(without(QUOTE, line))) };
		case 'bullet':
			return list(undefined, lines, BULLET);
		case 'number':
			return list(Number(NUMBER.exec(lines[0]?.text ?? '')?.[1] ?? 1), lines, NUMBER);
	}
}

function list(start: number | undefined, lines: readonly Line[], mark: RegExp): Block {
	return { kind: 'list', start, items: lines.map((line) => inlineOf(without(mark, line))) };
}

/** The line after the mark that it begins with. */
function without(mark: RegExp, { text, mentions }: Line): Line {
	const rest = text.replace(mark, '');
	return part(rest, mentions, text.length - rest.length);
}

function inlineOf({ text, mentions }: Line): Inline[] {
	return parseInline(text, mentions);
}

/** The parts of one line. */
export function parseInline(line: string, mentions: Mentions = []): Inline[] {
	return new LineParser(line, mentions).parse(0, line.length, new Set());
}

interface Atom {
	readonly start: number;
	readonly end: number;
	readonly node: Inline;
}

class LineParser {
	readonly #line: string;
	/** Mentions, code and links, in order: nothing inside them is a mark. */
	readonly #atoms: readonly Atom[];
	/** Where each mark could close, ascending. */
	readonly #closers: Readonly<Record<string, readonly number[]>>;

	constructor(line: string, mentions: Mentions) {
		this.#line = line;
		this.#atoms = findAtoms(line, mentions);
		this.#closers = this.#findClosers();
	}

	parse(start: number, end: number, within: ReadonlySet<string>): Inline[] {
		const found: Inline[] = [];
		let plain = start;
		let at = start;
		let atom = this.#firstAtom(start);
		const flush = (to: number): void => {
			if (to > plain) found.push({ kind: 'text', text: this.#line.slice(plain, to) });
		};
		while (at < end) {
			const next = this.#atoms[atom];
			if (next && next.start === at) {
				flush(at);
				found.push(next.node);
				at = plain = next.end;
				atom++;
				continue;
			}
			const mark = this.#line.charAt(at);
			const style = STYLES[mark];
			const close =
				style && !within.has(mark) && this.#opens(at) ? this.#closer(mark, at, end) : undefined;
			if (style && close !== undefined) {
				flush(at);
				found.push({
					kind: style,
					children: this.parse(at + 1, close, new Set([...within, mark])),
				});
				at = plain = close + 1;
				atom = this.#firstAtom(at);
			} else at++;
		}
		flush(end);
		return found;
	}

	#opens(at: number): boolean {
		const before = this.#before(at);
		const after = this.#line.charAt(at + 1);
		return !WORD.test(before) && after.trim() !== '' && after !== this.#line.charAt(at);
	}

	#closes(at: number): boolean {
		const before = this.#line.charAt(at - 1);
		const after = this.#after(at);
		return before.trim() !== '' && before !== this.#line.charAt(at) && !WORD.test(after);
	}

	/** The nearest place before `end` where a mark opened at `from` closes, with something in between. */
	#closer(mark: string, from: number, end: number): number | undefined {
		const places = this.#closers[mark] ?? [];
		let low = 0;
		let high = places.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((places[middle] ?? 0) < from + 2) low = middle + 1;
			else high = middle;
		}
		const place = places[low];
		return place !== undefined && place < end ? place : undefined;
	}

	#findClosers(): Record<string, number[]> {
		const closers: Record<string, number[]> = { '*': [], _: [], '~': [] };
		let atom = 0;
		for (let at = 0; at < this.#line.length; at++) {
			const next = this.#atoms[atom];
			if (next && next.start === at) {
				at = next.end - 1;
				atom++;
				continue;
			}
			const places = closers[this.#line.charAt(at)];
			if (places && this.#closes(at)) places.push(at);
		}
		return closers;
	}

	#firstAtom(from: number): number {
		let low = 0;
		let high = this.#atoms.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.#atoms[middle]?.start ?? 0) < from) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	/** The whole character before, which may be a surrogate pair. */
	#before(at: number): string {
		const unit = this.#line.charAt(at - 1);
		return /[\uDC00-\uDFFF]/u.test(unit) ? this.#line.slice(at - 2, at) : unit;
	}

	#after(at: number): string {
		return String.fromCodePoint(this.#line.codePointAt(at + 1) ?? 0x20);
	}
}

function findAtoms(line: string, mentions: Mentions): Atom[] {
	const atoms: Atom[] = [];
	let from = 0;
	for (const { account, at, length } of mentions) {
		addCode(atoms, line.slice(from, at), from);
		const end = at + length;
		atoms.push({ start: at, end, node: { kind: 'mention', text: line.slice(at, end), account } });
		from = end;
	}
	addCode(atoms, line.slice(from), from);
	return atoms;
}

/** `line` begins at `base` in the whole one. */
function addCode(atoms: Atom[], line: string, base: number): void {
	let plain = 0;
	let from = 0;
	for (;;) {
		const open = line.indexOf('`', from);
		const close = open < 0 ? -1 : line.indexOf('`', open + 1);
		if (close < 0) break;
		const text = line.slice(open + 1, close);
		if (text.trim() === '') {
			from = close;
			continue;
		}
		addLinks(atoms, line.slice(plain, open), base + plain);
		atoms.push({ start: base + open, end: base + close + 1, node: { kind: 'code', text } });
		plain = from = close + 1;
	}
	addLinks(atoms, line.slice(plain), base + plain);
}

/** `part` begins at `from` in its line. */
function addLinks(atoms: Atom[], part: string, from: number): void {
	// Tokenising is the costly step, and most lines have nothing that could be an address.
	if (!/[.:@]/u.test(part)) return;
	for (const { start, end, href, realHost } of findLinks(part)) {
		atoms.push({
			start: from + start,
			end: from + end,
			node: { kind: 'link', text: part.slice(start, end), target: { href, realHost } },
		});
	}
}
