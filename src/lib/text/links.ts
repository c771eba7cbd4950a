// Finds addresses in what was typed and decides whether they may become links. Nothing is fetched, ever.
import { tokenize } from 'linkifyjs';

export interface LinkTarget {
	/** Absolute; http, https or mailto only. */
	readonly href: string;
	/**
	 * Where it really leads, in ASCII, when what is shown could be mistaken for another place: an
	 * internationalised host (look-alike letters), a name before an `@`, or invisible characters.
	 */
	readonly realHost: string | undefined;
}

/** A part of a line that is a link, as UTF-16 offsets. */
export interface LinkRange extends LinkTarget {
	readonly start: number;
	readonly end: number;
}

const ALLOWED = new Set(['http:', 'https:', 'mailto:']);
// Bidirectional controls, zero-width characters and soft hyphens make an address look like another one.
const INVISIBLE = /[\u00AD\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/u;
/** Marks that belong to the sentence around a link, not to the link. */
const TRAILING_MARKS = /[*_~]+$/u;

/** Undefined for anything that must stay plain text: `javascript:`, `data:`, broken addresses. */
export function linkTarget(href: string, shown: string): LinkTarget | undefined {
	if (!URL.canParse(href)) return undefined;
	const url = new URL(href);
	if (!ALLOWED.has(url.protocol)) return undefined;
	if (url.protocol === 'mailto:') {
		return INVISIBLE.test(shown) ? undefined : { href: url.href, realHost: undefined };
	}
	if (url.hostname === '') return undefined;
	const doubtful =
		url.hostname.split('.').some((label) => label.startsWith('xn--')) ||
		url.username !== '' ||
		url.password !== '' ||
		INVISIBLE.test(shown);
	return { href: url.href, realHost: doubtful ? url.hostname : undefined };
}

/** Every link of one line, in order. */
export function findLinks(line: string): LinkRange[] {
	const found: LinkRange[] = [];
	for (const token of tokenize(line)) {
		if (!token.isLink) continue;
		const shown = token.toString().replace(TRAILING_MARKS, '');
		const target = linkTarget(token.t === 'email' ? `mailto:${shown}` : withScheme(shown), shown);
		const start = token.startIndex();
		if (target) found.push({ ...target, start, end: start + shown.length });
	}
	return found;
}

function withScheme(shown: string): string {
	return /^[a-z][a-z\d+.-]*:/iu.test(shown) && !/^[\w.-]+:\d/u.test(shown)
		? shown
		: `https://${shown}`;
}
