// Nothing is lost and nothing is doubled, whatever ends at the worst moment.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, meet, test } from './fixtures.ts';

const numbered = (word: string, count: number) =>
	Array.from({ length: count }, (_, index) => `${word} ${index + 1}`);

test('five messages written offline, the tab closed, and sent once in order when back', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ben.neverDirect();
	await ben.installed();
	await expect(ben.header).toContainText('via relay');
	const conversation = ben.page.url();

	ben.gate.shut();
	await expect(ben.header).toContainText('offline');
	const texts = numbered('offline', 5);
	for (const text of texts) await ben.send(text);
	await expect(ben.message('offline 5', 'Waiting to send')).toBeVisible();
	await ben.reopen(conversation);
	await ben.expectOnce(texts);
	await ben.page.goto('about:blank');
	await expect(ana.message('offline 1')).toHaveCount(0);

	ben.gate.open();
	await ben.visit(conversation);
	await ana.expectOnce(texts);
	await expect(ben.message('offline 5', 'Read')).toBeVisible();
	await ben.expectOnce(texts);
});

test('a connection that breaks between every few messages doubles none of them', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ben.neverDirect();
	const texts = numbered('cut', 12);
	for (const [index, text] of texts.entries()) {
		await ben.send(text);
		if (index % 4 === 3) ben.gate.cut();
	}
	await ana.expectOnce(texts);
	await expect(ben.message('cut 12', 'Read')).toBeVisible();
	await ben.expectOnce(texts);
});

test('the relay is killed in the middle of a conversation and comes back', async ({
	newPerson,
	relay,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ben.neverDirect();
	const before = numbered('before', 3);
	for (const text of before) await ben.send(text);
	await relay.kill('SIGKILL');
	const during = numbered('during', 3);
	for (const text of during) await ben.send(text);
	await ana.send('answer during');
	await expect(ana.page.getByRole('main').getByText('The relay does not answer.')).toBeVisible();
	await relay.restart();
	const after = numbered('after', 3);
	for (const text of after) await ben.send(text);
	await ana.expectOnce([...before, ...during, ...after]);
	await ben.expectOnce([...before, ...during, ...after]);
	await ben.expectOnce(['answer during']);
	const arrived = ana.message('answer during', 'Delivered');
	await expect(arrived.or(ana.message('answer during', 'Read'))).toBeVisible();
});

test('a browser killed while it sends loses and doubles nothing', async ({
	newPerson,
	newGate,
	personIn,
	playwright,
	browserName,
}, { project }) => {
	const profile = mkdtempSync(join(tmpdir(), 'kith-profile-'));
	const { launchOptions, channel } = project.use;
	const open = () =>
		playwright[browserName].launchPersistentContext(profile, {
			...launchOptions,
			...(channel !== undefined && { channel }),
			locale: 'en-US',
		});
	const gate = await newGate();
	const ana = await newPerson();
	const ben = await personIn(await open(), gate);
	await meet(ana, ben);
	await ben.neverDirect();
	const conversation = ben.page.url();

	const texts = numbered('kill', 30);
	for (const text of texts.slice(0, 20)) await ben.send(text);
	// Twenty are stored; the rest is on its way through the page while the process dies.
	const rest = (async () => {
		for (const text of texts.slice(20)) {
			await ben.composer.fill(text);
			await ben.composer.press('Enter');
		}
	})().catch(() => undefined);
	await expect(ben.message('kill 22')).toHaveAttribute('aria-busy', 'false');
	const gone = new Promise((resolve) => ben.context.once('close', resolve));
	for (const pid of processesOf(profile)) process.kill(pid, 'SIGKILL');
	await gone;
	await rest;

	const context = await open();
	const back = await personIn(context, gate);
	// So tall that all of them are on screen at once.
	for (const { page } of [back, ana]) await page.setViewportSize({ width: 1280, height: 4_000 });
	await back.visit(conversation);
	await back.send('back again');
	await expect(ana.message('back again')).toBeVisible();
	await expect(back.message('kill 1')).toBeVisible();
	const kept = (await back.texts()).filter((text) => text.startsWith('kill'));
	expect(kept).toEqual(texts.slice(0, kept.length));
	expect(kept.length).toBeGreaterThanOrEqual(22);
	await ana.expectOnce([...kept, 'back again']);
	await context.close();
	rmSync(profile, { recursive: true, force: true });
});

/** Every process of a browser that was started on this profile. */
function processesOf(profile: string): number[] {
	return readdirSync('/proc')
		.map(Number)
		.filter((pid) => pid > 0 && commandOf(pid).includes(profile));
}

function commandOf(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
	} catch {
		return ''; // ended meanwhile
	}
}
