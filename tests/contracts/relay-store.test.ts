import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryDisk, MemoryStore } from '../../server/storage/memory-store.ts';
import { openSqliteStore, type SqliteStore } from '../../server/storage/sqlite-store.ts';
import { idFrom, type ChannelId, type DeviceId, type EnvelopeId } from '../../src/protocol/ids.ts';
import { QUOTA, relayStoreContract, type StoreUnderTest } from './relay-store.ts';

relayStoreContract('memory', () => {
	const disk = new MemoryDisk();
	let store: MemoryStore;
	return Promise.resolve<StoreUnderTest>({
		open: () => Promise.resolve((store = new MemoryStore(disk, { quota: QUOTA }))),
		crash: () => Promise.resolve(store.crash()),
		fill: () => Promise.resolve(void (disk.full = true)),
		free: () => Promise.resolve(void (disk.full = false)),
		dispose: () => Promise.resolve(),
	});
});

const temporaryDirectory = () => mkdtempSync(join(tmpdir(), 'kith-store-'));
const unexpected = (error: Error) => {
	throw error;
};

relayStoreContract('SQLite', () => {
	const directory = temporaryDirectory();
	const path = join(directory, 'relay.db');
	const opened: SqliteStore[] = [];
	const fillers: DeviceId[] = [];
	const open = async () => {
		const options = { path, quota: QUOTA, maxBytes: 1024 * 1024 };
		const store = await openSqliteStore(options, unexpected);
		opened.push(store);
		return store;
	};
	const filler = () => {
		const mailbox = idFrom<DeviceId>(randomBytes(16));
		fillers.push(mailbox);
		const envelope = idFrom<EnvelopeId>(randomBytes(16));
		const channel = idFrom<ChannelId>(randomBytes(16));
		const body = new Uint8Array(3000);
		const message = { sender: mailbox, envelope, channel, epoch: 0, at: 1e6, body };
		return { message: { kind: 'message', ...message }, targets: [{ mailbox, seq: 1 }] } as const;
	};
	return Promise.resolve<StoreUnderTest>({
		open,
		crash: async () => opened.at(-1)?.crash(),
		fill: async (store) => {
			while ((await store.append(filler())).ok);
		},
		free: async (store) => {
			for (const mailbox of fillers.slice(0, 50)) await store.acknowledge(mailbox, 1);
		},
		dispose: async () => {
			for (const store of opened) await store.crash();
			rmSync(directory, { recursive: true });
		},
	});
});

describe('SQLite files', () => {
	let directory: string;
	let path: string;
	const open = () => openSqliteStore({ path, quota: QUOTA, maxBytes: null }, unexpected);
	beforeEach(() => {
		directory = temporaryDirectory();
		path = join(directory, 'relay.db');
	});
	afterEach(() => rmSync(directory, { recursive: true }));

	it('says in a sentence that a file is not a database, and leaves it alone', async () => {
		writeFileSync(path, randomBytes(20_000));
		await expect(open()).rejects.toThrow(/relay\.db is damaged\. .*latest backup/);
	});

	it('MB-7 takes a database of before, with its indexes, and what a relay of before writes to it', async () => {
		const [one, two] = [idFrom<DeviceId>(randomBytes(16)), idFrom<DeviceId>(randomBytes(16))];
		const posting = (seq: number, at: number) => ({
			message: {
				...({ kind: 'message', sender: one, epoch: 1, at } as const),
				envelope: idFrom<EnvelopeId>(randomBytes(16)),
				...{ channel: idFrom<ChannelId>(randomBytes(16)), body: new Uint8Array(9) },
			},
			targets: [one, two].map((mailbox) => ({ mailbox, seq })),
		});
		const first = await open();
		await first.append(posting(1, 100));
		await first.close();
		const before = new DatabaseSync(path);
		before.exec(`
			ALTER TABLE messages DROP COLUMN targets;
			CREATE INDEX messages_by_age ON messages (at);
			CREATE INDEX waiting_by_message ON waiting (message);
		`);
		before.close();
		const migrated = await open();
		await migrated.append(posting(2, 200));
		await migrated.acknowledge(two, 1);
		await migrated.close();
		const after = new DatabaseSync(path);
		const indexes = "SELECT count(*) AS n FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX%'";
		const names = 'SELECT targets FROM messages WHERE at = 100';
		expect(JSON.parse(String(after.prepare(names).get()?.targets))).toHaveLength(2);
		expect(after.prepare(`${indexes} AND tbl_name IN ('messages', 'waiting')`).get()?.n).toBe(0);
		after.exec('UPDATE messages SET targets = NULL WHERE at = 200');
		after.close();
		const again = await open();
		const found = await again.expired(300, 10);
		const rows = found.ok ? found.value.map(({ mailbox, seq }) => `${seq} ${mailbox}`) : [];
		expect(rows.sort()).toEqual([`1 ${one}`, `2 ${one}`, `2 ${two}`].sort());
		await again.close();
	});

	it('says in a sentence that pages of the database are damaged', async () => {
		const store = await open();
		for (let seq = 1; seq <= 5; seq++) await store.reserve(seq);
		await store.close();
		const file = new DatabaseSync(path);
		file.exec('PRAGMA journal_mode = DELETE');
		file.close();
		const { readFileSync } = await import('node:fs');
		const bytes = readFileSync(path);
		bytes.fill(0xff, 2 * 4096, 9 * 4096);
		writeFileSync(path, bytes);
		await expect(open()).rejects.toThrow(/relay\.db is damaged/);
	});

	it('does not touch the database of another program', async () => {
		const other = new DatabaseSync(path);
		other.exec('CREATE TABLE theirs (x)');
		other.close();
		await expect(open()).rejects.toThrow(/database of another program/);
	});

	it('does not open a file that a newer version wrote', async () => {
		await (await open()).close();
		const newer = new DatabaseSync(path);
		newer.exec('PRAGMA user_version = 99');
		newer.close();
		await expect(open()).rejects.toThrow(/version 99/);
	});

	it('says where it could not open a file', async () => {
		path = join(directory, 'missing', 'relay.db');
		await expect(open()).rejects.toThrow(/missing\/relay\.db cannot be opened/);
	});
});
