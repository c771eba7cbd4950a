// Long runs without a space, in pieces that a browser lays out one by one. A run of joined letters (Arabic) has no place
// where it may be cut without being shaped anew: Chromium then takes seconds for what is milliseconds in pieces.

/** Longer than any word or ordinary address, UTF-16 units; texts without such a run stay whole. */
const LONG_RUN = /\S{256}/u;
const PIECE = 64;

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * Consecutive parts of `text`, each to stand in an inline element of its own: the lines break where they would have, and
 * what is copied or read out is the same. Never cuts through what a person sees as one character.
 */
export function layoutPieces(text: string): string[] {
	if (!LONG_RUN.test(text)) return [text];
	const pieces: string[] = [];
	let from = 0;
	for (const { index } of segmenter.segment(text)) {
		if (index - from < PIECE) continue;
		pieces.push(text.slice(from, index));
		from = index;
	}
	pieces.push(text.slice(from));
	return pieces;
}
