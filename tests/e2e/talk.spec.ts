import { expect, meet, test } from './fixtures.ts';

test('two actions from a link to a sent message, and ticks rise to read on both sides', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await ana.start('Ana Lindqvist');
	await ben.visit(await ana.link());
	await expect(
		ben.page.getByRole('heading', { name: /Ana Lindqvist.* invited you/ }),
	).toBeVisible();
	await expect(ben.composer).toBeFocused();
	await ben.page.keyboard.type('hello Ana');
	await ben.page.keyboard.press('Enter');
	await expect(ben.message('hello Ana')).toBeVisible();
	// The secret has left the address bar.
	await expect(ben.page).toHaveURL(/\/c\/[\w-]+$/);

	await ana.page.getByRole('navigation').getByText('hello Ana').click();
	await expect(ben.message('hello Ana', 'Read')).toBeVisible();
	await ana.send('hello Ben');
	await expect(ana.message('hello Ben', 'Read')).toBeVisible();
});

test('typing shows, ends with the message, and a reload keeps everything', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await expect(ben.header).toContainText('online');
	await ana.composer.pressSequentially('I am writing');
	await expect(ben.header).toContainText('typing');
	await ana.composer.press('Enter');
	await expect(ben.message('I am writing')).toBeVisible();
	await expect(ben.header).not.toContainText('typing');
	for (const person of [ana, ben]) {
		await person.page.reload();
		await person.expectOnce(['hello Ana', 'hello Ben', 'I am writing']);
	}
	await ben.send('still here');
	await expect(ana.message('still here')).toBeVisible();
});

test('an inviter who is away finds the first message waiting', async ({ newPerson }) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.link();
	await ana.page.goto('about:blank');
	const ben = await newPerson();
	await ben.visit(link);
	await ben.send('are you there?');
	await expect(ben.message('are you there?', 'Sent')).toBeVisible();
	await ana.reopen();
	await ana.page.getByRole('navigation').getByText('are you there?').click();
	await ana.expectOnce(['are you there?']);
	await expect(ben.message('are you there?', 'Read')).toBeVisible();
});

test('a link for one person: opening alone does not use it up, writing does', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.oneTimeLink();
	const curious = await newPerson();
	await curious.visit(link);
	await expect(curious.composer).toBeVisible();
	const ben = await newPerson();
	await ben.visit(link);
	await ben.send('me first');
	await expect(ben.message('me first', 'Delivered')).toBeVisible();

	const late = await newPerson();
	await late.visit(link);
	await expect(
		late.page.getByRole('heading', { name: 'This link was already used' }),
	).toBeVisible();
	await late.page.getByRole('link', { name: 'Start without a link' }).click();
	await expect(late.page.getByRole('button', { name: 'Start' })).toBeVisible();

	// Who had it open all the while is told too, and keeps what was written.
	await curious.composer.fill('me too');
	await curious.composer.press('Enter');
	await expect(curious.page.getByText(/already used|used this link first/)).toBeVisible();
});

test('a link that was taken back, one that is cut short, and one that is your own', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.link();
	await ana.visit(link);
	await expect(ana.page.getByRole('heading', { name: 'This is your own link' })).toBeVisible();

	const ben = await newPerson();
	for (const broken of [link.slice(0, -8), `${link}x`, link.replace(/#.*/, '#'), `${link}%00`]) {
		await ben.visit('/');
		await ben.visit(broken);
		await expect(
			ben.page.getByRole('heading', { name: 'This link is not complete' }),
			broken,
		).toBeVisible();
	}

	await ana.visit('/settings/links');
	await ana.page.getByRole('button', { name: 'Take back' }).first().click();
	await expect(ana.page.getByText(/^taken back/)).toBeVisible();
	await expect(async () => {
		await ben.visit('/');
		await ben.visit(link);
		await expect(ben.page.getByRole('heading', { name: 'This link was taken back' })).toBeVisible({
			timeout: 2_000,
		});
	}).toPass();
});

test('who is here already talks as themselves, and a second visit opens the conversation', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await ana.start('Ana Lindqvist');
	await ben.start('Ben Okafor');
	const link = await ana.link();
	await ben.visit(link);
	await expect(ben.page.getByText(/You talk as .*Ben Okafor/)).toBeVisible();
	await ben.send('it is me');
	await ana.open('Ben Okafor');
	await expect(ana.message('it is me')).toBeVisible();
	await ben.visit(link);
	await expect(ben.message('it is me')).toBeVisible();
});

test('a newcomer has one link of their own, in every tab and at every visit', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.link();
	const other = await ana.page.context().newPage();
	await other.goto(`${ana.gate.origin}/settings/links`);
	await ana.visit('/settings/links');
	for (const page of [ana.page, other]) {
		await expect(page.getByText('Your invite link')).toBeVisible();
		await expect(page.getByRole('button', { name: 'Take back' })).toHaveCount(1);
	}
	expect(await ana.link()).toBe(link);
	// Taken back, it is followed by another at once.
	await ana.page.getByRole('button', { name: 'Take back' }).click();
	await expect(ana.page.getByText(/^taken back/)).toHaveCount(1);
	await expect(ana.page.getByRole('button', { name: 'Take back' })).toHaveCount(1);
	expect(await ana.link()).not.toBe(link);
});

test('AD-8 who comes second by a link for one is told so, and so is its maker', async ({
	newPerson,
}) => {
	const [ana, ben, cem] = [await newPerson(), await newPerson(), await newPerson()];
	await ana.start('Ana Lindqvist');
	const link = await ana.oneTimeLink();
	await ben.visit(link);
	await ben.page.getByRole('textbox', { name: 'Your name' }).fill('Ben Okafor');
	await ben.send('hello Ana');
	await ana.visit('/');
	await ana.open('Ben Okafor');
	await expect(ana.message('hello Ana')).toBeVisible();
	// Whoever used it may come by it again.
	await ben.visit(link);
	await expect(ben.message('hello Ana')).toBeVisible();
	const warning = ana.page.getByRole('log').getByText(/Somebody else opened the link/);
	await ana.page.reload();
	await expect(ana.message('hello Ana')).toBeVisible();
	await expect(warning).toHaveCount(0);
	await cem.visit(link);
	await expect(cem.page.getByText('This link was already used')).toBeVisible();
	await ana.page.reload();
	await expect(warning).toBeVisible();
	await ana.page.getByRole('link', { name: 'Compare', exact: true }).click();
	await expect(ana.page.getByText(/safety number/i).first()).toBeVisible();
});
