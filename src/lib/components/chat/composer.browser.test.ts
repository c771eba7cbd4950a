import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page, userEvent } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import type { Conversation, ConversationId, Message } from '../../../core/model.ts';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import { OpenConversation } from '../../state/open-conversation.svelte.ts';
import Composer from './Composer.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

async function composer(draft = ''): Promise<{
	client: FakeClient;
	id: ConversationId;
	open: OpenConversation;
	texts: () => Promise<string[]>;
	conversation: () => Promise<Conversation | undefined>;
	unmount: () => Promise<void>;
}> {
	const client = new FakeClient();
	await client.start('Sam');
	const id = client.addConversation({ name: 'Maya Lindqvist', draft });
	const app = new App(client, new Look(undefined));
	await app.start();
	const open = new OpenConversation(app, id);
	await open.open();
	const conversation = app.conversation(id);
	if (!conversation) throw new Error('no conversation');
	const { unmount } = await render(Harness, {
		app,
		open,
		component: Composer,
		given: { conversation },
	});
	closers.push(() => app.close());
	const texts = async (): Promise<string[]> =>
		(await client.messages(id, { at: 'end', limit: 50 })).messages.map((each: Message) =>
			each.body.kind === 'text' ? each.body.text : each.body.kind,
		);
	return { client, id, open, texts, conversation: () => client.conversation(id), unmount };
}

const problem = () => page.getByRole('alert').query()?.textContent ?? '';
const field = () => page.getByRole('textbox');

test('Enter sends and empties the field; Shift and Enter makes a line', async () => {
	const { texts } = await composer();
	await field().click();
	await userEvent.keyboard('one{Shift>}{Enter}{/Shift}two{Enter}');
	await expect.poll(texts).toEqual(['one\ntwo']);
	await expect.element(field()).toHaveValue('');
});

test('Enter that takes a suggestion of an input method does not send', async () => {
	const { texts } = await composer('にほん');
	const node = field().element();
	const enter = { key: 'Enter', bubbles: true, cancelable: true };
	node.dispatchEvent(new KeyboardEvent('keydown', { ...enter, isComposing: true }));
	// Safari: the composition is over by the time of the key, which then has this code.
	node.dispatchEvent(new KeyboardEvent('keydown', { ...enter, keyCode: 229 }));
	expect(await texts()).toEqual([]);
	await expect.element(field()).toHaveValue('にほん');
	node.dispatchEvent(new KeyboardEvent('keydown', enter));
	await expect.poll(texts).toEqual(['にほん']);
});

test('nothing but spaces is not sent', async () => {
	const { texts } = await composer();
	await field().click();
	await userEvent.keyboard('   {Enter}');
	expect(await texts()).toEqual([]);
});

test('a draft is there again, is saved while typing and when the conversation is left', async () => {
	const { conversation, unmount } = await composer('half a thought');
	await expect.element(field()).toHaveValue('half a thought');
	await field().fill('half a thought, and more');
	await expect.poll(async () => (await conversation())?.draft).toBe('half a thought, and more');
	await field().fill('left at once');
	await unmount();
	expect((await conversation())?.draft).toBe('left at once');
});

test('the draft goes once its message is stored', async () => {
	const { conversation, texts } = await composer('send me');
	await page.getByRole('button', { name: 'Send' }).click();
	await expect.poll(texts).toEqual(['send me']);
	await expect.poll(async () => (await conversation())?.draft).toBe('');
});

test('what is not taken stays in the field, with the reason', async () => {
	const { client, texts } = await composer();
	const long = 'x'.repeat(70_000);
	await field().fill(long);
	await page.getByRole('button', { name: 'Send' }).click();
	await expect.poll(problem).toMatch(/too long: 68\skB of at most 64\skB/u);
	await expect.element(field()).toHaveValue(long);
	expect(await texts()).toEqual([]);
	client.sendRefusal = { kind: 'storage-full' };
	await field().fill('short');
	await page.getByRole('button', { name: 'Send' }).click();
	await expect.poll(problem).toMatch(/no room left/u);
	await expect.element(field()).toHaveValue('short');
});

test('an answer quotes its message, and Escape drops it', async () => {
	const { client, id, open } = await composer();
	const theirs = client.addMessage(id, { text: 'Do we need bedding?', sent: 1 });
	open.replyTo = theirs;
	await expect.element(page.getByText('Do we need bedding?')).toBeVisible();
	await field().click();
	await userEvent.keyboard('{Escape}');
	expect(open.replyTo).toBeUndefined();
	open.replyTo = theirs;
	await field().fill('Included');
	await page.getByRole('button', { name: 'Send' }).click();
	await expect
		.poll(async () => (await client.messages(id, { at: 'end', limit: 1 })).messages[0]?.body)
		.toEqual({ kind: 'text', text: 'Included', replyTo: theirs.id });
	expect(open.replyTo).toBeUndefined();
});
