// Strangers of a common group in real browsers: Ben and Cem know each other from Ana's group only.
import { expect, test, type Person } from './fixtures.ts';
import { confirm, makeGroup, onMember, openDetails } from './group-people.ts';

/** Opens what Ben wrote to Cem alone, among the requests. */
async function openRequest(cem: Person): Promise<void> {
	await cem.visit('/');
	await cem.page.getByRole('button', { name: /^Requests/ }).click();
	await cem.page.getByRole('link').filter({ hasText: 'Ben Okafor' }).click();
	await expect(cem.message('is this you?')).toBeVisible();
}

async function benWrites(ben: Person): Promise<void> {
	await openDetails(ben);
	await onMember(ben, 'Cem Aydin', 'Write to');
	await expect(ben.header).toContainText('Cem Aydin');
	await ben.send('is this you?');
	await expect(ben.message('is this you?', 'Sent')).toBeVisible();
}

test('a stranger asks, is read without a word, and is accepted', async ({ newPerson }) => {
	test.slow();
	const people = [await newPerson(), await newPerson(), await newPerson()] as const;
	const [, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await benWrites(ben);
	await openRequest(cem);
	await expect(cem.page.getByText(/is in the group .*Hut weekend.* with you/)).toBeVisible();
	await expect(cem.composer).toHaveCount(0);
	await expect(ben.message('is this you?', 'Sent')).toBeVisible();

	await cem.page.getByRole('button', { name: 'Accept' }).click();
	await cem.send('it is');
	await expect(ben.message('it is')).toBeVisible();
	await expect(ben.message('is this you?', 'Read')).toBeVisible();
	await expect(cem.page.getByRole('button', { name: /^Requests/ })).toHaveCount(0);
});

test('a request is blocked from where it stands', async ({ newPerson }) => {
	test.slow();
	const people = [await newPerson(), await newPerson(), await newPerson()] as const;
	const [, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await benWrites(ben);
	await openRequest(cem);
	await cem.page.getByRole('button', { name: 'Block' }).click();
	await confirm(cem, 'Block');
	await expect(cem.page).toHaveURL(/\/$/);
	await expect(cem.page.getByRole('button', { name: /^Requests/ })).toHaveCount(0);
	await cem.visit('/settings/privacy');
	await expect(cem.page.getByRole('region', { name: 'Blocked people' })).toContainText('Ben');
	await expect(ben.message('is this you?', 'Sent')).toBeVisible();
});

test('only people with my link: nobody else is heard alone', async ({ newPerson }) => {
	test.slow();
	const people = [await newPerson(), await newPerson(), await newPerson()] as const;
	const [, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await cem.visit('/settings/privacy');
	await cem.turnOn(/Only people with my link/);
	await cem.visit('/');
	await cem.open('Hut weekend');
	await benWrites(ben);
	await ben.visit('/');
	await ben.open('Hut weekend');
	await ben.send('hello all');
	// It came later, so the other had come as well.
	await expect(cem.message('hello all')).toBeVisible();
	await expect(cem.page.getByRole('button', { name: /^Requests/ })).toHaveCount(0);
	await expect(cem.conversations.filter({ hasText: 'Ben Okafor' })).toHaveCount(0);
});
