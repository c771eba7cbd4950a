// A newcomer and what was said before: chosen by who adds them, told to everybody, and marked for what it is.
import { expect, test } from './fixtures.ts';
import { expectLine, meetThree, openDetails, type Three } from './group-people.ts';

test('HI-1 HI-5 who is added reads what was shared, as the word of who shared it', async ({
	newPerson,
}) => {
	test.slow();
	const people: Three = [await newPerson(), await newPerson(), await newPerson()];
	const [ana, ben, cem] = people;
	await meetThree(people);
	await ana.page.getByRole('link', { name: 'New group' }).click();
	await ana.page.getByRole('checkbox', { name: 'Ben Okafor' }).check();
	await ana.page.getByRole('button', { name: 'Next' }).click();
	await ana.page.getByRole('textbox', { name: 'Name of the group' }).fill('Hut weekend');
	await ana.page.getByRole('button', { name: 'Create group' }).click();
	await ben.open('Hut weekend');
	await ana.send('who brings bread?');
	await expect(ben.message('who brings bread?')).toBeVisible();
	await ben.send('I do');
	await ben.send('and butter');
	await expect(ana.message('and butter')).toBeVisible();

	await openDetails(ana);
	await ana.page.getByRole('link', { name: 'Add people' }).click();
	await ana.page.getByRole('checkbox', { name: 'Cem Aydin' }).check();
	await expect(ana.page.getByRole('radio', { name: 'None' })).toBeChecked();
	await ana.page.getByRole('radio', { name: 'The last 25' }).check();
	await expect(ana.page.getByText('Everybody in the group is told.')).toBeVisible();
	await ana.page.getByRole('button', { name: 'Add 1 person' }).click();

	await expectLine(ana, 'You added Cem and shared the last 25 messages.');
	await expectLine(ben, 'Ana added Cem and shared the last 25 messages.');
	const row = cem.page.getByRole('link', { name: /Hut weekend/ });
	await expect(row).toContainText('Earlier messages, shared by');
	await cem.open('Hut weekend');
	await expectLine(cem, 'Ana added you.');
	await expectLine(cem, 'Earlier messages, shared by Ana: 3.');
	await cem.expectOnce(['who brings bread?', 'I do', 'and butter']);
	const told = cem.messages.filter({ hasText: 'I do' });
	await expect(told).toHaveAttribute('aria-label', /Ben Okafor, .*Shared by \u2068Ana\u2069/);
	await expect(told.getByText('Shared by')).toBeVisible();
	await expect(cem.page.getByText(/new messages?/)).toHaveCount(0);

	await ben.send('welcome, Cem');
	await expect(cem.message('welcome, Cem')).toBeVisible();
	await expect(cem.message('welcome, Cem').getByText('Shared by')).toHaveCount(0);
});
