// Where a text names people. The text itself holds `@` and a name, so that it reads well wherever mentions are not shown:
// in a notification, a copy, an export. Ranges come from others and are taken only if all of them fit (SPEC CO-11).
import { MAX_MENTIONS, MAX_NAME_UNITS } from './limits.ts';
import type { AccountId } from './ids.ts';

/** `at` and `length` in UTF-16 units of the text, the `@` included. */
export interface Mention {
	readonly account: AccountId;
	readonly at: number;
	readonly length: number;
}

const SIGN = '@';
/** One line: a mention never stands across two. */
const BREAK = /[\n\r\u2028\u2029]/u;

/** The ranges, if each of them fits its text; else none: a text loses nothing by being shown as it is. */
export function soundMentions(
	text: string,
	mentions: readonly Mention[] | undefined,
): readonly Mention[] {
	if (!mentions || mentions.length > MAX_MENTIONS) return [];
	let free = 0;
	for (const mention of mentions) {
		if (mention.at < free || !fits(text, mention)) return [];
		free = mention.at + mention.length;
	}
	return mentions;
}

function fits(text: string, { at, length }: Mention): boolean {
	const end = at + length;
	if (length < 2 || length > MAX_NAME_UNITS + 1 || end > text.length) return false;
	if (!text.startsWith(SIGN, at) || splitsPair(text, end)) return false;
	const name = text.slice(at + 1, end);
	return name.trim() !== '' && !BREAK.test(name);
}

function splitsPair(text: string, at: number): boolean {
	return /[\uD800-\uDBFF]/u.test(text.charAt(at - 1)) && /[\uDC00-\uDFFF]/u.test(text.charAt(at));
}
