// Messages over WebRTC, the relay's only part being to introduce.
import { expect, meet, test, type Person } from './fixtures.ts';

/** Where the first attempt leads nowhere, others follow: it may take longer than what the screen shows at once. */
async function becomeDirect(ana: Person, ben: Person): Promise<void> {
	for (const person of [ana, ben])
		await expect(person.header).toContainText('direct', { timeout: 30_000 });
}

test('with the relay gone two connected people keep talking, and nothing doubles when it is back', async ({
	newPerson,
	relay,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await becomeDirect(ana, ben);

	await relay.kill('SIGKILL');
	for (const person of [ana, ben]) {
		await expect(
			person.page.getByRole('main').getByText('The relay does not answer.'),
		).toBeVisible();
	}
	await ana.send('without a relay');
	await expect(ben.message('without a relay')).toBeVisible();
	await ben.send('indeed');
	await expect(ana.message('indeed')).toBeVisible();
	await expect(ana.message('without a relay', 'Read')).toBeVisible();
	for (const person of [ana, ben]) await expect(person.header).toContainText('direct');

	await relay.restart();
	for (const person of [ana, ben]) {
		await person.page.getByRole('button', { name: 'Message actions' }).first().waitFor();
		await expect(person.page.getByRole('main').getByText('The relay does not answer.')).toHaveCount(
			0,
			{
				timeout: 40_000,
			},
		);
	}
	await ana.send('it is back');
	await expect(ben.message('it is back')).toBeVisible();
	for (const person of [ana, ben]) {
		await person.expectOnce(['hello Ana', 'hello Ben', 'without a relay', 'indeed', 'it is back']);
	}
});

test('a closed tab ends the direct path, and the relay takes over', async ({ newPerson }) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await becomeDirect(ana, ben);
	const conversation = ben.page.url();
	await ben.page.goto('about:blank');
	await ana.send('after you left');
	await expect(ana.message('after you left', 'Sent')).toBeVisible();
	await expect(ana.header).toContainText('via relay');
	await ben.visit(conversation);
	await ben.expectOnce(['hello Ana', 'hello Ben', 'after you left']);
});

test('never connect directly: no peer connection is ever made', async ({ newPerson }) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await ana.page.addInitScript(() => {
		const made = { count: 0 };
		Object.assign(globalThis, { peerConnections: made });
		globalThis.RTCPeerConnection = class extends RTCPeerConnection {
			constructor(configuration?: RTCConfiguration) {
				super(configuration);
				made.count++;
			}
		};
	});
	await ana.start('Ana Lindqvist');
	await ana.neverDirect();
	await ben.visit(await ana.link());
	await ben.send('hello Ana');
	await ana.page.getByRole('navigation').getByText('hello Ana').click();
	for (let round = 1; round <= 3; round++) {
		await ana.send(`ping ${round}`);
		await expect(ben.message(`ping ${round}`)).toBeVisible();
		await ben.send(`pong ${round}`);
		await expect(ana.message(`pong ${round}`)).toBeVisible();
	}
	await expect(ana.header).toContainText('online');
	for (const person of [ana, ben]) await expect(person.header).toContainText('via relay');
	const made = await ana.page.evaluate(
		() => (globalThis as unknown as { peerConnections: { count: number } }).peerConnections.count,
	);
	expect(made).toBe(0);
});

test('Chromium and Firefox talk directly', async ({ newPerson, playwright, browserName }) => {
	test.skip(
		browserName !== 'chromium',
		'one pair is enough: the Chromium project starts a Firefox',
	);
	const firefox = test.info().config.projects.find(({ name }) => name === 'firefox')?.use;
	const other = await playwright.firefox.launch({
		...firefox?.launchOptions,
		...(firefox?.channel !== undefined && { channel: firefox.channel }),
	});
	const ana = await newPerson();
	const ben = await newPerson(other);
	await meet(ana, ben);
	await becomeDirect(ana, ben);
	await ana.send('from Chromium');
	await expect(ana.message('from Chromium', 'Read')).toBeVisible();
	await ben.send('from Firefox');
	await expect(ben.message('from Firefox', 'Read')).toBeVisible();
	await ana.expectOnce(['from Chromium', 'from Firefox']);
	await ben.expectOnce(['from Chromium', 'from Firefox']);
	await ben.context.close();
	await other.close();
});
