// Mentions while a text is being written: what `@` asks for, and where mentions are after each change of the text.
import type { Mention, Written } from '../../core/model.ts';

/** What is being looked for: `from` is the place of the `@`. */
export interface MentionQuery {
	readonly from: number;
	readonly typed: string;
}

/** Longest that is looked for; people have three names and more. */
const MOST_TYPED = 32;
const MOST_WORDS = 3;
/** An `@` inside a word is an address of mail. */
const QUERY = /(?:^|[^\p{L}\p{N}_@])@(?<typed>[^\n@]*)$/u;

/** The name that stands between an `@` and the caret, if one may be meant. */
export function mentionQuery({ text, mentions }: Written, caret: number): MentionQuery | undefined {
	const start = Math.max(0, caret - MOST_TYPED - 3);
	const typed = QUERY.exec(text.slice(start, caret))?.groups?.typed;
	if (typed === undefined || typed.length > MOST_TYPED || typed.startsWith(' ')) return undefined;
	if (typed.split(' ').length > MOST_WORDS) return undefined;
	const from = caret - typed.length - 1;
	const isTaken = mentions.some(({ at, length }) => from < at + length && at < caret);
	return isTaken ? undefined : { from, typed };
}

/** The text with what was looked for replaced by a mention of somebody, and where the caret stands then. */
export function withMention(
	{ text, mentions }: Written,
	{ from, typed }: MentionQuery,
	{ account, name }: { readonly account: Mention['account']; readonly name: string },
): { readonly written: Written; readonly caret: number } {
	const end = from + 1 + typed.length;
	const said = `@${name}`;
	const space = text.startsWith(' ', end) ? '' : ' ';
	const next = text.slice(0, from) + said + space + text.slice(end);
	const others = followMentions({ text, mentions }, next).mentions;
	const all = [...others, { account, at: from, length: said.length }];
	return {
		written: { text: next, mentions: all.sort((a, b) => a.at - b.at) },
		caret: from + said.length + 1,
	};
}

/** The mentions after the text has become `next`: those behind the change move with it, those that it touches go. */
export function followMentions({ text, mentions }: Written, next: string): Written {
	if (mentions.length === 0 || text === next) return { text: next, mentions };
	const shorter = Math.min(text.length, next.length);
	let head = 0;
	while (head < shorter && text[head] === next[head]) head++;
	let tail = 0;
	while (tail < shorter - head && text.at(-1 - tail) === next.at(-1 - tail)) tail++;
	const changedTo = text.length - tail;
	const kept = mentions.flatMap((mention) => {
		if (mention.at + mention.length <= head) return [mention];
		return mention.at >= changedTo
			? [{ ...mention, at: mention.at + next.length - text.length }]
			: [];
	});
	return { text: next, mentions: kept };
}
