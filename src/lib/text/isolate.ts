/**
 * Wraps a name in Unicode isolates (UAX #9), so that a right-to-left name inside a left-to-right sentence, or
 * the other way round, moves nothing around it.
 */
export function isolate(text: string): string {
	return `\u2068${text}\u2069`;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** What a person sees as characters: a family emoji is one. */
export function graphemes(text: string): string[] {
	return Array.from(segmenter.segment(text), (each) => each.segment);
}

/** First grapheme of the first and of the last word, for an avatar without a picture. */
export function monogram(name: string): string {
	const words = name.trim().split(/\s+/u);
	const first = graphemes(words[0] ?? '')[0] ?? '';
	const last = words.length > 1 ? (graphemes(words.at(-1) ?? '')[0] ?? '') : '';
	return (first + last).toLocaleUpperCase();
}

/** The name one would call somebody by: its first word, or the whole where that is just a letter or two. */
export function shortName(name: string): string {
	const first = name.trim().split(/\s+/u)[0] ?? '';
	return graphemes(first).length > 2 ? first : name;
}

/** At most `limit` UTF-16 units of `text`, never cutting through what a person sees as one character. */
export function cutAtGrapheme(text: string, limit: number): string {
	if (text.length <= limit) return text;
	// Only the neighbourhood of the cut is segmented: the text may be 64 KiB long.
	const from = Math.max(0, limit - 256);
	let end = from;
	for (const each of segmenter.segment(text.slice(from, limit + 256))) {
		if (from + each.index + each.segment.length > limit) break;
		end = from + each.index + each.segment.length;
	}
	return text.slice(0, end === from ? limit : end);
}
