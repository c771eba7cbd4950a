// The link of a group in real browsers: made, opened by somebody new, approved, and reset.
import { expect, test } from './fixtures.ts';
import { expectLine, groupWithLink, linesOf, linkShownTo } from './group-people.ts';

test('somebody new opens the link of a group, joins with two actions, and writes', async ({
	newPerson,
}) => {
	test.slow();
	const [ana, ben, dov] = [await newPerson(), await newPerson(), await newPerson()];
	await groupWithLink(ana, ben);
	await dov.visit(await linkShownTo(ana));
	await expect(
		dov.page.getByRole('heading', { name: /Ana Lindqvist.* invites you to .*Hut weekend/ }),
	).toBeVisible();
	await dov.page.getByRole('textbox', { name: 'Your name' }).fill('Dov Katz');
	await dov.page.getByRole('button', { name: 'Join' }).click();
	await expectLine(dov, 'Joined by Ana’s link: you.');
	expect(new URL(dov.page.url()).hash).toBe('');
	await dov.send('hello everybody');
	await ben.open('Hut weekend');
	await expectLine(ben, 'Joined by Ana’s link: Dov.');
	await expect(ben.message('hello everybody')).toHaveAttribute('aria-label', /Dov Katz, /);
	await expectLine(ana, 'Joined by your link: Dov.');
	expect(await ana.countConversations()).toBe(3);

	// Opened once more, it leads to the group.
	await dov.visit(await linkShownTo(ana));
	await expect(dov.message('hello everybody')).toBeVisible();
});

test('with approval one waits, and is let in; a link that was reset opens nothing', async ({
	newPerson,
}) => {
	test.slow();
	const [ana, ben, dov] = [await newPerson(), await newPerson(), await newPerson()];
	await groupWithLink(ana, ben);
	await ana.page.getByRole('switch', { name: /Approve each newcomer/ }).check();
	const card = ana.page.getByRole('region', { name: 'Invite link' });
	await expect(card).toContainText('You let them in.');
	const link = await linkShownTo(ana);
	await dov.visit(link);
	await dov.page.getByRole('textbox', { name: 'Your name' }).fill('Dov Katz');
	// The card behind the link is the relay's a moment later.
	const ask = dov.page.getByRole('button', { name: 'Ask to join' });
	await expect(async () => {
		if (!(await ask.isVisible())) await dov.page.reload();
		await expect(ask).toBeVisible({ timeout: 1_000 });
	}).toPass();
	await dov.page.getByRole('textbox', { name: 'Your name' }).fill('Dov Katz');
	await ask.click();
	await expect(dov.page.getByText(/Ana.* will let you in\./)).toBeVisible();

	await expect(ana.page.getByText('1 person asks to join')).toBeVisible();
	await ana.page.getByRole('link', { name: 'See' }).click();
	await ana.page.getByRole('button', { name: /Let in .*Dov Katz/ }).click();
	await expectLine(dov, 'Joined by Ana’s link: you.');
	await expect(ana.page.getByText('1 person asks to join')).toHaveCount(0);
	expect(await linesOf(ana)).toContain('Joined by your link: Dov.');

	await ana.page.getByRole('link', { name: 'Invite link' }).click();
	await ana.page.getByRole('button', { name: 'Reset link' }).click();
	await ana.page.getByRole('dialog').getByRole('button', { name: 'Reset link' }).click();
	await expect.poll(() => linkShownTo(ana)).not.toBe(link);
	const eve = await newPerson();
	await expect(async () => {
		await eve.visit('/');
		await eve.visit(link);
		const told = eve.page.getByRole('heading', { name: 'This link was taken back' });
		await expect(told).toBeVisible({ timeout: 2_000 });
	}).toPass();
	await expect(eve.page.getByRole('link', { name: 'Start without a link' })).toBeVisible();
});
