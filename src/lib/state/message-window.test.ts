import { expect, test } from 'vitest';
import { FakeClient } from '../../../tests/support/fake-client.ts';
import type { ConversationId } from '../../core/model.ts';
import { MessageWindow } from './message-window.svelte.ts';

async function conversation(
	count: number,
	unread = 0,
): Promise<{ client: FakeClient; id: ConversationId; window: MessageWindow }> {
	const client = new FakeClient({ now: () => 0 });
	await client.start('Me');
	const id = client.addConversation({ name: 'Maya', unread });
	for (let at = 0; at < count; at++) client.addMessage(id, { text: `${at}`, sent: at });
	return { client, id, window: new MessageWindow(client, id) };
}

const texts = (window: MessageWindow): string[] =>
	window.messages.map(({ body }) => (body.kind === 'text' ? body.text : body.kind));

function expectContiguous(window: MessageWindow): void {
	const numbers = texts(window).map(Number);
	expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at));
}

test('opens at the end, and at the first unread message', async () => {
	const { client, id, window } = await conversation(5000, 3000);
	await window.open(undefined);
	expect(texts(window).at(-1)).toBe('4999');
	expect([window.olderExist, window.newerExist]).toEqual([true, false]);
	await window.open(await client.firstUnread(id));
	expect(texts(window)).toContain('2000');
	expect([window.olderExist, window.newerExist]).toEqual([true, true]);
	expectContiguous(window);
});

test('a message that comes while the window opens is in it', async () => {
	const { client, id } = await conversation(3);
	let read = false;
	const window: MessageWindow = new MessageWindow(
		{
			messages: async (...asked) => {
				const page = await client.messages(...asked);
				if (read) return page;
				read = true;
				client.receive(id, '3'); // when the page was read, and before the window has it
				void window.refresh();
				return page;
			},
			messagesAt: (...asked) => client.messagesAt(...asked),
		},
		id,
	);
	await window.open(undefined);
	await window.settled();
	expect(texts(window)).toEqual(['0', '1', '2', '3']);
});

test('what changed while the store did not answer is there with the next change', async () => {
	const { client, id } = await conversation(3);
	let broken = false;
	const window = new MessageWindow(
		{
			messages: (...asked) => client.messages(...asked),
			messagesAt: (...asked) =>
				broken ? Promise.reject(new Error('gone')) : client.messagesAt(...asked),
		},
		id,
	);
	await window.open(undefined);
	broken = true;
	await window.refresh([client.receive(id, '3').position]);
	broken = false;
	await window.refresh([client.receive(id, '4').position]);
	expect(texts(window)).toEqual(['0', '1', '2', '3', '4']);
});

test('scrolling back and forth through 5,000 messages never holds more than a bound', async () => {
	const { window } = await conversation(5000);
	await window.open(undefined);
	let largest = 0;
	while (window.olderExist) {
		await window.loadOlder();
		largest = Math.max(largest, window.messages.length);
		expectContiguous(window);
	}
	expect(texts(window)[0]).toBe('0');
	while (window.newerExist) {
		await window.loadNewer();
		largest = Math.max(largest, window.messages.length);
		expectContiguous(window);
	}
	expect(texts(window).at(-1)).toBe('4999');
	expect(largest).toBeLessThanOrEqual(300);
});

test('a new message joins a window that stands at the end, and leaves one further up alone', async () => {
	const { client, id, window } = await conversation(500);
	await window.open(undefined);
	client.receive(id, '500');
	await window.refresh();
	expect(texts(window).at(-1)).toBe('500');
	expectContiguous(window);
	while (window.messages.length < 200) await window.loadOlder();
	window.follow(false);
	await window.loadOlder();
	await window.loadOlder();
	expect(window.newerExist).toBe(true);
	const before = texts(window);
	client.receive(id, '501');
	await window.refresh();
	expect(texts(window)).toEqual(before);
});

test('somebody reading further up is not moved by 10,000 arriving messages', async () => {
	const { client, id, window } = await conversation(100);
	await window.open(undefined);
	window.follow(false);
	const first = texts(window)[0];
	for (let at = 100; at < 10_100; at++) client.addMessage(id, { text: `${at}`, sent: at });
	await window.refresh();
	expect(texts(window)[0]).toBe(first);
	expect(window.messages.length).toBeLessThanOrEqual(240);
	expect(window.newerExist).toBe(true);
	expectContiguous(window);
});

test('only what changed is a new object', async () => {
	const { client, id, window } = await conversation(10);
	await window.open(undefined);
	const before = window.messages;
	await client.send(id, 'mine');
	await window.refresh();
	expect(window.messages.slice(0, 10).every((each, at) => each === before[at])).toBe(true);
	expect(window.messages).toHaveLength(11);
});

test('a discarded message goes', async () => {
	const { client, id, window } = await conversation(3);
	const failed = client.addMessage(id, {
		mine: true,
		text: 'failed',
		sent: 3,
		delivery: { kind: 'failed', reason: 'busy' },
	});
	await window.open(undefined);
	expect(texts(window)).toContain('failed');
	await client.discard(failed.id);
	await window.refresh();
	expect(texts(window)).toEqual(['0', '1', '2']);
});

test('a store that does not answer is told, and a later try works', async () => {
	const { client, window } = await conversation(5);
	client.broken = true;
	await window.open(undefined);
	expect(window.state).toBe('failed');
	client.broken = false;
	await window.open(undefined);
	expect(window.state).toBe('ready');
	expect(window.messages).toHaveLength(5);
});

test('an empty conversation takes its first message', async () => {
	const { client, id, window } = await conversation(0);
	await window.open(undefined);
	expect(window.state).toBe('ready');
	await client.send(id, 'first');
	await window.refresh();
	expect(texts(window)).toEqual(['first']);
});
