// What is true for a moment: who is there, who types; and what people let others know.
import { describe, expect, test } from 'vitest';
import { befriend, connect, deliveryOf, say, type Party } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const presenceAt = ({ device, chat }: Party) => device.engine?.live().presence.get(chat);

async function pair(seed: number, direct: boolean) {
	const world = new World({ seed, direct });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await world.pass(5_000);
	return { world, ana, ben };
}

describe.each([
	['directly', true],
	['by the relay', false],
])('%s', (_way, direct) => {
	test('WH-3 typing is told every 3 s at most, and fades after 6 s', async () => {
		const { world, ana, ben } = await pair(41, direct);
		let told = 0;
		for (let key = 0; key < 20; key++) {
			ana.device.client.setTyping(ana.chat, true);
			await world.settled();
			const before = presenceAt(ben);
			await world.flush();
			if (presenceAt(ben) !== before) told++;
			world.clock.advance(100);
		}
		expect(told).toBe(1);
		expect(presenceAt(ben)?.typing).toBe(true);
		await world.pass(3_000);
		expect(presenceAt(ben)?.typing).toBe(true);
		await world.pass(3_500, 500);
		expect(presenceAt(ben)?.typing).toBe(false);
	});

	test('typing ends with the message, and with leaving', async () => {
		const { world, ana, ben } = await pair(42, direct);
		ana.device.client.setTyping(ana.chat, true);
		await world.flush();
		expect(presenceAt(ben)?.typing).toBe(true);
		await say(ana, 'done');
		await world.flush();
		expect(presenceAt(ben)?.typing).toBe(false);
		await world.pass(3_000);
		ana.device.client.setTyping(ana.chat, true);
		await world.flush();
		ana.device.client.setTyping(ana.chat, false);
		await world.flush();
		expect(presenceAt(ben)?.typing).toBe(false);
	});
});

describe('presence', () => {
	test('WH-1 fades when somebody vanishes without a word', async () => {
		const { world, ana, ben } = await pair(43, false);
		expect(presenceAt(ana)?.online).toBe(true);
		ben.device.wire?.hang();
		ben.device.crash();
		await world.pass(60_000, 5_000);
		expect(presenceAt(ana)?.online).toBe(true);
		await world.pass(60_000, 5_000);
		expect(presenceAt(ana)?.online).toBe(false);
	});

	test('ends at once when the app is put away, and comes back with it', async () => {
		const { world, ana, ben } = await pair(44, false);
		ben.device.engine?.setVisible(false);
		await world.flush();
		expect(presenceAt(ana)?.online).toBe(false);
		ben.device.engine?.setVisible(true);
		await world.flush();
		expect(presenceAt(ana)?.online).toBe(true);
	});

	test('is mutual: who does not tell is not told, except while typing', async () => {
		const world = new World({ seed: 45, direct: false });
		const ana = await world.addDevice('Ana');
		await ana.client.changeSettings({ showPresence: false });
		const ben = await world.addDevice('Ben');
		const [atAna, atBen] = await connect(world, ana, ben);
		await world.pass(120_000, 5_000);
		expect(presenceAt(atBen)?.online ?? false).toBe(false);
		expect(presenceAt(atAna)?.online ?? false).toBe(false);
		ana.client.setTyping(atAna.chat, true);
		await world.flush();
		expect(presenceAt(atBen)).toMatchObject({ online: true, typing: true });
		await world.pass(7_000);
		expect(presenceAt(atBen)).toMatchObject({ online: false, typing: false });
	});
});

describe('receipts', () => {
	test('CO-5 delivery rises from queued over sent to delivered and read', async () => {
		const { world, ana, ben } = await pair(46, false);
		ana.device.offline = true;
		ana.device.wire?.cut();
		const id = await say(ana, 'hi');
		await world.flush();
		expect(await deliveryOf(ana.device, id)).toBe('queued');
		ben.device.crash();
		ana.device.offline = false;
		await world.pass(60_000, 5_000);
		expect(await deliveryOf(ana.device, id)).toBe('sent');
		await ben.device.start();
		await world.flush();
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
		await ben.device.client.markRead(ben.chat, 'z');
		await world.flush();
		expect(await deliveryOf(ana.device, id)).toBe('read');
	});

	test('with read receipts off the other side learns of delivery and nothing more', async () => {
		const { world, ana, ben } = await pair(47, false);
		await ben.device.client.changeSettings({ readReceipts: false });
		const id = await say(ana, 'hi');
		await world.flush();
		await ben.device.client.markRead(ben.chat, 'z');
		await world.pass(60_000, 5_000);
		expect(await deliveryOf(ana.device, id)).toBe('delivered');
		expect((await ben.device.client.conversation(ben.chat))?.unread).toBe(0);
	});
});

test('CO-8 a change of the profile reaches every contact, also those who were away', async () => {
	const { world, ana, ben } = await pair(48, false);
	ben.device.crash();
	const picture = Uint8Array.from({ length: 300 }, (_, at) => at % 256);
	await ana.device.client.setProfile({ name: 'Ana B.', picture: null });
	await world.flush();
	await ana.device.client.setProfile({ name: 'Ana C.', picture });
	await world.flush();
	await ben.device.start();
	await world.pass(5_000);
	const { subject } = (await ben.device.client.conversation(ben.chat)) ?? {};
	expect(subject).toMatchObject({ person: { profile: { name: 'Ana C.', picture } } });
});

test('HS-6 a clock a day off is told, and does not keep anything from working', async () => {
	const world = new World({ seed: 49 });
	const ana = await world.addDevice('Ana');
	ana.skew = 24 * 60 * 60_000;
	ana.crash();
	await ana.start();
	await world.flush();
	expect(ana.engine?.live().clockSkew).toBe(24 * 60 * 60_000);
});
