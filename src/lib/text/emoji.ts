import { graphemes } from './isolate.ts';

const FLAG = /^\p{Regional_Indicator}{2}$/u;
const KEYCAP = /^[0-9#*]\uFE0F?\u20E3$/u;
const PICTURE = /^\p{Extended_Pictographic}/u;
/** Drawn as a picture by itself, or asked to be by a variation selector, a joiner or a skin tone. */
const DRAWN = /^\p{Emoji_Presentation}|\uFE0F|\u200D|\p{Emoji_Modifier}/u;

function isEmoji(grapheme: string): boolean {
	if (FLAG.test(grapheme) || KEYCAP.test(grapheme)) return true;
	return PICTURE.test(grapheme) && DRAWN.test(grapheme);
}

/** True for one to three emoji and nothing else: those are shown large, without a bubble. */
export function isEmojiOnly(text: string): boolean {
	const trimmed = text.trim();
	// A single emoji can be long (families, flags of regions), but not this long.
	if (trimmed === '' || trimmed.length > 120) return false;
	const shown = graphemes(trimmed).filter((each) => each.trim() !== '');
	return shown.length <= 3 && shown.every(isEmoji);
}
