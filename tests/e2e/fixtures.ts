// People in real browsers on a real relay process that serves the built app. Each person has a network of their own, so
// that a test can take one of them offline; nobody's page may fail, and none may ask anything of anyone but the relay.
import { test as base, expect, type Browser, type BrowserContext } from '@playwright/test';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { Gate } from './gate.ts';
import { Person } from './person.ts';

interface World {
	readonly relay: RelayProcess;
	/** Somebody with an empty profile, in the project's browser or another one; `host`: how it calls this machine. */
	readonly newPerson: (browser?: Browser, host?: string) => Promise<Person>;
	/** The same in a context that the test made; the test closes the context. */
	readonly personIn: (context: BrowserContext, gate?: Gate) => Promise<Person>;
	readonly newGate: (host?: string) => Promise<Gate>;
}

/** Not failures: a page left while it loads code for later, and a direct path that could not be had. */
const FIREFOX_SAYS =
	/error loading dynamically imported module|Unable to preload CSS|A ServiceWorker intercepted the request|was interrupted while the page was loading|^WebRTC: ICE failed|can’t establish a connection/;

export const test = base.extend<World>({
	// Playwright reads which fixtures this one needs from its first parameter: none.
	// eslint-disable-next-line no-empty-pattern
	relay: async ({}, use) => {
		const relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
		await use(relay);
		await relay.stop();
	},
	newGate: async ({ relay }, use) => {
		const gates: Gate[] = [];
		await use(async (host) => {
			const gate = await Gate.start(Number(new URL(relay.origin).port), host);
			gates.push(gate);
			return gate;
		});
		for (const gate of gates) await gate.close();
	},
	personIn: async ({ newGate }, use) => {
		const people: Person[] = [];
		await use(async (context, gate) => {
			const person = await Person.in(context, gate ?? (await newGate()));
			people.push(person);
			return person;
		});
		for (const { complaints, strayRequests } of people) {
			expect(complaints.filter((complaint) => !FIREFOX_SAYS.test(complaint))).toEqual([]);
			expect(strayRequests).toEqual([]);
		}
	},
	newPerson: async ({ browser, personIn, newGate }, use) => {
		const contexts: BrowserContext[] = [];
		await use(async (other = browser, host?: string) => {
			const context = await other.newContext({
				viewport: { width: 1280, height: 800 },
				locale: 'en-US',
			});
			contexts.push(context);
			return personIn(context, await newGate(host));
		});
		for (const context of contexts) await context.close();
	},
});

/** Two people who have met over a link; each has the conversation open. */
export async function meet(a: Person, b: Person): Promise<void> {
	await a.start('Ana Lindqvist');
	const link = await a.link();
	await b.visit(link);
	await b.page.getByRole('textbox', { name: 'Your name' }).fill('Ben Okafor');
	await b.send('hello Ana');
	await a.open('Ben Okafor');
	await expect(a.message('hello Ana')).toBeVisible();
	await a.send('hello Ben');
	await expect(b.message('hello Ben')).toBeVisible();
}

export { expect, type Person };
