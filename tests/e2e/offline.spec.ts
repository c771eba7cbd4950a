// The installed app: starts and reads without a network, and changes to a new version only when told to.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { expect, meet, test as base } from './fixtures.ts';

/** A relay whose app can be replaced by another version. */
const test = base.extend<{ build: string }>({
	// eslint-disable-next-line no-empty-pattern -- Playwright reads the needed fixtures from it: none
	build: async ({}, use) => {
		const build = mkdtempSync(join(tmpdir(), 'kith-build-'));
		cpSync('build', build, { recursive: true });
		await use(build);
		rmSync(build, { recursive: true, force: true });
	},
	relay: async ({ build }, use) => {
		const relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS, KITH_BUILD: build });
		await use(relay);
		await relay.stop();
	},
});

/** The same app under another version name, as a new release is for the browser. */
function release(build: string, version: string): void {
	for (const name of readdirSync(build, { recursive: true, encoding: 'utf8' })) {
		if (/(service-worker\.js|version\.json)\.(br|gz)$/.test(name)) rmSync(join(build, name));
	}
	const worker = join(build, 'service-worker.js');
	const now = readFileSync(join(build, '_app/version.json'), 'utf8');
	const { version: old } = JSON.parse(now) as { version: string };
	writeFileSync(worker, readFileSync(worker, 'utf8').replaceAll(old, version));
	writeFileSync(join(build, '_app/version.json'), JSON.stringify({ version }));
}

test('without a network it starts, reads everything, and opens addresses never visited', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ben.neverDirect();
	await ben.installed();
	const conversation = new URL(ben.page.url()).pathname;
	ben.gate.shut();
	await ben.reopen();
	await ben.open('Ana Lindqvist');
	await ben.expectOnce(['hello Ana', 'hello Ben']);
	await expect(ben.header).toContainText('offline');
	await ben.visit(`${conversation}/info/verify`);
	await expect(ben.page.getByRole('group', { name: /Safety number/ })).toBeVisible();
	await ben.visit('/settings/storage');
	await expect(ben.page.getByRole('heading', { name: 'Storage' })).toBeVisible();
	await ben.visit('/i#not-a-link');
	await expect(ben.page.getByRole('heading', { name: 'This link is not complete' })).toBeVisible();
});

test('a new version says so, keeps the draft, and takes over only when told', async ({
	newPerson,
	relay,
	build,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ben.installed();
	await ben.page.reload();
	await ben.composer.fill('half a thought');
	await ben.page.evaluate(() => Object.assign(globalThis, { sameDocument: true }));

	await relay.kill('SIGTERM');
	release(build, '0.2.0-test');
	await relay.restart();
	await ben.page.evaluate(async () => (await navigator.serviceWorker.ready).update());
	const restart = ben.page.getByRole('main').getByRole('button', { name: 'Restart' });
	await expect(ben.page.getByRole('main').getByText('A new version is ready.')).toBeVisible();
	await ana.send('are you updating?');
	await expect(ben.message('are you updating?')).toBeVisible();
	await expect(ben.composer).toHaveValue('half a thought');
	expect(await ben.page.evaluate(() => 'sameDocument' in globalThis)).toBe(true);

	await Promise.all([ben.page.waitForEvent('load'), restart.click()]);
	await expect(ben.composer).toHaveValue('half a thought');
	await ben.expectOnce(['hello Ana', 'hello Ben', 'are you updating?']);
	await expect(restart).toHaveCount(0);
});

test('cleared storage is told from a first visit', async ({ newPerson }) => {
	const ben = await newPerson();
	await ben.start('Ben Okafor');
	await ben.page.goto(`${ben.gate.origin}/healthz`);
	await ben.page.evaluate(
		() =>
			new Promise((resolve, reject) => {
				const request = indexedDB.deleteDatabase('kith');
				request.onsuccess = resolve;
				request.onerror = reject;
			}),
	);
	await ben.visit('/');
	await expect(
		ben.page.getByRole('heading', { name: 'This browser cleared Kith’s storage' }),
	).toBeVisible();
	await ben.page.getByRole('button', { name: /Start again/ }).click();
	await expect(ben.page.getByRole('textbox', { name: 'Your name' })).toBeVisible();
	await ben.start('Ben Again');
});
