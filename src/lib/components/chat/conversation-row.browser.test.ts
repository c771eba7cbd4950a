import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import type { ConversationId, Person } from '../../../core/model.ts';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import ConversationRow from './ConversationRow.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

const FAMILIES = '👩‍👩‍👧‍👦'.repeat(60);

async function row(
	fill: (client: FakeClient, id: ConversationId, people: readonly Person[]) => void,
): Promise<FakeClient> {
	const client = new FakeClient();
	await client.start('Sam');
	const people = ['Ana Lindqvist', FAMILIES].map((name) => client.stranger(name));
	const id = client.addGroup({ name: 'Hut', members: people.map((person) => ({ person })) });
	fill(client, id, people);
	const app = new App(client, new Look(undefined));
	await app.start();
	const conversation = app.conversation(id);
	if (!conversation) throw new Error('no conversation');
	await render(Harness, {
		app,
		component: ConversationRow,
		given: { conversation, current: false },
	});
	closers.push(() => app.close());
	return client;
}

const preview = () => page.getByRole('link').element().querySelector('.pv');
const words = () =>
	preview()
		?.textContent.replaceAll(/[\s\u2068\u2069]+/gu, ' ')
		.trim();

test('who wrote last stands before the text, and "You" for oneself', async () => {
	await row((client, id, [ana]) => {
		client.addMessage(id, { ...(ana && { author: ana.account }), text: 'In', sent: 1 });
	});
	await expect.poll(words).toBe('Ana : In');
	document.body.replaceChildren();
	await row((client, id) => {
		client.addMessage(id, { mine: true, text: 'Me too', sent: 1 });
	});
	await expect.poll(words).toBe('You: Me too');
	await expect.element(page.getByRole('img', { name: 'Read' })).toBeVisible();
});

test('a line of the system that came after the last message stands in its place', async () => {
	await row((client, id, [ana]) => {
		client.addMessage(id, { mine: true, text: 'Me too', sent: 1 });
		client.addMessage(id, {
			...(ana && { author: ana.account }),
			body: { kind: 'event', event: { kind: 'described' } },
			sent: 2,
		});
	});
	await expect.poll(words).toBe('Ana changed the description.');
	expect(page.getByRole('img', { name: 'Read' }).query()).toBeNull();
});

test('a name of sixty families leaves room for what was written', async () => {
	await row((client, id, [, families]) => {
		client.addMessage(id, {
			...(families && { author: families.account }),
			text: 'مرحبا كيف الحال '.repeat(20),
			sent: 1,
		});
	});
	await expect.poll(words).toMatch(/مرحبا/u);
	const box = preview()?.getBoundingClientRect();
	const text = preview()?.querySelector('.text')?.getBoundingClientRect();
	expect(text?.width).toBeGreaterThan((box?.width ?? 0) * 0.3);
	expect(text?.right).toBeLessThanOrEqual((box?.right ?? 0) + 1);
});
