// People who mean harm: what they write, how they call themselves and what they put into links is text, and stays text.
import { expect, meet, test, type Person } from './fixtures.ts';
import { tooWide, tripwire } from './tripwire.ts';

/** Anything that a text or name could have turned into; the page's own script stands outside of these. */
const MADE_OF_TEXT =
	':is(main, nav, aside) :is(script, iframe, object, embed, form[action], img:not([src^="blob:"]))';

test('links in messages lead where they say, or say where they lead', async ({ newPerson }) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	const wires = [await tripwire(ana), await tripwire(ben)];
	const harmful = [
		'javascript:alert(document.domain)',
		'JaVaScRiPt://example.org/%0Aalert(1)',
		'data:text/html,<script>alert(2)</script>',
		'vbscript:msgbox(3)',
		'file:///etc/passwd',
		'blob:https://example.org/0a1b',
		'<a href="javascript:alert(4)">press me</a>',
		'<img src=x onerror=alert(5)><svg onload=alert(6)>',
		'[text](javascript:alert(7))',
		'"><script>alert(8)</script>',
	];
	for (const text of harmful) await ben.send(text);
	await ben.send('see https://pаypal.com/ now'); // a Cyrillic a
	await ben.send('see https://bank.example@evil.example/ now');
	await ben.send('see https://exam\u202Eple.example/ now');
	await ben.send('that is all');
	await expect(ana.message('that is all')).toBeVisible();

	for (const person of [ana, ben]) {
		const log = person.page.getByRole('log');
		await expect(log.locator(MADE_OF_TEXT)).toHaveCount(0);
		for (const text of harmful) await expect(person.message(text)).toHaveCount(1);
		const links = await log.locator('article a').evaluateAll((all) =>
			(all as HTMLAnchorElement[]).map(({ href, rel, target }) => ({
				host: new URL(href).host,
				protocol: new URL(href).protocol,
				rel,
				target,
			})),
		);
		const safe = { protocol: 'https:', rel: 'noopener noreferrer nofollow', target: '_blank' };
		for (const { host: _host, ...link } of links) expect(link).toEqual(safe);
		expect(links.map(({ host }) => host)).toEqual(
			expect.arrayContaining(['xn--pypal-4ve.com', 'evil.example']),
		);
		// Where it really leads stands beside it.
		await expect(log.getByText('(xn--pypal-4ve.com)')).toBeVisible();
		await expect(log.getByText('(evil.example)')).toBeVisible();
		expect(await tooWide(person.page)).toEqual([]);
	}
	for (const wire of wires) await wire.check();
});

/** What somebody writes into the field for their name; `shown`: how others see it. */
const NAMES = [
	{ typed: '<img src=x onerror=alert(1)>', shown: '<img src=x onerror=alert(1)>' },
	{ typed: '"><script>alert(2)</script>', shown: '"><script>alert(2)</script>' },
	{ typed: '\u2069\u202EnaB\u202C Okafor', shown: 'naB Okafor' },
	{ typed: 'Ben\u200B\u2060\uFEFF\u00AD Okafor', shown: 'Ben Okafor' },
	{ typed: 'Ben\tOkafor', shown: 'Ben Okafor' },
	{ typed: 'm'.repeat(10_000), shown: 'm'.repeat(64) },
];

test('a name is text of one line and of a bounded length, whatever is written into the field', async ({
	newPerson,
}) => {
	test.slow();
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.link();
	const wire = await tripwire(ana);
	for (const [at, { typed, shown }] of NAMES.entries()) {
		const ben = await newPerson();
		await ben.visit(link);
		const field = ben.page.getByRole('textbox', { name: 'Your name' });
		await field.fill('');
		await field.focus();
		// As a paste does it: the field's own limit holds.
		await ben.page.keyboard.insertText(typed);
		await ben.send(`message ${at}`);
		const row = ana.page
			.getByRole('navigation', { name: 'Conversations' })
			.getByRole('link')
			.filter({ hasText: `message ${at}` });
		await expect(row).toContainText(shown);
		await row.click();
		await expect(ana.message(`message ${at}`)).toBeVisible();
		const heading = ana.page.getByRole('main').getByRole('heading', { level: 1 });
		const words = (await heading.textContent()) ?? '';
		expect(words).toBe(`Conversation with \u2068${shown}\u2069`);
		for (const width of [390, 1280]) {
			await ana.page.setViewportSize({ width, height: 800 });
			expect(await tooWide(ana.page), shown).toEqual([]);
		}
		await expect(ana.page.locator(MADE_OF_TEXT)).toHaveCount(0);
	}
	await wire.check();
});

test('a name of nothing that can be seen is no name', async ({ newPerson }) => {
	const ben = await newPerson();
	await ben.visit('/');
	await ben.page.getByRole('textbox', { name: 'Your name' }).fill('\u200B\u2060\u202E \uFEFF');
	await ben.page.getByRole('button', { name: 'Start' }).click();
	await expect(ben.page.getByRole('alert')).toBeVisible();
});

test('a name with markup on the page behind a link, and in the settings of who has it', async ({
	newPerson,
}) => {
	const eve = await newPerson();
	const name = '<img src=x onerror=alert(1)>';
	await eve.start(name);
	const link = await eve.link();
	const ben = await newPerson();
	await ben.visit('/');
	const wires = [await tripwire(ben), await tripwire(eve)];
	await ben.page.getByRole('button', { name: /have.* link/i }).click();
	await ben.page.getByRole('textbox', { name: /link/i }).fill(ownLink(ben, link));
	await ben.page.getByRole('button', { name: /open/i }).click();
	await expect(ben.page.getByRole('heading', { level: 1 })).toContainText(name);
	await expect(ben.page.locator(MADE_OF_TEXT)).toHaveCount(0);
	expect(await tooWide(ben.page)).toEqual([]);
	for (const wire of wires) await wire.check();
});

test('a pasted link that is none is refused in place', async ({ newPerson }) => {
	const ben = await newPerson();
	await ben.visit('/');
	const wire = await tripwire(ben);
	await ben.page.getByRole('button', { name: /have.* link/i }).click();
	const field = ben.page.getByRole('textbox', { name: /link/i });
	for (const pasted of [
		'javascript:alert(1)//i#AAAA',
		'data:text/html,<script>alert(2)</script>#x',
		'https://evil.example/phish#AAAA',
		'not a link at all',
		`${ben.gate.origin}/i`,
	]) {
		await field.fill(pasted);
		await field.press('Enter');
		await expect(ben.page.getByRole('button', { name: 'Start' })).toBeVisible();
		expect(new URL(ben.page.url()).pathname, pasted).toBe('/');
	}
	// With another Kith's address it is still only the secret that counts: nobody is taken there.
	await field.fill(`https://evil.example/i#${'A'.repeat(43)}`);
	await field.press('Enter');
	await expect(
		ben.page.getByRole('heading', { name: 'This link does not exist here' }),
	).toBeVisible();
	expect(new URL(ben.page.url()).origin).toBe(ben.gate.origin);
	await wire.check();
	await ben.visit('/');
	await ben.page.getByRole('button', { name: /have.* link/i }).click();
	await field.fill(`${ben.gate.origin}/i#50%25 off%`);
	await field.press('Enter');
	await expect(ben.page.getByRole('heading', { name: 'This link is not complete' })).toBeVisible();
});

test('a broken fragment is met with a sentence, whatever stands in it', async ({ newPerson }) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const link = await ana.link();
	const secret = new URL(link).hash.slice(1);
	const ben = await newPerson();
	for (const fragment of [
		'',
		secret.slice(0, -1),
		secret.slice(0, 20),
		`${secret}${secret}`,
		'A'.repeat(1_000_000),
		'%',
		'%E0%A4%A',
		'javascript:alert(1)',
		'<img src=x onerror=alert(2)>',
		'\u202E\u2066\u0000',
		'💥'.repeat(500),
		'__proto__',
		'../../settings',
	]) {
		await ben.page.goto('about:blank');
		await ben.page.goto(`${ben.gate.origin}/i#${fragment}`);
		const title = ben.page.getByRole('heading', { name: 'This link is not complete' });
		await expect(title, fragment.slice(0, 60)).toBeVisible();
		expect(new URL(ben.page.url()).pathname).toBe('/i');
		expect(await tooWide(ben.page)).toEqual([]);
		await expect(ben.page.locator(MADE_OF_TEXT)).toHaveCount(0);
	}
	await ben.page.getByRole('link', { name: 'Start without a link' }).click();
	await expect(ben.page.getByRole('button', { name: 'Start' })).toBeVisible();
});

/** The same link over this person's own network. */
function ownLink({ gate }: Person, link: string): string {
	return `${gate.origin}/i${new URL(link).hash}`;
}
