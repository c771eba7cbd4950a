import { beforeAll, describe, expect, test } from 'vitest';
import { idFrom } from '../../protocol/ids.ts';
import type { AccountId, ChannelId } from '../../protocol/ids.ts';
import type { GroupMember, Identity, WhisperScope } from '../ports.ts';
import { utf8 } from './bytes.ts';
import { createIdentity, openIdentity } from './identity.ts';
import { smallCrypto } from './small-crypto.ts';

const created = Date.UTC(2026, 0, 1);
const bytesOf = (length: number, fill: number) => new Uint8Array(length).fill(fill);

describe('invite link', () => {
	test('a secret always gives the same address and opens its card', async () => {
		const keys = await smallCrypto.inviteKeys(bytesOf(32, 7));
		const again = await smallCrypto.inviteKeys(bytesOf(32, 7));
		expect(again.address).toBe(keys.address);
		expect(await again.openCard(await keys.sealCard(utf8('card')))).toEqual(utf8('card'));
	});

	test('keys are those of HKDF-SHA-256 with the labels of AD-5, for ever', async () => {
		// Computed with Python's hmac from the definition in RFC 5869, no salt.
		const { address } = await smallCrypto.inviteKeys(bytesOf(32, 7));
		expect(address).toBe('Wp5PsrW3-xe-YzbklIRPCg');
	});

	test('another secret, another card of the same inviter, and altered cards do not open', async () => {
		const keys = await smallCrypto.inviteKeys(bytesOf(32, 7));
		const other = await smallCrypto.inviteKeys(bytesOf(32, 8));
		const sealed = await keys.sealCard(utf8('card'));
		expect(other.address).not.toBe(keys.address);
		expect(await other.openCard(sealed)).toBeUndefined();
		for (let at = 0; at < sealed.length; at++) {
			const altered = sealed.slice();
			altered[at] = (altered[at] ?? 0) ^ 1;
			expect(await keys.openCard(altered)).toBeUndefined();
			expect(await keys.openCard(sealed.subarray(0, at))).toBeUndefined();
		}
	});

	test('a secret of another length is a bug', async () => {
		await expect(smallCrypto.inviteKeys(bytesOf(16, 7))).rejects.toThrow('32 bytes');
	});
});

describe('whispers', () => {
	let alice: Identity;
	let bob: Identity;
	let members: readonly GroupMember[];
	const scope: WhisperScope = {
		channel: idFrom<ChannelId>(bytesOf(16, 1)),
		epoch: 3,
		key: bytesOf(32, 2),
	};
	const open = (sealed: Uint8Array, change: Partial<WhisperScope> = {}) =>
		smallCrypto.openWhisper({ ...scope, ...change }, members, sealed);

	beforeAll(async () => {
		const stored = await Promise.all([
			createIdentity({ deviceName: 'A', created }),
			createIdentity({ deviceName: 'B', created }),
		]);
		[alice, bob] = stored.map(openIdentity) as [Identity, Identity];
		members = [alice, bob].map(({ account, device }, leaf) => ({ leaf, account, device }));
	});

	test('tell the members who said what', async () => {
		const sealed = await smallCrypto.sealWhisper(scope, bob, utf8('typing'));
		expect(await open(sealed)).toEqual({ from: members[1], payload: utf8('typing') });
	});

	test('WH-2 are of one channel, epoch and key', async () => {
		const sealed = await smallCrypto.sealWhisper(scope, bob, utf8('typing'));
		expect(await open(sealed, { epoch: 4 })).toBeUndefined();
		expect(await open(sealed, { channel: idFrom<ChannelId>(bytesOf(16, 9)) })).toBeUndefined();
		expect(await open(sealed, { key: bytesOf(32, 9) })).toBeUndefined();
	});

	test('of a stranger who knows the key, or in the name of another, are refused', async () => {
		const mallory = openIdentity(await createIdentity({ deviceName: 'M', created }));
		expect(await open(await smallCrypto.sealWhisper(scope, mallory, utf8('x')))).toBeUndefined();
		const posing: Identity = {
			...bob,
			sign: (purpose, bytes) => mallory.sign(purpose, bytes),
		};
		expect(await open(await smallCrypto.sealWhisper(scope, posing, utf8('x')))).toBeUndefined();
	});

	test('altered or cut are refused without throwing', async () => {
		const sealed = await smallCrypto.sealWhisper(scope, bob, utf8('typing'));
		for (let at = 0; at < sealed.length; at++) {
			const altered = sealed.slice();
			altered[at] = (altered[at] ?? 0) ^ 1;
			expect(await open(altered)).toBeUndefined();
		}
		expect(await open(new Uint8Array())).toBeUndefined();
	});

	test('signatures verify for the device that the key hashes to', async () => {
		const bytes = utf8('hello');
		const signature = await alice.sign('kith peer hello', bytes);
		const signed = { device: alice.device, key: alice.devicePublicKey, bytes };
		expect(await smallCrypto.verify('kith peer hello', signed, signature)).toBe(true);
		expect(await smallCrypto.verify('kith login', signed, signature)).toBe(false);
		const renamed = { ...signed, device: bob.device };
		expect(await smallCrypto.verify('kith peer hello', renamed, signature)).toBe(false);
		const shortKey = { ...signed, key: bytesOf(31, 1) };
		expect(await smallCrypto.verify('kith peer hello', shortKey, signature)).toBe(false);
	});
});

describe('safety number', () => {
	const ann = idFrom<AccountId>(bytesOf(32, 1));
	const ben = idFrom<AccountId>(bytesOf(32, 2));
	const eve = idFrom<AccountId>(bytesOf(32, 3));

	test('is the same 60 digits for both, for ever, and another with anybody else', async () => {
		const [forAnn, forBen, withEve] = await Promise.all([
			smallCrypto.safetyNumber(ann, ben),
			smallCrypto.safetyNumber(ben, ann),
			smallCrypto.safetyNumber(ann, eve),
		]);
		// Computed with Python's hashlib from the definition in safety-number.ts.
		expect(forAnn.digits).toBe('073006851102440880232950638014612826882341297165456092034600');
		expect(forBen.digits).toBe(forAnn.digits);
		expect(withEve.digits).not.toBe(forAnn.digits);
	});

	test('scanning the other screen says same; any other code does not', async () => {
		const [shownByBen, shownByAnn] = await Promise.all([
			smallCrypto.safetyNumber(ben, ann),
			smallCrypto.safetyNumber(ann, ben),
		]);
		expect(await smallCrypto.compareSafetyNumber(ann, ben, shownByBen.qr)).toBe('same');
		expect(await smallCrypto.compareSafetyNumber(ann, ben, shownByAnn.qr)).toBe('different');
		expect(await smallCrypto.compareSafetyNumber(ann, eve, shownByBen.qr)).toBe('different');
		expect(await smallCrypto.compareSafetyNumber(ann, ben, utf8('https://example'))).toBe(
			'not-a-code',
		);
	});
});
