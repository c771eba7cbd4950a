// What wakes the app while it is closed: a push, a network that is back, a press on a notification.
import { resolve } from '$app/paths';
import { self } from '$app/service-worker';
import { openMail, showNews, type NoticePhrases } from '../core/hosts/service-worker.ts';

const ENGLISH: NoticePhrases = {
	newMessage: 'New message',
	nothingNew: 'Kith looked: nothing new.',
	mentioned: 'You were mentioned',
	mentionedBy: (name) => `${name} mentioned you`,
};
const PHRASES: Readonly<Record<string, NoticePhrases>> = {
	en: ENGLISH,
	de: {
		newMessage: 'Neue Nachricht',
		nothingNew: 'Kith hat nachgesehen: nichts Neues.',
		mentioned: 'Du wurdest erwähnt',
		mentionedBy: (name) => `${name} hat dich erwähnt`,
	},
	ar: {
		newMessage: 'رسالة جديدة',
		nothingNew: 'تحقق Kith: لا جديد.',
		mentioned: 'تمت الإشارة إليك',
		mentionedBy: (name) => `إشارة إليك من ${name}`,
	},
};

function phrasesFor(locale: string | undefined): NoticePhrases {
	const language = (locale ?? navigator.language).split('-')[0] ?? 'en';
	return PHRASES[language] ?? ENGLISH;
}

/** Opens the mail and shows one notification at least: browsers withdraw a permission that wakes in silence. */
export async function wokenByPush(): Promise<void> {
	const news = await openMail(self.location.origin);
	await showNews(self.registration, news, { phrases: phrasesFor(news.locale), always: true });
}

/** The network is back and something waits to be sent; rejects when it still waits, for the browser to try again. */
export async function wokenBySync(): Promise<void> {
	const news = await openMail(self.location.origin);
	if (news.here)
		await showNews(self.registration, news, { phrases: phrasesFor(news.locale), always: false });
	if (news.waiting) throw new Error('Not everything could be sent yet');
}

/** Brings the window that is already open to the front, at the right conversation; opens one only if there is none. */
export async function openFromNotification(notification: Notification): Promise<void> {
	notification.close();
	const data = notification.data as { readonly path?: string } | null;
	const url = new URL(data?.path ?? '/', new URL(resolve('/(app)'), self.location.origin)).href;
	const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
	const [open] = windows;
	if (!open) {
		await self.clients.openWindow(url);
		return;
	}
	await open.focus();
	// The app moves there itself, without being loaded again: a draft must not be lost.
	open.postMessage({ type: 'OPEN', path: new URL(url).pathname });
}
