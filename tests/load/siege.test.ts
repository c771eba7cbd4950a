// A short siege of the real relay: its default limits hold, and two people who talk meanwhile lose nothing. How long it
// takes is measured by `npm run soak:relay`, not here.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { besiege, figures, openFiles, type Siege } from './siege.ts';

/** Bots, and how many of one network get in at once (LI-2). */
const BOTS = 1000;
const REGISTRATIONS = 200;
/** Memory that the relay may gain from all of it. */
const MAX_GROWTH = 256 * 1024 * 1024;
const SECOND = 1000;

let siege: Siege;
beforeAll(async () => {
	siege = await besiege();
});
afterAll(() => siege.stop());

it('LI-2 LI-3 MB-8 HS-9 bots, floods, silent readers, half-open sockets, giants and reconnects stay within their limits', async () => {
	const { relay, achieved } = siege;
	const [memory, files] = [relay.residentBytes(), openFiles(relay)];
	siege.begin({ count: BOTS, networks: 1 });
	const done = () =>
		achieved.mailboxes + achieved.refused === BOTS &&
		achieved.turnedAway > 0 &&
		achieved.sentAway > 1 &&
		achieved.giants > 4 &&
		achieved.reconnects > 500 &&
		// Those that did nothing were waited for, and then hung up on.
		achieved.closed > 0;
	await expect.poll(done, { timeout: 50 * SECOND, interval: SECOND }).toBe(true);

	// Some more come in while the first are turned away; far fewer than asked.
	expect(achieved.mailboxes).toBeGreaterThan(0);
	expect(achieved.mailboxes).toBeLessThan(REGISTRATIONS * 2);
	expect(siege.waits().length).toBeGreaterThan(0);
	expect(relay.residentBytes() - memory).toBeLessThan(MAX_GROWTH);
	await siege.end();

	const connections = async () => (await figures(relay))('connections');
	await expect.poll(connections, { timeout: 30 * SECOND, interval: SECOND }).toBe(2);
	await expect.poll(() => openFiles(relay), { timeout: 30 * SECOND }).toBeLessThan(files + 10);
	await expect.poll(() => siege.lost(), { timeout: 10 * SECOND }).toBe(0);
}, 120_000);
