// The browser forgets, and a passkey brings the person back.
import { expect, meet, test, type Person } from './fixtures.ts';
import { Authenticator, clearStorage, makeCode } from './recovery-steps.ts';

/** A passkey belongs to a name, never to a number. */
const NAMED = 'localhost';

test.skip(
	({ browserName }) => browserName !== 'chromium',
	'only Chromium lets a test have an authenticator of its own',
);

const buttonsOf = ({ page }: Person) => ({
	add: page.getByRole('button', { name: 'Add a passkey' }),
	again: page.getByRole('button', { name: 'Make a new passkey' }),
	remove: page.getByRole('button', { name: 'Remove passkey' }),
	use: page.getByRole('button', { name: 'Use passkey' }),
});

async function addPasskey(person: Person): Promise<void> {
	await buttonsOf(person).add.click();
	await expect(person.page.getByText('The passkey works from now on.')).toBeVisible();
}

/** Clears the browser and opens the place where people come back. */
async function forget(person: Person): Promise<void> {
	await clearStorage(person);
	await person.visit('/');
	await person.page.getByRole('button', { name: /recovery code or passkey/ }).click();
	await expect(person.page.getByRole('textbox', { name: 'Your recovery code' })).toBeVisible();
}

test('CP-7 who was cleared comes back by passkey, and talks', async ({ browser, newPerson }) => {
	test.slow();
	const [ana, ben] = [await newPerson(browser, NAMED), await newPerson()];
	const authenticator = await Authenticator.in(ana);
	await meet(ana, ben);
	await makeCode(ana);
	await addPasskey(ana);
	expect(await authenticator.passkeys()).toBe(1);
	await forget(ana);
	await buttonsOf(ana).use.click();
	await ana.open('Ben Okafor');
	await ana.send('I am back');
	await expect(ben.message('I am back')).toBeVisible();
	await ben.send('so you are');
	await expect(ana.message('so you are')).toBeVisible();
	// It stays good for the next time, and a new code takes it along.
	await ana.visit('/settings/recovery');
	await expect(buttonsOf(ana).remove).toBeVisible();
	await makeCode(ana, 'Make a new code');
	await forget(ana);
	await buttonsOf(ana).use.click();
	await ana.open('Ben Okafor');
	// Removed, it brings nobody back, and the code still does.
	const code = await makeCode(ana, 'Make a new code');
	await buttonsOf(ana).remove.click();
	await expect(ana.page.getByText(/brings nobody back any more/)).toBeVisible();
	await expect(buttonsOf(ana).add).toBeVisible();
	expect(await authenticator.passkeys()).toBe(0);
	await forget(ana);
	await buttonsOf(ana).use.click();
	await expect(ana.page.getByRole('alert')).toContainText('No passkey was used');
	await ana.page.getByRole('textbox', { name: 'Your recovery code' }).fill(code);
	await ana.page.getByRole('button', { name: 'Come back' }).click();
	await ana.open('Ben Okafor');
});

test('CP-7 cancelled, nothing changes, and another takes the place of the first', async ({
	browser,
	newPerson,
}) => {
	test.slow();
	const ana = await newPerson(browser, NAMED);
	const refusing = await Authenticator.in(ana, { confirms: false });
	await ana.start('Ana Lindqvist');
	await makeCode(ana);
	await buttonsOf(ana).add.click();
	await expect(ana.page.getByRole('alert')).toContainText('Nothing has changed');
	await expect(buttonsOf(ana).remove).toHaveCount(0);
	await refusing.remove();
	const authenticator = await Authenticator.in(ana);
	await addPasskey(ana);
	await expect(ana.page.getByRole('alert')).toHaveCount(0);
	await buttonsOf(ana).again.click();
	await expect(ana.page.getByText('The passkey works from now on.')).toBeVisible();
	expect(await authenticator.passkeys()).toBe(1);
	await forget(ana);
	await buttonsOf(ana).use.click();
	await expect(ana.page.getByRole('link', { name: /Notes/ })).toBeVisible();
	await ana.visit('/settings/recovery');
	await authenticator.confirms(false);
	await buttonsOf(ana).again.click();
	await expect(ana.page.getByRole('alert')).toContainText('Nothing has changed');
	await expect(buttonsOf(ana).remove).toBeVisible();
	await forget(ana);
	await buttonsOf(ana).use.click();
	await expect(ana.page.getByRole('alert')).toContainText('No passkey was used');
	await expect(ana.page.getByRole('button', { name: 'Come back' })).toBeEnabled();
});

test('CP-7 an authenticator without secrets changes nothing; a page without a name offers none', async ({
	browser,
	newPerson,
}) => {
	test.slow();
	const [ana, ben] = [await newPerson(browser, NAMED), await newPerson()];
	const authenticator = await Authenticator.in(ana, { hasPrf: false });
	await ana.start('Ana Lindqvist');
	await makeCode(ana);
	await buttonsOf(ana).add.click();
	await expect(ana.page.getByRole('alert')).toContainText('cannot bring you back');
	await expect(buttonsOf(ana).remove).toHaveCount(0);
	expect(await authenticator.passkeys()).toBe(0);
	await ben.start('Ben Okafor');
	await makeCode(ben);
	await forget(ben);
	await expect(buttonsOf(ben).use).toHaveCount(0);
});
