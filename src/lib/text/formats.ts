// Times, sizes and numbers in the words of one locale. Formatters are costly to make, so a set is made once.

/** ISO-like key of a local calendar day; equal keys are the same day for the person who looks. */
export function dayKey(ms: number): string {
	const date = new Date(ms);
	return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/** Whole calendar days from `ms` to `now`: 0 today, 1 yesterday, negative in the future. */
export function daysAgo(ms: number, now: number): number {
	const from = new Date(ms);
	const to = new Date(now);
	const midnight = (date: Date): number =>
		Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
	return Math.round((midnight(to) - midnight(from)) / 86_400_000);
}

export interface DayWords {
	readonly today: string;
	readonly yesterday: string;
}

export interface Formats {
	/** 14:02, or 2:02 PM where that is the custom. */
	readonly clock: (ms: number) => string;
	/** Heading of a day in a conversation. */
	readonly day: (ms: number, now: number, words: DayWords) => string;
	/** Shortest form that is still clear, for rows of the list. */
	readonly brief: (ms: number, now: number, words: DayWords) => string;
	/** A date far enough away that the weekday says nothing. */
	readonly date: (ms: number) => string;
	/** Day and month, for narrow places. */
	readonly shortDate: (ms: number) => string;
	readonly number: (value: number) => string;
	/** A share of one: 0.25 is 25 %. */
	readonly percent: (value: number) => string;
	/** 1.4 MB; powers of 1,024 as browsers count storage. */
	readonly bytes: (value: number) => string;
	/** "Ana, Ben and Cem". */
	readonly list: (items: readonly string[]) => string;
	/** "5 minutes", for lengths of time in ms. */
	readonly duration: (ms: number) => string;
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** `tag`: BCP 47. */
export function createFormats(tag: string): Formats {
	const at = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
		new Intl.DateTimeFormat(tag, options);
	const clock = at({ hour: 'numeric', minute: '2-digit' });
	const weekday = at({ weekday: 'short' });
	const dayOfYear = at({ weekday: 'long', day: 'numeric', month: 'long' });
	const fullDay = at({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
	const numeric = at({ day: 'numeric', month: 'numeric', year: '2-digit' });
	const date = at({ day: 'numeric', month: 'long', year: 'numeric' });
	const short = at({ day: 'numeric', month: 'short' });
	const number = new Intl.NumberFormat(tag);
	const percent = new Intl.NumberFormat(tag, { style: 'percent' });
	const list = new Intl.ListFormat(tag);
	const unit = (value: number, name: string, display: 'short' | 'long'): string =>
		new Intl.NumberFormat(tag, {
			style: 'unit',
			unit: name,
			unitDisplay: display,
			maximumFractionDigits: value < 10 ? 1 : 0,
		}).format(value);
	return {
		clock: (ms) => clock.format(ms),
		day(ms, now, words) {
			const ago = daysAgo(ms, now);
			if (ago === 0) return words.today;
			if (ago === 1) return words.yesterday;
			const sameYear = new Date(ms).getFullYear() === new Date(now).getFullYear();
			return (sameYear ? dayOfYear : fullDay).format(ms);
		},
		brief(ms, now, words) {
			const ago = daysAgo(ms, now);
			if (ago === 0) return clock.format(ms);
			if (ago === 1) return words.yesterday;
			return ago > 1 && ago < 7 ? weekday.format(ms) : numeric.format(ms);
		},
		date: (ms) => date.format(ms),
		shortDate: (ms) => short.format(ms),
		number: (value) => number.format(value),
		percent: (value) => percent.format(value),
		bytes(value) {
			let step = 0;
			let left = value;
			while (left >= 1024 && step < UNITS.length - 1) {
				left /= 1024;
				step++;
			}
			return unit(left, UNITS[step] ?? 'byte', 'short');
		},
		list: (items) => list.format(items),
		duration(ms) {
			const minutes = Math.round(ms / 60_000);
			if (minutes < 120) return unit(Math.max(1, minutes), 'minute', 'long');
			const hours = Math.round(minutes / 60);
			return hours < 72 ? unit(hours, 'hour', 'long') : unit(Math.round(hours / 24), 'day', 'long');
		},
	};
}
