// npm run bench [-- latency catch-up ...]: the figures of the client, in real browsers on a real relay. It prints a
// Markdown table; medians, on whatever machine this is. It proves nothing by itself and asserts nothing.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { measureFiles } from './files.ts';
import { measureLinking } from './linking.ts';

const MESSAGES = 60;
const HISTORY = 50_000;
const LONG_CHAT = 100_000;
const BACKLOG = 10_000;
/** Enough of them for a 95th percentile to be one. */
const TAKEOVERS = 20;

interface Figure {
	readonly what: string;
	readonly target: string;
	readonly measured: string;
}

const figures: Figure[] = [];
const note = (what: string, target: string, measured: string) => {
	figures.push({ what, target, measured });
	console.error(`${what}: ${measured}`);
};

function percentile(values: readonly number[], share: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
const spread = (values: readonly number[]) =>
	`p50 ${percentile(values, 0.5).toFixed(0)} ms, p95 ${percentile(values, 0.95).toFixed(0)} ms`;

async function person(browser: Browser, origin: string, name: string) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	await page.goto(origin);
	await page.getByRole('textbox').fill(name);
	await page.getByRole('button', { name: 'Start' }).click();
	await page.getByRole('region', { name: 'Invite someone' }).waitFor();
	return { context, page };
}

async function linkOf(page: Page): Promise<string> {
	const card = page.getByRole('region', { name: 'Invite someone' });
	await card.getByRole('status').waitFor({ state: 'detached' });
	return `http://${await card.getByRole('code').innerText()}`;
}

async function say(page: Page, text: string): Promise<void> {
	const box = page.getByRole('textbox', { name: /message|write to/i });
	await box.fill(text);
	await box.press('Enter');
}

/** Resolves in the page when an article with `text` is on screen; the time is the page's own, ms since 1970. */
function shown(page: Page, text: string): Promise<number> {
	return page.evaluate(
		(wanted) =>
			new Promise<number>((resolve) => {
				const look = () =>
					[...document.querySelectorAll('[role=log] [role=article], [role=log] article')].some(
						(each) => each.textContent.includes(wanted),
					);
				const done = () => {
					observer.disconnect();
					requestAnimationFrame(() => resolve(Date.now()));
				};
				const observer = new MutationObserver(() => look() && done());
				observer.observe(document.body, { subtree: true, childList: true, characterData: true });
				if (look()) done();
			}),
		text,
	);
}

/** Presses Enter inside the page, so that the driver's own time is not measured. */
function press(page: Page): Promise<number> {
	return page.evaluate(() => {
		const at = Date.now();
		document.activeElement?.dispatchEvent(
			new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }),
		);
		return at;
	});
}

async function latency(from: Page, to: Page, label: string): Promise<void> {
	const own: number[] = [];
	const theirs: number[] = [];
	for (let index = 0; index < MESSAGES; index++) {
		const text = `${label} ${index} of the bench`;
		await from.getByRole('textbox', { name: /message|write to/i }).fill(text);
		const [atOwn, atTheirs] = [shown(from, text), shown(to, text)];
		const sent = await press(from);
		own.push((await atOwn) - sent);
		theirs.push((await atTheirs) - sent);
	}
	note(`own bubble after pressing send (${label})`, '≤ 50 ms', spread(own));
	note(`send to on-screen at the peer, ${label}`, '', spread(theirs));
}

async function talking(browser: Browser, origin: string) {
	const ana = await person(browser, origin, 'Ana Bench');
	const link = await linkOf(ana.page);
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	await page.goto(link);
	await say(page, 'hello Ana');
	await ana.page.getByRole('navigation').getByText('hello Ana').click();
	await ana.page.waitForURL('**/c/*');
	return { ana, ben: { context, page } };
}

async function setNeverDirect(page: Page, origin: string): Promise<void> {
	const back = page.url();
	await page.goto(`${origin}/settings/privacy`);
	await page.getByRole('switch', { name: /always use the relay/i }).click();
	await page.goto(back);
}

async function coldStart(context: BrowserContext, url: string): Promise<number[]> {
	const times: number[] = [];
	for (let run = 0; run < 5; run++) {
		const page = await context.newPage();
		await page.goto(url, { waitUntil: 'commit' });
		await page.getByRole('navigation').getByRole('link').first().waitFor();
		times.push(await page.evaluate(() => performance.now()));
		await page.close();
	}
	return times;
}

/** Presses the link inside the page, as `press` does; ms until the newest messages are on screen. */
function opening(link: Locator): Promise<number> {
	return link.evaluate(
		(element: HTMLElement) =>
			new Promise<number>((resolve) => {
				const began = performance.now();
				const observer = new MutationObserver(() => {
					if (!document.querySelector('[role=log] article')) return;
					observer.disconnect();
					// Painted with the frame after the one that it was laid out in.
					requestAnimationFrame(() =>
						requestAnimationFrame(() => resolve(performance.now() - began)),
					);
				});
				observer.observe(document.body, { subtree: true, childList: true });
				element.click();
			}),
	);
}

/** Longest frames while the log is scrolled up, ms. */
function scrollFrames(page: Page): Promise<number[]> {
	return page.evaluate(
		() =>
			new Promise<number[]>((resolve) => {
				const log = document.querySelector('[role=log]');
				const box = [log, ...(log?.querySelectorAll('*') ?? [])].find(
					(each) => each && each.scrollHeight > each.clientHeight + 100,
				);
				const frames: number[] = [];
				let last = performance.now();
				const step = (now: number) => {
					frames.push(now - last);
					last = now;
					if (box) box.scrollTop -= 400;
					if (frames.length < 240) requestAnimationFrame(step);
					else resolve(frames.slice(1));
				};
				requestAnimationFrame(step);
			}),
	);
}

/** Bytes that the browser says this origin takes. */
function stored(page: Page): Promise<number> {
	return page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
}

async function history(context: BrowserContext, page: Page, origin: string): Promise<void> {
	const notes = page.getByRole('navigation').getByRole('link', { name: /notes/i });
	await notes.click();
	await page.waitForURL('**/c/*');
	const conversation = page.url().split('/').pop() ?? '';
	const before = await stored(page);
	await page.evaluate(([id, count]) => window.kithFill(id, count as number), [
		conversation,
		HISTORY,
	] as const);
	const starts = await coldStart(context, origin);
	const each = ((await stored(page)) - before) / HISTORY;
	note('stored for each message of some twenty words', '', `${each.toFixed(0)} B`);
	note(`cold start to interactive, ${HISTORY} messages stored`, '≤ 1500 ms', spread(starts));
	await page.evaluate(([id, count]) => window.kithFill(id, count), [
		conversation,
		LONG_CHAT - HISTORY,
	] as const);
	const opens: number[] = [];
	for (let run = 0; run < 5; run++) {
		await page.goto(origin);
		await notes.waitFor();
		opens.push(await opening(notes));
	}
	note(`opening a chat of ${LONG_CHAT} messages`, '≤ 150 ms', spread(opens));
	const frames = await scrollFrames(page);
	const worst = Math.max(...frames).toFixed(0);
	note('scrolling it, frames', 'none over 50 ms', `${spread(frames)}, worst ${worst} ms`);
}

/** One sends while the other is away, in the page itself; then how long coming back takes. */
async function catchUp(from: Page, to: { context: BrowserContext; page: Page }): Promise<void> {
	const url = to.page.url();
	await to.page.close();
	const conversation = new URL(from.url()).pathname.split('/').pop() ?? '';
	// Not with the log in view: drawing each of them is not what is measured.
	await from.goto(new URL('/', url).href);
	await from.waitForFunction(() => 'kithSay' in window);
	await from.evaluate(([id, count]) => window.kithSay(id, count), [conversation, BACKLOG] as const);
	// Its own work on the receipts belongs to another machine.
	await from.goto('about:blank');
	const page = await to.context.newPage();
	const began = Date.now();
	await page.goto(new URL('/', url).href);
	await page
		.getByRole('navigation')
		.getByText(`backlog ${BACKLOG - 1}`)
		.waitFor({ timeout: 120_000 });
	note(`catching up ${BACKLOG} queued messages`, '≤ 5000 ms', `${Date.now() - began} ms`);
	await from.goto(url);
}

/** Who holds the engine's lock; the name changes when it passes on. */
function leaderOf(page: Page): Promise<string | undefined> {
	return page.evaluate(async () => {
		const { held } = await navigator.locks.query();
		return held?.find(({ name }) => name === 'kith engine')?.clientId;
	});
}

/** When the lock is held by somebody else than `before`; ms since 1970. */
function passedOn(page: Page, before: string | undefined): Promise<number> {
	return page.evaluate(
		(old) =>
			new Promise<number>((resolve) => {
				const look = async () => {
					const { held } = await navigator.locks.query();
					const now = held?.find(({ name }) => name === 'kith engine')?.clientId;
					if (now && now !== old) resolve(Date.now());
					else setTimeout(() => void look(), 1);
				};
				void look();
			}),
		before,
	);
}

async function takeover(context: BrowserContext, origin: string): Promise<void> {
	const times: number[] = [];
	for (let run = 0; run < TAKEOVERS; run++) {
		const leader = context.pages()[0];
		const follower = await context.newPage();
		await follower.goto(origin);
		await follower.getByRole('navigation').getByRole('link').first().waitFor();
		const taken = passedOn(follower, await leaderOf(follower));
		const closed = Date.now();
		await leader?.close();
		times.push((await taken) - closed);
	}
	note('takeover after the leading tab closed', '≤ 100 ms', spread(times));
}

function transfer(): void {
	const walk = (folder: string): string[] =>
		readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
			const path = join(folder, entry.name);
			return entry.isDirectory() ? walk(path) : [path];
		});
	const all = walk('build').filter((path) => /\.(js|css|html)$/.test(path));
	const bytes = all.reduce((sum, path) => sum + brotliCompressSync(readFileSync(path)).length, 0);
	note('the whole app, every language and page, compressed', '', `${(bytes / 1000).toFixed(0)} kB`);
}

const PARTS = ['latency', 'catch-up', 'takeover', 'linking', 'history', 'files', 'transfer'];

async function measure(wanted: readonly string[], browser: Browser, origin: string): Promise<void> {
	const { ana, ben } = await talking(browser, origin);
	if (wanted.includes('latency')) {
		await ana.page.getByText('direct', { exact: true }).first().waitFor({ timeout: 30_000 });
		await latency(ana.page, ben.page, 'direct');
		await setNeverDirect(ana.page, origin);
		await ana.page.getByText('via relay').first().waitFor({ timeout: 30_000 });
		await latency(ana.page, ben.page, 'via relay');
	}
	if (wanted.includes('catch-up')) await catchUp(ana.page, ben);
	if (wanted.includes('takeover')) await takeover(ana.context, origin);
	if (wanted.includes('linking')) {
		const page = await ana.context.newPage();
		await page.goto(origin);
		const newContext = () => browser.newContext({ viewport: { width: 1280, height: 800 } });
		await measureLinking({ page, newContext, origin, note });
	}
	if (wanted.includes('history')) {
		const alone = await person(browser, origin, 'Cleo Bench');
		await history(alone.context, alone.page, origin);
	}
	if (wanted.includes('files'))
		await measureFiles({ person: (name) => person(browser, origin, name), note, origin });
	if (wanted.includes('transfer')) transfer();
}

async function main(asked: readonly string[]): Promise<void> {
	const unknown = asked.filter((part) => !PARTS.includes(part));
	if (unknown.length > 0)
		throw new Error(`Parts are ${PARTS.join(', ')}; not ${unknown.join(', ')}`);
	for (const mode of ['production', 'bench']) {
		execFileSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', '--mode', mode], {
			stdio: 'ignore',
		});
	}
	const relay = await RelayProcess.start({
		...{ KITH_LIMITS: NO_LIMITS, KITH_BUILD: 'build-bench' },
		// The default mailbox holds just as many as one part sends, and would refuse the last ones for a while.
		KITH_MAILBOX_MESSAGES: String(BACKLOG * 2),
	});
	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
	});
	try {
		await measure(asked.length > 0 ? asked : PARTS, browser, relay.origin);
	} finally {
		await browser.close();
		await relay.stop();
	}
	const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
	console.log(`Measured on ${machine}, Chromium, everything on one machine.\n`);
	console.log('| figure | target | measured |\n| --- | --- | --- |');
	for (const { what, target, measured } of figures)
		console.log(`| ${what} | ${target} | ${measured} |`);
}

await main(process.argv.slice(2));
