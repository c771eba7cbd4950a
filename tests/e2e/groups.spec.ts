// Groups of three real browsers: made, written in, changed, left, and the same for everybody.
import { expect, test } from './fixtures.ts';
import {
	confirm,
	expectLine,
	linesOf,
	makeGroup,
	onMember,
	openDetails,
	openReceipts,
	type Three,
} from './group-people.ts';

async function three(newPerson: () => Promise<Three[number]>): Promise<Three> {
	return [await newPerson(), await newPerson(), await newPerson()];
}

test('three people write in a group; everybody sees the same once and in order, with names', async ({
	newPerson,
}) => {
	test.slow();
	const people = await three(newPerson);
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await expectLine(ana, 'You started the group.');
	await expectLine(cem, 'Ana started the group.');
	const said: string[] = [];
	for (const [person, text] of [
		[ana, 'who brings bread?'],
		[ben, 'I do'],
		[cem, 'and I bring cheese'],
		[ana, 'perfect'],
	] as const) {
		await person.send(text);
		said.push(text);
		for (const each of people) await expect(each.message(text)).toBeVisible();
	}
	for (const person of people) await person.expectOnce(said);
	// Cem and Ben never met: their names came with the group.
	await expect(ben.message('and I bring cheese')).toHaveAttribute('aria-label', /Cem Aydin, /);
	await expect(cem.message('I do')).toHaveAttribute('aria-label', /Ben Okafor, /);
	await expect(ana.message('perfect', 'Read')).toBeVisible();

	await openReceipts(ana, 'perfect');
	const readers = ana.page.getByRole('region', { name: 'Read by' });
	await expect(readers.getByRole('listitem')).toHaveText([/Ben Okafor/, /Cem Aydin/]);
	await ana.page.keyboard.press('Escape');
	await expect(readers).toHaveCount(0);

	await cem.composer.pressSequentially('hm');
	await expect(ben.header).toContainText('Cem\u2069 is typing');
});

test('a new name and a new role are seen by all', async ({ newPerson }) => {
	test.slow();
	const people = await three(newPerson);
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await openDetails(ana);
	await ana.page.getByRole('button', { name: 'Edit' }).click();
	await ana.page.getByRole('textbox', { name: 'Name of the group' }).fill('Lake weekend');
	await ana.page.getByRole('textbox', { name: 'Description' }).fill('Bring towels');
	await ana.page.getByRole('button', { name: 'Save' }).click();
	for (const person of people) await expect(person.header).toContainText('Lake weekend');
	await onMember(ana, 'Ben Okafor', 'Make admin');
	await expectLine(ben, 'Ana made you admin.');
	await expectLine(cem, 'Ana made Ben admin.');
	await openDetails(cem);
	const members = cem.page.getByRole('list', { name: 'People in the group' });
	await expect(members.getByRole('listitem')).toHaveText([
		/Ana Lindqvist\s*Owner/,
		/Ben Okafor\s*Admin/,
		/You/,
	]);
	await expect(cem.page.getByText('Bring towels')).toBeVisible();
	await expect(cem.page.getByRole('button', { name: 'Edit' })).toHaveCount(0);

	// Only admins write from now on: Cem is told, and Ben still can.
	await ana.page.getByRole('switch', { name: 'Only admins write' }).check();
	await expect(cem.page.getByText('Only admins write here.')).toBeVisible();
	await expect(cem.composer).toHaveCount(0);
	await ben.send('I still can');
	await expect(cem.message('I still can')).toBeVisible();
});

test('who was removed while offline is told when back, and gets nothing later', async ({
	newPerson,
}) => {
	test.slow();
	const people = await three(newPerson);
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await cem.send('before');
	for (const each of people) await expect(each.message('before')).toBeVisible();
	// Else they would still be direct with the others.
	await cem.neverDirect();
	cem.gate.shut();
	await expect(cem.header).toContainText('offline');
	await openDetails(ana);
	await onMember(ana, 'Cem Aydin', 'Remove from the group');
	await confirm(ana, 'Remove');
	await expectLine(ben, 'Ana removed Cem.');
	await ana.send('now without Cem');
	await expect(ben.message('now without Cem')).toBeVisible();

	cem.gate.open();
	await expect(cem.page.getByRole('status').filter({ hasText: 'removed you' })).toBeVisible();
	await expect(cem.composer).toHaveCount(0);
	await expectLine(cem, 'Ana removed you.');
	await ben.send('and still without');
	await expect(ana.message('and still without')).toBeVisible();
	await cem.page.reload();
	await expect(cem.message('before')).toBeVisible();
	await expect(cem.message('now without Cem')).toHaveCount(0);
	await expect(cem.message('and still without')).toHaveCount(0);
	await expect(cem.composer).toHaveCount(0);
	// Who is gone keeps their name, also with those who only knew them from here.
	await ben.page.reload();
	await expectLine(ben, 'Ana removed Cem.');
	// Ana can be asked to come back.
	await cem.page.getByRole('link', { name: /Write to .*Ana/ }).click();
	await expect(cem.message('hello Cem')).toBeVisible();
});

test('two who remove people at the same time: one outcome, the same everywhere', async ({
	newPerson,
}) => {
	test.slow();
	const people = await three(newPerson);
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	for (const each of [ana, ben]) await each.neverDirect();
	await openDetails(ana);
	await onMember(ana, 'Ben Okafor', 'Make admin');
	await expectLine(cem, 'Ana made Ben admin.');
	await openDetails(ben);
	// Neither hears of the other: Ana takes Ben out while Ben takes Cem out.
	for (const each of [ana, ben]) each.gate.shut();
	for (const each of [ana, ben]) await expect(each.header).toContainText('offline');
	await onMember(ana, 'Ben Okafor', 'Remove from the group');
	await confirm(ana, 'Remove');
	await onMember(ben, 'Cem Aydin', 'Remove from the group');
	await confirm(ben, 'Remove');
	for (const each of [ana, ben]) each.gate.open();

	await expectLine(ben, 'Ana removed you.');
	await expectLine(ana, 'You removed Ben.');
	const wasFirst = (await linesOf(ana)).includes('Ben removed Cem.');
	await expect(ana.header).toContainText(wasFirst ? '1 person' : '2 people');
	if (wasFirst) {
		await expectLine(cem, 'Ben removed you.');
		await expect(cem.composer).toHaveCount(0);
	} else {
		await expectLine(cem, 'Ana removed Ben.');
		await cem.send('still here');
		await expect(ana.message('still here')).toBeVisible();
		await expect(ben.message('still here')).toHaveCount(0);
	}
});

test('an owner who leaves hands over, and what was written stays', async ({ newPerson }) => {
	test.slow();
	const people = await three(newPerson);
	const [ana, ben, cem] = people;
	await makeGroup(people, 'Hut weekend');
	await ana.send('the key is under the stone');
	for (const each of people) {
		await expect(each.message('the key is under the stone')).toBeVisible();
	}
	await openDetails(ana);
	await ana.page.getByRole('button', { name: 'Leave the group' }).click();
	await ana.page.getByRole('radio', { name: 'Cem Aydin' }).check();
	await confirm(ana, 'Leave');
	await expect(ana.page.getByRole('status').filter({ hasText: 'You left' })).toBeVisible();
	await expect(ana.message('the key is under the stone')).toBeVisible();
	await expectLine(cem, 'Ana handed the group over to you.');
	await expectLine(ben, 'Ana left.');
	await openDetails(cem);
	const members = cem.page.getByRole('list', { name: 'People in the group' });
	await expect(members.getByRole('listitem')).toHaveText([/You\s*Owner/, /Ben Okafor/]);
	await ben.send('safe travels');
	await expect(cem.message('safe travels')).toBeVisible();
	await expect(ana.message('safe travels')).toHaveCount(0);
});
