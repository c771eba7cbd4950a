// People in real browsers on a real relay process that serves the built app.
import {
	test as base,
	expect,
	type Browser,
	type BrowserContext,
	type Page,
} from '@playwright/test';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

/** One person: a browser profile of their own, with a page in front. */
export class Person {
	readonly context: BrowserContext;
	readonly page: Page;
	readonly origin: string;
	/** What the page complained about; tests end by finding it empty. */
	readonly complaints: string[] = [];

	constructor(context: BrowserContext, page: Page, origin: string) {
		this.context = context;
		this.page = page;
		this.origin = origin;
		page.on('pageerror', (error) => this.complaints.push(error.message));
	}

	get composer() {
		return this.page.getByRole('textbox', { name: /message|write to/i });
	}

	/** Messages on screen, own and others'. */
	get log() {
		return this.page.getByRole('log');
	}

	message(text: string) {
		return this.log.getByRole('article').filter({ hasText: text });
	}

	async start(name: string): Promise<void> {
		await this.page.goto(this.origin);
		await this.page.getByRole('textbox').fill(name);
		await this.page.getByRole('button', { name: 'Start' }).click();
		await expect(this.page.getByRole('region', { name: 'Invite someone' })).toBeVisible();
	}

	/** Own invite link, once the relay knows it. */
	async link(): Promise<string> {
		const card = this.page.getByRole('region', { name: 'Invite someone' }).first();
		const shown = await card.getByRole('code').innerText();
		await expect(card.getByRole('status')).toHaveCount(0);
		return `http://${shown}`;
	}

	async send(text: string): Promise<void> {
		await this.composer.fill(text);
		await this.composer.press('Enter');
		await expect(this.message(text).last()).toBeVisible();
	}

	async open(name: string): Promise<void> {
		await this.page.getByRole('navigation').getByRole('link', { name }).first().click();
		await expect(this.composer).toBeVisible();
	}
}

interface World {
	readonly relay: RelayProcess;
	readonly newPerson: (browser?: Browser) => Promise<Person>;
}

export const test = base.extend<World>({
	// Playwright reads which fixtures this one needs from its first parameter: none.
	// eslint-disable-next-line no-empty-pattern
	relay: async ({}, use) => {
		const relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
		await use(relay);
		await relay.stop();
	},
	newPerson: async ({ browser, relay }, use) => {
		const people: Person[] = [];
		await use(async (other = browser) => {
			const context = await other.newContext({ viewport: { width: 1280, height: 800 } });
			const person = new Person(context, await context.newPage(), relay.origin);
			people.push(person);
			return person;
		});
		for (const person of people) {
			expect(person.complaints).toEqual([]);
			await person.context.close();
		}
	},
});

/** Two people who have met over a link; each has the conversation open. */
export async function meet(a: Person, b: Person): Promise<void> {
	await a.start('Ana Lindqvist');
	const link = await a.link();
	await b.page.goto(link);
	await expect(b.page.getByText('Ana Lindqvist').first()).toBeVisible();
	await b.send('hello Ana');
	await a.page.getByRole('navigation').getByText('hello Ana').click();
	await expect(a.message('hello Ana')).toBeVisible();
}

export { expect };
