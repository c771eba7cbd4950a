import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page, userEvent } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import PeoplePicker from './PeoplePicker.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

async function picker(names: readonly string[], size = 1): Promise<void> {
	const client = new FakeClient();
	await client.start('Sam');
	for (const name of names) client.addConversation({ name });
	const app = new App(client, new Look(undefined));
	await app.start();
	const people = await client.contacts();
	await render(Harness, { app, component: PeoplePicker, given: { people, chosen: [], size } });
	closers.push(() => app.close());
}

const search = () => page.getByRole('searchbox', { name: 'Search people' });
const chips = () =>
	page
		.getByRole('list', { name: 'Chosen' })
		.getByRole('button')
		.elements()
		.map((each) => each.querySelector('[dir]')?.textContent);

test('one types, Enter ticks the first that is found, Backspace takes the last out', async () => {
	await picker(['Inês Duarte', 'Jonas Weber', 'Maya Lindqvist']);
	expect(document.activeElement).toBe(search().element());
	await userEvent.keyboard('ines{Enter}maya{Enter}');
	await expect.poll(chips).toEqual(['Inês', 'Maya']);
	await expect.element(search()).toHaveValue('');
	await expect.element(page.getByText('3 of 256 people')).toBeVisible();
	await userEvent.keyboard('{Backspace}');
	await expect.poll(chips).toEqual(['Inês']);
	await page.getByRole('button', { name: /Take out/u }).click();
	expect(document.activeElement).toBe(search().element());
	await expect.element(page.getByText('1 of 256 people')).toBeVisible();
	await userEvent.keyboard('nobody');
	await expect.element(page.getByText('Nobody here is called that.')).toBeVisible();
	await userEvent.keyboard('{Enter}');
	await expect.element(page.getByText('1 of 256 people')).toBeVisible();
});

test('the list is one stop for Tab, and arrows move in it', async () => {
	await picker(['Ana', 'Ben', 'Cem']);
	const stops = page
		.getByRole('checkbox')
		.elements()
		.filter((each) => each.tabIndex === 0);
	expect(stops).toHaveLength(1);
	await userEvent.keyboard('{ArrowDown}{ArrowDown} ');
	await expect.poll(chips).toEqual(['Ben']);
	await userEvent.keyboard('{End} {Home}{ArrowUp}');
	await expect.poll(chips).toEqual(['Ben', 'Cem']);
	expect(document.activeElement).toBe(search().element());
});

test('the 257th is not taken, and it says why', async () => {
	await picker(['Ana', 'Ben'], 255);
	await page.getByRole('checkbox', { name: 'Ana' }).click();
	await page.getByRole('checkbox', { name: 'Ben' }).click();
	await expect.element(page.getByRole('alert').getByText(/room for 256 people/u)).toBeVisible();
	await expect.element(page.getByRole('checkbox', { name: 'Ben' })).not.toBeChecked();
	await expect.poll(chips).toEqual(['Ana']);
});
