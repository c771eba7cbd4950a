// A group of three, and what one does in it, in the words of the screens.
import { expect, meet, type Person } from './fixtures.ts';

/** Ana, who knows the other two, Ben and Cem. */
export type Three = readonly [ana: Person, ben: Person, cem: Person];

/** Three people, of whom Ana has met each of the others. */
export async function meetThree(people: Three): Promise<void> {
	const [ana, ben, cem] = people;
	await meet(ana, ben);
	await ana.visit('/settings/links');
	const link = `http://${await ana.page.getByRole('code').first().innerText()}`;
	await cem.visit(link);
	await cem.page.getByRole('textbox', { name: 'Your name' }).fill('Cem Aydin');
	await cem.send('hello from Cem');
	await ana.visit('/');
	await ana.open('Cem Aydin');
	await expect(ana.message('hello from Cem')).toBeVisible();
	await ana.send('hello Cem');
	await expect(cem.message('hello Cem')).toBeVisible();
}

/** Ana makes a group of the three, and each of them opens it. `look` is called on each screen on the way. */
export async function makeGroup(
	people: Three,
	name: string,
	look: (screen: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
	await meetThree(people);
	const [ana, ...others] = people;
	await ana.page.getByRole('link', { name: 'New group' }).click();
	for (const who of ['Ben Okafor', 'Cem Aydin']) {
		await ana.page.getByRole('checkbox', { name: who }).check();
	}
	await expect(ana.page.getByText('3 of 256 people')).toBeVisible();
	await look('choosing people');
	await ana.page.getByRole('button', { name: 'Next' }).click();
	await ana.page.getByRole('textbox', { name: 'Name of the group' }).fill(name);
	await look('naming a group');
	await ana.page.getByRole('button', { name: 'Create group' }).click();
	await expect(ana.header).toContainText(name);
	for (const person of others) await person.open(name);
}

/** Opens the details of the open group. */
export async function openDetails(person: Person): Promise<void> {
	if (!new URL(person.page.url()).pathname.endsWith('/info')) await person.header.click();
	await expect(person.page.getByRole('complementary', { name: 'Group' })).toBeVisible();
}

/** Chooses something in the menu of a member; the details are open. */
export async function onMember(person: Person, name: string, action: string): Promise<void> {
	await person.page
		.getByRole('list', { name: 'People in the group' })
		.getByRole('button', { name: `Actions for \u2068${name}\u2069` })
		.click();
	await person.page.getByRole('menuitem', { name: action }).click();
}

/** Opens who has an own message. */
export async function openReceipts(person: Person, text: string): Promise<void> {
	const message = person.message(text);
	// Where nothing hovers, the menu shows with the focus, which only the window in front has.
	await person.page.bringToFront();
	await message.click();
	await message.getByRole('button', { name: 'Message actions' }).click();
	await person.page.getByRole('menuitem', { name: 'Who has it' }).click();
	await expect(person.page.getByRole('dialog')).toBeVisible();
}

/** Says yes to the question on screen. */
export async function confirm(person: Person, action: string): Promise<void> {
	const dialog = person.page.getByRole('dialog');
	await dialog.getByRole('button', { name: action }).click();
	await expect(dialog).toHaveCount(0);
}

/** Paragraphs of the log, lines of the system among them. Names stand in isolates, which are taken off. */
export async function linesOf(person: Person): Promise<string[]> {
	const lines = await person.page.getByRole('log').locator('p').allInnerTexts();
	return lines.map((line) => line.replace(/[\u2068\u2069]/g, '').trim());
}

/** Expects this line of the system in the log, once. */
export async function expectLine(person: Person, line: string): Promise<void> {
	const found = async (): Promise<string[]> =>
		(await linesOf(person)).filter((each) => each === line);
	await expect.poll(found).toEqual([line]);
}

/** Ana's group with Ben; Ana is at the page of its link. */
export async function groupWithLink(ana: Person, ben: Person): Promise<void> {
	await meet(ana, ben);
	await ana.page.getByRole('link', { name: 'New group' }).click();
	await ana.page.getByRole('checkbox', { name: 'Ben Okafor' }).check();
	await ana.page.getByRole('button', { name: 'Next' }).click();
	await ana.page.getByRole('textbox', { name: 'Name of the group' }).fill('Hut weekend');
	await ana.page.getByRole('button', { name: 'Create group' }).click();
	await expectLine(ana, 'You started the group.');
	await ana.header.click();
	await ana.page.getByRole('link', { name: 'Invite link' }).click();
	await ana.page.getByRole('button', { name: 'Make a link' }).click();
}

/** The link on screen, once the relay knows it. */
export async function linkShownTo(person: Person): Promise<string> {
	const card = person.page.getByRole('region', { name: 'Invite link' });
	const shown = await card.getByRole('code').innerText();
	await expect(card.getByRole('status')).toHaveCount(0);
	return `http://${shown}`;
}
