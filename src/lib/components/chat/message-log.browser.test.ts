import { afterEach, expect, test } from 'vitest';
import { render } from 'vitest-browser-svelte';
import { page } from 'vitest/browser';
import { FakeClient } from '../../../../tests/support/fake-client.ts';
import Harness from '../../../../tests/support/Harness.svelte';
import type { ConversationId, LogEvent, Person } from '../../../core/model.ts';
import { App } from '../../state/app.svelte.ts';
import { Look } from '../../state/look.svelte.ts';
import { OpenConversation } from '../../state/open-conversation.svelte.ts';
import MessageLog from './MessageLog.svelte';

const closers: (() => void)[] = [];
afterEach(() => {
	for (const close of closers.splice(0)) close();
});

async function log(
	fill: (client: FakeClient, id: ConversationId) => void,
	unread = 0,
): Promise<{ client: FakeClient; id: ConversationId; scroller: HTMLElement }> {
	const client = new FakeClient();
	await client.start('Sam');
	const id = client.addConversation({ name: 'Maya Lindqvist', unread });
	fill(client, id);
	const app = new App(client, new Look(undefined));
	await app.start();
	const open = new OpenConversation(app, id);
	await open.open();
	const conversation = app.conversation(id);
	if (!conversation) throw new Error('no conversation');
	await render(Harness, { app, open, component: MessageLog, given: { conversation } });
	closers.push(() => {
		open.close();
		app.close();
	});
	return { client, id, scroller: page.getByRole('log').element() as HTMLElement };
}

const fromBottom = (node: HTMLElement): number =>
	node.scrollHeight - node.scrollTop - node.clientHeight;
const fill =
	(count: number) =>
	(client: FakeClient, id: ConversationId): void => {
		for (let at = 0; at < count; at++) {
			client.addMessage(id, { text: `${at} ${'words '.repeat((at * 7) % 40)}`, sent: at * 60_000 });
		}
	};

test('opens at the newest message and stays there when more arrive', async () => {
	const { client, id, scroller } = await log(fill(300));
	await expect.element(page.getByText(/^299 /u)).toBeVisible();
	await expect.poll(() => fromBottom(scroller)).toBeLessThan(2);
	client.receive(id, 'the newest of all');
	await expect.element(page.getByText(/^the newest of all/u)).toBeVisible();
	await expect.poll(() => fromBottom(scroller)).toBeLessThan(2);
});

test('opens at the first of 2,000 unread messages, under the line that says so', async () => {
	await log(fill(5000), 2000);
	await expect.element(page.getByText('2,000 new messages')).toBeVisible();
	await expect.element(page.getByText(/^3000 /u)).toBeVisible();
});

test('older messages come in above without moving what is read', async () => {
	const { scroller } = await log(fill(1000));
	await expect.element(page.getByText(/^999 /u)).toBeVisible();
	await expect.poll(() => fromBottom(scroller)).toBeLessThan(2);
	await new Promise(requestAnimationFrame);
	await new Promise(requestAnimationFrame);
	const seen = new Set<string>();
	for (let step = 0; step < 12; step++) {
		scroller.scrollTop -= 400;
		await new Promise(requestAnimationFrame);
		await new Promise(requestAnimationFrame);
		const first = [...scroller.querySelectorAll<HTMLElement>('[data-message]')].find(
			(each) => each.getBoundingClientRect().top >= scroller.getBoundingClientRect().top,
		);
		seen.add(first?.textContent.trim().split(' ')[0] ?? '');
	}
	// Each step of the wheel went further up: nothing threw the person back down.
	const numbers = [...seen].map(Number);
	expect(numbers).toEqual([...numbers].sort((one, other) => other - one));
	expect(numbers.at(-1)).toBeLessThan(960);
});

test('scrolling up far draws what comes in once, and not wrong before right', async () => {
	const { scroller } = await log((client, id) => {
		fill(3000)(client, id);
		// The store answers at any time of a frame.
		const read = client.messages.bind(client);
		client.messages = async (...asked) => {
			await new Promise((resolve) => setTimeout(resolve));
			return read(...asked);
		};
	});
	await expect.element(page.getByText(/^2999 /u)).toBeVisible();
	await expect.poll(() => fromBottom(scroller)).toBeLessThan(2);
	const drawn: string[] = [];
	const observer = new MutationObserver((changes) => {
		for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
			const text = node instanceof HTMLElement && node.querySelector('article')?.textContent;
			if (text) drawn.push(text);
		}
	});
	observer.observe(scroller, { subtree: true, childList: true });
	for (let frame = 0; frame < 100; frame++) {
		scroller.scrollTop -= 300;
		await new Promise(requestAnimationFrame);
	}
	observer.disconnect();
	const different = new Set(drawn).size;
	expect(different).toBeGreaterThan(250);
	// Once more at most where a row is measured and found to be beside the screen.
	expect(drawn.length).toBeLessThan(different * 1.25);
});

test('markup, scripts and dangerous links in a message are only text', async () => {
	const { scroller } = await log((client, id) => {
		client.addMessage(id, {
			text: '<img src=x onerror=alert(1)><b>bold</b> javascript:alert(1) https://bank.example@evil.example/x',
			sent: 1,
		});
	});
	await expect.element(page.getByText(/<img src=x/u)).toBeVisible();
	expect(scroller.querySelector('article img, article b')).toBeNull();
	const links = [...scroller.querySelectorAll('a')].filter((each) => each.closest('article'));
	expect(links.map((each) => each.protocol)).toEqual(['https:']);
	expect(links[0]?.rel).toContain('noopener');
	await expect.element(page.getByText('(evil.example)')).toBeVisible();
});

test('a very long text is folded and opens', async () => {
	await log((client, id) => {
		client.addMessage(id, { text: `${'word '.repeat(3000)}the very end`, sent: 1 });
	});
	await expect.element(page.getByText(/the very end/u)).not.toBeInTheDocument();
	await page.getByRole('button', { name: /Read more/u }).click();
	await expect.element(page.getByText(/the very end/u)).toBeInTheDocument();
});

test('a failed message says why and offers what can be done', async () => {
	const { client, id } = await log((client, id) => {
		client.addMessage(id, {
			mine: true,
			text: 'Are you awake?',
			sent: 1,
			delivery: { kind: 'failed', reason: 'mailbox-full' },
		});
	});
	await expect.element(page.getByText(/Not sent: their mailbox is full/u)).toBeVisible();
	await page.getByRole('button', { name: 'Try again' }).click();
	await expect.element(page.getByRole('img', { name: 'Waiting to send' })).toBeVisible();
	expect((await client.conversation(id))?.failed).toBe(0);
});

test('what was on the screen is read, and only that', async () => {
	const { client, id, scroller } = await log(fill(400), 200);
	await expect.element(page.getByText('200 new messages')).toBeVisible();
	await expect.poll(async () => (await client.conversation(id))?.unread).toBeLessThan(200);
	expect((await client.conversation(id))?.unread).toBeGreaterThan(150);
	await page.getByRole('button', { name: /Jump to latest/u }).click();
	await expect.poll(() => fromBottom(scroller)).toBeLessThan(2);
	await expect.poll(async () => (await client.conversation(id))?.unread).toBe(0);
});

async function groupLog(
	fill: (client: FakeClient, id: ConversationId, people: Person[]) => void,
): Promise<{ scroller: HTMLElement }> {
	const client = new FakeClient();
	await client.start('Sam');
	const people = ['ليلى حداد', 'Ben Okafor', '👩‍👩‍👧‍👦'.repeat(60)].map((name) => client.stranger(name));
	const members = people.map((person) => ({ person }));
	const id = client.addGroup({ name: 'Hut', members });
	fill(client, id, people);
	const app = new App(client, new Look(undefined));
	await app.start();
	const open = new OpenConversation(app, id);
	await open.open();
	await app.groups.readMembers(id);
	const conversation = app.conversation(id);
	if (!conversation) throw new Error('no conversation');
	await render(Harness, { app, open, component: MessageLog, given: { conversation } });
	closers.push(() => {
		open.close();
		app.close();
	});
	return { scroller: page.getByRole('log').element() as HTMLElement };
}

test('in a group the first of a run says who, the last one shows it, and all fits', async () => {
	const { scroller } = await groupLog((client, id, [layla, ben, families]) => {
		const say = (person: Person | undefined, text: string, sent: number) =>
			client.addMessage(id, { ...(person && { author: person.account }), text, sent });
		say(layla, 'one', 1);
		say(layla, 'two', 2);
		say(ben, 'three', 3);
		say(families, 'four', 4);
	});
	await expect.element(page.getByText(/^four/u)).toBeVisible();
	const shown = [...scroller.querySelectorAll('article')].map((each) => [
		each.querySelector('.who')?.textContent.trim().slice(0, 8) ?? '',
		each.querySelector('.av') !== null,
	]);
	expect(shown).toEqual([
		['ليلى', false],
		['', true],
		['Ben', true],
		['👩‍👩‍👧‍👦'.slice(0, 8), true],
	]);
	expect(scroller.scrollWidth).toBe(scroller.clientWidth);
	await expect.element(page.getByRole('article', { name: /^ليلى حداد, .*two/u })).toBeVisible();
});

test('lines of a group: folded, isolated, and still told of who is gone', async () => {
	await groupLog((client, id, [layla, ben]) => {
		const gone = client.stranger('Nobody knows');
		const line = (author: Person | undefined, event: LogEvent, sent: number) =>
			client.addMessage(id, {
				...(author && { author: author.account }),
				...{ body: { kind: 'event', event }, sent },
			});
		if (!layla || !ben) return;
		line(layla, { kind: 'added', who: [ben.account] }, 1);
		line(layla, { kind: 'added', who: [gone.account] }, 2);
		line(gone, { kind: 'renamed', name: 'رحلة' }, 3);
		client.addMessage(id, { author: gone.account, text: 'bye', sent: 4 });
	});
	// A name that runs the other way, at the very start: the line does not turn.
	const isolated = '\u2068ليلى\u2069 added \u2068Ben\u2069 and \u2068Former member\u2069.';
	await expect.element(page.getByText(isolated, { exact: true })).toBeVisible();
	const [first] = page.getByText(isolated, { exact: true }).elements();
	expect(first && getComputedStyle(first).direction).toBe('ltr');
	const renamed = '\u2068Former member\u2069 changed the name to “\u2068رحلة\u2069”.';
	await expect.element(page.getByText(renamed, { exact: true })).toBeVisible();
	await expect.element(page.getByRole('article', { name: /^Former member, .*bye/u })).toBeVisible();
});
