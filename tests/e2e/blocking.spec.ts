// Blocking in real browsers: what the one who blocks sees, and what the other one does not.
import { download, downloads } from './downloads.ts';
import { expect, meet, test } from './fixtures.ts';
import { confirm, expectLine, makeGroup, onMember, openDetails } from './group-people.ts';

test('somebody is blocked, writes into nothing, and is unblocked', async ({ newPerson }) => {
	test.slow();
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	const conversation = new URL(ana.page.url()).pathname;
	await ana.header.click();
	await ana.page.getByRole('button', { name: /^Block/ }).click();
	await confirm(ana, 'Block');
	await expect(ana.page.getByRole('button', { name: /^Unblock/ }).first()).toBeVisible();
	await expect(ana.composer).toHaveCount(0);
	await ben.send('are you there?');
	await expect(ben.message('are you there?', 'Sent')).toBeVisible();
	await ana.page.reload();
	await expect(ana.page.getByText(/^You blocked/)).toBeVisible();
	await expect(ana.message('are you there?')).toHaveCount(0);

	await ana.visit('/settings/privacy');
	const blocked = ana.page.getByRole('region', { name: 'Blocked people' });
	await expect(blocked).toContainText('Ben Okafor');
	await blocked.getByRole('button', { name: /^Unblock/ }).click();
	await expect(blocked).toContainText('You blocked nobody.');
	await ana.visit(conversation);
	await ben.send('and now?');
	await expect(ana.message('and now?')).toBeVisible();
	await expect(ben.message('and now?', 'Read')).toBeVisible();
	await expect(ana.message('are you there?')).toHaveCount(0);
	await expect(ben.message('are you there?', 'Sent')).toBeVisible();
});

test('in a common group the words of somebody who is blocked are folded away', async ({
	newPerson,
}) => {
	test.slow();
	const people = [await newPerson(), await newPerson(), await newPerson()] as const;
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await ben.send('hello all');
	await expect(cem.message('hello all')).toBeVisible();
	// Cem and Ben have no conversation of their own.
	await openDetails(cem);
	await onMember(cem, 'Ben Okafor', 'Block');
	await confirm(cem, 'Block');
	await expectLine(cem, 'Message of somebody you blocked · Show');
	await expect(cem.message('hello all')).toHaveCount(0);
	await ben.send('am I heard?');
	await expect(ana.message('am I heard?')).toBeVisible();
	await ana.send('yes, by me');
	await expect(cem.message('yes, by me')).toBeVisible();
	await expectLine(cem, '2 messages of people you blocked · Show');
	await cem.page.getByRole('button', { name: 'Show', exact: true }).click();
	await expect(cem.message('am I heard?')).toBeVisible();
	await onMember(cem, 'Ben Okafor', 'Unblock');
	await expect(cem.page.getByText('Blocked', { exact: true })).toHaveCount(0);
	await cem.page.reload();
	await expect(cem.message('hello all')).toBeVisible();
});

test('somebody is reported: it is kept with their words, saved as a file, and they are blocked', async ({
	newPerson,
}) => {
	test.slow();
	const ana = await downloads(await newPerson());
	const ben = await newPerson();
	await meet(ana, ben);
	await ben.send('<b>buy</b> 🦊');
	await expect(ana.message('<b>buy</b> 🦊')).toBeVisible();
	await ana.header.click();
	await ana.page.getByRole('button', { name: /^Report/ }).click();
	await ana.page.getByRole('radio', { name: 'Threatens or harasses' }).check();
	await ana.page.getByRole('textbox', { name: 'What happened' }).fill('every day');
	await confirm(ana, 'Report');
	await expect(ana.page.getByText(/^You blocked/)).toBeVisible();

	await ana.visit('/settings/privacy');
	const reports = ana.page.getByRole('region', { name: 'Reports' });
	await reports.getByRole('button', { name: 'Ben Okafor' }).click();
	const report = ana.page.getByRole('dialog');
	await expect(report).toContainText('every day');
	await expect(report.getByText('<b>buy</b> 🦊')).toBeVisible();
	const file = await download(ana, 'Save as file');
	expect(file.name).toMatch(/^Kith Report about Ben Okafor .*\.txt$/);
	expect(file.buffer.toString()).toMatch(/Threatens or harasses\n\nevery day[^]*<b>buy<\/b> 🦊/u);
	await report.getByRole('button', { name: 'Delete' }).click();
	await expect(reports).toContainText('You reported nobody.');
});
