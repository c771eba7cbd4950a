import { m } from '../paraglide/messages.js';

/** What notifications from this page say, in the language of the page. */
export function noticePhrases() {
	return {
		newMessage: m.notice_new_message(),
		nothingNew: m.notice_nothing_new(),
		mentioned: m.notice_mentioned(),
		mentionedBy: (name: string) => m.notice_mentioned_by({ name }),
	};
}
