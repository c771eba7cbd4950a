// A person and their device whose keys a seed decides: device ids take part in decisions (who begins a link), so a run
// could not be had again with other keys.
import { deviceIdOf, issueCertificate } from '../../../src/core/crypto/certificate.ts';
import { signWith } from '../../../src/core/crypto/signing.ts';
import { createDeviceList } from '../../../src/core/crypto/device-list.ts';
import { accountPortOf } from '../../../src/core/crypto/identity.ts';
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

/** A new person on a new device. `created` in ms since 1970. */
export async function seededIdentity(
	random: Random,
	{ deviceName, created }: { readonly deviceName: string; readonly created: number },
): Promise<Identity & { readonly accountPort: AccountPort }> {
	const account = await keyPairFrom(random);
	const device = await keyPairFrom(random);
	const id = idFrom<AccountId>(account.publicKey);
	const certificate = await issueCertificate(account.privateKey, {
		...{ account: id, devicePublicKey: device.publicKey, deviceName, created },
	});
	const first = { account: id, certificate, created };
	const deviceList = await createDeviceList(account.privateKey, first);
	const secret = (): Promise<AccountSecret> =>
		Promise.resolve({ accountKey: account.pkcs8, deviceList });
	const key = () => Promise.resolve(account.privateKey);
	return {
		accountPort: accountPortOf(id, { key, secret, deviceList }),
		account: id,
		device: deviceIdOf(device.publicKey),
		devicePublicKey: device.publicKey,
		certificate,
		sign: (purpose, bytes) => signWith(device.privateKey, purpose, bytes),
	};
}
