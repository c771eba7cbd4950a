// The same stories in WebKit, through its own driver: it has no WebRTC, so it is the proof that the relay alone is
// enough. node tests/webkit/run.ts REPORT, under a display; writes {passed, failed, skipped} to REPORT.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import {
	Builder,
	By,
	Capabilities,
	Key,
	type WebDriver,
	type WebElement,
} from 'selenium-webdriver';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const DRIVER = '/usr/bin/WebKitWebDriver';
const BROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const PATIENCE = 12_000;

/** A WebKit window with a profile of its own: each driver process has one. */
class Window {
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
		const found = await this.driver.wait(
			async () => {
				for (const element of await this.driver.findElements(By.css(css))) {
					if (!(await element.isDisplayed())) continue;
					if ((await textOf(element)).includes(text)) return element;
				}
				return null;
			},
			PATIENCE,
			`no ${css} with "${text}"`,
		);
		if (!found) throw new Error('the driver stopped waiting without an element');
		return found;
	}

	async start(name: string): Promise<string> {
		await (await this.find('input')).sendKeys(name);
		await (await this.find('button', 'Start')).click();
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
		await (await this.find('textarea')).sendKeys(text, Key.ENTER);
		await this.sees(text);
	}

	async sees(text: string): Promise<void> {
		await this.find('[role=log] article', text);
	}

	async close(): Promise<void> {
		await this.driver.quit().catch(() => undefined);
		this.#process.kill();
	}
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

const report = process.argv[2] ?? 'test-results/webkit.json';
const tally = { passed: 0, failed: 0, skipped: 0 };

async function story(name: string, run: () => Promise<void>): Promise<void> {
	const began = Date.now();
	try {
		await run();
		tally.passed++;
		console.log(`ok ${name} (${Date.now() - began} ms)`);
	} catch (error) {
		tally.failed++;
		console.log(`FAILED ${name}: ${error instanceof Error ? error.stack : String(error)}`);
		for (const { driver } of windows) {
			const shown = await textOf(await driver.findElement(By.css('body')));
			console.log(`--- ${await driver.getCurrentUrl()}\n${shown}`);
		}
	}
}

const relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
const origin = relay.origin.replace('127.0.0.1', 'localhost');
const windows: Window[] = [];
try {
	const ana = await Window.open(4501);
	windows.push(ana);
	const ben = await Window.open(4502);
	windows.push(ben);
	let link = '';
	await story('a name and Start, and there is a link', async () => {
		await ana.driver.get(origin);
		link = await ana.start('Ana Lindqvist');
	});
	await story('two actions from the link to a sent message', async () => {
		await ben.driver.get(link);
		await ben.find('h1, h2', 'Ana Lindqvist');
		await ben.say('hello Ana from WebKit');
		await (await ana.find('nav a', 'hello Ana from WebKit')).click();
		await ana.sees('hello Ana from WebKit');
	});
	await story('an answer comes back, by the relay', async () => {
		await ana.say('hello Ben');
		await ben.sees('hello Ben');
		await ana.find('[data-opens-details]', 'via relay');
	});
	await story('a reload keeps the conversation: keys and rows read back', async () => {
		await ben.driver.navigate().refresh();
		await ben.sees('hello Ben');
		await ben.say('still here');
		await ana.sees('still here');
	});
	await story('what is written while the relay is dead goes out when it is back', async () => {
		await relay.kill();
		await ben.say('into the dark');
		await relay.restart();
		await ana.sees('into the dark');
	});
} finally {
	for (const window of windows) await window.close();
	await relay.stop();
}
mkdirSync(dirname(report), { recursive: true });
writeFileSync(report, JSON.stringify(tally));
process.exit(tally.failed > 0 ? 1 : 0);
