// A report is kept by whoever makes it, told to nobody, and outlives what it is about.
import { expect, test } from 'vitest';
import { befriend, deliveryOf, say, textsOf } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const REPORT = { reason: 'threatens', note: '  twice  ' } as const;

async function reported() {
	const world = new World({ seed: 6 });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	for (const text of ['one', 'two', 'three', 'four', 'five', 'x'.repeat(5_000)]) {
		await say(ben, text);
		await world.pass(1_000);
	}
	await say(ana, 'stop it');
	await world.pass(5_000);
	const { client } = ana.device;
	const about = ben.device.identity.account;
	await client.report(about, ana.chat, REPORT);
	return { world, ana, ben, client, about };
}

test('quotes the last five things that they said, and nothing of anybody else', async () => {
	const { client, about } = await reported();
	const [report] = await client.reports();
	expect(report).toMatchObject({ account: about, name: 'Ben', reason: 'threatens', note: 'twice' });
	expect(report?.quotes.map(({ text }) => text)).toEqual([
		...['two', 'three', 'four', 'five'],
		'x'.repeat(4_096),
	]);
});

test('changes nothing between the two, and tells nobody', async () => {
	const { world, ana, ben } = await reported();
	const before = await textsOf(ben.device, ben.chat);
	const sent = await say(ben, 'and?');
	await world.pass(10_000);
	expect(await textsOf(ben.device, ben.chat)).toEqual([...before, 'and?']);
	expect(await deliveryOf(ben.device, sent)).toBe('delivered');
	expect(await textsOf(ana.device, ana.chat)).toContain('and?');
});

test('survives a crash, and is gone when it is deleted', async () => {
	const { ana } = await reported();
	ana.device.crash();
	await ana.device.start();
	const { client } = ana.device;
	const [report, ...more] = await client.reports();
	expect(more).toEqual([]);
	await client.forgetReport(report?.id ?? '');
	expect(await client.reports()).toEqual([]);
});

test('the latest 200 are kept, and a note is cut between characters', async () => {
	const { world, ana, client, about } = await reported();
	for (let at = 0; at < 200; at++) {
		await client.report(about, ana.chat, { reason: 'spam', note: `${at}` });
		await world.pass(10);
	}
	await client.report(about, ana.chat, { reason: 'other', note: '🦊'.repeat(1_000).slice(1) });
	const all = await client.reports();
	expect(all).toHaveLength(200);
	expect(all[0]?.note.length).toBe(1_000);
	expect(all[0]?.note.isWellFormed()).toBe(true);
	expect(all.at(-1)?.note).toBe('1');
	await client.report(ana.device.identity.account, ana.chat, { reason: 'spam', note: 'nobody' });
	expect((await client.reports())[0]?.note).not.toBe('nobody');
});
