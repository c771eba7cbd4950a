// The browser forgets, and a code brings the person back.
import { expect, meet, test } from './fixtures.ts';
import { makeGroup } from './group-people.ts';
import { clearStorage, makeCode } from './recovery-steps.ts';

test('who was cleared comes back by code, and talks', async ({ newPerson }) => {
	test.slow();
	const [ana, ben] = [await newPerson(), await newPerson()];
	await meet(ana, ben);
	const code = await makeCode(ana);
	await clearStorage(ana);
	await ana.visit('/');
	await expect(ana.page.getByRole('heading', { name: /cleared Kith/ })).toBeVisible();
	await ana.page.getByRole('button', { name: /I have a recovery code/ }).click();
	const field = ana.page.getByRole('textbox', { name: 'Your recovery code' });
	await field.fill(code.replace(/^..../, 'UUUU'));
	await ana.page.getByRole('button', { name: 'Come back' }).click();
	await expect(ana.page.getByRole('alert')).toContainText('Group 1 has a letter');
	await field.fill(code.toLowerCase().replaceAll('-', ' '));
	await ana.page.getByRole('button', { name: 'Come back' }).click();
	await ana.open('Ben Okafor');
	await ana.send('I am back');
	await expect(ben.message('I am back')).toBeVisible();
	await ben.send('so you are');
	await expect(ana.message('so you are')).toBeVisible();
	await expect(ana.message('I am back', 'Read')).toBeVisible();
	const list = ben.page.getByRole('navigation', { name: 'Conversations' });
	await expect(list.getByRole('link').filter({ hasText: 'Ana Lindqvist' })).toHaveCount(1);
	// The same code stays good, and the page says that it is kept again.
	await ana.visit('/settings/recovery');
	await expect(ana.page.getByText(/^Everything is kept/)).toBeVisible({ timeout: 30_000 });
});

test('in a new browser, and the old one says that it is signed out', async ({ newPerson }) => {
	test.slow();
	const [ana, ben, again] = [await newPerson(), await newPerson(), await newPerson()];
	await meet(ana, ben);
	const code = await makeCode(ana);
	await ana.page.goto('about:blank');
	await again.visit('/');
	await again.page.getByRole('button', { name: 'I have a recovery code' }).click();
	const field = again.page.getByRole('textbox', { name: 'Your recovery code' });
	await field.fill(code.replaceAll(/[^-]/g, '0'));
	await again.page.getByRole('button', { name: 'Come back' }).click();
	await expect(again.page.getByRole('alert')).toContainText('Nothing is kept under this code');
	await field.fill(code);
	await again.page.getByRole('button', { name: 'Come back' }).click();
	await again.open('Ben Okafor');
	await again.send('from my new browser');
	await expect(ben.message('from my new browser')).toBeVisible();
	await again.visit('/settings/recovery');
	await expect(again.page.getByText(/^Everything is kept/)).toBeVisible({ timeout: 30_000 });
	await ana.visit('/');
	await expect(ana.page.getByText('This browser was signed out')).toBeVisible();
});

test('DE-13 with the code the groups come back, too, as soon as somebody in them is there', async ({
	newPerson,
}) => {
	test.slow();
	const [ana, ben, cem] = [await newPerson(), await newPerson(), await newPerson()];
	await makeGroup([ana, ben, cem], 'Hut weekend');
	await ana.send('who brings the firewood?');
	await expect(ben.message('who brings the firewood?')).toBeVisible();
	const code = await makeCode(ben);
	await ana.page.goto('about:blank');
	await clearStorage(ben);
	await ben.visit('/');
	await ben.page.getByRole('button', { name: /I have a recovery code/ }).click();
	await ben.page.getByRole('textbox', { name: 'Your recovery code' }).fill(code);
	await ben.page.getByRole('button', { name: 'Come back' }).click();
	const list = ben.page.getByRole('navigation', { name: 'Conversations' });
	await list.getByRole('link').filter({ hasText: 'Hut weekend' }).click();
	await expect(ben.page.getByText(/It opens again by itself/)).toBeVisible();
	await ana.visit('/');
	await ana.open('Hut weekend');
	await expect(ben.composer).toBeVisible({ timeout: 30_000 });
	await ben.send('I do');
	for (const other of [ana, cem]) await expect(other.message('I do')).toBeVisible();
});
