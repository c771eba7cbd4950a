// Makes the pictures of the README from the built app: two people on a real relay, in Chromium.
// node tools/screens.ts, after a build.
import { chromium, type Browser, type Page } from 'playwright';
import { RelayProcess } from '../tests/support/relay-process.ts';

const FOLDER = new URL('../.github/screens/', import.meta.url).pathname;
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 780 };

async function open(browser: Browser, url: string): Promise<Page> {
	const context = await browser.newContext({ viewport: WIDE });
	const page = await context.newPage();
	await page.goto(url);
	return page;
}

async function say(page: Page, text: string): Promise<void> {
	const box = page.getByRole('textbox', { name: /message|write to/i });
	await box.fill(text);
	await box.press('Enter');
	await page.getByRole('log').getByText(text.slice(0, 20)).last().waitFor();
}

const relay = await RelayProcess.start();
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
	args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
	const maya = await open(browser, relay.origin);
	await maya.getByRole('textbox').fill('Maya Lindqvist');
	await maya.getByRole('button', { name: 'Start' }).click();
	const card = maya.getByRole('region', { name: 'Invite someone' });
	await card.getByRole('status').waitFor({ state: 'detached' });
	const link = `http://${await card.getByRole('code').innerText()}`;

	const sol = await open(browser, link);
	await sol.setViewportSize(PHONE);
	await sol.getByText('Maya Lindqvist').first().waitFor();
	await sol.screenshot({ path: `${FOLDER}invite-phone.png` });
	await say(sol, 'Hi Maya, it works right here in the browser 🙂');
	await maya.getByRole('navigation').getByText('Hi Maya').click();
	await say(maya, 'It does! Are you coming to the lake on Friday?');
	await say(sol, 'Yes. The sleeper leaves at *22:40*, I booked the lower bunks.');
	await say(maya, 'You are a hero. Do we need bedding?');
	await say(sol, 'Included, I asked.');
	await say(sol, '🚂😍');
	await maya.getByText('direct', { exact: true }).first().waitFor({ timeout: 60_000 });
	for (const page of [maya, sol]) {
		await page
			.getByRole('region', { name: 'Keep Kith at hand' })
			.getByRole('button')
			.first()
			.click();
	}
	await maya.getByRole('textbox').blur();
	await maya.mouse.move(700, 400);
	await maya.screenshot({ path: `${FOLDER}chat-light.png` });
	await sol.emulateMedia({ colorScheme: 'dark' });
	await sol.reload(); // no colour on its way from light to dark
	await sol.getByText('direct', { exact: true }).first().waitFor({ timeout: 60_000 });
	await sol.screenshot({ path: `${FOLDER}chat-phone-dark.png` });
} finally {
	await browser.close();
	await relay.stop();
}
