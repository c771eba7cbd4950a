// The store in a real browser's IndexedDB: its own connection rules, its own quota, and tabs that hear each other.
import { afterAll, beforeAll } from 'vitest';
import { cdp } from 'vitest/browser';
import { createTouchedChannel } from '../../src/core/hosts/changes.ts';
import { idbRules, openIdbSubject } from './idb-store.ts';
import { storeContract } from './store.ts';

interface Devtools {
	send(method: string, parameters: Record<string, unknown>): Promise<unknown>;
}

/** Enough for every rule but the one about having no room. */
const ROOM = 2 * 1024 * 1024;

/** Room for as many bytes in this origin; without a number, for as many as the browser gives. */
async function allow(quota: { readonly quotaSize?: number }): Promise<void> {
	const session = cdp() as unknown as Devtools;
	await session.send('Storage.overrideQuotaForOrigin', { origin: location.origin, ...quota });
}

// From the beginning: Chromium asks for the quota only now and then.
beforeAll(() => allow({ quotaSize: ROOM }));
afterAll(() => allow({}));

storeContract('IndexedDB of the browser', async () => {
	const subject = await openIdbSubject(createTouchedChannel);
	return { ...subject, fill: () => Promise.resolve(), free: () => Promise.resolve() };
});
idbRules();
