import { describe, expect, test } from 'vitest';
import { createQueries } from './client-queries.ts';
import type { ConversationId, DeviceId, LogEvent } from './model.ts';
import type { GroupRow } from './group-records.ts';
import type { ConversationRow } from './records.ts';
import { newConversation, putPerson } from './threads.ts';
import { idFrom, type GroupId } from '../protocol/ids.ts';
import {
	account,
	addPerson,
	backup,
	CODE,
	ENTRY,
	id16,
	machine,
	messageOf,
	put,
	restore,
	shown,
	BEN,
	MAYA,
	SAM,
	WITH_MAYA,
	type Machine,
} from '../../tests/support/archive-machine.ts';

const GROUP = idFrom<GroupId>(new Uint8Array(16).fill(6));
const [IN_GROUP, CLEO] = [id16<ConversationId>(4), account(4)];

/** With Maya, who is a contact, and Cleo, who is known from here only. */
async function withGroup(row: Partial<ConversationRow> = {}): Promise<Machine> {
	const sam = await machine(SAM, 70);
	await addPerson(sam, { account: MAYA, conversation: WITH_MAYA });
	await sam.store.transact((tx) => {
		putPerson(tx, CLEO, {
			...{ conversation: undefined, lastSeen: 3 },
			profile: { name: 'Cleo', picture: null },
		});
		tx.put('groups', GROUP, {
			...{ group: GROUP, conversation: IN_GROUP, toldProfile: 1 },
			about: { name: 'Lake house', description: 'in July', picture: Uint8Array.of(1, 2, 3) },
			policy: { write: 'everyone', change: 'admins', invite: 'admins' },
			members: [
				{ account: SAM, role: 'admin' },
				{ account: MAYA, role: 'owner' },
				{ account: CLEO, role: 'member' },
			],
			mending: {
				...{ generation: 2, epoch: 9, secret: new Uint8Array(32).fill(77) },
				own: { leaf: 0, key: new Uint8Array(32).fill(78) },
				devices: { [id16<DeviceId>(40)]: MAYA },
			},
		});
		const conversation = newConversation(IN_GROUP, undefined, 2);
		tx.put('conversations', IN_GROUP, {
			...{ ...conversation, group: GROUP, generation: 2, pinned: true, ...row },
		});
		return Promise.resolve();
	});
	const lines = EVENTS.map((event, at) =>
		messageOf(IN_GROUP, 100 + at, {
			body: { kind: 'event', event },
			delivery: { kind: 'received' },
		}),
	);
	const texts = [1, 2, 3, 4].map((at) => messageOf(IN_GROUP, at));
	const mentions = [
		{ account: SAM, at: 4, length: 4 },
		{ account: CLEO, at: 9, length: 5 },
	];
	const body = { kind: 'text', text: 'ask @Sam @Cleo', replyTo: undefined, mentions } as const;
	texts.push(messageOf(IN_GROUP, 5, { body, mine: false, delivery: { kind: 'received' } }));
	const told = { kind: 'text', text: 'Cleo said so', replyTo: undefined, sharedBy: MAYA } as const;
	texts.push(messageOf(IN_GROUP, 0, { body: told, mine: false, delivery: { kind: 'received' } }));
	await put(sam, [...lines, ...texts, messageOf(IN_GROUP, 6, { delivery: { kind: 'queued' } })]);
	return sam;
}

const EVENTS: readonly LogEvent[] = [
	{ kind: 'group-created' },
	{ kind: 'added', who: [MAYA, CLEO] },
	{ kind: 'added', who: [BEN], shared: 'days-14' },
	{ kind: 'history', count: 25 },
	{ kind: 'removed', who: [BEN] },
	{ kind: 'left', who: BEN },
	{ kind: 'renamed', name: 'Lake house' },
	{ kind: 'described' },
	{ kind: 'pictured' },
	{ kind: 'role', who: MAYA, role: 'owner' },
	{ kind: 'policy', policy: { write: 'everyone', change: 'admins', invite: 'admins' } },
	{ kind: 'frozen' },
	{ kind: 'recreated' },
	{ kind: 'not-done', intention: 'recreate' },
];

describe('groups', () => {
	test('come back as history, with everybody in them and every line', async () => {
		const sam = await withGroup();
		const fresh = await machine(SAM, 71);
		await restore(fresh, await backup(sam));
		const [before, after] = [createQueries(sam.store), createQueries(fresh.store)];
		const was = await before.conversation(IN_GROUP);
		expect(await after.conversation(IN_GROUP)).toEqual({
			...was,
			...{ state: { kind: 'restored' }, failed: 1 },
			last: { ...was?.last, delivery: { kind: 'failed', reason: 'not-a-member' } },
		});
		const page = { at: 'end', limit: 200 } as const;
		const [old, now] = [
			await before.messages(IN_GROUP, page),
			await after.messages(IN_GROUP, page),
		];
		expect(now.messages.map(({ body }) => body)).toEqual(old.messages.map(({ body }) => body));
		expect(now.messages.filter(({ delivery }) => delivery.kind === 'read')).toHaveLength(2);
		expect(await fresh.store.get('people', CLEO)).toMatchObject({
			...{ conversation: undefined, profile: { name: 'Cleo', picture: null }, lastSeen: 3 },
		});
		expect(await restore(fresh, await backup(sam))).toMatchObject({
			messages: 0,
			conversations: 0,
		});
		expect(await after.conversation(IN_GROUP)).toMatchObject({ failed: 1 });
	});

	test('never bring the secret of their snapshots', async () => {
		const fresh = await machine(SAM, 71);
		await restore(fresh, await backup(await withGroup()));
		expect((await fresh.store.get('groups', GROUP))?.mending).toBeUndefined();
		expect(await fresh.store.get('conversations', IN_GROUP)).toMatchObject({
			...{ channels: [], generation: -1 },
		});
	});

	test.each([
		[
			{ kind: 'removed', by: MAYA, at: 5 },
			{ kind: 'removed', by: MAYA, at: 5 },
		],
		[
			{ kind: 'left', at: 6 },
			{ kind: 'left', at: 6 },
		],
		[{ kind: 'frozen', at: 7 }, { kind: 'restored' }],
		[{ kind: 'inviting' }, { kind: 'restored' }],
	] as const)('in the state %o are %o', async (state, expected) => {
		const fresh = await machine(SAM, 71);
		await restore(fresh, await backup(await withGroup({ state })));
		const restored = await createQueries(fresh.store).conversation(IN_GROUP);
		expect(restored?.state).toEqual(expected);
	});

	test('join the group that is here, which stays as it is known here', async () => {
		const file = await backup(await withGroup());
		const fresh = await machine(SAM, 71);
		const here = id16<ConversationId>(92);
		await fresh.store.transact((tx) => {
			const row = newConversation(here, undefined, 9);
			tx.put('conversations', here, { ...row, group: GROUP, generation: 3 });
			const known: GroupRow = {
				...{ group: GROUP, conversation: here, mending: undefined, toldProfile: 4 },
				about: { name: 'Cabin', description: '', picture: null },
				policy: { write: 'everyone', change: 'admins', invite: 'admins' },
				members: [{ account: SAM, role: 'owner' }],
			};
			tx.put('groups', GROUP, known);
			return Promise.resolve();
		});
		await restore(fresh, file);
		const { all } = await shown(fresh);
		const groups = all.filter(({ subject }) => subject.kind === 'group');
		expect(groups).toMatchObject([
			{ id: here, state: { kind: 'open' }, subject: { about: { name: 'Cabin' }, role: 'owner' } },
		]);
		const page = await createQueries(fresh.store).messages(here, { at: 'end', limit: 200 });
		expect(page.messages).toHaveLength(EVENTS.length + 7);
	});

	test('who was known from a group only, and is a contact in the backup, is a contact', async () => {
		const file = await backup(await withGroup());
		const fresh = await machine(SAM, 71);
		await fresh.store.transact((tx) => {
			const profile = { name: 'M', picture: null };
			putPerson(tx, MAYA, { conversation: undefined, profile, lastSeen: undefined });
			return Promise.resolve();
		});
		await restore(fresh, file);
		expect(await fresh.store.get('people', MAYA)).toMatchObject({
			...{ conversation: WITH_MAYA, entry: ENTRY, profile: { name: 'Maya' } },
		});
	});

	test('of another account say nothing about oneself', async () => {
		const file = await backup(await withGroup());
		const maya = await machine(MAYA, 72);
		await restore(maya, file);
		expect(await maya.store.get('people', MAYA)).toBeUndefined();
		expect(await createQueries(maya.store).conversation(IN_GROUP)).toMatchObject({
			state: { kind: 'restored' },
		});
	});
});

describe('keys are not in it', () => {
	test('nor anything that a device owns', async () => {
		const sam = await withGroup();
		const marks = [
			...['channel', 'ratchet', 'privatePart', 'sealed', 'carrier', 'device', 'envelope'],
			...['mending', 'secret'],
		];
		const { openArchive } = await import('./archive/container.ts');
		const { archiveCrypto } = await import('./crypto/archive-keys.ts');
		const archive = await openArchive(await backup(sam), { secret: CODE, crypto: archiveCrypto });
		if (!archive.ok) throw new Error(archive.error);
		const names = new Set<string>();
		const walk = (value: unknown): void => {
			if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
			for (const [key, each] of Object.entries(value)) {
				names.add(key);
				walk(each);
			}
		};
		await archive.value.read(walk);
		expect(names.has('position')).toBe(true);
		for (const mark of marks)
			expect([...names].filter((name) => name.startsWith(mark))).toEqual([]);
	});
});
