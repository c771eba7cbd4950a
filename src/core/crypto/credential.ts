// What a leaf of a group says about itself: CBOR [1, device id, device certificate]. The device id follows from
// the certificate; it is carried because reading members must not wait for a hash.
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { AccountId, DeviceId } from '../../protocol/ids.ts';
import { fromBase64Url, idFrom } from '../../protocol/ids.ts';
import type { Identity } from '../ports.ts';
import { ID_BYTES, equalBytes } from './bytes.ts';
import { deviceIdOf, readCertificate, verifyCertificate } from './certificate.ts';

const VERSION = 1;
/** A name of 64 characters in four bytes each, two keys, a signature and their CBOR stay far below. */
const MAX_BYTES = 1024;

export interface DeviceCredential {
	readonly account: AccountId;
	readonly device: DeviceId;
}

export function writeCredential(identity: Identity): Uint8Array {
	return writeCbor([VERSION, fromBase64Url(identity.device), identity.certificate]);
}

/** What a credential says, for one that was verified when it entered the group. */
export function readCredential(bytes: Uint8Array): DeviceCredential | undefined {
	const parts = readParts(bytes);
	const certificate = parts && readCertificate(parts.certificate);
	return certificate && { account: certificate.account, device: idFrom<DeviceId>(parts.device) };
}

/**
 * RFC 9420 5.3.1: true if the account in the credential certified exactly `signatureKey` as its device, and the
 * device id is that key's.
 */
export async function verifyCredential(
	bytes: Uint8Array,
	signatureKey: Uint8Array,
): Promise<boolean> {
	const parts = readParts(bytes);
	if (!parts) return false;
	const certificate = await verifyCertificate(parts.certificate);
	if (!certificate.ok || !equalBytes(certificate.value.devicePublicKey, signatureKey)) return false;
	return (await deviceIdOf(signatureKey)) === idFrom<DeviceId>(parts.device);
}

function readParts(bytes: Uint8Array) {
	if (bytes.length > MAX_BYTES) return undefined;
	const items = parseCbor(bytes);
	if (!Array.isArray(items) || items.length !== 3 || items[0] !== VERSION) return undefined;
	const [, device, certificate] = items as unknown[];
	if (!(device instanceof Uint8Array) || device.length !== ID_BYTES) return undefined;
	return certificate instanceof Uint8Array ? { device, certificate } : undefined;
}
