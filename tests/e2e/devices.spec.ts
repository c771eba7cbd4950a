// One person, two browsers: each is a full device.
import { expect, meet, test, type Person } from './fixtures.ts';

/** What a new browser shows for the other device. */
async function showCode({ page }: Person): Promise<string> {
	await page.getByRole('button', { name: 'I use Kith on another device' }).click();
	return `http://${await page.getByRole('code').innerText()}`;
}

async function letIn({ page }: Person): Promise<void> {
	await page.getByRole('dialog').getByRole('button', { name: 'Link it' }).click();
}

const devicesOf = ({ page }: Person) =>
	page.getByRole('main').getByRole('button', { name: /^Remove/ });

test('a second browser is linked, has everything, and talks; removed, it says so', async ({
	newPerson,
}) => {
	test.slow();
	const [ana, ben, second] = [await newPerson(), await newPerson(), await newPerson()];
	await meet(ana, ben);
	await ana.send('before the second one');
	await expect(ben.message('before the second one')).toBeVisible();

	await second.visit('/');
	const link = await showCode(second);
	await ana.visit('/settings/devices');
	await expect(ana.page.getByText('This device', { exact: true })).toBeVisible();
	await ana.page.getByRole('button', { name: 'Link a device' }).click();
	const field = ana.page.getByRole('textbox', { name: 'Or paste its link' });
	await field.fill('https://example.org/i#abc');
	await ana.page.getByRole('button', { name: 'Go on' }).click();
	await expect(ana.page.getByText('This is not the code of a new device.')).toBeVisible();
	await field.fill(link);
	await ana.page.getByRole('button', { name: 'Go on' }).click();
	await letIn(ana);
	await expect(devicesOf(ana)).toHaveCount(1, { timeout: 30_000 });

	await second.open('Ben Okafor');
	for (const text of ['hello Ana', 'hello Ben', 'before the second one']) {
		await expect(second.message(text)).toBeVisible({ timeout: 30_000 });
	}
	await second.send('from the second one');
	await expect(ben.message('from the second one')).toBeVisible();
	await ana.visit('/');
	await ana.open('Ben Okafor');
	await expect(ana.message('from the second one')).toBeVisible();
	await ben.send('to both');
	for (const device of [ana, second]) await expect(device.message('to both')).toBeVisible();
	await expect(ben.message('to both', 'Read')).toBeVisible();
	await ana.send('from the first one');
	await expect(second.message('from the first one')).toBeVisible();

	await ana.visit('/settings/devices');
	await devicesOf(ana).click();
	await ana.page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
	await expect(second.page.getByText('This browser was signed out')).toBeVisible({
		timeout: 30_000,
	});
	await expect(devicesOf(ana)).toHaveCount(0);
	await ben.send('only for the first one');
	await ana.visit('/');
	await ana.open('Ben Okafor');
	await expect(ana.message('only for the first one')).toBeVisible();
	await expect(second.message('only for the first one')).toHaveCount(0);
});

test('what is read on one device is read on the other', async ({ newPerson }) => {
	test.slow();
	const [ana, ben, second] = [await newPerson(), await newPerson(), await newPerson()];
	await meet(ana, ben);
	await second.visit('/');
	const link = await showCode(second);
	// The phone's own camera opens the link.
	await ana.visit(link);
	await letIn(ana);
	await expect(devicesOf(ana)).toHaveCount(1, { timeout: 30_000 });
	const row = second.page.getByRole('link').filter({ hasText: 'Ben Okafor' });
	await expect(row).toContainText('hello Ben', { timeout: 30_000 });
	await ben.send('unread for now');
	await expect(row).toContainText('unread for now');
	await expect(row).toContainText('1');
	await ana.visit('/');
	await ana.open('Ben Okafor');
	await expect(ana.message('unread for now')).toBeVisible();
	await expect(row.getByText('1', { exact: true })).toHaveCount(0);
});

test('the code of a new device, opened where nobody is, says where it belongs', async ({
	newPerson,
}) => {
	const [second, stranger] = [await newPerson(), await newPerson()];
	await second.visit('/');
	await stranger.visit(await showCode(second));
	await expect(
		stranger.page.getByRole('heading', { name: 'This code is for your other device' }),
	).toBeVisible();
});
