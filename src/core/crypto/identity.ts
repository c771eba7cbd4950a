// The two keys of this device (encryption.md, "Keys and identities"). The account key is the person; its private
// half exists outside WebCrypto only wrapped. The device key is this browser; its private half never leaves
// WebCrypto at all.
//
// The account key is kept as wrapped pkcs8 and not as a CryptoKey because it must reach the person's next device
// one day, and what is non-extractable cannot.
import type { AccountId, DeviceId } from '../../protocol/ids.ts';
import { idFrom } from '../../protocol/ids.ts';
import type { Identity } from '../ports.ts';
import { toBufferSource } from './bytes.ts';
import { accountPublicKey, deviceIdOf, issueCertificate } from './certificate.ts';
import { createDeviceList } from './device-list.ts';
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
export async function createIdentity(options: {
	readonly deviceName: string;
	readonly created: number;
}): Promise<StoredIdentity> {
	const { deviceName, created } = options;
	const [accountKeys, deviceKeys, wrappingKey] = await Promise.all([
		crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']),
		crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']),
		crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['wrapKey', 'unwrapKey']),
	]);
	const account = idFrom<AccountId>(await rawPublicKey(accountKeys.publicKey));
	const devicePublicKey = await rawPublicKey(deviceKeys.publicKey);
	const wrappingNonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
	const wrapped = await crypto.subtle.wrapKey('pkcs8', accountKeys.privateKey, wrappingKey, {
		name: 'AES-GCM',
		iv: wrappingNonce,
		additionalData: accountPublicKey(account),
	});
	const certificate = await issueCertificate(accountKeys.privateKey, {
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
		deviceList: await createDeviceList(accountKeys.privateKey, { account, certificate, created }),
	};
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
		false,
		['sign'],
	);
}

async function rawPublicKey(key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
	return new Uint8Array(await crypto.subtle.exportKey('raw', key));
}
