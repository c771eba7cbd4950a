import { describe, expect, test } from 'vitest';
import { importChat } from './chat-import.ts';
import { createQueries } from './client-queries.ts';
import { smallCrypto } from './crypto/small-crypto.ts';
import { createFiles } from './hosts/files.ts';
import type { EnvelopeId } from '../protocol/ids.ts';
import type { AccountId, ConversationId, Delivery, Report } from './model.ts';
import type { Store } from './ports.ts';
import { messageKey, type BlockRow } from './records.ts';
import {
	addPerson,
	backup,
	clock,
	CODE,
	id16,
	machine,
	messageOf,
	put,
	random,
	restore,
	shown,
	sizes,
	BEN,
	MAYA,
	NOTES,
	NOW,
	OTHER_SAM,
	SAM,
	WITH_BEN,
	WITH_MAYA,
	type Machine,
} from '../../tests/support/archive-machine.ts';

async function block({ store }: Machine, account: AccountId, row: BlockRow): Promise<void> {
	await store.transact((tx) => {
		tx.put('blocks', account, row);
		return Promise.resolve();
	});
}

const REPORT: Report = {
	...{ id: '019a00000000-abcdefghijkl', account: BEN, name: 'Ben', at: 7, reason: 'spam' },
	...{ note: 'every day', quotes: [{ id: id16(9), sent: 6, text: 'buy' }] },
};

/** A device with two conversations, notes, an imported history, a draft, settings and a link. */
async function full(): Promise<Machine> {
	const sam = await machine(SAM, 70);
	await addPerson(sam, { account: MAYA, conversation: WITH_MAYA }, { pinned: true, readTo: '' });
	await addPerson(sam, { account: BEN, conversation: WITH_BEN, entry: undefined });
	await put(sam, [
		messageOf(WITH_BEN, 5_001, { author: BEN }),
		messageOf(WITH_BEN, 5_003, { author: BEN, quiet: true }),
	]);
	await block(sam, BEN, { on: true, at: 5 });
	await sam.store.transact((tx) => {
		tx.put('reports', REPORT.id, REPORT);
		return Promise.resolve();
	});
	await put(
		sam,
		Array.from({ length: 1_200 }, (_, at) => messageOf(WITH_MAYA, at)),
	);
	await put(sam, [messageOf(NOTES, 0, { delivery: { kind: 'received' } })]);
	await sam.store.transact((tx) => {
		tx.put('drafts', WITH_MAYA, 'half a thought');
		tx.put('settings', 'only', { theme: 'dark' } as never);
		return Promise.resolve();
	});
	const chat = {
		source: 'whatsapp',
		title: 'Lake house',
		participants: [{ name: 'Ana', messages: 1 }],
		messages: [{ author: 0, wall: 5_000, body: { kind: 'text', text: 'hi' } }],
		problems: [],
		problemCount: 0,
		dates: { order: 'day-month-year', certain: true, other: undefined, example: '' },
	} as const;
	const ports = { store: sam.store, crypto: smallCrypto, clock };
	await importChat(ports, { chat, choice: { title: 'Lake house', people: [undefined] } });
	return sam;
}

describe('a backup on an empty device of the same account', () => {
	test('brings everything back, and is the same again when it is backed up', async () => {
		const sam = await full();
		const file = await backup(sam);
		const fresh = await machine(SAM, 71);
		const outcome = await restore(fresh, file);
		expect(outcome).toMatchObject({
			messages: 1_204,
			conversations: 3,
			summary: { sameSelf: true },
		});
		const [before, after] = [await shown(sam), await shown(fresh)];
		expect(after.logs).toEqual(before.logs);
		expect(after.all).toEqual(before.all);
		expect(await createQueries(fresh.store).settings()).toMatchObject({ theme: 'dark' });
		expect(await fresh.store.get('reports', REPORT.id)).toEqual(REPORT);
		const [one, two] = [
			await sam.files.testArchive(file, CODE),
			await fresh.files.testArchive(await backup(fresh), CODE),
		];
		expect(two).toEqual(one);
	});

	test('restored twice, or on the device that it came from, it adds nothing', async () => {
		const sam = await full();
		const file = await backup(sam);
		const before = sizes(sam);
		const list = (await shown(sam)).all;
		expect(await restore(sam, file)).toMatchObject({ messages: 0, conversations: 0 });
		expect(sizes(sam)).toEqual(before);
		expect((await shown(sam)).all).toEqual(list);
		const fresh = await machine(SAM, 71);
		await restore(fresh, file);
		expect(await restore(fresh, file)).toMatchObject({ messages: 0, conversations: 0 });
	});

	test('two copies on two machines stay two devices', async () => {
		const file = await backup(await full());
		const machines = [await machine(SAM, 71), await machine(SAM, 72)];
		for (const each of machines) await restore(each, file);
		const devices = await Promise.all(machines.map(({ store }) => store.get('me', 'only')));
		expect(new Set(devices.map((me) => me?.device)).size).toBe(2);
		for (const { disk } of machines) {
			for (const name of [
				'channels',
				'trees',
				'keyPackages',
				'outbox',
				'carried',
				'contactAddresses',
			] as const) {
				expect(disk.shelves.get(name)?.rows.size ?? 0).toBe(0);
			}
		}
	});
});

describe('a backup on a device that lives', () => {
	test('joins notes to notes and a person to the person, whatever their conversations are called', async () => {
		const file = await backup(await full());
		const fresh = await machine(SAM, 71, id16<ConversationId>(90));
		await addPerson(fresh, { account: MAYA, conversation: id16<ConversationId>(91) });
		await restore(fresh, file);
		const { all } = await shown(fresh);
		expect(all.filter(({ subject }) => subject.kind === 'notes')).toHaveLength(1);
		const maya = all.filter(
			({ subject }) => subject.kind === 'person' && subject.person.account === MAYA,
		);
		expect(maya.map(({ id }) => id)).toEqual([id16<ConversationId>(91)]);
		expect(maya[0]?.last?.text).toBe('message 1199');
	});

	test('what is newer here stays', async () => {
		const sam = await full();
		const file = await backup(sam);
		await put(sam, [messageOf(WITH_MAYA, 5_000)]);
		await sam.store.transact(async (tx) => {
			const maya = await tx.get('people', MAYA);
			if (maya) {
				tx.put('people', MAYA, {
					...maya,
					profile: { name: 'Maya L.', picture: null },
					profileVersion: 9,
					verification: { kind: 'unverified' },
				});
			}
			const row = await tx.get('conversations', WITH_MAYA);
			if (row) tx.put('conversations', WITH_MAYA, { ...row, pinned: false, muted: true });
			tx.put('drafts', WITH_MAYA, 'another thought');
			tx.put('settings', 'only', { theme: 'light' } as never);
		});
		await restore(sam, file);
		const conversation = await createQueries(sam.store).conversation(WITH_MAYA);
		expect(conversation).toMatchObject({
			pinned: false,
			muted: true,
			draft: 'another thought',
			last: { text: 'message 5000' },
			subject: { person: { profile: { name: 'Maya L.' }, verification: { kind: 'unverified' } } },
		});
		expect(await createQueries(sam.store).settings()).toMatchObject({ theme: 'light' });
	});

	test('what is newer in the backup counts, and what is unread is counted', async () => {
		const sam = await full();
		await sam.store.transact(async (tx) => {
			const row = await tx.get('conversations', WITH_MAYA);
			const read = messageOf(WITH_MAYA, 1_189).position;
			if (row) tx.put('conversations', WITH_MAYA, { ...row, readTo: read });
		});
		const file = await backup(sam);
		const fresh = await machine(SAM, 71);
		await addPerson(fresh, {
			account: MAYA,
			conversation: WITH_MAYA,
			profileVersion: 1,
			profile: { name: 'M', picture: null },
		});
		await put(fresh, [messageOf(WITH_MAYA, 0, { delivery: { kind: 'sent' } })]);
		await restore(fresh, file);
		const conversation = await createQueries(fresh.store).conversation(WITH_MAYA);
		expect(conversation).toMatchObject({
			unread: 5,
			subject: { person: { profile: { name: 'Maya' } } },
		});
		expect(
			(await createQueries(fresh.store).message(messageOf(WITH_MAYA, 0).id))?.delivery,
		).toEqual({
			kind: 'read',
		});
	});

	test('what was lost elsewhere and heard here is no gap here', async () => {
		const sam = await full();
		const body = { kind: 'unreadable', state: 'lost' } as const;
		const gaps = [4_001, 4_003].map((at) => messageOf(WITH_MAYA, at, { body }));
		await put(sam, gaps);
		await put(sam, [messageOf(WITH_MAYA, 4_002, { body })]);
		const file = await backup(sam);
		const other = await machine(SAM, 71);
		const [heard] = gaps;
		await other.store.transact((tx) => {
			const envelopes = [heard?.id as string as EnvelopeId];
			tx.put('heard', 'channel/00000000', { envelopes, at: NOW });
			return Promise.resolve();
		});
		await restore(other, file);
		const { logs } = await shown(other);
		const shownGaps = logs.flat().filter((each) => each.body.kind === 'unreadable');
		expect(shownGaps.map(({ id }) => id)).toEqual([gaps[1]?.id]);
	});

	test('what had not left comes back as not sent, and once', async () => {
		const sam = await full();
		const waiting: Delivery = { kind: 'queued' };
		await put(sam, [messageOf(WITH_MAYA, 2_000, { delivery: waiting })]);
		const fresh = await machine(SAM, 71);
		await restore(fresh, await backup(sam));
		const conversation = await createQueries(fresh.store).conversation(WITH_MAYA);
		expect(conversation).toMatchObject({ failed: 1, last: { delivery: { kind: 'failed' } } });
		await restore(fresh, await backup(sam));
		expect(await createQueries(fresh.store).conversation(WITH_MAYA)).toMatchObject({ failed: 1 });
	});
});

describe('a backup on a device of another account', () => {
	test('is history to read: nobody is verified, reached, or answered in its name', async () => {
		const sam = await full();
		const secret = new Uint8Array(32).fill(4);
		const { address } = await smallCrypto.inviteKeys(secret);
		await sam.store.transact((tx) => {
			const invite = {
				address,
				fragment: '',
				kind: 'reusable',
				created: 1,
				expires: undefined,
				state: 'open',
			} as const;
			tx.put('invites', address, {
				invite,
				secret,
				welcome: '',
				keyPackageRef: undefined,
				todo: undefined,
			});
			return Promise.resolve();
		});
		const file = await backup(sam);
		const same = await machine(SAM, 71);
		await restore(same, file);
		expect(await same.store.get('invites', address)).toMatchObject({
			invite: { state: 'pending', kind: 'reusable' },
			todo: 'put',
		});
		const other = await machine(OTHER_SAM, 72);
		expect(await restore(other, file)).toMatchObject({ summary: { sameSelf: false } });
		expect(await other.store.get('invites', address)).toBeUndefined();
		expect(await other.store.get('people', MAYA)).toMatchObject({
			entry: undefined,
			verification: { kind: 'unverified' },
		});
		const { all, logs } = await shown(other);
		const maya = all.findIndex(({ id }) => id === WITH_MAYA);
		expect(all[maya]?.state).toEqual({ kind: 'restored' });
		expect(logs[maya]?.at(-2)).toMatchObject({ mine: true, author: SAM });
		expect(all.find(({ id }) => id === WITH_BEN)?.state).toEqual({ kind: 'blocked' });
	});
});

describe('who is blocked', () => {
	test('BL-1 stays so on another device, whoever restores it', async () => {
		const file = await backup(await full());
		for (const account of [SAM, OTHER_SAM]) {
			const fresh = await machine(account, 71);
			await restore(fresh, file);
			expect(await fresh.store.get('blocks', BEN)).toEqual({ on: true, at: 5 });
			const { unread, last } = (await fresh.store.get('conversations', WITH_BEN)) ?? {};
			expect({ unread, last: last?.text }).toEqual({ unread: 1, last: 'message 5001' });
		}
	});

	test.each([
		['unblocked later here', { on: false, at: 9 }, { on: false, at: 9 }],
		['unblocked earlier here', { on: false, at: 3 }, { on: true, at: 5 }],
		['unblocked in the backup', { on: true, at: 3 }, { on: false, at: 5 }],
	])('what was decided last counts: %s', async (_, here, expected) => {
		const sam = await full();
		await block(sam, BEN, { on: !here.on, at: 5 });
		const file = await backup(sam);
		await block(sam, BEN, here);
		await restore(sam, file);
		expect(await sam.store.get('blocks', BEN)).toEqual(expected);
	});

	test('a backup from before there were blocked people names a conversation', async () => {
		const sam = await machine(SAM, 70);
		await addPerson(
			sam,
			{ account: BEN, conversation: WITH_BEN },
			{ state: { kind: 'blocked' } as never },
		);
		const fresh = await machine(SAM, 71);
		await restore(fresh, await backup(sam));
		expect(await fresh.store.get('blocks', BEN)).toEqual({ on: true, at: 0 });
		expect((await fresh.store.get('conversations', WITH_BEN))?.state).toEqual({ kind: 'open' });
	});
});

describe('no half of a backup', () => {
	test.each([0, 1, 2])('no room after %i batches', async (batches) => {
		const file = await backup(await full());
		const fresh = await machine(SAM, 71);
		const before = sizes(fresh);
		let commits = 0;
		const narrow: Store = {
			...fresh.store,
			async transact(body) {
				fresh.disk.full = commits++ >= batches;
				return fresh.store.transact(body);
			},
		};
		const files = createFiles({ store: narrow, crypto: smallCrypto, clock, random });
		expect(await files.restoreArchive(file, CODE)).toEqual({ ok: false, error: 'storage-full' });
		fresh.disk.full = false;
		const after = Object.entries(sizes(fresh)).filter(([, size]) => size > 0);
		expect(Object.fromEntries(after)).toEqual(before);
		expect(await restore(fresh, file)).toMatchObject({ messages: 1_204 });
	});

	test('cut off, of another key, or damaged at its end: nothing is written', async () => {
		const file = await backup(await full());
		const fresh = await machine(SAM, 71);
		const before = sizes(fresh);
		expect(await fresh.files.restoreArchive(file.slice(0, file.size - 1), CODE)).toEqual({
			ok: false,
			error: 'truncated',
		});
		const wrong = { kind: 'code', code: fresh.files.newRecoveryCode() } as const;
		expect(await fresh.files.restoreArchive(file, wrong)).toEqual({
			ok: false,
			error: 'wrong-key',
		});
		const bytes = new Uint8Array(await file.arrayBuffer());
		bytes[70_000] = (bytes[70_000] ?? 0) ^ 1;
		expect(await fresh.files.restoreArchive(new Blob([bytes]), CODE)).toEqual({
			ok: false,
			error: 'damaged',
		});
		expect(sizes(fresh)).toEqual(before);
	});

	test('testing writes nothing and tells what is in it', async () => {
		const sam = await full();
		const file = await backup(sam);
		const fresh = await machine(OTHER_SAM, 71);
		const before = sizes(fresh);
		expect(await fresh.files.testArchive(file, CODE)).toEqual({
			ok: true,
			value: {
				name: 'Sam',
				written: NOW,
				sameSelf: false,
				people: 2,
				conversations: 4,
				messages: 1_204,
			},
		});
		expect(sizes(fresh)).toEqual(before);
	});

	test('a tab that dies shows no conversation that is half, and the next time completes it', async () => {
		const file = await backup(await full());
		const fresh = await machine(SAM, 71);
		let commits = 0;
		const dying: Store = {
			...fresh.store,
			transact: (body) =>
				commits++ >= 2 ? Promise.reject(new Error('died')) : fresh.store.transact(body),
		};
		const files = createFiles({ store: dying, crypto: smallCrypto, clock, random });
		await expect(files.restoreArchive(file, CODE)).rejects.toThrow('died');
		expect((await shown(fresh)).all).toHaveLength(1);
		await restore(fresh, file);
		const { all } = await shown(fresh);
		expect(all).toHaveLength(4);
		expect(
			fresh.disk.shelves
				.get('messages')
				?.rows.has(messageKey(WITH_MAYA, messageOf(WITH_MAYA, 7).position)),
		).toBe(true);
	});
});
