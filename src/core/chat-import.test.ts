import { describe, expect, test } from 'vitest';
import { createQueries } from './client-queries.ts';
import { openClient } from './client.ts';
import { smallCrypto } from './crypto/small-crypto.ts';
import { forgetImported, importChat } from './chat-import.ts';
import type { ForeignChat } from './foreign.ts';
import { readWhatsApp } from './import/whatsapp.ts';
import type { AccountId, DeviceId } from './model.ts';
import type { Clock, Store } from './ports.ts';
import { newConversation } from './threads.ts';
import { idFrom, type ConversationId } from '../protocol/ids.ts';
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from './storage/memory-store.ts';

const NOW = Date.UTC(2026, 10, 23);
const clock: Clock = { now: () => NOW, schedule: () => () => undefined };
const ME = idFrom<AccountId>(new Uint8Array(32).fill(1));
const MAYA = idFrom<AccountId>(new Uint8Array(32).fill(2));

async function started(
	disk: MemoryDisk = createMemoryDisk(),
): Promise<{ store: Store; disk: MemoryDisk }> {
	const store = createMemoryStore(disk);
	await store.transact((tx) => {
		const profile = { name: 'Sam', picture: null };
		const device = idFrom<DeviceId>(new Uint8Array(16));
		tx.put('me', 'only', { account: ME, device, profile, created: 0, profileVersion: 1 });
		return Promise.resolve();
	});
	return { store, disk };
}

async function chatOf(lines: readonly string[]): Promise<ForeignChat> {
	const outcome = await readWhatsApp(new Blob([lines.join('\n')]), { now: NOW });
	if (!outcome.ok) throw new Error(outcome.error.kind);
	return outcome.value;
}

const linesOf = (count: number, from = 0) =>
	Array.from({ length: count }, (_, index) => {
		const at = index + from;
		const [day, minute] = [1 + Math.floor(at / 60), at % 60];
		const date = new Date(Date.UTC(2021, 0, day, 10, minute));
		return `${date.getUTCDate().toString().padStart(2, '0')}.${(date.getUTCMonth() + 1).toString().padStart(2, '0')}.21, 10:${minute.toString().padStart(2, '0')} - ${at % 2 ? 'Maya' : 'Sam'}: message ${at}`;
	});

const choice = { title: 'Maya', people: ['me', MAYA] as const };
const ports = (store: Store) => ({ store, clock, crypto: smallCrypto });

async function bring(store: Store, chat: ForeignChat) {
	const outcome = await importChat(ports(store), { chat, choice });
	if (!outcome.ok) throw new Error(outcome.error);
	return outcome.value;
}

describe('importing a chat', () => {
	test('is a conversation to read, in order, with the people it was mapped to', async () => {
		const { store } = await started();
		const { conversation, added } = await bring(store, await chatOf(linesOf(900)));
		expect(added).toBe(900);
		const queries = createQueries(store);
		const [shown] = await queries.conversations();
		expect(shown).toMatchObject({
			id: conversation,
			subject: { kind: 'imported', source: 'whatsapp', title: 'Maya', at: NOW },
			unread: 0,
			last: { text: 'message 899', mine: false },
		});
		const page = await queries.messages(conversation, { at: 'end', limit: 3 });
		expect(page.messages.map(({ author, mine, body, sent }) => [author, mine, body, sent])).toEqual(
			[
				[
					MAYA,
					false,
					{ kind: 'text', text: 'message 897', replyTo: undefined },
					new Date(2021, 0, 15, 10, 57).getTime(),
				],
				[
					ME,
					true,
					{ kind: 'text', text: 'message 898', replyTo: undefined },
					new Date(2021, 0, 15, 10, 58).getTime(),
				],
				[
					MAYA,
					false,
					{ kind: 'text', text: 'message 899', replyTo: undefined },
					new Date(2021, 0, 15, 10, 59).getTime(),
				],
			],
		);
	});

	test('messages of one minute keep the order of the file', async () => {
		const { store } = await started();
		const same = Array.from({ length: 50 }, (_, at) => `01.02.21, 10:00 - Maya: ${at}`);
		const { conversation } = await bring(store, await chatOf(same));
		const { messages } = await createQueries(store).messages(conversation, {
			at: 'end',
			limit: 200,
		});
		expect(messages.map(({ body }) => (body.kind === 'text' ? body.text : ''))).toEqual(
			Array.from({ length: 50 }, (_, at) => `${at}`),
		);
	});

	test('the same file twice adds nothing', async () => {
		const { store, disk } = await started();
		const chat = await chatOf([
			...linesOf(500),
			'20.01.21, 10:00 - Maya: ha',
			'20.01.21, 10:00 - Maya: ha',
		]);
		const first = await bring(store, chat);
		expect(first.added).toBe(502);
		const rows = disk.shelves.get('messages')?.rows.size;
		expect(await bring(store, chat)).toEqual({ ...first, added: 0, known: 502 });
		expect(disk.shelves.get('messages')?.rows.size).toBe(rows);
	});

	test('a newer export that begins later and ends later goes on in the same conversation', async () => {
		const { store } = await started();
		const first = await bring(store, await chatOf(linesOf(300)));
		const second = await bring(store, await chatOf(linesOf(300, 150)));
		expect(second).toEqual({ conversation: first.conversation, added: 150, known: 150 });
		expect(await createQueries(store).conversations()).toHaveLength(1);
	});

	test('another chat that shares a message is another conversation', async () => {
		const { store } = await started();
		const wish = '01.01.21, 00:00 - Maya: Happy new year';
		const first = await bring(store, await chatOf([wish, ...linesOf(20, 60)]));
		const second = await bring(store, await chatOf([wish, ...linesOf(20, 600)]));
		expect(second.conversation).not.toBe(first.conversation);
	});

	test('nothing can be sent there', async () => {
		const { store } = await started();
		const { conversation } = await bring(store, await chatOf(linesOf(3)));
		const client = openClient({
			...ports(store),
			relay: { look: () => Promise.resolve(undefined) },
			linkThisDevice: () => Promise.reject(new Error('nobody links this')),
			comeBack: () => Promise.reject(new Error('nobody comes back here')),
			random: { bytes: (length) => new Uint8Array(length), fraction: () => 0 },
			engine: {} as never,
			files: () => Promise.reject(new Error('not asked for')),
			createIdentity: () => Promise.reject(new Error('not asked for')),
		});
		expect(await client.send(conversation, 'hello')).toEqual({
			ok: false,
			error: { kind: 'closed' },
		});
	});

	test.each([0, 1, 2, 3])('no room after %i batches: nothing of it stays', async (batches) => {
		const { store, disk } = await started();
		const before = [...disk.shelves].map(([name, { rows }]) => [name, rows.size]);
		let commits = 0;
		const narrow: Store = {
			...store,
			async transact(body) {
				disk.full = commits++ >= batches;
				return store.transact(body);
			},
		};
		const chat = await chatOf(linesOf(2_500));
		expect(await importChat(ports(narrow), { chat, choice })).toEqual({
			ok: false,
			error: 'storage-full',
		});
		disk.full = false;
		const after = [...disk.shelves].filter(([, { rows }]) => rows.size > 0);
		expect(after.map(([name, { rows }]) => [name, rows.size])).toEqual(before);
		expect((await bring(store, chat)).added).toBe(2_500);
	});

	test('a tab that dies in between shows nothing, and the next time completes it', async () => {
		const { store } = await started();
		let commits = 0;
		const dying: Store = {
			...store,
			transact: (body) =>
				commits++ >= 2 ? Promise.reject(new Error('died')) : store.transact(body),
		};
		const chat = await chatOf(linesOf(2_500));
		await expect(importChat(ports(dying), { chat, choice })).rejects.toThrow('died');
		expect(await createQueries(store).conversations()).toEqual([]);
		const { conversation } = await bring(store, chat);
		const { messages } = await createQueries(store).messages(conversation, { at: 'end', limit: 1 });
		expect(messages[0]?.body).toMatchObject({ text: 'message 2499' });
	});

	test('it can be removed; a conversation of Kith cannot, this way', async () => {
		const { store, disk } = await started();
		const chat = await chatOf(linesOf(1_900));
		const { conversation } = await bring(store, chat);
		await forgetImported(store, conversation);
		expect(disk.shelves.get('messages')?.rows.size).toBe(0);
		const own = idFrom<ConversationId>(new Uint8Array(16).fill(7));
		await store.transact((tx) => {
			tx.put('conversations', own, newConversation(own, undefined, 0));
			return Promise.resolve();
		});
		await forgetImported(store, own);
		expect(await createQueries(store).conversations()).toHaveLength(1);
	});
});
