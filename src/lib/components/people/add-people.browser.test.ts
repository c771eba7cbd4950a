import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import type { GroupIntention } from '../../../core/model.ts';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import AddPeoplePane from './AddPeoplePane.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

/** What was wanted, in order; nothing of it is taken, so that the pane stays. */
async function pane(): Promise<GroupIntention[]> {
	const client = new FakeClient();
	await client.start('Sam');
	client.addConversation({ name: 'Maya Lindqvist' });
	const id = client.addGroup({
		name: 'Hut',
		role: 'owner',
		members: [{ person: client.stranger('Ben') }],
	});
	const wanted: GroupIntention[] = [];
	Object.assign(client, {
		changeGroup: (_id: unknown, intention: GroupIntention) => {
			wanted.push(intention);
			return Promise.resolve({ ok: false, error: { kind: 'closed' } });
		},
	});
	const app = new App(client, new Look(undefined));
	await app.start();
	const conversation = app.conversation(id);
	await render(Harness, { app, component: AddPeoplePane, given: { conversation } });
	closers.push(() => app.close());
	return wanted;
}

const radio = (name: string) => page.getByRole('radio', { name });
const add = () => page.getByRole('button', { name: 'Add 1 person' });
const NOTE = 'They get your copy of these messages. Everybody in the group is told.';

test('who is added is given nothing, unless one of five is chosen', async () => {
	const wanted = await pane();
	await expect.element(page.getByText('Messages from before')).not.toBeInTheDocument();
	await page.getByRole('checkbox', { name: 'Maya Lindqvist' }).click();
	await expect.element(radio('None')).toBeChecked();
	await expect.element(page.getByText(NOTE)).not.toBeInTheDocument();
	await add().click();
	for (const [name, history] of [
		['The last 25', 'last-25'],
		['The last 100', 'last-100'],
		['The last 14 days', 'days-14'],
		['All, at most 5,000', 'all'],
	] as const) {
		await radio(name).click();
		await expect.element(page.getByText(NOTE)).toBeVisible();
		await add().click();
		await expect.poll(() => wanted.at(-1)).toMatchObject({ kind: 'add', history });
	}
	expect(wanted).toHaveLength(5);
	expect(wanted[0]).toMatchObject({ kind: 'add', history: undefined });
});
