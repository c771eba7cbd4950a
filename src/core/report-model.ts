// The noun of reports.
import type { AccountId, MessageId } from '../protocol/ids.ts';

export const REPORT_REASONS = ['spam', 'pretends', 'threatens', 'other'] as const;
/** In UTF-16 units. */
export const MAX_REPORT_NOTE = 1_000;
export const MAX_REPORT_QUOTE = 4_096;
export const MAX_REPORT_QUOTES = 5;

/** What this person keeps about somebody who did them wrong. It stands for itself: the conversation may be gone. */
export interface Report {
	/** Later ones sort behind. */
	readonly id: string;
	readonly account: AccountId;
	/** As they called themselves. */
	readonly name: string;
	/** ms since 1970. */
	readonly at: number;
	readonly reason: (typeof REPORT_REASONS)[number];
	readonly note: string;
	/** What they said last, oldest first. */
	readonly quotes: readonly {
		readonly id: MessageId;
		readonly sent: number;
		readonly text: string;
	}[];
}
