import type { Report } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';

const WORDS: Record<Report['reason'], () => string> = {
	spam: m.report_spam,
	pretends: m.report_pretends,
	threatens: m.report_threatens,
	other: m.report_other,
};

export const reasonWords = (reason: Report['reason']): string => WORDS[reason]();
