// What a person does and sees, in the words of the screens.
import { expect, type BrowserContext, type Locator, type Page } from '@playwright/test';
import type { Gate } from './gate.ts';

/** One person: a browser profile of their own, with a page in front. */
export class Person {
	readonly context: BrowserContext;
	readonly gate: Gate;
	/** The page in front. */
	page: Page;
	/** What the pages complained about; tests end by finding it empty. */
	readonly complaints: string[] = [];
	/** Requests to anywhere but the relay; tests end by finding it empty. */
	readonly strayRequests: string[] = [];

	private constructor(context: BrowserContext, gate: Gate, page: Page) {
		this.context = context;
		this.gate = gate;
		this.page = page;
		context.on('weberror', (thrown) => this.complaints.push(String(thrown.error())));
		context.on('request', (request) => {
			const url = new URL(request.url());
			if (/^https?:$/.test(url.protocol) && url.origin !== gate.origin)
				this.strayRequests.push(url.href);
		});
	}

	static async in(context: BrowserContext, gate: Gate): Promise<Person> {
		const [page] = context.pages();
		return new Person(context, gate, page ?? (await context.newPage()));
	}

	/** Opens a path of the app, or somebody's link, over this person's own network. */
	async visit(address: string): Promise<void> {
		const { pathname, hash } = new URL(address, this.gate.origin);
		await this.page.goto(this.gate.origin + pathname + hash);
	}

	/** Closes the page and opens a new one. */
	async reopen(path = '/'): Promise<void> {
		const old = this.page;
		this.page = await this.context.newPage();
		await old.close();
		await this.visit(path);
	}

	async start(name: string): Promise<void> {
		await this.visit('/');
		await this.page.getByRole('textbox', { name: 'Your name' }).fill(name);
		await this.page.getByRole('button', { name: 'Start' }).click();
		await expect(this.inviteCard).toBeVisible();
	}

	/** Turns direct connections off, so that the relay is the only way; ends where it began. */
	async neverDirect(): Promise<void> {
		const { href } = new URL(this.page.url());
		await this.visit('/settings/privacy');
		await this.turnOn(/Always use the relay/);
		await this.visit(href);
	}

	/** Turns a switch on and waits until that is kept: a page left before may take it along. */
	async turnOn(name: RegExp): Promise<void> {
		const setting = this.page.getByRole('switch', { name });
		await setting.check();
		await expect(setting).toHaveAttribute('aria-busy', 'false');
	}

	/** Waits until the service worker holds the app: from then on it opens offline. */
	async installed(): Promise<void> {
		await this.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
	}

	get inviteCard(): Locator {
		return this.page.getByRole('region', { name: 'Invite someone' }).first();
	}

	/** The own reusable link, once the relay knows it. */
	async link(): Promise<string> {
		const shown = await this.inviteCard.getByRole('code').innerText();
		await expect(this.inviteCard.getByRole('status')).toHaveCount(0);
		return `http://${shown}`;
	}

	/** A new link for one person, once the relay knows it. */
	async oneTimeLink(): Promise<string> {
		await this.visit('/settings/links');
		await expect(this.page.getByText('Your invite link')).toBeVisible();
		const known = this.page.getByText(/^until /);
		const before = await known.count();
		await this.page.getByRole('button', { name: /New link for one person/ }).click();
		await expect(known).toHaveCount(before + 1);
		await expect(
			this.page.getByRole('button', { name: 'Show code', expanded: true }),
		).toBeVisible();
		return `http://${await this.page.getByRole('code').last().innerText()}`;
	}

	/** Lines of the list, the notes among them. */
	get conversations(): Locator {
		return this.page.getByRole('navigation', { name: 'Conversations' }).getByRole('listitem');
	}

	/** How many there are, once the list is there. */
	async countConversations(): Promise<number> {
		await this.conversations.first().waitFor();
		return this.conversations.count();
	}

	get composer(): Locator {
		return this.page.getByRole('textbox', { name: /^Message to / });
	}

	/** Types it and presses Enter; it is on screen and on this device's disk when this returns. */
	async send(text: string): Promise<void> {
		await this.composer.fill(text);
		await this.composer.press('Enter');
		await expect(this.message(text)).toBeVisible();
		await expect(this.message(text)).toHaveAttribute('aria-busy', 'false');
	}

	/** Messages on screen, own and others', oldest first. */
	get messages(): Locator {
		return this.page.getByRole('log').getByRole('article');
	}

	/** The message with this text alone, in a delivery state if one is given. */
	message(text: string, state?: 'Waiting to send' | 'Sent' | 'Delivered' | 'Read'): Locator {
		const end = state === undefined ? '(, [A-Z][a-z ]+)?' : `, ${state}`;
		const name = new RegExp(`[AP]M, ${text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}${end}$`);
		return this.page.getByRole('log').getByRole('article', { name });
	}

	/** Text of each message on screen, oldest first: what the bubble shows without time and ticks. */
	texts(): Promise<string[]> {
		return this.messages.evaluateAll((articles) =>
			articles.map((article) => {
				const shown = article.querySelector('.txt, .big')?.cloneNode(true) as Element | undefined;
				for (const extra of shown?.querySelectorAll('.meta, .fold') ?? []) extra.remove();
				return shown?.textContent.trim() ?? '';
			}),
		);
	}

	/** Expects each of these once and in this order, whatever else is there. */
	async expectOnce(texts: readonly string[]): Promise<void> {
		await expect
			.poll(async () => (await this.texts()).filter((text) => texts.includes(text)))
			.toEqual(texts);
	}

	/** Name, presence and path of the open conversation. */
	get header(): Locator {
		return this.page.locator('[data-opens-details]');
	}

	async open(name: string): Promise<void> {
		const list = this.page.getByRole('navigation', { name: 'Conversations' });
		await list.getByRole('link').filter({ hasText: name }).first().click();
		await expect(this.composer).toBeVisible();
	}
}
