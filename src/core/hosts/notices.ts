// What a notification says, the same from a page as from the service worker: one per conversation, replaced by its
// successor, taken away once it is read.
import type { Conversation, Settings } from '../model.ts';
import type { News } from './news.ts';

export interface NoticePhrases {
	/** Body where the text must not be shown. */
	readonly newMessage: string;
	/** A wake that found nothing new; the platform insists on showing something for it. */
	readonly nothingNew: string;
	/** Somebody mentions the reader, where neither name nor text may be shown. */
	readonly mentioned: string;
	/** "Ana mentioned you", of a name that is isolated already. */
	readonly mentionedBy: (name: string) => string;
}

export interface Mail {
	/** Newest first. */
	readonly news: readonly News[];
	readonly preview: Settings['notificationPreview'];
}

const APP = 'Kith';
const QUIET_TAG = 'kith-quiet';
const ICONS = { icon: '/icon-192.png', badge: '/badge-96.png' };

/** Shows what is new. With nothing new it shows that only if `always`: each push must show something. */
export async function showNews(
	registration: ServiceWorkerRegistration,
	{ news, preview }: Mail,
	{ phrases, always }: { readonly phrases: NoticePhrases; readonly always: boolean },
): Promise<void> {
	await Promise.all(
		news.map((each) => {
			const { conversation } = each;
			const { title, body } = wordsOf(each, preview, phrases);
			return registration.showNotification(title, {
				...ICONS,
				body,
				tag: conversation.id,
				data: { path: `/c/${conversation.id}` },
			});
		}),
	);
	if (news.length > 0 || !always) return;
	await registration.showNotification(APP, {
		...ICONS,
		body: phrases.nothingNew,
		tag: QUIET_TAG,
		silent: true,
		data: { path: '/' },
	});
}

function wordsOf(
	{ conversation, mention }: News,
	preview: Mail['preview'],
	phrases: NoticePhrases,
): { readonly title: string; readonly body: string } {
	const { subject, last, lastBy, unread, muted } = conversation;
	const name = nameOf(subject);
	if (preview === 'none' || name === undefined) return { title: APP, body: phrases.newMessage };
	// How much there is of what was muted is nobody's concern.
	const title = unread > 1 && !muted ? `${name} (${unread})` : name;
	if (mention) return { title, body: mentionWords(mention, preview, phrases) };
	const text = preview === 'full' && last && !last.mine ? last.text : '';
	if (text === '') return { title, body: phrases.newMessage };
	// Isolated (UAX #9): a name of another direction must not turn the text after it.
	return { title, body: lastBy === undefined ? text : `${isolated(lastBy)}: ${text}` };
}

function mentionWords(
	{ by, text }: NonNullable<News['mention']>,
	preview: Mail['preview'],
	phrases: NoticePhrases,
): string {
	if (preview !== 'full') return phrases.mentioned;
	const who = by === undefined ? phrases.mentioned : phrases.mentionedBy(isolated(by));
	return `${who}: ${text}`;
}

function isolated(name: string): string {
	return `\u2068${name}\u2069`;
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
