// What every context of this origin opens first: the database, the keys in it, and the store over both. Where there is
// no IndexedDB it is all in memory, and says so.
import { smallCrypto } from '../crypto/small-crypto.ts';
import type { StoredIdentity } from '../crypto/identity.ts';
import { createDataKey, createSealer, type StoredDataKey } from '../crypto/sealing.ts';
import type { AccountSecret, Clock, Random, SmallCrypto, Store } from '../ports.ts';
import type { AccountId } from '../../protocol/ids.ts';
import { openDatabase, type IdbDatabase } from '../storage/idb-database.ts';
import { createIdbStore, type Durability } from '../storage/idb-store.ts';
import { createMemoryDisk, createMemoryStore } from '../storage/memory-store.ts';
import { createTouchedChannel } from './changes.ts';

export const DATABASE = 'kith';

export interface Environment {
	readonly store: Store;
	readonly crypto: SmallCrypto;
	readonly kind: 'kept' | 'memory';
	identity(): Promise<StoredIdentity | undefined>;
	/** Makes the keys of this device at the first call in any context, and returns the same ones ever after. */
	createIdentity(): Promise<StoredIdentity>;
	/**
	 * Makes this browser a device of an exported account, in place of any keys that nobody has started with yet. Undefined
	 * for a secret that is not the account's.
	 */
	restoreIdentity(account: AccountId, secret: AccountSecret): Promise<StoredIdentity | undefined>;
	/** The same beside the account's other devices, which bring this one into their list. */
	joinIdentity(account: AccountId, secret: AccountSecret): Promise<StoredIdentity | undefined>;
	/** Another store on the same rows, whose writes are on disk when they resolve. */
	engineStore(): Store;
}

export const systemClock: Clock = {
	now: () => Date.now(),
	schedule(ms, call) {
		const timer = setTimeout(call, ms);
		return () => clearTimeout(timer);
	},
};

export const systemRandom: Random = {
	bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
	fraction: () => Math.random(),
};

/** Reads a key from the vault, or makes it; of two contexts that make one at once, the first one's counts. */
async function keep<Value>(
	database: IdbDatabase,
	name: string,
	make: () => Promise<Value>,
): Promise<Value> {
	const kept = await database.use((db) => db.get('vault', name));
	if (kept !== undefined) return kept as Value;
	const made = await make();
	return database.use(async (db) => {
		const tx = db.transaction('vault', 'readwrite', { durability: 'strict' });
		const other = await tx.store.get(name);
		if (other === undefined) await tx.store.put(made, name);
		await tx.done;
		return (other ?? made) as Value;
	});
}

/** Wanted once in a device's life: most visits do without the code that makes keys. */
const loadIdentities = () => import('../crypto/identity.ts');

async function newIdentity(): Promise<StoredIdentity> {
	const { createIdentity } = await loadIdentities();
	return createIdentity({ deviceName: deviceName(), created: Date.now() });
}

/** The same device again where the same account was restored before: its code was entered twice. */
async function restored(
	before: StoredIdentity | undefined,
	account: AccountId,
	secret: AccountSecret,
): Promise<StoredIdentity | undefined> {
	if (before?.account === account) return before;
	const { restoreIdentity } = await loadIdentities();
	return restoreIdentity(account, secret, { deviceName: deviceName(), created: Date.now() });
}

/** The same device again where it joined the same account before: the last step was not made. */
async function joined(
	before: StoredIdentity | undefined,
	account: AccountId,
	secret: AccountSecret,
): Promise<StoredIdentity | undefined> {
	if (before?.account === account) return before;
	const { joinIdentity } = await loadIdentities();
	return joinIdentity(account, secret, { deviceName: deviceName(), created: Date.now() });
}

const BROWSERS = {
	Edg: 'Edge',
	OPR: 'Opera',
	Firefox: 'Firefox',
	Chrome: 'Chrome',
	Safari: 'Safari',
};
const SYSTEMS = {
	...{ iPhone: 'iPhone', iPad: 'iPad', Android: 'Android', Windows: 'Windows' },
	...{ Macintosh: 'Mac', CrOS: 'ChromeOS', Linux: 'Linux' },
};

/** "Chrome, Android": browser and system, as people tell their devices apart. */
function deviceName(): string {
	const agent = navigator.userAgent;
	const called = (names: Readonly<Record<string, string>>): string | undefined =>
		Object.entries(names).find(([sign]) => agent.includes(sign))?.[1];
	return [called(BROWSERS) ?? 'Browser', called(SYSTEMS)].filter(Boolean).join(', ');
}

/** Opens the database; without one, a store in memory. */
export async function openEnvironment(outdated: () => void): Promise<Environment> {
	if (typeof indexedDB === 'undefined') return memoryEnvironment();
	const database = openDatabase(DATABASE, { outdated });
	let dataKey: StoredDataKey;
	try {
		dataKey = await keep(database, 'data-key', createDataKey);
	} catch {
		database.close();
		return memoryEnvironment(); // private modes refuse to open or to store a key
	}
	const sealer = await createSealer(dataKey);
	const open = (durability: Durability) =>
		createIdbStore(database, { sealer, changes: createTouchedChannel(), durability });
	return {
		store: open('relaxed'),
		crypto: smallCrypto,
		kind: 'kept',
		identity: () =>
			database.use(async (db) => (await db.get('vault', 'identity')) as StoredIdentity | undefined),
		createIdentity: () => keep(database, 'identity', newIdentity),
		async joinIdentity(account, secret) {
			const before = await database.use((db) => db.get('vault', 'identity'));
			const identity = await joined(before as StoredIdentity | undefined, account, secret);
			if (identity) await database.use((db) => db.put('vault', identity, 'identity'));
			return identity;
		},
		async restoreIdentity(account, secret) {
			const before = await database.use((db) => db.get('vault', 'identity'));
			const identity = await restored(before as StoredIdentity | undefined, account, secret);
			if (identity) await database.use((db) => db.put('vault', identity, 'identity'));
			return identity;
		},
		engineStore: () => open('strict'),
	};
}

function memoryEnvironment(): Environment {
	const disk = createMemoryDisk();
	let identity: Promise<StoredIdentity> | undefined;
	const openStore = () => createMemoryStore(disk);
	return {
		store: openStore(),
		crypto: smallCrypto,
		kind: 'memory',
		identity: () => identity ?? Promise.resolve(undefined),
		createIdentity: () => (identity ??= newIdentity()),
		async joinIdentity(account, secret) {
			const made = await joined(await identity, account, secret);
			if (made) identity = Promise.resolve(made);
			return made;
		},
		async restoreIdentity(account, secret) {
			const made = await restored(await identity, account, secret);
			if (made) identity = Promise.resolve(made);
			return made;
		},
		engineStore: openStore,
	};
}
