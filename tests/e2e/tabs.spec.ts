// Any number of tabs, one engine, one connection.
import { expect, meet, test, type Person } from './fixtures.ts';

/** Another tab of the same person, at the same place. */
async function secondTab({ context, page }: Person) {
	const tab = await context.newPage();
	await tab.goto(page.url());
	const articles = tab.getByRole('log').getByRole('article');
	await expect(articles.first()).toBeVisible();
	return { tab, articles };
}

async function connectionsAt(origin: string): Promise<number> {
	const text = await (await fetch(`${origin}/metrics`)).text();
	return Number(/^kith_connections (\d+)$/m.exec(text)?.[1]);
}

test('two tabs are live on one connection', async ({ newPerson, relay }) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	const { tab, articles } = await secondTab(ben);
	await expect.poll(() => connectionsAt(relay.origin)).toBe(2);
	await ana.send('to both tabs');
	await expect(ben.message('to both tabs')).toBeVisible();
	await expect(articles.filter({ hasText: 'to both tabs' })).toBeVisible();
	await ben.send('from the first tab');
	await expect(articles.filter({ hasText: 'from the first tab' })).toBeVisible();
	const field = tab.getByRole('textbox', { name: /^Message to / });
	await field.fill('from the second tab');
	await field.press('Enter');
	await ana.expectOnce(['to both tabs', 'from the first tab', 'from the second tab']);
	await ben.expectOnce(['to both tabs', 'from the first tab', 'from the second tab']);
	expect(await connectionsAt(relay.origin)).toBe(2);
});

for (const how of ['closed', 'crashed'] as const) {
	test(`the leading tab is ${how}, and the other one takes over`, async ({
		newPerson,
		relay,
		browserName,
	}) => {
		test.skip(how === 'crashed' && browserName !== 'chromium', 'only Chromium crashes on demand');
		const ana = await newPerson();
		const ben = await newPerson();
		await meet(ana, ben);
		const leading = ben.page;
		const { tab } = await secondTab(ben);
		await ben.send('before');
		if (how === 'closed') await leading.close();
		else {
			const crashed = leading.waitForEvent('crash');
			void leading.goto('chrome://crash').catch(() => undefined);
			await crashed;
		}
		ben.page = tab;
		await ana.send('is anyone left?');
		await expect(ben.message('is anyone left?')).toBeVisible();
		await ben.send('the second tab is');
		await ana.expectOnce(['before', 'is anyone left?', 'the second tab is']);
		await expect(ben.message('the second tab is', 'Read')).toBeVisible();
		await expect.poll(() => connectionsAt(relay.origin)).toBe(2);
	});
}

test('twelve tabs at once are one device, and whichever is closed, nothing is lost or doubled', async ({
	newPerson,
	relay,
}) => {
	test.slow();
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	const url = ben.page.url();
	const more = await Promise.all(
		Array.from({ length: 11 }, async () => {
			const tab = await ben.context.newPage();
			await tab.goto(url);
			return tab;
		}),
	);
	const tabs = [ben.page, ...more];
	const said: string[] = [];
	// The one that leads first: each time another has to take over while something is on its way.
	while (tabs.length > 1) {
		const text = `while ${tabs.length} were open`;
		said.push(text);
		await Promise.all([ana.send(text), tabs.shift()?.close()]);
	}
	const [last] = tabs;
	if (!last) throw new Error('no tab is left');
	ben.page = last;
	await ben.expectOnce(said);
	await ben.send('and one is left');
	await ana.expectOnce([...said, 'and one is left']);
	await expect(ana.message(said.at(-1) ?? '', 'Read')).toBeVisible();
	await expect.poll(() => connectionsAt(relay.origin)).toBe(2);
});

test('a draft is kept per conversation, over a reload and in the other tab', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	const { tab } = await secondTab(ben);
	await tab.goto(`${ben.gate.origin}/`);
	await ben.composer.fill('not finished yet');
	await expect(tab.getByRole('navigation').getByText(/Draft:\s*not finished yet/)).toBeVisible();
	await ben.open('Notes to yourself');
	await expect(ben.composer).toHaveValue('');
	await ben.open('Ana Lindqvist');
	await expect(ben.composer).toHaveValue('not finished yet');
	await ben.page.reload();
	await expect(ben.composer).toHaveValue('not finished yet');
	await ben.composer.press('Enter');
	await expect(ana.message('not finished yet')).toBeVisible();
	await ben.page.reload();
	await expect(ben.message('not finished yet')).toBeVisible();
	await expect(ben.composer).toHaveValue('');
});
