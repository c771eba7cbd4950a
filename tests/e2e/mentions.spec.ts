// Mentions in a group of three real browsers: chosen while one types, seen by everybody, told to whom they name.
import { expect, test } from './fixtures.ts';
import { makeGroup, type Three } from './group-people.ts';

test('who is mentioned sees it in the list, and goes from one mention to the next', async ({
	newPerson,
}) => {
	test.slow();
	const people: Three = [await newPerson(), await newPerson(), await newPerson()];
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	const row = cem.conversations.filter({ hasText: 'Hut weekend' });
	const badge = row.getByText('you were mentioned');
	await cem.visit('/');

	// By keyboard: letters narrow the list, Enter chooses and does not send.
	await ana.composer.pressSequentially('ask @');
	const options = ana.page.getByRole('listbox', { name: 'People to mention' }).getByRole('option');
	await expect(options).toHaveText([/Ben Okafor$/, /Cem Aydin$/]);
	await ana.composer.pressSequentially('ce');
	await expect(options).toHaveText([/Cem Aydin$/]);
	await ana.composer.press('Enter');
	await expect(ana.composer).toHaveValue('ask @Cem ');
	await expect(options).toHaveCount(0);
	// The draft knows whom it mentions, also after the page was loaded again.
	await ana.page.reload();
	await expect(ana.composer).toHaveValue('ask @Cem ');
	await ana.composer.press('End');
	await ana.composer.pressSequentially('first');
	await ana.composer.press('Enter');
	await expect(ana.message('ask @Cem first')).toBeVisible();
	await expect(badge).toBeVisible();
	await expect(row).toContainText('1unread');

	for (let line = 0; line < 20; line++) await ana.send(`line ${line}`);
	// By pointer.
	await ben.composer.pressSequentially('and @');
	await ben.page.getByRole('option', { name: 'Cem Aydin' }).click();
	await ben.composer.pressSequentially('again');
	await ben.composer.press('Enter');
	await ana.send('the end');
	for (let line = 20; line < 40; line++) await ana.send(`line ${line}`);
	await expect(row).toContainText('43unread');

	await cem.open('Hut weekend');
	await expect(cem.message('ask @Cem first')).toBeVisible();
	await expect(cem.message('ask @Cem first').getByText('@Cem', { exact: true })).toBeVisible();
	await cem.page.getByRole('button', { name: 'To the next mention of you' }).click();
	await expect(cem.message('and @Cem again')).toBeInViewport();
	await expect(cem.page.getByRole('button', { name: 'To the next mention of you' })).toHaveCount(0);
	await expect(badge).toHaveCount(0);

	// For the others it is a name; it leads to whom one talks with alone.
	await ben.composer.pressSequentially('thanks @an');
	await expect(ben.page.getByRole('option')).toHaveText([/Ana Lindqvist$/]);
	await ben.composer.press('Tab');
	await ben.composer.press('Enter');
	await expect(ben.message('thanks @Ana').getByRole('link', { name: '@Ana' })).toBeVisible();
	await expect(ana.message('thanks @Ana').getByText('@Ana')).toBeVisible();
	await expect(ana.message('thanks @Ana').getByRole('link')).toHaveCount(0);
});
