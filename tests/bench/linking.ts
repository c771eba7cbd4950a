// One more device for somebody with a long history: when it is usable, and when everything is there.
import type { BrowserContext, Locator, Page } from 'playwright';

const HISTORY = 50_000;
const LONG = { timeout: 600_000 };

interface Linking {
	/** The list of somebody who talks with one person. */
	readonly page: Page;
	readonly newContext: () => Promise<BrowserContext>;
	readonly origin: string;
	readonly note: (what: string, target: string, measured: string) => void;
}

/** The conversation that is not the notes. */
const rowOf = (page: Page): Locator =>
	page.locator('nav a[href*="/c/"]').filter({ hasNotText: /notes/i }).first();

export async function measureLinking({ page, newContext, origin, note }: Linking): Promise<void> {
	await rowOf(page).click();
	await page.waitForURL('**/c/*');
	const conversation = new URL(page.url()).pathname.split('/').pop() ?? '';
	await page.evaluate(([id, count]) => window.kithFill(id, count), [
		conversation,
		HISTORY,
	] as const);
	const context = await newContext();
	const second = await context.newPage();
	await second.goto(origin);
	await second.getByRole('button', { name: 'I use Kith on another device' }).click();
	const link = `http://${await second.getByRole('code').innerText()}`;
	await page.goto(`${origin}/settings/devices`);
	await page.getByRole('button', { name: 'Link a device' }).click();
	await page.getByRole('textbox').fill(link);
	await page.getByRole('button', { name: 'Go on' }).click();
	const began = Date.now();
	await page.getByRole('button', { name: 'Link it' }).click();
	await rowOf(second).click(LONG);
	await second.getByRole('log').getByRole('article').first().waitFor(LONG);
	note(`linking, until the newest of ${HISTORY} messages show`, '≤ 10 s', seconds(began));
	await second
		.getByRole('navigation')
		.getByRole('progressbar')
		.waitFor({ state: 'detached', ...LONG });
	note(`linking, until all ${HISTORY} are there`, '', seconds(began));
	await context.close();
}

const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`;
