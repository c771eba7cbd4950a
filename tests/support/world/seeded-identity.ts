// A person and their device whose keys a seed decides: device ids take part in decisions (who begins a link), so a run
// could not be had again with other keys.
import { deviceIdOf, issueCertificate } from '../../../src/core/crypto/certificate.ts';
import { signWith } from '../../../src/core/crypto/signing.ts';
import {
	changeDeviceList,
	createDeviceList,
	verifyDeviceList,
	type DeviceChange,
} from '../../../src/core/crypto/device-list.ts';
import { accountPortOf, restoreIdentity } from '../../../src/core/crypto/identity.ts';
import type { AccountPort, AccountSecret, Identity, Random } from '../../../src/core/ports.ts';
import { fromBase64Url, idFrom, type AccountId } from '../../../src/protocol/ids.ts';

/** PKCS #8 (RFC 8410) of an Ed25519 key, up to its 32 bytes. */
const PKCS8 = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

async function keyPairFrom(random: Random) {
	const pkcs8 = Uint8Array.from([...PKCS8, ...random.bytes(32)]);
	const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
	const { x = '' } = await crypto.subtle.exportKey('jwk', privateKey);
	const publicKey = fromBase64Url(x);
	if (!publicKey) throw new Error('the platform wrote a key that is no base64url');
	return { privateKey, publicKey, pkcs8 };
}

type SeededIdentity = Identity & { readonly accountPort: AccountPort };

interface Named {
	readonly deviceName: string;
	/** ms since 1970. */
	readonly created: number;
}

/** A new person on a new device. */
export async function seededIdentity(random: Random, named: Named): Promise<SeededIdentity> {
	const { privateKey, publicKey, pkcs8 } = await keyPairFrom(random);
	const account = idFrom<AccountId>(publicKey);
	return deviceOf({ random, account, privateKey, pkcs8 }, named, ({ certificate }) =>
		createDeviceList(privateKey, { account, certificate, created: named.created }),
	);
}

/**
 * The same person on one more device: `joins` the others, as one that was linked, or takes the place of them all, as who
 * comes back with a code. Undefined for a secret that is not the account's.
 */
export async function anotherDevice(
	random: Random,
	named: Named,
	{ account, secret, joins }: { account: AccountId; secret: AccountSecret; joins: boolean },
): Promise<SeededIdentity | undefined> {
	const { accountKey, deviceList } = secret;
	const pkcs8 = Uint8Array.from(accountKey);
	const before = await verifyDeviceList(deviceList, account);
	if (!before.ok || !(await restoreIdentity(account, secret, named))) return undefined;
	const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
	return deviceOf({ random, account, privateKey, pkcs8 }, named, async ({ certificate }) => {
		if (joins) return deviceList;
		const { created } = named;
		const link = (list: Uint8Array, change: DeviceChange) =>
			changeDeviceList(privateKey, list, { account, created, change });
		let list = await link(deviceList, { kind: 'add', certificate });
		for (const { devicePublicKey } of before.value.devices.values()) {
			list = await link(list, { kind: 'remove', devicePublicKey });
		}
		return list;
	});
}

interface Account {
	readonly random: Random;
	readonly account: AccountId;
	readonly privateKey: CryptoKey;
	readonly pkcs8: Uint8Array;
}

async function deviceOf(
	{ random, account, privateKey, pkcs8 }: Account,
	{ deviceName, created }: Named,
	listWith: (device: { readonly certificate: Uint8Array }) => Promise<Uint8Array>,
): Promise<SeededIdentity> {
	const device = await keyPairFrom(random);
	const certificate = await issueCertificate(privateKey, {
		...{ account, devicePublicKey: device.publicKey, deviceName, created },
	});
	const deviceList = await listWith({ certificate });
	const secret = (): Promise<AccountSecret> => Promise.resolve({ accountKey: pkcs8, deviceList });
	const key = () => Promise.resolve(privateKey);
	return {
		accountPort: accountPortOf(account, { key, secret, deviceList }),
		account,
		device: deviceIdOf(device.publicKey),
		devicePublicKey: device.publicKey,
		certificate,
		sign: (purpose, bytes) => signWith(device.privateKey, purpose, bytes),
	};
}
