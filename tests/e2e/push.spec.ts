// In the background: a push or a network that is back wakes the service worker, over Chromium's own protocol. No push
// service is in reach of a test, so the wake is delivered where the push service would hand it to the browser.
import type { CDPSession } from '@playwright/test';
import { expect, meet, test, type Person } from './fixtures.ts';

test.skip(
	({ browserName }) => browserName !== 'chromium',
	'only Chromium delivers a push on demand',
);

interface Wake {
	readonly cdp: CDPSession;
	readonly origin: string;
	readonly registrationId: string;
}

/** Leaves the app, so that no page of it is open, and finds its service worker. */
async function leave(person: Person): Promise<Wake> {
	await person.installed();
	const { origin } = person.gate;
	await person.context.grantPermissions(['notifications'], { origin });
	await person.page.goto('about:blank');
	const cdp = await person.context.newCDPSession(person.page);
	const found = new Promise<string>((resolve) => {
		cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
			const own = registrations.find(({ scopeURL }) => scopeURL.startsWith(origin));
			if (own) resolve(own.registrationId);
		});
	});
	await cdp.send('ServiceWorker.enable');
	return { cdp, origin, registrationId: await found };
}

async function notifications({ context }: Person) {
	const [worker] = context.serviceWorkers();
	if (!worker) return [];
	return worker.evaluate(async () => {
		const { registration } = globalThis as unknown as {
			registration: ServiceWorkerRegistration;
		};
		return (await registration.getNotifications()).map(({ title, body }) => ({ title, body }));
	});
}

test('a push opens the mail, shows who wrote, and tells the sender that it arrived', async ({
	newPerson,
}) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	const { cdp, ...wake } = await leave(ana);
	await ben.send('wake up');
	await expect(ben.message('wake up', 'Sent')).toBeVisible();
	await cdp.send('ServiceWorker.deliverPushMessage', { ...wake, data: '' });
	await expect.poll(() => notifications(ana)).toEqual([{ title: 'Ben Okafor', body: 'wake up' }]);
	await expect(ben.message('wake up', 'Delivered')).toBeVisible();
	// One notification per conversation, with its count.
	await ben.send('are you up?');
	await expect(ben.message('are you up?', 'Sent')).toBeVisible();
	await cdp.send('ServiceWorker.deliverPushMessage', { ...wake, data: '' });
	await expect
		.poll(() => notifications(ana))
		.toEqual([{ title: 'Ben Okafor (2)', body: 'are you up?' }]);
});

test('a push that finds nothing new still shows something', async ({ newPerson }) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	const { cdp, ...wake } = await leave(ana);
	await cdp.send('ServiceWorker.deliverPushMessage', { ...wake, data: '' });
	await expect
		.poll(() => notifications(ana), { timeout: 30_000 })
		.toEqual([{ title: 'Kith', body: 'Kith looked: nothing new.' }]);
});

test('the network is back: what waits goes out without a page', async ({ newPerson }) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ana.neverDirect();
	await ana.installed();
	ana.gate.shut();
	await ana.send('sent by nobody');
	await expect(ana.message('sent by nobody', 'Waiting to send')).toBeVisible();
	const { cdp, ...wake } = await leave(ana);
	ana.gate.open();
	await cdp.send('ServiceWorker.dispatchSyncEvent', {
		...wake,
		tag: 'kith-outbox',
		lastChance: false,
	});
	await expect(ben.message('sent by nobody')).toBeVisible();
	expect(ana.page.url()).toBe('about:blank');
});

/** Hands its service worker the event of a network that is back; resolves when that is through with it. */
async function networkIsBack({ context }: Person): Promise<void> {
	const [worker] = context.serviceWorkers();
	await worker?.evaluate(async () => {
		let done: Promise<unknown> = Promise.reject(new Error('nobody took the event'));
		const event = new Event('sync');
		Object.assign(event, { waitUntil: (work: Promise<unknown>) => (done = work) });
		globalThis.dispatchEvent(event);
		await done;
	});
}

test('a network that is back tells nothing to who looks at the app', async ({ newPerson }) => {
	const ana = await newPerson();
	const ben = await newPerson();
	await meet(ana, ben);
	await ana.installed();
	await ana.context.grantPermissions(['notifications'], { origin: ana.gate.origin });
	await ana.visit('/');
	await ben.send('seen in the list');
	await expect(ana.conversations.getByText('seen in the list')).toBeVisible();
	await networkIsBack(ana);
	expect(await notifications(ana)).toEqual([]);
});
