// In a real browser: what is stored of an identity and a group goes through IndexedDB, as a restart would take it.
import { deleteDB, openDB } from 'idb';
import { afterAll, expect, test } from 'vitest';
import { idFrom } from '../../protocol/ids.ts';
import type { ChannelId } from '../../protocol/ids.ts';
import type { FrozenGroup } from '../ports.ts';
import { utf8 } from './bytes.ts';
import { createIdentity, openAccountKey, openIdentity } from './identity.ts';
import type { StoredIdentity } from './identity.ts';
import { createGroupCrypto } from './mls.ts';
import { createDataKey, createSealer } from './sealing.ts';
import type { StoredDataKey } from './sealing.ts';
import { verifySignature } from './signing.ts';

const DATABASE = 'kith-crypto-test';
const clock = { now: () => Date.now() };

/** Writes, closes, opens again and reads. */
async function throughStorage<Value>(key: string, value: Value): Promise<Value> {
	const options = {
		upgrade: (db: { createObjectStore(name: string): void }) => db.createObjectStore('rows'),
	};
	const writing = await openDB(DATABASE, 1, options as never);
	await writing.put('rows', value, key);
	writing.close();
	const reading = await openDB(DATABASE, 1, options as never);
	const read = (await reading.get('rows', key)) as Value;
	reading.close();
	return read;
}

afterAll(() => deleteDB(DATABASE));

test('an identity signs and a data key opens after a restart', async () => {
	const made = await createIdentity({ deviceName: 'Browser', created: clock.now() });
	const stored: StoredIdentity = await throughStorage('identity', made);
	const identity = openIdentity(stored);
	const bytes = utf8('challenge');
	const signature = await identity.sign('kith login', bytes);
	const { devicePublicKey: publicKey } = identity;
	expect(await verifySignature({ publicKey, purpose: 'kith login', bytes, signature })).toBe(true);
	expect((await openAccountKey(stored)).type).toBe('private');
	await expect(crypto.subtle.exportKey('pkcs8', stored.deviceKey)).rejects.toThrow();

	const dataKey = await createDataKey();
	const sealed = await (await createSealer(dataKey)).seal(utf8('row'), 'rows/1');
	const again: StoredDataKey = await throughStorage('data key', dataKey);
	expect(await (await createSealer(again)).open(sealed, 'rows/1')).toEqual(utf8('row'));
});

test('two devices talk, and go on talking after a restart', async () => {
	const [alice, bob] = await Promise.all(
		['A', 'B'].map(async (deviceName) => {
			const made = await createIdentity({ deviceName, created: clock.now() });
			const identity = openIdentity(await throughStorage(deviceName, made));
			return createGroupCrypto({ identity, clock });
		}),
	);
	if (!alice || !bob) throw new Error('two devices');
	const keys = await bob.newKeyPackage({ reusable: false });
	const founded = await alice.found(idFrom<ChannelId>(new Uint8Array(16)), utf8('context'));
	const staged = await alice.stage(founded, { add: [keys.publicPart] });
	if (!staged.ok || !staged.value.welcome) throw new Error('no welcome');
	const joined = await bob.join(staged.value.welcome, keys);
	if (!joined.ok) throw new Error(joined.error);
	const frozen: FrozenGroup = await throughStorage('group', bob.freeze(joined.value));
	const thawed = bob.thaw(frozen);
	const sealed = await alice.seal(staged.value.next, utf8('hello'), utf8(''));
	const opened = await bob.open(thawed, sealed.bytes);
	expect(opened.kind === 'message' && opened.plaintext).toEqual(utf8('hello'));
	expect(bob.authenticator(thawed)).toEqual(alice.authenticator(staged.value.next));
});
