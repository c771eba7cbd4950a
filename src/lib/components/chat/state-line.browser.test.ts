import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import type { FakeGroup } from '../../../../tests/support/fake-groups.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import type { ConversationId, Person } from '../../../core/model.ts';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import StateLine from './StateLine.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

/** A group of Sam with Ana, its owner and a contact, and Ben, whom Sam does not know. */
async function line(
	more: (ana: Person, ben: Person) => Partial<FakeGroup>,
): Promise<{ client: FakeClient; id: ConversationId; app: App }> {
	const client = new FakeClient();
	await client.start('Sam');
	client.addConversation({ name: 'Ana' });
	const [ana] = await client.contacts();
	if (!ana) throw new Error('no contact');
	const ben = client.stranger('Ben');
	const members = [{ person: ana, role: 'owner' as const }, { person: ben }];
	const id = client.addGroup({ name: 'Hut', members, ...more(ana, ben) });
	const app = new App(client, new Look(undefined));
	await app.start();
	await app.groups.readMembers(id);
	const conversation = app.conversation(id);
	if (!conversation) throw new Error('no conversation');
	await render(Harness, { app, component: StateLine, given: { conversation } });
	closers.push(() => app.close());
	return { client, id, app };
}

const status = (words: string | RegExp) => page.getByRole('status').getByText(words);
const helper = () => page.getByRole('link', { name: /Write to/u }).query()?.textContent ?? '';

test('removed: by whom, and whom one can ask', async () => {
	await line((_, ben) => ({ state: { kind: 'removed', by: ben.account, at: 1 } }));
	await expect.element(status(/Ben.* removed you from .*Hut/u)).toBeVisible();
	expect(helper()).toMatch(/Ana/u);
});

test('left, and where only admins write: the owner can be asked', async () => {
	await line(() => ({ state: { kind: 'left', at: 1 } }));
	await expect.element(status(/You left .*Hut/u)).toBeVisible();
	expect(helper()).toMatch(/Ana/u);
	document.body.replaceChildren();
	await line(() => ({ policy: { write: 'admins' } }));
	await expect.element(status('Only admins write here.')).toBeVisible();
	expect(helper()).toMatch(/Ana/u);
});

test('an admin may write where only admins do: no line', async () => {
	await line(() => ({ policy: { write: 'admins' }, role: 'admin' }));
	expect(page.getByText('Only admins write here.').query()).toBeNull();
});

test('frozen: an admin starts it anew in one step, a member asks', async () => {
	await line(() => ({ state: { kind: 'frozen', at: 1 } }));
	await expect.element(status(/frozen/u)).toBeVisible();
	expect(page.getByRole('button').query()).toBeNull();
	expect(helper()).toMatch(/Ana/u);
	document.body.replaceChildren();
	const { client, id } = await line(() => ({ state: { kind: 'frozen', at: 1 }, role: 'admin' }));
	await page.getByRole('button', { name: 'Start the group anew' }).click();
	expect((await client.conversation(id))?.state.kind).toBe('open');
});

test('blocked: what becomes of their words is said, and it is taken back in one step', async () => {
	const client = new FakeClient();
	await client.start('Sam');
	const id = client.addConversation({ name: 'Ana', state: { kind: 'blocked' } });
	const app = new App(client, new Look(undefined));
	await app.start();
	const conversation = app.conversation(id);
	if (!conversation) throw new Error('no conversation');
	await render(Harness, { app, component: StateLine, given: { conversation } });
	closers.push(() => app.close());
	await expect.element(status(/does not reach you/u)).toBeVisible();
	await page.getByRole('button', { name: 'Unblock' }).click();
	await expect.poll(async () => (await client.conversation(id))?.state.kind).toBe('open');
});

test('a refusal to start anew is said', async () => {
	const { client, app } = await line(() => ({ state: { kind: 'frozen', at: 1 }, role: 'owner' }));
	client.groups.refusal = { kind: 'storage-full' };
	await page.getByRole('button', { name: 'Start the group anew' }).click();
	await expect.poll(() => app.toasts.shown.map(({ text }) => text)).toHaveLength(1);
});
