// The two keys of this device (encryption.md, "Keys and identities"). The account key is the person; its private
// half exists outside WebCrypto only wrapped. The device key is this browser; its private half never leaves
// WebCrypto at all.
//
// The account key is kept as wrapped pkcs8 and not as a CryptoKey because it must reach the person's next device
// one day, by the capsule of a recovery code, and what is non-extractable cannot.
import type { AccountId, DeviceId } from '../../protocol/ids.ts';
import { idFrom } from '../../protocol/ids.ts';
import type { AccountPort, AccountSecret, Identity } from '../ports.ts';
import { toBufferSource } from './bytes.ts';
import {
	accountPublicKey,
	deviceIdOf,
	issueCertificate,
	verifyCertificate,
} from './certificate.ts';
import {
	changeDeviceList,
	createDeviceList,
	verifyDeviceList,
	type DeviceChange,
} from './device-list.ts';
import { signWith } from './signing.ts';

const NONCE_BYTES = 12;

/** What the store keeps of an identity: structured-cloneable, and useless outside this browser profile. */
export interface StoredIdentity {
	readonly version: 1;
	readonly account: AccountId;
	readonly device: DeviceId;
	/** The account's private key as pkcs8, wrapped with AES-256-GCM under `wrappingKey`. */
	readonly wrappedAccountKey: Uint8Array<ArrayBuffer>;
	readonly wrappingNonce: Uint8Array<ArrayBuffer>;
	/** Non-extractable. */
	readonly wrappingKey: CryptoKey;
	/** Non-extractable Ed25519. */
	readonly deviceKey: CryptoKey;
	readonly devicePublicKey: Uint8Array<ArrayBuffer>;
	readonly certificate: Uint8Array;
	/** The account's signed device list, as this device knows it (device-list.ts). */
	readonly deviceList: Uint8Array;
}

/** A new person on a new device. `created` in ms since 1970; `deviceName` at most 64 characters. */
export async function createIdentity(named: NewDevice): Promise<StoredIdentity> {
	const keys = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
	const account = idFrom<AccountId>(await rawPublicKey(keys.publicKey));
	return newDeviceOf({ account, accountKey: keys.privateKey }, named, ({ certificate }) =>
		createDeviceList(keys.privateKey, { account, certificate, created: named.created }),
	);
}

/**
 * The person of an exported account on a new device, which takes the place of all others: it is added to their list,
 * and they are removed. Undefined for a key that is not `account`'s, or a list that is not its own.
 */
export async function restoreIdentity(
	account: AccountId,
	{ accountKey: pkcs8, deviceList }: AccountSecret,
	named: NewDevice,
): Promise<StoredIdentity | undefined> {
	const accountKey = await importAccountKey(pkcs8, account);
	const before = await verifyDeviceList(deviceList, account);
	if (!accountKey || !before.ok) return undefined;
	return newDeviceOf({ account, accountKey }, named, async ({ certificate }) => {
		const change = (list: Uint8Array, what: DeviceChange) =>
			changeDeviceList(accountKey, list, { account, created: named.created, change: what });
		let list = await change(deviceList, { kind: 'add', certificate });
		for (const { devicePublicKey } of before.value.devices.values()) {
			list = await change(list, { kind: 'remove', devicePublicKey });
		}
		return list;
	});
}

/**
 * The person of an exported account on a new device, beside the others: those bring it into the list. Undefined for a key
 * that is not `account`'s.
 */
export async function joinIdentity(
	account: AccountId,
	{ accountKey: pkcs8, deviceList }: AccountSecret,
	named: NewDevice,
): Promise<StoredIdentity | undefined> {
	const accountKey = await importAccountKey(pkcs8, account);
	if (!accountKey) return undefined;
	return newDeviceOf({ account, accountKey }, named, () => Promise.resolve(deviceList));
}

/** What a recovery code brings back of an identity. */
export async function exportAccount(stored: StoredIdentity): Promise<AccountSecret> {
	const key = await unwrapAccountKey(stored, true);
	const accountKey = new Uint8Array(await crypto.subtle.exportKey('pkcs8', key));
	return { accountKey, deviceList: stored.deviceList };
}

interface NewDevice {
	readonly deviceName: string;
	readonly created: number;
}

async function newDeviceOf(
	{ account, accountKey }: { readonly account: AccountId; readonly accountKey: CryptoKey },
	{ deviceName, created }: NewDevice,
	listWith: (device: { readonly certificate: Uint8Array }) => Promise<Uint8Array>,
): Promise<StoredIdentity> {
	const [deviceKeys, wrappingKey] = await Promise.all([
		crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']),
		crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['wrapKey', 'unwrapKey']),
	]);
	const devicePublicKey = await rawPublicKey(deviceKeys.publicKey);
	const wrappingNonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
	const wrapped = await crypto.subtle.wrapKey('pkcs8', accountKey, wrappingKey, {
		name: 'AES-GCM',
		iv: wrappingNonce,
		additionalData: accountPublicKey(account),
	});
	const certificate = await issueCertificate(accountKey, {
		account,
		devicePublicKey,
		deviceName,
		created,
	});
	return {
		version: 1,
		account,
		device: deviceIdOf(devicePublicKey),
		wrappedAccountKey: new Uint8Array(wrapped),
		wrappingNonce,
		wrappingKey,
		deviceKey: deviceKeys.privateKey,
		devicePublicKey,
		certificate,
		deviceList: await listWith({ certificate }),
	};
}

/** Undefined for bytes that are no Ed25519 key, or the key of somebody else. */
async function importAccountKey(
	pkcs8: Uint8Array,
	account: AccountId,
): Promise<CryptoKey | undefined> {
	try {
		const bytes = toBufferSource(pkcs8);
		const key = await crypto.subtle.importKey('pkcs8', bytes, 'Ed25519', true, ['sign']);
		const { x } = await crypto.subtle.exportKey('jwk', key);
		return x === account ? key : undefined;
	} catch {
		return undefined; // a DataError: not PKCS #8, or of another algorithm
	}
}

/** The Identity port over stored keys. */
export function openIdentity(stored: StoredIdentity): Identity {
	return {
		account: stored.account,
		device: stored.device,
		devicePublicKey: stored.devicePublicKey,
		certificate: stored.certificate,
		sign: (purpose, bytes) => signWith(stored.deviceKey, purpose, bytes),
	};
}

/** The account's private key for signing, non-extractable: to certify a device or to change the device list. */
export function openAccountKey(stored: StoredIdentity): Promise<CryptoKey> {
	return unwrapAccountKey(stored, false);
}

/** The AccountPort over stored keys. */
export function openAccount(stored: StoredIdentity): AccountPort {
	return accountPortOf(stored.account, {
		deviceList: stored.deviceList,
		key: () => openAccountKey(stored),
		secret: () => exportAccount(stored),
	});
}

/** The AccountPort over a key that is at hand; `secret` exports it. */
export function accountPortOf(
	account: AccountId,
	{
		key,
		secret,
		deviceList,
	}: {
		readonly deviceList: Uint8Array;
		key(): Promise<CryptoKey>;
		secret(): Promise<AccountSecret>;
	},
): AccountPort {
	return {
		deviceList,
		exportAccount: secret,
		async changeDevices(list, change, created) {
			const known = await verifyDeviceList(list, account);
			if (!known.ok) return undefined;
			const { devices } = known.value;
			if ('add' in change) {
				const added = await verifyCertificate(change.add);
				if (!added.ok || added.value.account !== account) return undefined;
				if (devices.has(deviceIdOf(added.value.devicePublicKey))) return undefined;
				const link = { kind: 'add', certificate: change.add } as const;
				return changeDeviceList(await key(), list, { account, created, change: link });
			}
			const removed = devices.get(change.remove);
			if (!removed || devices.size === 1) return undefined;
			const { devicePublicKey } = removed;
			const link = { kind: 'remove', devicePublicKey } as const;
			return changeDeviceList(await key(), list, { account, created, change: link });
		},
	};
}

function unwrapAccountKey(stored: StoredIdentity, extractable: boolean): Promise<CryptoKey> {
	return crypto.subtle.unwrapKey(
		'pkcs8',
		toBufferSource(stored.wrappedAccountKey),
		stored.wrappingKey,
		{
			name: 'AES-GCM',
			iv: toBufferSource(stored.wrappingNonce),
			additionalData: accountPublicKey(stored.account),
		},
		'Ed25519',
		extractable,
		['sign'],
	);
}

async function rawPublicKey(key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
	return new Uint8Array(await crypto.subtle.exportKey('raw', key));
}
