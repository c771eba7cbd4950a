import { expect, meet, test } from './fixtures.ts';

test('two actions from a link to a sent message, and an answer comes back', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ana.send('hello Ben');
	await expect(ben.message('hello Ben')).toBeVisible();
	await expect(ana.message('hello Ben').getByText(/delivered|read/i)).toBeAttached();
});

test('an inviter who is away finds the first message waiting', async ({ newPerson }) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.link();
	await ana.page.close();
	const ben = await newPerson();
	await ben.page.goto(link);
	await ben.send('are you there?');
	const page = await ana.context.newPage();
	await page.goto(ana.origin);
	await expect(page.getByText('are you there?')).toBeVisible();
});
