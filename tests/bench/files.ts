// The part `files`: a long chat of WhatsApp is brought in, and a backup is saved and restored, by the screens. Frames
// are what the page itself draws meanwhile.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';

const IMPORTED = 40_000;
const BACKED_UP = 10_000;
const PASSPHRASE = 'four words nobody guesses';
const PATIENCE = { timeout: 300_000 };

interface Bench {
	/** Somebody new, at the list of conversations. */
	person(name: string): Promise<{ readonly context: BrowserContext; readonly page: Page }>;
	note(what: string, target: string, measured: string): void;
	readonly origin: string;
}

declare global {
	interface Window {
		/** Ends the recording: the longest frame, ms. */
		kithWorstFrame(): number;
	}
}

/** How long `work` takes and the longest frame while it does. */
async function watched(page: Page, work: () => Promise<void>): Promise<string> {
	await page.evaluate(() => {
		let worst = 0;
		let last = performance.now();
		let ended = false;
		const step = (now: number) => {
			worst = Math.max(worst, now - last);
			last = now;
			if (!ended) requestAnimationFrame(step);
		};
		requestAnimationFrame(step);
		window.kithWorstFrame = () => {
			ended = true;
			return worst;
		};
	});
	const began = Date.now();
	await work();
	const took = Date.now() - began;
	const worst = await page.evaluate(() => window.kithWorstFrame());
	return `${(took / 1000).toFixed(1)} s, worst frame ${worst.toFixed(0)} ms`;
}

function whatsAppChat(count: number): string {
	const lines: string[] = [];
	for (let at = 0; at < count; at++) {
		const when = new Date(Date.UTC(2021, 0, 1) + at * 600_000).toISOString();
		const day = `${when.slice(8, 10)}/${when.slice(5, 7)}/${when.slice(0, 4)}`;
		const who = at % 3 === 0 ? 'Ana Bench' : 'Ben Okafor';
		lines.push(
			`[${day}, ${when.slice(11, 19)}] ${who}: message ${at} of a long chat, as people write`,
		);
	}
	return lines.join('\n');
}

async function importing({ person, note, origin }: Bench): Promise<void> {
	const { context, page } = await person('Ana Bench');
	await page.goto(`${origin}/settings/import`);
	await page.getByRole('button', { name: 'Choose a file' }).waitFor();
	// From the disk: bytes that the driver brings into the page would cost frames of their own.
	const folder = mkdtempSync(join(tmpdir(), 'kith-bench-'));
	const file = join(folder, 'WhatsApp Chat - Ben Okafor.txt');
	writeFileSync(file, whatsAppChat(IMPORTED));
	const go = page.getByRole('button', { name: 'Import', exact: true });
	const read = await watched(page, async () => {
		await page.locator('input[type=file]').setInputFiles(file);
		await go.waitFor(PATIENCE);
	});
	note(`looking into a chat of ${IMPORTED} messages`, '', read);
	const written = await watched(page, async () => {
		await go.click();
		await page.getByRole('link', { name: 'Open the conversation' }).waitFor(PATIENCE);
	});
	note('importing it', '', written);
	await context.close();
	rmSync(folder, { recursive: true });
}

async function backup({ person, note, origin }: Bench): Promise<void> {
	const { context, page } = await person('Cleo Bench');
	await page.getByRole('navigation').getByRole('link', { name: /notes/i }).click();
	await page.waitForURL('**/c/*');
	const conversation = page.url().split('/').pop() ?? '';
	await page.evaluate(([id, count]) => window.kithFill(id, count), [
		conversation,
		BACKED_UP,
	] as const);
	// The question where to save belongs to the system: without it, the file is a download.
	await page.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
	await page.goto(`${origin}/settings/backup`);
	await page.getByRole('button', { name: 'Back up now' }).click();
	await page.getByRole('radio', { name: /passphrase/i }).check();
	await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE);
	await page.getByLabel('The same again').fill(PASSPHRASE);
	const begun = page.waitForEvent('download', PATIENCE);
	const saved = await watched(page, async () => {
		await page.getByRole('button', { name: 'Save the backup' }).click();
		await page.getByText('Backup saved').waitFor(PATIENCE);
	});
	note(`saving a backup of ${BACKED_UP} messages, with a passphrase`, '', saved);
	const buffer = await readFile(await (await begun).path());
	await context.close();
	const other = await person('Dora Bench');
	await other.page.goto(`${origin}/settings/backup`);
	await restoring(other.page, buffer, note);
	await other.context.close();
}

async function restoring(page: Page, buffer: Buffer, note: Bench['note']): Promise<void> {
	const asked = page.waitForEvent('filechooser');
	await page.getByRole('button', { name: /Bring back/ }).click();
	await (await asked).setFiles({ name: 'a.kith', mimeType: 'application/octet-stream', buffer });
	await page.getByLabel(/of this backup/).fill(PASSPHRASE);
	const restored = await watched(page, async () => {
		await page.getByRole('button', { name: 'Open', exact: true }).click();
		await page.getByText('What was missing is back').waitFor(PATIENCE);
	});
	note('restoring it elsewhere', '', restored);
}

/** Measures what files cost. */
export async function measureFiles(bench: Bench): Promise<void> {
	await importing(bench);
	await backup(bench);
}
