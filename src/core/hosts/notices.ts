// What a notification says, the same from a page as from the service worker: one per conversation, replaced by its
// successor, taken away once it is read.
import type { Conversation, Settings } from '../model.ts';

export interface NoticePhrases {
	/** Body where the text must not be shown. */
	readonly newMessage: string;
	/** A wake that found nothing new; the platform insists on showing something for it. */
	readonly nothingNew: string;
}

export interface News {
	/** Newest first. */
	readonly unread: readonly Conversation[];
	readonly preview: Settings['notificationPreview'];
}

const APP = 'Kith';
const QUIET_TAG = 'kith-quiet';
const ICONS = { icon: '/icon-192.png', badge: '/badge-96.png' };

/** Shows what is new. With nothing new it shows that only if `always`: each push must show something. */
export async function showNews(
	registration: ServiceWorkerRegistration,
	news: News,
	{ phrases, always }: { readonly phrases: NoticePhrases; readonly always: boolean },
): Promise<void> {
	await Promise.all(
		news.unread.map((conversation) => {
			const { title, body } = wordsOf(conversation, news.preview, phrases);
			return registration.showNotification(title, {
				...ICONS,
				body,
				tag: conversation.id,
				data: { path: `/c/${conversation.id}` },
			});
		}),
	);
	if (news.unread.length > 0 || !always) return;
	await registration.showNotification(APP, {
		...ICONS,
		body: phrases.nothingNew,
		tag: QUIET_TAG,
		silent: true,
		data: { path: '/' },
	});
}

function wordsOf(
	{ subject, last, lastBy, unread }: Conversation,
	preview: News['preview'],
	phrases: NoticePhrases,
): { readonly title: string; readonly body: string } {
	const name = nameOf(subject);
	if (preview === 'none' || name === undefined) return { title: APP, body: phrases.newMessage };
	const title = unread > 1 ? `${name} (${unread})` : name;
	const text = preview === 'full' && last && !last.mine ? last.text : '';
	if (text === '') return { title, body: phrases.newMessage };
	// Isolated (UAX #9): a name of another direction must not turn the text after it.
	return { title, body: lastBy === undefined ? text : `\u2068${lastBy}\u2069: ${text}` };
}

function nameOf(subject: Conversation['subject']): string | undefined {
	if (subject.kind === 'person') return subject.person.profile.name;
	return subject.kind === 'group' ? subject.about.name : undefined;
}

/** Takes away what stands for a conversation that has been read. */
export async function clearNews(
	registration: ServiceWorkerRegistration,
	conversation: Conversation['id'],
): Promise<void> {
	for (const notification of await registration.getNotifications({ tag: conversation })) {
		notification.close();
	}
}
