import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page, userEvent } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import type { FakeGroup } from '../../../../tests/support/fake-groups.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import type { ConversationId, GroupIntention } from '../../../core/model.ts';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import GroupPane from './GroupPane.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

const FAMILIES = '👩‍👩‍👧‍👦'.repeat(60);

interface Shown {
	readonly client: FakeClient;
	readonly app: App;
	readonly id: ConversationId;
	/** What was wanted, in order. */
	readonly wanted: GroupIntention[];
}

async function pane(arrange: (client: FakeClient) => FakeGroup): Promise<Shown> {
	const client = new FakeClient();
	await client.start('Sam');
	const id = client.addGroup(arrange(client));
	const wanted: GroupIntention[] = [];
	const change = client.changeGroup;
	Object.assign(client, {
		changeGroup: (...given: Parameters<typeof change>) => {
			wanted.push(given[1]);
			return change(...given);
		},
	});
	const app = new App(client, new Look(undefined));
	await app.start();
	await app.groups.readMembers(id);
	const conversation = app.conversation(id);
	if (conversation?.subject.kind !== 'group') throw new Error('no group');
	const given = { conversation, group: conversation.subject };
	await render(Harness, { app, component: GroupPane, given });
	closers.push(() => app.close());
	return { client, app, id, wanted };
}

const hut =
	(more: Partial<FakeGroup> = {}) =>
	(client: FakeClient): FakeGroup => ({
		name: 'Hut',
		role: 'owner',
		members: [
			{ person: client.stranger('Ana'), role: 'admin' },
			{ person: client.stranger('Ben') },
			{ person: client.stranger('Cem') },
		],
		...more,
	});

const rows = () => page.getByRole('list', { name: 'People in the group' }).getByRole('listitem');
const button = (name: string | RegExp) => page.getByRole('button', { name });

test('an owner who leaves is asked who comes next, and an admin is suggested', async () => {
	const { wanted, client, id } = await pane(hut());
	await button('Leave the group').click();
	await expect.element(page.getByRole('radio', { name: 'Ana' })).toBeChecked();
	await page.getByRole('radio', { name: 'Cem' }).click();
	await button('Leave').last().click();
	const cem = (await client.members(id)).find(({ profile }) => profile.name === 'Cem');
	expect(wanted).toEqual([{ kind: 'leave', successor: cem?.account }]);
	await expect.element(page.getByRole('dialog')).not.toBeInTheDocument();
});

test('a member who leaves, or the last one here, is asked for nobody', async () => {
	for (const more of [{ role: 'member' }, { members: [] }] as const) {
		const { wanted } = await pane(hut(more));
		await button('Leave the group').last().click();
		await expect.element(page.getByRole('dialog')).toBeVisible();
		expect(page.getByRole('radio').query()).toBeNull();
		await button('Leave').last().click();
		await expect.poll(() => wanted).toEqual([{ kind: 'leave', successor: undefined }]);
	}
});

test('Escape leaves a question unanswered, and the focus is where it was', async () => {
	const { wanted } = await pane(hut());
	button('Leave the group').element().focus();
	await userEvent.keyboard('{Enter}');
	await expect.element(page.getByRole('dialog')).toBeVisible();
	await userEvent.keyboard('{Escape}');
	await expect.element(page.getByRole('dialog')).not.toBeInTheDocument();
	expect(document.activeElement).toBe(button('Leave the group').element());
	expect(wanted).toEqual([]);
});

test('each role is offered what it may do', async () => {
	const offered = async (name: string): Promise<string[]> => {
		const opener = button(new RegExp(`Actions for .*${name}`, 'u'));
		if (!opener.query()) return [];
		await opener.click();
		const items = page.getByRole('menuitem').elements();
		const words = items.map((each) => each.textContent.trim());
		await userEvent.keyboard('{Escape}');
		return words;
	};
	await pane(hut());
	const remove = 'Remove from the group';
	const [toBen, toAna] = ['Write to \u2068Ben\u2069', 'Write to \u2068Ana\u2069'];
	expect(await offered('Ben')).toEqual([
		...[toBen, 'Make admin', 'Hand over the group', remove, 'Block', 'Report'],
	]);
	expect(await offered('Ana')).toEqual([
		...[toAna, 'Dismiss as admin', 'Hand over the group', remove, 'Block', 'Report'],
	]);
	document.body.replaceChildren();
	await pane(hut({ role: 'admin' }));
	expect(await offered('Ben')).toEqual([toBen, remove, 'Block', 'Report']);
	expect(await offered('Ana')).toEqual([toAna, 'Block', 'Report']);
	document.body.replaceChildren();
	await pane(hut({ role: 'member' }));
	expect(await offered('Ben')).toEqual([toBen, 'Block', 'Report']);
	expect(page.getByRole('switch', { name: /Only admins/u }).query()).toBeNull();
	await expect.element(page.getByText('Who writes')).toBeVisible();
});

test('a member is blocked after a question, which says what it means, and unblocked at once', async () => {
	const { client, id } = await pane(hut());
	const ben = (await client.members(id)).find(({ profile }) => profile.name === 'Ben');
	await button(/Actions for .*Ben/u).click();
	await page.getByRole('menuitem', { name: 'Block' }).click();
	await expect.element(page.getByText(/add you to groups/u)).toBeVisible();
	expect(await client.blocked()).toEqual([]);
	await button('Block').last().click();
	await expect.element(page.getByText('Blocked', { exact: true })).toBeVisible();
	expect((await client.blocked()).map(({ account }) => account)).toEqual([ben?.account]);
	await button(/Actions for .*Ben/u).click();
	await page.getByRole('menuitem', { name: 'Unblock' }).click();
	await expect.element(page.getByText('Blocked', { exact: true })).not.toBeInTheDocument();
	expect(await client.blocked()).toEqual([]);
});

test('nobody is removed without being asked for', async () => {
	const { wanted, client, id } = await pane(hut());
	const ben = (await client.members(id)).find(({ profile }) => profile.name === 'Ben');
	await button(/Actions for .*Ben/u).click();
	await page.getByRole('menuitem', { name: 'Remove from the group' }).click();
	await expect.element(page.getByRole('heading', { name: /Remove .*Ben/u })).toBeVisible();
	await button('Cancel').click();
	expect(wanted).toEqual([]);
	await button(/Actions for .*Ben/u).click();
	await page.getByRole('menuitem', { name: 'Remove from the group' }).click();
	await button('Remove').last().click();
	expect(wanted).toEqual([{ kind: 'remove', account: ben?.account }]);
});

test('what is refused is said, and the form keeps what was typed', async () => {
	const { client, app } = await pane(hut());
	client.groups.refusal = { kind: 'not-allowed' };
	await button('Edit').click();
	await page.getByRole('textbox', { name: 'Name of the group' }).fill('Lake');
	await button('Save').click();
	await expect
		.poll(() => app.toasts.shown.map(({ text }) => text))
		.toEqual(['You may not do that in this group any more.']);
	await expect
		.element(page.getByRole('textbox', { name: 'Name of the group' }))
		.toHaveValue('Lake');
});

test('only what differs is changed, and a name of nothing is not taken', async () => {
	const { wanted } = await pane(hut({ description: 'Bring cash' }));
	await button('Edit').click();
	const name = page.getByRole('textbox', { name: 'Name of the group' });
	await name.fill(' \u200b ');
	await button('Save').click();
	await expect.element(page.getByRole('alert').getByText('Give the group a name.')).toBeVisible();
	expect(document.activeElement).toBe(name.element());
	await name.fill('Lake');
	await button('Save').click();
	await expect.element(name).not.toBeInTheDocument();
	expect(wanted).toEqual([{ kind: 'about', about: { name: 'Lake' } }]);
	expect(document.activeElement).toBe(button('Edit').element());
});

test('sixty emoji families and 256 people stay in their places', async () => {
	await pane((client) => ({
		name: FAMILIES,
		role: 'owner',
		members: Array.from({ length: 255 }, (_, at) => ({
			person: client.stranger(at % 2 ? `${FAMILIES} ${at}` : `ليلى ${at}`),
		})),
	}));
	await expect.poll(() => rows().elements().length).toBe(256);
	await expect.element(page.getByRole('heading', { name: '256 people' })).toBeVisible();
	const body = document.querySelector('aside .scroll');
	expect(body?.scrollWidth).toBe(body?.clientWidth);
	const heights = rows()
		.elements()
		.map((each) => each.getBoundingClientRect().height);
	expect(Math.max(...heights)).toBeLessThan(80);
	await button(/Actions for/u)
		.nth(3)
		.click();
	await page.getByRole('menuitem', { name: 'Remove from the group' }).click();
	const dialog = page.getByRole('dialog').element();
	expect(dialog.scrollWidth).toBeLessThanOrEqual(dialog.clientWidth);
	expect(dialog.getBoundingClientRect().bottom).toBeLessThanOrEqual(innerHeight);
});
