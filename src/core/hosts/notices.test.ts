import { expect, test } from 'vitest';
import { empty, summary } from '../../../tests/support/fake-chat.ts';
import type { Conversation } from '../model.ts';
import type { News } from './news.ts';
import { showNews, type Mail } from './notices.ts';

const phrases = {
	newMessage: 'New message',
	nothingNew: 'Nothing new',
	mentioned: 'You were mentioned',
	mentionedBy: (name: string) => `${name} mentioned you`,
};
const GROUP = {
	kind: 'group',
	about: { name: 'Lake house', description: '', picture: null },
	policy: { write: 'everyone', change: 'everyone', invite: 'everyone' },
	size: 3,
	role: 'member',
} as const;

/** What would be shown for one conversation. */
async function shown(
	conversation: Partial<Conversation>,
	preview: Mail['preview'] = 'full',
	mention?: News['mention'],
) {
	const notices: { title: string; body: string | undefined }[] = [];
	const registration = {
		showNotification: (title: string, { body }: NotificationOptions) => {
			notices.push({ title, body });
			return Promise.resolve();
		},
	} as unknown as ServiceWorkerRegistration;
	const last = summary({
		id: 'm' as never,
		conversation: 'c' as never,
		position: '1',
		author: 'ana' as never,
		mine: false,
		body: { kind: 'text', text: 'the key is under the mat', replyTo: undefined },
		sent: 1,
		received: 1,
		delivery: { kind: 'received' },
	});
	const told = { ...empty('c' as never, 1), last, unread: 1, ...conversation };
	const news = [{ conversation: told, mention }];
	await showNews(registration, { news, preview }, { phrases, always: true });
	return notices;
}

test('in a group it says who wrote, and a name of another direction turns nothing around', async () => {
	expect(await shown({ subject: GROUP, lastBy: 'عائشة' })).toEqual([
		{ title: 'Lake house', body: '\u2068عائشة\u2069: the key is under the mat' },
	]);
	expect(await shown({ subject: GROUP })).toEqual([
		{ title: 'Lake house', body: 'the key is under the mat' },
	]);
});

test('what a group is called, who wrote and what they wrote stays hidden where it must', async () => {
	const inGroup = { subject: GROUP, lastBy: 'Ana' };
	expect(await shown(inGroup, 'none')).toEqual([{ title: 'Kith', body: 'New message' }]);
	expect(await shown(inGroup, 'name')).toEqual([{ title: 'Lake house', body: 'New message' }]);
});

test('who is mentioned is told so, and how much else there is in what is muted is not', async () => {
	const muted = { subject: GROUP, lastBy: 'Ana', muted: true, unread: 12 };
	const mention = { by: 'علي', text: 'ask @Sam' };
	expect(await shown(muted, 'full', mention)).toEqual([
		{ title: 'Lake house', body: '\u2068علي\u2069 mentioned you: ask @Sam' },
	]);
	expect(await shown(muted, 'full', { by: undefined, text: 'ask @Sam' })).toEqual([
		{ title: 'Lake house', body: 'You were mentioned: ask @Sam' },
	]);
	expect(await shown(muted, 'name', mention)).toEqual([
		{ title: 'Lake house', body: 'You were mentioned' },
	]);
	expect(await shown(muted, 'none', mention)).toEqual([{ title: 'Kith', body: 'New message' }]);
});
