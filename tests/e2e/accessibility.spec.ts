// axe on every screen, in both themes, and with what opens over a screen open.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, meet, test, type Person } from './fixtures.ts';
import { Authenticator, clearStorage, makeCode } from './recovery-steps.ts';
import {
	confirm,
	groupWithLink,
	linkShownTo,
	makeGroup,
	onMember,
	openDetails,
	openReceipts,
} from './group-people.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const SETTINGS = [
	...['profile', 'links', 'privacy', 'notifications'],
	...['storage', 'backup', 'recovery', 'appearance', 'connection', 'about', 'import'],
];

test.skip(
	({ browserName }) => browserName !== 'chromium',
	'axe judges the page and not the browser; Firefox without a screen has neither a theme to choose nor a pointer that hovers',
);

/** Judges the screen as it stands, once it has come to rest. */
async function judge({ page }: Person, screen: string): Promise<void> {
	await page.evaluate(() => {
		const ending = document
			.getAnimations()
			.filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
		return Promise.all(ending.map((each) => each.finished.catch(() => undefined)));
	});
	const { violations, passes } = await new AxeBuilder({ page }).withTags(RULES).analyze();
	expect(passes.length, screen).toBeGreaterThan(5);
	const found = violations.map(
		({ id, impact, nodes }) =>
			`${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
	);
	expect.soft(found, screen).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
	test.describe(colorScheme, () => {
		async function inTheme(person: Person): Promise<Person> {
			await person.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
			const query = `(prefers-color-scheme: ${colorScheme})`;
			expect(await person.page.evaluate((media) => matchMedia(media).matches, query)).toBe(true);
			return person;
		}

		test('nothing to object to on the way in and in a conversation', async ({ newPerson }) => {
			test.slow();
			const ana = await inTheme(await newPerson());
			const ben = await inTheme(await newPerson());
			await ana.visit('/');
			await expect(ana.page.getByRole('button', { name: 'Start' })).toBeVisible();
			await judge(ana, 'start');
			await ana.page.getByRole('button', { name: 'Start' }).click();
			await expect(ana.page.getByRole('alert')).toBeVisible();
			await judge(ana, 'start, name missing');
			await ana.page.getByRole('button', { name: /have.* link/i }).click();
			await judge(ana, 'start, pasting a link');
			await meet(ana, ben);
			await judge(ana, 'conversation');
			await ana.composer.fill('*bold* `code` https://example.com/\n> quote\n- item');
			await ana.composer.press('Enter');
			await expect(ana.messages.last().locator('li')).toHaveText('item');
			await ana.send('🙂');
			await judge(ana, 'marks and emoji');
			await openMessageMenu(ana);
			await judge(ana, 'message menu');
			await ana.page.getByRole('menuitem', { name: 'Reply' }).click();
			await judge(ana, 'reply');
			await ana.page.getByRole('button', { name: 'Do not reply' }).click();
			await ana.page.getByRole('button', { name: 'Emoji', exact: true }).click();
			await expect(ana.page.getByRole('dialog')).toBeVisible();
			await judge(ana, 'emoji');
		});

		test('nor beside a conversation, nor offline, nor on a phone', async ({ newPerson }) => {
			test.slow();
			const ana = await inTheme(await newPerson());
			const ben = await inTheme(await newPerson());
			await meet(ana, ben);
			const row = ana.page
				.getByRole('navigation', { name: 'Conversations' })
				.getByRole('listitem')
				.filter({ hasText: 'Ben Okafor' });
			await row.hover();
			await row.getByRole('button', { name: /Ben Okafor/ }).click();
			await expect(ana.page.getByRole('menuitem').first()).toBeVisible();
			await judge(ana, 'menu of a conversation');
			await ana.page.keyboard.press('Escape');
			const conversation = new URL(ana.page.url()).pathname;
			for (const [path, shown] of [
				['/info', 'Details'],
				['/info/verify', 'Safety number'],
			] as const) {
				await ana.visit(conversation + path);
				await expect(ana.page.getByRole('complementary', { name: shown })).toBeVisible();
				await judge(ana, path);
			}
			await ana.neverDirect();
			await ana.visit(conversation);
			await expect(ana.header).toContainText('via relay');
			ana.gate.shut();
			await expect(ana.header).toContainText('offline');
			await ana.send('waits');
			await judge(ana, 'offline');

			await ben.page.setViewportSize({ width: 390, height: 740 });
			await judge(ben, 'conversation on a phone');
			const benConversation = new URL(ben.page.url()).pathname;
			for (const [path, shown] of [
				['/info', 'Details'],
				['/info/verify', 'Safety number'],
			] as const) {
				await ben.visit(benConversation + path);
				await expect(ben.page.getByRole('complementary', { name: shown })).toBeVisible();
				await judge(ben, `${path} on a phone`);
			}
			await ben.visit('/');
			await expect(ben.page.getByRole('navigation', { name: 'Conversations' })).toBeVisible();
			await judge(ben, 'list on a phone');
		});

		test('nor in a group, from making it to leaving it', async ({ newPerson }) => {
			test.slow();
			const people = [await newPerson(), await newPerson(), await newPerson()] as const;
			const [ana, ben, cem] = people;
			for (const person of people) await inTheme(person);
			await ana.visit('/');
			await makeGroup(people, 'Hut weekend', (screen) => judge(ana, screen));
			await ben.send('who brings bread?');
			await ana.send('I do');
			await expect(ana.message('I do', 'Read')).toBeVisible();
			await judge(ana, 'a group');
			await openDetails(cem);
			await onMember(cem, 'Ben Okafor', 'Write to');
			await expect(cem.header).toContainText('Ben Okafor');
			await cem.send('is this you?');
			await ben.visit('/');
			await expect(ben.page.getByRole('button', { name: /^Requests/ })).toBeVisible();
			await judge(ben, 'a list with requests');
			await ben.page.getByRole('button', { name: /^Requests/ }).click();
			await ben.page.getByRole('link').filter({ hasText: 'Cem Aydin' }).click();
			await expect(ben.page.getByRole('button', { name: 'Accept' })).toBeVisible();
			await judge(ben, 'a request');
			await ben.page.getByRole('button', { name: 'Accept' }).click();
			for (const person of [ben, cem]) {
				await person.visit('/');
				await person.open('Hut weekend');
			}
			await openReceipts(ana, 'I do');
			await judge(ana, 'who has a message');
			await ana.page.keyboard.press('Escape');
			await ben.composer.pressSequentially('thanks, @');
			await expect(ben.page.getByRole('option').first()).toBeVisible();
			await judge(ben, 'people to mention');
			await ben.composer.press('Enter');
			await ben.composer.press('Enter');
			await expect(ana.message('thanks, @Ana').getByText('@Ana')).toBeVisible();
			await judge(ana, 'mentioned');
			await openDetails(ana);
			await judge(ana, 'details of a group');
			await ana.page
				.getByRole('button', { name: /Actions for .*Cem/ })
				.last()
				.click();
			await expect(ana.page.getByRole('menuitem').first()).toBeVisible();
			await judge(ana, 'menu of a member');
			await ana.page.getByRole('menuitem', { name: 'Remove from the group' }).click();
			await expect(ana.page.getByRole('dialog')).toBeVisible();
			await judge(ana, 'removing a member');
			await confirm(ana, 'Remove');
			await expect(cem.page.getByRole('status').filter({ hasText: 'removed' })).toBeVisible();
			await judge(cem, 'removed');
			await ana.page.getByRole('link', { name: 'Add people' }).click();
			await ana.page.getByRole('checkbox', { name: 'Cem Aydin' }).check();
			await judge(ana, 'adding people');
			await ana.page.goBack();
			await ana.page.getByRole('button', { name: 'Edit', exact: true }).click();
			await judge(ana, 'editing a group');
			await ana.page.getByRole('button', { name: 'Cancel' }).click();
			await ana.page.setViewportSize({ width: 390, height: 740 });
			await judge(ana, 'details of a group on a phone');
			await ana.page.getByRole('button', { name: 'Leave the group' }).click();
			await expect(ana.page.getByRole('radio').first()).toBeVisible();
			await judge(ana, 'leaving a group');
			await ben.page.setViewportSize({ width: 390, height: 740 });
			await judge(ben, 'a group on a phone');
			await openDetails(ben);
			await judge(ben, 'details of a group for a member');
			await onMember(ben, 'Ana Lindqvist', 'Block');
			await expect(ben.page.getByRole('dialog')).toBeVisible();
			await judge(ben, 'blocking somebody');
			await confirm(ben, 'Block');
			await onMember(ben, 'Ana Lindqvist', 'Report');
			await expect(ben.page.getByRole('dialog')).toBeVisible();
			await judge(ben, 'reporting somebody');
			await confirm(ben, 'Report');
			// It comes and goes in a fade, which is no screen to judge.
			const told = ben.page.getByText('The report is kept');
			await expect(told).toBeVisible();
			// It stays as long as the pointer is on it.
			await ben.page.mouse.move(0, 0);
			await expect(told).toHaveCount(0);
			await judge(ben, 'details of a group with somebody blocked');
			await ben.visit('/settings/privacy');
			await expect(ben.page.getByRole('button', { name: /^Unblock/ })).toBeVisible();
			await judge(ben, 'who is blocked, on a phone');
			await ben.page
				.getByRole('region', { name: 'Reports' })
				.getByRole('button', { name: 'Ana Lindqvist' })
				.click();
			await expect(ben.page.getByRole('dialog')).toBeVisible();
			await judge(ben, 'a report, on a phone');
			await ben.visit('/');
			await ben.open('Hut weekend');
			await expect(ben.page.getByRole('button', { name: 'Show', exact: true })).toBeVisible();
			await judge(ben, 'a group with folded messages');
			await ben.visit('/');
			await ben.page.getByRole('link').filter({ hasText: 'Ana Lindqvist' }).first().click();
			await expect(ben.page.getByText(/^You blocked/)).toBeVisible();
			await judge(ben, 'a conversation with somebody blocked');
		});

		test('nor with the link of a group, at either end of it', async ({ newPerson }) => {
			test.slow();
			const people = [await newPerson(), await newPerson(), await newPerson()] as const;
			const [ana, ben, dov] = people;
			for (const person of people) await inTheme(person);
			await groupWithLink(ana, ben);
			await ana.page.getByRole('switch', { name: /Approve each newcomer/ }).check();
			await ana.page.getByRole('radio', { name: '7 days' }).check();
			const card = ana.page.getByRole('region', { name: 'Invite link' });
			await expect(card).toContainText('Works until');
			await judge(ana, 'the link of a group');
			await ana.page.setViewportSize({ width: 390, height: 740 });
			await judge(ana, 'the link of a group on a phone');
			await ana.page.setViewportSize({ width: 1280, height: 800 });
			await dov.visit(await linkShownTo(ana));
			await expect(dov.page.getByRole('textbox', { name: 'Your name' })).toBeVisible();
			await judge(dov, 'behind the link of a group');
			await dov.page.setViewportSize({ width: 390, height: 740 });
			await dov.page.getByRole('textbox', { name: 'Your name' }).fill('Dov Katz');
			await judge(dov, 'behind the link of a group on a phone');
			await dov.page.getByRole('button', { name: /Join|Ask to join/ }).click();
			await expect(dov.page.getByRole('button', { name: 'Do not join' })).toBeVisible();
			await judge(dov, 'waiting to be let in');
			await expect(ana.page.getByText('1 person asks to join')).toBeVisible();
			await ana.page.getByRole('link', { name: 'See' }).click();
			await judge(ana, 'somebody asks to join');
			await ana.page.getByRole('button', { name: /Decline/ }).click();
			await expect(dov.page.getByText('You were not let in.')).toBeVisible();
			await judge(dov, 'turned away');
			await ana.page.getByRole('link', { name: 'Invite link' }).click();
			await ana.page.getByRole('button', { name: 'Turn off link' }).click();
			await expect(ana.page.getByRole('button', { name: 'Make a new link' })).toBeVisible();
			await judge(ana, 'a link that is turned off');
		});

		test('nor where one person has several devices', async ({ newPerson }) => {
			test.slow();
			const [ana, second] = [await inTheme(await newPerson()), await inTheme(await newPerson())];
			await ana.start('Ana Lindqvist');
			await second.page.setViewportSize({ width: 390, height: 740 });
			await second.visit('/');
			await second.page.getByRole('button', { name: 'I use Kith on another device' }).click();
			const link = `http://${await second.page.getByRole('code').innerText()}`;
			await judge(second, 'the code of a new device, on a phone');
			await ana.visit('/settings/devices');
			await ana.page.getByRole('button', { name: 'Link a device' }).click();
			await ana.page.getByRole('textbox', { name: 'Or paste its link' }).fill(link);
			await judge(ana, 'linking a device');
			await ana.page.getByRole('button', { name: 'Go on' }).click();
			await expect(ana.page.getByRole('dialog')).toBeVisible();
			await judge(ana, 'asked whether to link it');
			await ana.page.getByRole('button', { name: 'Link it' }).click();
			await expect(ana.page.getByRole('button', { name: /^Remove/ })).toBeVisible({
				timeout: 30_000,
			});
			await judge(ana, 'two devices');
			await ana.page.getByRole('button', { name: /^Remove/ }).click();
			await judge(ana, 'asked whether to remove it');
			await ana.page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
			await expect(second.page.getByText('This browser was signed out')).toBeVisible({
				timeout: 30_000,
			});
			await judge(second, 'signed out, on a phone');
		});

		test('nor in the settings, and where there is nothing', async ({ newPerson }) => {
			test.slow();
			const ana = await inTheme(await newPerson());
			await ana.start('Ana Lindqvist');
			await ana.link();
			await judge(ana, 'first list');
			await ana.visit('/settings');
			await expect(ana.page.getByRole('heading', { name: 'Settings' })).toBeVisible();
			await judge(ana, 'settings');
			for (const name of SETTINGS) {
				await ana.visit(`/settings/${name}`);
				await expect(ana.page.locator('.main').getByRole('heading').first()).toBeVisible();
				await judge(ana, name);
			}
			for (const [address, title] of [
				['/nowhere/at/all', 'There is nothing here'],
				['/settings/nowhere', 'There is nothing here'],
				['/c/AAAAAAAAAAAAAAAAAAAAAA', 'There is no such conversation here'],
			] as const) {
				await ana.visit(address);
				await expect(ana.page.getByRole('heading', { name: title })).toBeVisible();
				await judge(ana, title);
			}
			await clearStorage(ana);
			await ana.visit('/');
			const cleared = ana.page.getByRole('heading', { name: /cleared Kith’s storage/ });
			await expect(cleared).toBeVisible();
			await judge(ana, 'cleared storage');
		});

		test('nor with a passkey, kept or used', async ({ browser, newPerson }) => {
			test.slow();
			const ana = await inTheme(await newPerson(browser, 'localhost'));
			const { page } = ana;
			const authenticator = await Authenticator.in(ana);
			await ana.start('Ana Lindqvist');
			await makeCode(ana);
			await expect(page.getByRole('button', { name: 'Add a passkey' })).toBeVisible();
			await judge(ana, 'no passkey yet');
			await page.getByRole('button', { name: 'Add a passkey' }).click();
			await expect(page.getByText('The passkey works from now on.')).toBeVisible();
			await judge(ana, 'a passkey');
			await authenticator.confirms(false);
			await page.getByRole('button', { name: 'Make a new passkey' }).click();
			await expect(page.getByRole('alert')).toBeVisible();
			await judge(ana, 'no new passkey');
			await clearStorage(ana);
			await ana.visit('/');
			await page.getByRole('button', { name: /recovery code or passkey/ }).click();
			await page.getByRole('button', { name: 'Use passkey' }).click();
			await expect(page.getByRole('alert')).toBeVisible();
			await judge(ana, 'coming back without the passkey');
		});

		test('nor on the way of a file, in or out', async ({ newPerson }) => {
			test.slow();
			const ana = await inTheme(await newPerson());
			await ana.start('Ana Lindqvist');
			await ana.visit('/settings/backup');
			await ana.page.getByRole('button', { name: 'Back up now' }).click();
			await expect(ana.page.locator('output span')).toHaveCount(8);
			await judge(ana, 'recovery code');
			await ana.page.getByRole('radio', { name: /passphrase/ }).check();
			await ana.page.getByLabel('Passphrase', { exact: true }).fill('four words nobody guesses');
			await ana.page.getByLabel('The same again').fill('four other words');
			await judge(ana, 'passphrases that differ');
			await chooseFile(ana, 'Test a backup', 'Dear diary');
			await expect(ana.page.getByRole('alert')).toBeVisible();
			await judge(ana, 'no backup');
			await chooseFile(ana, 'Test a backup', LOCKED);
			await ana.page.getByLabel(/of this backup/).fill('nothing');
			await ana.page.getByRole('button', { name: 'Open', exact: true }).click();
			await expect(ana.page.getByRole('alert')).toBeVisible();
			await judge(ana, 'wrong code');

			await ana.visit('/settings/import');
			await chooseFile(ana, 'Choose a file', 'Dear diary');
			await expect(ana.page.getByRole('alert')).toBeVisible();
			await judge(ana, 'no chat');
			await chooseFile(
				ana,
				'Choose a file',
				'03/04/21, 10:00 - Maya: hi\n45/04/21, 10:00 - Maya: no',
			);
			await ana.page.getByText(/1 line/).click();
			await judge(ana, 'preview of a chat');
			await ana.page.getByRole('button', { name: 'Import', exact: true }).click();
			await ana.page.getByRole('link', { name: 'Open the conversation' }).waitFor();
			await judge(ana, 'imported');
		});

		test('nor behind a link, whatever its state', async ({ newPerson, relay }) => {
			test.slow();
			const ana = await inTheme(await newPerson());
			await ana.start('Ana Lindqvist');
			const link = await ana.link();
			const expired = await ana.oneTimeLink();
			// Time passes for a link by what the relay noted down.
			await relay.kill('SIGTERM');
			expire(relay.dataDirectory);
			await relay.restart();
			const used = await ana.oneTimeLink();
			const visitor = await inTheme(await newPerson());
			await visitor.visit(used);
			await visitor.send('this is mine now');
			await expect(visitor.message('this is mine now', 'Delivered')).toBeVisible();

			const ben = await inTheme(await newPerson());
			await ben.visit(link);
			await expect(ben.composer).toBeVisible();
			await judge(ben, 'open');
			for (const [address, title] of [
				[used, 'This link was already used'],
				[expired, 'This link has expired'],
				[link.slice(0, -8), 'This link is not complete'],
				[`/i#${'A'.repeat(43)}`, 'This link does not exist here'],
			] as const) {
				await expectProblem(ben, address, title);
			}
			await expectProblem(ana, link, 'This is your own link');
			await ana.visit('/settings/links');
			await ana.page.getByRole('button', { name: 'Take back' }).first().click();
			await expect(ana.page.getByText(/^taken back/)).toBeVisible();
			await judge(ana, 'links, one taken back');
			await expectProblem(ben, link, 'This link was taken back');
			await ben.installed();
			ben.gate.shut();
			await expectProblem(ben, used, 'The relay does not answer');
		});
	});
}

/** The beginning of a backup that is locked with a code, and a tag that no code makes. */
const LOCKED = `KITHBKUP\u0001\u0002${'\0'.repeat(54)}`;

async function chooseFile({ page }: Person, button: string, content: string): Promise<void> {
	const asked = page.waitForEvent('filechooser');
	await page.getByRole('button', { name: button }).click();
	const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from(content) };
	await (await asked).setFiles(file);
}

async function expectProblem(person: Person, address: string, title: string): Promise<void> {
	await expect(async () => {
		await person.visit('/');
		await person.visit(address);
		const heading = person.page.getByRole('heading', { name: title });
		await expect(heading).toBeVisible({ timeout: 5_000 });
	}).toPass();
	await judge(person, title);
}

async function openMessageMenu(person: Person): Promise<void> {
	const message = person.message('hello Ben');
	await message.hover();
	await message.getByRole('button', { name: 'Message actions' }).click();
	await expect(person.page.getByRole('menuitem', { name: 'Copy' })).toBeVisible();
}

/** Puts the end of every link that has one into the past; the relay must not run. */
function expire(dataDirectory: string): void {
	const database = new DatabaseSync(join(dataDirectory, 'relay.db'));
	const past = Date.now() - 1_000;
	const { changes } = database
		.prepare(
			`UPDATE addresses SET ends = ?, record = json_set(record, '$.policy.expires', ?)
			WHERE ends IS NOT NULL`,
		)
		.run(past, past);
	database.close();
	expect(changes).toBe(1);
}
