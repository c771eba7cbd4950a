// The dates that begin a message in a chat export. Each phone writes them in its own way, so a line is first read
// without knowing which number is the day; the whole file then decides.
import type { DateOrder, ForeignDates } from '../model.ts';

/** The beginning of a message as it was read: numbers whose order is not known yet, and the time of day. */
export interface Stamp {
	readonly numbers: readonly [number, number, number];
	/** Digits of the first number, for years of four. */
	readonly digits: readonly [number, number, number];
	readonly separator: string;
	/** Seconds since midnight. */
	readonly time: number;
	/** Length of the stamp in the line, in UTF-16 units, with what separates it from the author. */
	readonly length: number;
	/** As the file writes the date. */
	readonly text: string;
}

/** Marks of direction and the byte order mark: between anything, and never seen. */
const INVISIBLE = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]/u;
/** The zeros of the scripts in which phones write digits. */
const ZEROS = [0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50];
/** A stamp is shorter than this, with all its marks. */
const LONGEST = 80;

const MORNING = 'am|a m|ص|上午|凌晨|早上|清晨|오전|午前|पूर्वाह्न|πμ|öö|de|sa|ق ظ|قبل الظهر|pd|vorm';
const EVENING = 'pm|p m|م|下午|晚上|中午|오후|午後|अपराह्न|μμ|ös|du|ch|ب ظ|بعد الظهر|md|nachm';
/** What stands between date and time in some languages. */
const JOINING = 'à|klo|kl|um|at|alle|às|as|a las|o|в|у|saat|lúc|um|ob|u|ore|ora|il|den|at';
const half = new Map([
	...MORNING.split('|').map((word) => [word, 0] as const),
	...EVENING.split('|').map((word) => [word, 12] as const),
]);
const joining = new Set(JOINING.split('|'));

const DATE = String.raw`(\d{1,4})(\s?[./-]\s?|年|년 )(\d{1,2})(?:\s?[./-]\s?|月|월 )(\d{1,4})(?:日|일|\.)?`;
const WORD = String.raw`([\p{L}][\p{L}\p{M}. ]{0,15}?)`;
const TIME = String.raw`(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}))?`;
const STAMP = new RegExp(
	String.raw`^(\[)?${DATE}(?:\s?[,،、])?\s*(?:${WORD}\s*)??${TIME}(?:\s?${WORD})?\s?(\]\s?|\s[-–—]\s)`,
	'u',
);

/** One unit of the beginning of a line as plain text; undefined for what is not seen. */
function plainOf(unit: string): string | undefined {
	if (unit > ' ' && unit <= '~') return unit.toLowerCase();
	if (INVISIBLE.test(unit)) return undefined;
	if (/\s/u.test(unit)) return ' ';
	const code = unit.charCodeAt(0);
	const zero = ZEROS.find((each) => code >= each && code < each + 10);
	return zero === undefined ? unit.toLowerCase() : String(code - zero);
}

/** What a line begins with: a stamp, what looks like one and cannot be (`odd`), or something else (undefined). */
export function readStamp(line: string): Stamp | 'odd' | undefined {
	let plain = '';
	/** Where each unit of `plain` stands in the line. */
	const places: number[] = [];
	for (let at = 0; at < Math.min(line.length, LONGEST); at++) {
		const unit = plainOf(line.charAt(at));
		if (unit === undefined) continue;
		// Most lines are no beginning: one look is enough.
		if (plain === '' && !/[[\d]/u.test(unit)) return undefined;
		plain += unit.charAt(0);
		places.push(at);
	}
	const match = STAMP.exec(plain);
	if (!match) return undefined;
	const [whole, bracket, first = '', separator = '', second = '', third = ''] = match;
	if ((bracket === '[') !== whole.trimEnd().endsWith(']')) return undefined;
	const time = timeOf(match);
	const end = places[whole.length];
	if (time === undefined) return 'odd';
	const stop = plain.indexOf(third, plain.indexOf(second, first.length + (bracket ? 1 : 0)));
	const from = places[bracket ? 1 : 0] ?? 0;
	return {
		numbers: [Number(first), Number(second), Number(third)],
		digits: [first.length, second.length, third.length],
		separator: separator.trim(),
		time,
		length: end ?? line.length,
		text: line.slice(from, (places[stop + third.length - 1] ?? 0) + 1),
	};
}

/** Seconds since midnight; undefined for a clock that there is not, or a word that is not known. */
function timeOf(match: RegExpExecArray): number | undefined {
	const [before, hours, minutes, seconds, after] = [6, 7, 8, 9, 10].map((at) => match[at]);
	const offset = halfOf(before, after);
	if (offset === 'unknown') return undefined;
	const hour = Number(hours);
	if (hour > 23 || Number(minutes) > 59 || Number(seconds ?? 0) > 59) return undefined;
	const whole = offset === undefined || hour > 12 ? hour : (hour % 12) + offset;
	return whole * 3600 + Number(minutes) * 60 + Number(seconds ?? 0);
}

function halfOf(
	before: string | undefined,
	after: string | undefined,
): number | 'unknown' | undefined {
	const clean = (word: string) => word.replaceAll('.', ' ').replaceAll(/\s+/gu, ' ').trim();
	if (after !== undefined)
		return half.get(clean(after)) ?? half.get(clean(after).replaceAll(' ', '')) ?? 'unknown';
	if (before === undefined) return undefined;
	const word = clean(before);
	return (
		half.get(word) ??
		half.get(word.replaceAll(' ', '')) ??
		(joining.has(word) ? undefined : 'unknown')
	);
}

const YEAR_FIRST: DateOrder = 'year-month-day';
const ORDERS: readonly DateOrder[] = ['day-month-year', 'month-day-year', YEAR_FIRST];
/** Thai phones count years from 543 BC. */
const BUDDHIST = 543;
/** There was no such messenger before. */
const FIRST_YEAR = 2009;
const DAY = 86_400_000;
/** Clocks are set back; a day is more than any of that. */
const BACKWARDS = DAY;

/** Date and time as if in UTC, ms; undefined for a day that this order does not have. */
export function wallOf(stamp: Stamp, order: DateOrder): number | undefined {
	const [a, b, c] = stamp.numbers;
	const [day, month, written, digits] =
		order === 'day-month-year'
			? [a, b, c, stamp.digits[2]]
			: order === 'month-day-year'
				? [b, a, c, stamp.digits[2]]
				: [c, b, a, stamp.digits[0]];
	let year = digits > 2 ? written : 2000 + written;
	if (year > 2400) year -= BUDDHIST;
	if (year < FIRST_YEAR || month < 1 || month > 12 || day < 1) return undefined;
	const date = Date.UTC(year, month - 1, day);
	if (new Date(date).getUTCDate() !== day) return undefined;
	return date + stamp.time * 1000;
}

interface Fit {
	readonly order: DateOrder;
	/** Stamps that are no date in this order, or lie in the future. */
	readonly wrong: number;
	/** Messages that would be older than the one before. */
	readonly back: number;
}

function fitOf(stamps: readonly Stamp[], order: DateOrder, now: number): Fit {
	let wrong = 0;
	let back = 0;
	let before = 0;
	for (const stamp of stamps) {
		const wall = wallOf(stamp, order);
		// A wall clock is at most 14 hours ahead of UTC.
		if (wall === undefined || wall > now + DAY) wrong++;
		else {
			if (wall < before - BACKWARDS) back++;
			before = wall;
		}
	}
	return { order, wrong, back };
}

/**
 * The order of day, month and year in a whole file: the one in which the dates exist, none is in the future, and time
 * goes forward. Where two do equally well and mean different days, the person has to say.
 */
export function decideDates(stamps: readonly Stamp[], now: number): ForeignDates {
	const example = (stamps.find(isTelling) ?? stamps[0])?.text ?? '';
	const fits = ORDERS.filter((order) => fitsDigits(stamps[0], order))
		.map((order) => fitOf(stamps, order, now))
		.sort((one, other) => one.wrong - other.wrong || one.back - other.back);
	const [best] = fits;
	if (!best) return { order: 'day-month-year', certain: true, other: undefined, example };
	const certain = { order: best.order, certain: true, other: undefined, example };
	// A year of two digits at the beginning is so rare that it is never asked for, only recognised.
	const asked = fits.filter(({ order, wrong, back }) => {
		return order !== YEAR_FIRST && wrong === best.wrong && back === best.back;
	});
	const [one, other] = asked;
	if (!one) return certain;
	const same =
		other && stamps.every((each) => wallOf(each, one.order) === wallOf(each, other.order));
	if (!other || same) return { ...certain, order: one.order };
	// With dots the day comes first, wherever dots are used.
	if (stamps[0]?.separator === '.') return { ...certain, order: 'day-month-year' };
	return { order: one.order, certain: false, other: other.order, example };
}

function isTelling({ numbers: [a, b] }: Stamp): boolean {
	return a !== b;
}

function fitsDigits(stamp: Stamp | undefined, order: DateOrder): boolean {
	if (!stamp) return true;
	const [first, , third] = stamp.digits;
	if (first > 2) return order === 'year-month-day';
	return third > 2 ? order !== 'year-month-day' : true;
}
