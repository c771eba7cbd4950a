// What a reader of another messenger's exports hands over, before anything of it is stored.
import type { ForeignBody } from './model.ts';

export type ForeignFailure =
	/** Neither a text nor a zip that can be opened: cut off, damaged, or locked with a password. */
	| { readonly kind: 'unreadable'; readonly why: 'truncated' | 'damaged' | 'locked' }
	/** A zip without the text of a chat in it. */
	| { readonly kind: 'no-chat' }
	/** A text in which no line begins as a message does. */
	| { readonly kind: 'not-a-chat' }
	/** Larger than any export: `limit` in bytes. */
	| { readonly kind: 'too-large'; readonly limit: number };

export interface ForeignMessage {
	/** Index into `participants`; undefined for a line that the other messenger wrote. */
	readonly author: number | undefined;
	/** The clock on the wall of the phone that wrote the export, as if it stood in UTC; ms. */
	readonly wall: number;
	readonly body: { readonly kind: 'text'; readonly text: string } | ForeignBody;
}

/** A line that is left out, and why. */
export interface ForeignProblem {
	/** Counted from 1. */
	readonly line: number;
	/** Its beginning. */
	readonly text: string;
	readonly why: 'before-first-message' | 'date' | 'too-long';
}

export interface ForeignChat {
	readonly source: 'whatsapp';
	/** What the export calls the chat; undefined where it does not. */
	readonly title: string | undefined;
	/** In the order of their first message. */
	readonly participants: readonly { readonly name: string; readonly messages: number }[];
	/** In the order of the file. */
	readonly messages: readonly ForeignMessage[];
	readonly problems: readonly ForeignProblem[];
	/** More than `problems` holds where there are very many. */
	readonly problemCount: number;
	readonly dates: ForeignDates;
}

export interface ForeignDates {
	readonly order: DateOrder;
	/** False: the file fits another order as well, and the person should say which. */
	readonly certain: boolean;
	/** The other order that fits, where there is one. */
	readonly other: DateOrder | undefined;
	/** A date as the file writes it, that shows the difference. */
	readonly example: string;
}

export type DateOrder = 'day-month-year' | 'month-day-year' | 'year-month-day';

export interface ReadOptions {
	/** ms by this device: nothing was written after it. */
	readonly now: number;
	/** What the person said when they were asked. */
	readonly order?: DateOrder | undefined;
	/** Lets the screen breathe in a long file; called now and then. */
	readonly pause?: () => Promise<void>;
}
