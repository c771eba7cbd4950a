import { afterEach, describe, expect, test } from 'vitest';
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

type Fill = (client: FakeClient) => ConversationId;
const withMaya =
	(draft: string): Fill =>
	(client) =>
		client.addConversation({ name: 'Maya Lindqvist', draft });

async function composer(draft: string | Fill = ''): Promise<{
	client: FakeClient;
	id: ConversationId;
	open: OpenConversation;
	texts: () => Promise<string[]>;
	conversation: () => Promise<Conversation | undefined>;
	unmount: () => Promise<void>;
}> {
	const client = new FakeClient();
	await client.start('Sam');
	const id = (typeof draft === 'string' ? withMaya(draft) : draft)(client);
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

test('white space around what is said goes out as it was written', async () => {
	const { texts } = await composer();
	await field().fill('  in a column  \n');
	await userEvent.keyboard('{Enter}');
	await expect.poll(texts).toEqual(['  in a column  \n']);
});

describe('mentions', () => {
	const inGroup: Fill = (client) => {
		const names = ['Zoë Meyer', 'Zora Lang', 'Ben Okafor'];
		const members = names.map((name) => ({ person: client.stranger(name) }));
		return client.addGroup({ name: 'Lake house', members });
	};
	const options = () => page.getByRole('option');
	const chosen = () => page.getByRole('option', { selected: true });
	const mentions = async (client: FakeClient, id: ConversationId) => {
		const { messages } = await client.messages(id, { at: 'end', limit: 1 });
		const body = messages[0]?.body;
		if (body?.kind !== 'text') return undefined;
		return (body.mentions ?? []).map(({ at, length }) => body.text.slice(at, at + length));
	};

	test('@ offers everybody else; letters narrow it; the keys choose', async () => {
		const { client, id, texts } = await composer(inGroup);
		await field().click();
		await userEvent.keyboard('ask @');
		await expect.poll(() => options().elements().length).toBe(3);
		await userEvent.keyboard('zo');
		await expect.poll(() => options().elements().length).toBe(2);
		await expect.poll(() => chosen().element().textContent).toContain('Zoë Meyer');
		const active = () => field().element().getAttribute('aria-activedescendant') ?? '';
		expect(document.getElementById(active())?.textContent).toContain('Zoë Meyer');
		await userEvent.keyboard('{ArrowDown}');
		await expect.poll(() => chosen().element().textContent).toContain('Zora Lang');
		await userEvent.keyboard('{ArrowUp}{Enter}');
		await expect.element(field()).toHaveValue('ask @Zoë ');
		await expect.element(page.getByRole('listbox')).not.toBeInTheDocument();
		expect(active()).toBe('');
		await userEvent.keyboard('or @b{Tab}today{Enter}');
		await expect.poll(texts).toEqual(['ask @Zoë or @Ben today']);
		expect(await mentions(client, id)).toEqual(['@Zoë', '@Ben']);
	});

	test('the space behind a mention at the end goes, one that was typed stays', async () => {
		const { texts } = await composer(inGroup);
		await field().click();
		await userEvent.keyboard('ask @ben');
		await expect.element(chosen()).toBeVisible();
		await userEvent.keyboard('{Enter}{Enter}');
		await expect.poll(texts).toEqual(['ask @Ben']);
		await userEvent.keyboard('@zora');
		await expect.element(chosen()).toBeVisible();
		await userEvent.keyboard('{Enter}  {Enter}');
		await expect.poll(texts).toEqual(['ask @Ben', '@Zora   ']);
	});

	test('Escape closes it, and what was typed stays what it is', async () => {
		const { client, id, texts } = await composer(inGroup);
		await field().click();
		await userEvent.keyboard('@ben');
		await expect.element(chosen()).toBeVisible();
		await userEvent.keyboard('{Escape}');
		await expect.element(page.getByRole('listbox')).not.toBeInTheDocument();
		await userEvent.keyboard(' hi{Enter}');
		await expect.poll(texts).toEqual(['@ben hi']);
		expect(await mentions(client, id)).toEqual([]);
	});

	test('one that is changed is a word again; one that is pressed is taken', async () => {
		const { client, id, texts } = await composer(inGroup);
		await field().click();
		await userEvent.keyboard('@be');
		await expect.element(chosen()).toBeVisible();
		// The field is at the top of this page, and the list above it.
		(chosen().element() as HTMLElement).click();
		await expect.element(field()).toHaveValue('@Ben ');
		await expect.element(field()).toHaveFocus();
		await userEvent.keyboard('and @zor{Enter}{Backspace}{Backspace}ro{Enter}{Enter}');
		await expect.poll(texts).toEqual(['@Ben and @Zorro']);
		expect(await mentions(client, id)).toEqual(['@Ben']);
	});

	test('it stands in the draft, and goes with it', async () => {
		const { client, id, conversation, unmount } = await composer(inGroup);
		await field().click();
		await userEvent.keyboard('hm, @ben');
		await expect.element(chosen()).toBeVisible();
		await userEvent.keyboard('{Enter}');
		const mention = { at: 4, length: 4 };
		await expect.poll(conversation).toMatchObject({ draft: 'hm, @Ben ', draftMentions: [mention] });
		await unmount();
		const draft = await conversation();
		const again = await composer((other) => {
			const own = inGroup(other);
			const { draft: text = '', draftMentions: kept = [] } = draft ?? {};
			void other.saveDraft(own, { text, mentions: kept });
			return own;
		});
		await field().click();
		await userEvent.keyboard('so, {End}{Enter}');
		await expect.poll(again.texts).toHaveLength(1);
		expect(await mentions(again.client, again.id)).toEqual(['@Ben']);
		expect(await mentions(client, id)).toBeUndefined();
	});

	test('between two people @ is a sign like any other', async () => {
		const { texts } = await composer();
		await field().click();
		await userEvent.keyboard('@Maya{Enter}');
		await expect.poll(texts).toEqual(['@Maya']);
	});
});
