// A person at a WebKit window: what they do and see, through WebKit's own driver.
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import {
	Builder,
	By,
	Capabilities,
	error,
	Key,
	type WebDriver,
	type WebElement,
} from 'selenium-webdriver';

const DRIVER = '/usr/bin/WebKitWebDriver';
const BROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const PATIENCE = 20_000;

/** A WebKit window with a profile of its own: each driver process has one. */
export class Window {
	readonly driver: WebDriver;
	readonly #process: ChildProcess;

	private constructor(driver: WebDriver, process: ChildProcess) {
		this.driver = driver;
		this.#process = process;
	}

	static async open(port: number): Promise<Window> {
		const child = spawn(DRIVER, [`--port=${port}`], { stdio: 'ignore' });
		await answering(`http://127.0.0.1:${port}/status`);
		const capabilities = new Capabilities({
			browserName: 'MiniBrowser',
			'webkitgtk:browserOptions': { binary: BROWSER, args: ['--automation'] },
		});
		const driver = await new Builder()
			.usingServer(`http://127.0.0.1:${port}`)
			.withCapabilities(capabilities)
			.build();
		return new Window(driver, child);
	}

	async find(css: string, text = ''): Promise<WebElement> {
		const look = async () => {
			for (const element of await this.driver.findElements(By.css(css))) {
				if (!(await element.isDisplayed())) continue;
				if ((await textOf(element)).includes(text)) return element;
			}
			return null;
		};
		const found = await this.driver.wait(
			() => look().catch(goneMeanwhile),
			PATIENCE,
			`no ${css} with "${text}"`,
		);
		if (!found) throw new Error('the driver stopped waiting without an element');
		return found;
	}

	async press(css: string, text: string): Promise<void> {
		await (await this.find(css, text)).click();
	}

	/** A first name and *Start*; resolves with the own link once the relay knows it. */
	async start(name: string): Promise<string> {
		await (await this.find('input')).sendKeys(name);
		await this.press('button', 'Start');
		const link = await textOf(await this.find('code'));
		// Until the relay knows the link, the card says that it is pending.
		const pending = By.css('main [aria-label="Invite someone"] [role="status"]');
		await this.driver.wait(
			async () => (await this.driver.findElements(pending)).length === 0,
			PATIENCE,
		);
		return `http://${link}`;
	}

	async say(text: string): Promise<void> {
		const field = await this.find('textarea');
		// The driver types the Basic Multilingual Plane only: the text goes in as a paste would.
		await this.driver.executeScript(
			`arguments[0].focus(); document.execCommand('insertText', false, arguments[1]);`,
			field,
			text,
		);
		await field.sendKeys(Key.ENTER);
		await this.sees(text);
	}

	async sees(text: string): Promise<void> {
		await this.find('[role=log] article', text);
	}

	/** Expects each of these texts once and in this order, whatever else was said. */
	async seesOnce(texts: readonly string[]): Promise<void> {
		let seen: string[] = [];
		const all = async () => {
			const articles = await this.driver.findElements(By.css('[role=log] article'));
			const shown = await Promise.all(articles.map(textOf));
			seen = shown.flatMap((each) => texts.filter((text) => each.includes(text)));
			return seen.join() === texts.join();
		};
		await this.driver
			.wait(() => all().catch(goneMeanwhile), PATIENCE)
			.catch(() => {
				throw new Error(`not each once in order, but: ${seen.join(', ')}`);
			});
	}

	/** The delivery state of the own message with this text, as it is read out. */
	async seesState(text: string, state: string): Promise<void> {
		const css = `[role=log] article[aria-label$="${state}"]`;
		await this.find(css, text);
	}

	/** What is on screen and in the composer, for a report. */
	async shown(): Promise<string> {
		const read = 'return [document.body.innerText, document.querySelector("textarea")?.value]';
		const [body, written] = await this.driver.executeScript<[string, string | null]>(read);
		const lines = body.replace(/\s*\n\s*/g, ' / ').slice(0, 1500);
		return `--- ${await this.driver.getCurrentUrl()}\n${lines}\nin the composer: ${written ?? 'no composer'}`;
	}

	async close(): Promise<void> {
		await this.driver.quit().catch(() => undefined);
		this.#process.kill();
	}
}

/** The screen changed between finding something and asking it: look again. */
function goneMeanwhile(problem: unknown): null {
	if (problem instanceof error.StaleElementReferenceError) return null;
	throw problem;
}

/** WebKit's driver leaves out text that ends in an ellipsis, so the page itself is asked. */
function textOf(element: WebElement): Promise<string> {
	return element.getProperty('textContent').then(String);
}

/** Resolves when something answers there. */
async function answering(url: string): Promise<void> {
	const until = Date.now() + PATIENCE;
	while (Date.now() < until) {
		const answer = await fetch(url).catch(() => undefined);
		if (answer?.ok) return;
		await setTimeout(100);
	}
	throw new Error(`${url} does not answer`);
}
