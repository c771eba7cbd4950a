// What people call themselves, made safe to stand inside any line: nothing in a name may hide, turn the text around it,
// break the line or grow without bound. Everything else is theirs: scripts, emoji, marks.
import { MAX_NAME_CHARACTERS, MAX_NAME_UNITS } from './limits.ts';

/** Stands for a name of which nothing can be seen. */
export const NO_NAME = '…';

/** Reading this much is enough for every name that fits, and bounds the work on one that does not. */
const MOST_READ = 16 * MAX_NAME_UNITS;
/**
 * Controls that are no white space, bidi embeddings, overrides and isolates (UAX #9), zero-width spaces, joiners of
 * words and invisible operators, byte order marks, Hangul fillers, soft hyphens. ZWJ and ZWNJ stay: family emoji and
 * Persian need them.
 */
const HIDDEN =
	// eslint-disable-next-line no-control-regex -- controls are what it looks for
	/[\u0000-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u115F\u1160\u200B\u202A-\u202E\u2060-\u2064\u2066-\u2069\u3164\uFEFF\uFFA0]/gu;
/** Tag characters spell hidden text anywhere but after the black flag of a region (UTS #51). */
const TAGS = /(\u{1F3F4}[\u{E0020}-\u{E007E}]+\u{E007F})|[\u{E0000}-\u{E007F}]/gu;
const SPACES = /[\s\u0085]+/gu;
/** Ink: neither white space nor ignorable, and not one of the few signs drawn as nothing (Braille blank). */
const SEEN = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cn}\u2800]/u;

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * The name as it is kept and shown: NFC, one line, single spaces, at most 64 graphemes and 256 UTF-16 units. Empty
 * where nothing could be seen. Cleaning twice changes nothing.
 */
export function cleanName(typed: string): string {
	const name = typed
		.slice(0, MOST_READ)
		.toWellFormed()
		.replace(HIDDEN, '')
		.replace(TAGS, '$1')
		.replace(SPACES, ' ')
		.normalize('NFC');
	const cut = cutName(name.trim()).trimEnd();
	return SEEN.test(cut) ? cut : '';
}

/** `cleanName`, with a placeholder for who has none: for names that others chose, which cannot be refused. */
export function shownName(given: string): string {
	return cleanName(given) || NO_NAME;
}

function cutName(name: string): string {
	let end = 0;
	let count = 0;
	for (const { index, segment } of segmenter.segment(name)) {
		const next = index + segment.length;
		if (count === MAX_NAME_CHARACTERS || next > MAX_NAME_UNITS) break;
		end = next;
		count++;
	}
	// A letter under hundreds of accents is one grapheme: of that, what fits.
	return end === 0 ? name.slice(0, MAX_NAME_UNITS).toWellFormed() : name.slice(0, end);
}
