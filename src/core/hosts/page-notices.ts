// Notifications from a page: while nobody looks at any tab, and until what they stand for is read.
import { createQueries } from '../client-queries.ts';
import type { ConversationId, Position } from '../model.ts';
import type { Store } from '../ports.ts';
import { newsOf } from './news.ts';
import { clearNews, showNews, type NoticePhrases } from './notices.ts';

/** Both need the permission to notify. */
export interface PageNotices {
	/** These have received something. */
	tell(conversations: readonly ConversationId[]): Promise<void>;
	/** These changed: what is read needs no notification any more. */
	clear(conversations: ReadonlySet<string>): Promise<void>;
}

export function createPageNotices(store: Store, phrases: NoticePhrases): PageNotices {
	const { conversation, settings } = createQueries(store);
	/** Of muted ones the newest mention that was told: what follows it is no reason to tell it again. */
	const told = new Map<ConversationId, Position>();
	return {
		async tell(conversations) {
			const registration = await navigator.serviceWorker.getRegistration();
			if (!registration) return;
			const [{ notificationPreview: preview }, ...found] = await Promise.all([
				settings(),
				...conversations.map(conversation),
			]);
			const fresh = found
				.filter((each) => each !== undefined)
				.filter(({ id, muted, mentions }) => !muted || mentions.at(-1) !== told.get(id));
			const news = await newsOf(store, fresh, fresh.length);
			for (const {
				conversation: { id, mentions },
			} of news) {
				const newest = mentions.at(-1);
				if (newest !== undefined) told.set(id, newest);
			}
			await showNews(registration, { news, preview }, { phrases, always: false });
		},
		async clear(conversations) {
			const registration = await navigator.serviceWorker.getRegistration();
			if (!registration) return;
			for (const id of conversations) {
				const row = await store.get('conversations', id);
				if (row?.unread === 0) await clearNews(registration, row.id);
			}
		},
	};
}
