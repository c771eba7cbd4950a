import { describe, expect, test } from 'vitest';
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import { utf8 } from './bytes.ts';
import { deviceIdOf, issueCertificate, verifyCertificate } from './certificate.ts';
import { changeDeviceList, verifyDeviceList } from './device-list.ts';
import {
	createIdentity,
	exportAccount,
	openAccountKey,
	openIdentity,
	restoreIdentity,
} from './identity.ts';
import type { StoredIdentity } from './identity.ts';
import { verifySignature } from './signing.ts';

const created = Date.UTC(2026, 0, 1);

async function newDeviceCertificate(stored: StoredIdentity, deviceName: string) {
	const keys = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
	const devicePublicKey = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
	const accountKey = await openAccountKey(stored);
	const { account } = stored;
	const certificate = await issueCertificate(accountKey, {
		account,
		devicePublicKey,
		deviceName,
		created,
	});
	return { accountKey, devicePublicKey, certificate };
}

describe('identity', () => {
	test('survives storage as structured clone, and keeps its private keys inside', async () => {
		const stored = structuredClone(await createIdentity({ deviceName: 'Laptop', created }));
		expect(stored.deviceKey.extractable).toBe(false);
		expect(stored.wrappingKey.extractable).toBe(false);
		expect((await openAccountKey(stored)).extractable).toBe(false);
		const identity = openIdentity(stored);
		expect(identity.device).toBe(deviceIdOf(identity.devicePublicKey));
		const bytes = utf8('challenge');
		const signature = await identity.sign('kith login', bytes);
		const claim = { publicKey: identity.devicePublicKey, bytes, signature };
		expect(await verifySignature({ ...claim, purpose: 'kith login' })).toBe(true);
		expect(await verifySignature({ ...claim, purpose: 'kith peer hello' })).toBe(false);
	});

	test('signs for MLS only what carries the label of MLS, and exactly that', async () => {
		const identity = openIdentity(await createIdentity({ deviceName: 'Laptop', created }));
		await expect(identity.sign('kith mls', utf8('kith login\0challenge'))).rejects.toThrow('label');
		const bytes = utf8('\x13MLS 1.0 LeafNodeTBS\0');
		const key = await crypto.subtle.importKey(
			'raw',
			new Uint8Array(identity.devicePublicKey),
			'Ed25519',
			false,
			['verify'],
		);
		const signature = new Uint8Array(await identity.sign('kith mls', bytes));
		expect(await crypto.subtle.verify('Ed25519', key, signature, bytes)).toBe(true);
	});

	test('a wrapped account key that was altered, or is of another account, does not open', async () => {
		const stored = await createIdentity({ deviceName: 'Laptop', created });
		const other = await createIdentity({ deviceName: 'Laptop', created });
		const wrappedAccountKey = stored.wrappedAccountKey.slice();
		wrappedAccountKey[0] = (wrappedAccountKey[0] ?? 0) ^ 1;
		await expect(openAccountKey({ ...stored, wrappedAccountKey })).rejects.toThrow();
		await expect(openAccountKey({ ...stored, account: other.account })).rejects.toThrow();
	});
});

describe('device certificate', () => {
	test('says what was certified', async () => {
		const stored = await createIdentity({ deviceName: 'Møbile 📱', created });
		const { account, devicePublicKey } = stored;
		expect(await verifyCertificate(stored.certificate)).toEqual({
			ok: true,
			value: { account, devicePublicKey, deviceName: 'Møbile 📱', created },
		});
	});

	test('any changed byte makes it forged or malformed', async () => {
		const { certificate } = await createIdentity({ deviceName: 'Laptop', created });
		for (let at = 0; at < certificate.length; at++) {
			const altered = certificate.slice();
			altered[at] = (altered[at] ?? 0) ^ 1;
			expect((await verifyCertificate(altered)).ok, `byte ${at}`).toBe(false);
		}
		for (let length = 0; length < certificate.length; length++) {
			expect((await verifyCertificate(certificate.subarray(0, length))).ok).toBe(false);
		}
	});

	test('a name may have 64 characters and no more', async () => {
		const longest = '📱'.repeat(64);
		const { certificate } = await createIdentity({ deviceName: longest, created });
		expect(await verifyCertificate(certificate)).toMatchObject({ value: { deviceName: longest } });
		await expect(createIdentity({ deviceName: `${longest}x`, created })).rejects.toThrow('name');
	});
});

describe('device list', () => {
	test('grows by adding and shrinks by removing', async () => {
		const stored = await createIdentity({ deviceName: 'Laptop', created });
		const { account } = stored;
		const { accountKey, certificate, devicePublicKey } = await newDeviceCertificate(
			stored,
			'Phone',
		);
		const added = await changeDeviceList(accountKey, stored.deviceList, {
			account,
			created,
			change: { kind: 'add', certificate },
		});
		const two = await verifyDeviceList(added, account);
		expect(two.ok && [...two.value.devices.values()].map(({ deviceName }) => deviceName)).toEqual([
			'Laptop',
			'Phone',
		]);
		const removed = await changeDeviceList(accountKey, added, {
			account,
			created,
			change: { kind: 'remove', devicePublicKey },
		});
		const one = await verifyDeviceList(removed, account, two.ok ? two.value.head : undefined);
		expect(one.ok && [...one.value.devices.keys()]).toEqual([stored.device]);
		expect(one.ok && one.value.head.sequence).toBe(2);
	});

	test('a pinned head refuses an older list and another history', async () => {
		const stored = await createIdentity({ deviceName: 'Laptop', created });
		const { account, deviceList } = stored;
		const phone = await newDeviceCertificate(stored, 'Phone');
		const tablet = await newDeviceCertificate(stored, 'Tablet');
		const grow = (certificate: Uint8Array) =>
			changeDeviceList(phone.accountKey, deviceList, {
				account,
				created,
				change: { kind: 'add', certificate },
			});
		const seen = await verifyDeviceList(await grow(phone.certificate), account);
		const pinned = seen.ok ? seen.value.head : undefined;
		const other = await grow(tablet.certificate);
		expect(await verifyDeviceList(other, account, pinned)).toEqual({ ok: false, error: 'forked' });
		expect(await verifyDeviceList(deviceList, account, pinned)).toEqual({
			ok: false,
			error: 'rollback',
		});
		expect((await verifyDeviceList(deviceList, account)).ok).toBe(true);
	});

	test('links left out, repeated, swapped or of another account are refused', async () => {
		const stored = await createIdentity({ deviceName: 'Laptop', created });
		const { account } = stored;
		const { accountKey, certificate } = await newDeviceCertificate(stored, 'Phone');
		const change = { kind: 'add', certificate } as const;
		const grown = await changeDeviceList(accountKey, stored.deviceList, {
			account,
			created,
			change,
		});
		const [first, second] = parseCbor(grown) as [Uint8Array, Uint8Array];
		for (const links of [[second], [second, first], [first, first], [first, second, second]]) {
			expect(await verifyDeviceList(writeCbor(links), account)).toEqual({
				ok: false,
				error: 'forged',
			});
		}
		for (const links of [[], [first, 'text'], 'text', [[first]]]) {
			expect(await verifyDeviceList(writeCbor(links), account)).toEqual({
				ok: false,
				error: 'malformed',
			});
		}
		const stranger = await createIdentity({ deviceName: 'Laptop', created });
		expect(await verifyDeviceList(grown, stranger.account)).toEqual({ ok: false, error: 'forged' });
	});

	test("a certificate of another account, a device twice, and the last device's removal are refused", async () => {
		const stored = await createIdentity({ deviceName: 'Laptop', created });
		const stranger = await createIdentity({ deviceName: 'Theirs', created });
		const accountKey = await openAccountKey(stored);
		const { account, deviceList, certificate, devicePublicKey } = stored;
		const change = (next: Parameters<typeof changeDeviceList>[2]['change']) =>
			changeDeviceList(accountKey, deviceList, { account, created, change: next });
		await expect(change({ kind: 'add', certificate: stranger.certificate })).rejects.toThrow(
			'forged',
		);
		await expect(change({ kind: 'add', certificate })).rejects.toThrow('malformed');
		await expect(change({ kind: 'remove', devicePublicKey })).rejects.toThrow('malformed');
		const theirs = await openAccountKey(stranger);
		const taken = changeDeviceList(theirs, deviceList, {
			account,
			created,
			change: { kind: 'remove', devicePublicKey: stranger.devicePublicKey },
		});
		await expect(taken).rejects.toThrow('forged');
	});
});

describe('an account that moves to another browser', () => {
	const named = { deviceName: 'Phone', created: created + 1 };

	test('is the same person on a new device, which takes the place of the one before', async () => {
		const old = await createIdentity({ deviceName: 'Laptop', created });
		const restored = await restoreIdentity(old.account, await exportAccount(old), named);
		if (!restored) throw new Error('not restored');
		expect(restored.account).toBe(old.account);
		expect(restored.device).not.toBe(old.device);
		expect((await openAccountKey(restored)).extractable).toBe(false);
		const certificate = await verifyCertificate(restored.certificate);
		expect(certificate).toMatchObject({ ok: true, value: { account: old.account } });
		const before = await verifyDeviceList(old.deviceList, old.account);
		if (!before.ok) throw new Error(before.error);
		// Whoever pinned the list of before follows it to this one.
		const list = await verifyDeviceList(restored.deviceList, old.account, before.value.head);
		if (!list.ok) throw new Error(list.error);
		expect([...list.value.devices.keys()]).toEqual([restored.device]);
		// And once more, from there.
		const third = await restoreIdentity(old.account, await exportAccount(restored), named);
		expect(third?.account).toBe(old.account);
	});

	test('is not taken from a key or a list of somebody else, nor from noise', async () => {
		const [mine, other] = [
			await createIdentity({ deviceName: 'Laptop', created }),
			await createIdentity({ deviceName: 'Laptop', created }),
		];
		const [own, foreign] = [await exportAccount(mine), await exportAccount(other)];
		const refused = [
			foreign,
			{ ...own, accountKey: foreign.accountKey },
			{ ...own, deviceList: foreign.deviceList },
			{ ...own, accountKey: utf8('no key at all') },
			{ ...own, deviceList: own.deviceList.slice(0, -1) },
		];
		for (const secret of refused) {
			expect(await restoreIdentity(mine.account, secret, named)).toBeUndefined();
		}
	});
});
