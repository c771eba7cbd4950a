// A device with a store and the file room, for tests of backups: people, conversations and messages put in as rows.
import { createQueries } from '../../src/core/client-queries.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import type { Files } from '../../src/core/files.ts';
import { createFiles } from '../../src/core/hosts/files.ts';
import type { AccountId, ConversationId, DeviceId, MessageId } from '../../src/core/model.ts';
import { positionOf } from '../../src/core/positions.ts';
import type { ArchiveSecret, Clock, Store } from '../../src/core/ports.ts';
import type { ConversationRow, MessageRow, PersonRow } from '../../src/core/records.ts';
import {
	createMemoryDisk,
	createMemoryStore,
	type MemoryDisk,
} from '../../src/core/storage/memory-store.ts';
import { addMessage, newConversation } from '../../src/core/threads.ts';
import { idFrom } from '../../src/protocol/ids.ts';

export const NOW = Date.UTC(2026, 10, 23);
export const clock: Clock = { now: () => NOW, schedule: () => () => undefined };
export const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
export const CODE: ArchiveSecret = {
	kind: 'code',
	code: '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ',
};

export const account = (fill: number) => idFrom<AccountId>(new Uint8Array(32).fill(fill));
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller says which kind
export const id16 = <Kind extends ConversationId | MessageId | DeviceId>(
	fill: number,
	at = 0,
): Kind => {
	const bytes = new Uint8Array(16).fill(fill);
	new DataView(bytes.buffer).setUint32(4, at);
	return idFrom<Kind>(bytes);
};
export const [SAM, OTHER_SAM, MAYA, BEN] = [account(1), account(5), account(2), account(3)];
export const [NOTES, WITH_MAYA, WITH_BEN] = [1, 2, 3].map((fill) => id16<ConversationId>(fill)) as [
	ConversationId,
	ConversationId,
	ConversationId,
];
export const ENTRY = {
	address: idFrom<never>(new Uint8Array(16).fill(8)),
	keyPackage: Uint8Array.of(1, 2),
};

export interface Machine {
	readonly disk: MemoryDisk;
	readonly store: Store;
	readonly files: Files;
}

export async function machine(me: AccountId, device: number, notes = NOTES): Promise<Machine> {
	const disk = createMemoryDisk();
	const store = createMemoryStore(disk);
	await store.transact((tx) => {
		tx.put('me', 'only', {
			account: me,
			device: id16<DeviceId>(device),
			profile: { name: 'Sam', picture: null },
			created: 1,
			profileVersion: 1,
		});
		tx.put('conversations', notes, newConversation(notes, undefined, 1));
		return Promise.resolve();
	});
	return { disk, store, files: createFiles({ store, crypto: smallCrypto, clock, random }) };
}

export async function addPerson(
	{ store }: Machine,
	who: Partial<PersonRow> & { readonly account: AccountId; readonly conversation: ConversationId },
	row: Partial<ConversationRow> = {},
): Promise<void> {
	await store.transact((tx) => {
		tx.put('people', who.account, {
			profile: { name: 'Maya', picture: null },
			verification: { kind: 'verified', at: 7, how: 'compared' },
			lastSeen: 5,
			entry: ENTRY,
			profileVersion: 3,
			toldProfile: 1,
			...who,
		});
		tx.put('conversations', who.conversation, {
			...newConversation(who.conversation, who.account, 2),
			generation: 4,
			...row,
		});
		return Promise.resolve();
	});
}

export function messageOf(
	conversation: ConversationId,
	at: number,
	more: Partial<MessageRow> = {},
): MessageRow {
	const id = id16<MessageId>(conversation === NOTES ? 60 : 61, at);
	const mine = at % 2 === 0;
	return {
		id,
		conversation,
		position: positionOf((1_000_000 + at).toString(16).padStart(16, '0'), id),
		author: mine ? SAM : MAYA,
		device: id16<DeviceId>(40),
		mine,
		body: { kind: 'text', text: `message ${at}`, replyTo: undefined },
		sent: 1_000_000 + at,
		received: 1_000_000 + at,
		delivery: mine ? { kind: 'read' } : { kind: 'received' },
		carrier: undefined,
		...more,
	};
}

export async function put({ store }: Machine, messages: readonly MessageRow[]): Promise<void> {
	await store.transact(async (tx) => {
		for (const message of messages) await addMessage(tx, message);
	});
}

export async function backup({ files }: Machine): Promise<Blob> {
	const parts: Uint8Array<ArrayBuffer>[] = [];
	const chunks = await files.writeArchive(CODE, () => undefined);
	if (!chunks) throw new Error('nothing to back up');
	for await (const chunk of chunks) parts.push(chunk);
	return new Blob(parts);
}

export async function restore({ files }: Machine, file: Blob) {
	const outcome = await files.restoreArchive(file, CODE);
	if (!outcome.ok) throw new Error(outcome.error);
	return outcome.value;
}

export async function shown({ store }: Machine) {
	const queries = createQueries(store);
	const all = await queries.conversations();
	const logs = await Promise.all(
		all.map(async ({ id }) => {
			const { messages } = await queries.messages(id, { at: 'end', limit: 200 });
			return messages;
		}),
	);
	return { all, logs };
}

export const sizes = ({ disk }: Machine) =>
	Object.fromEntries([...disk.shelves].map(([name, { rows }]) => [name, rows.size]));
