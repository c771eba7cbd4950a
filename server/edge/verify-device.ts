// Ed25519 by OpenSSL, on the thread pool: twenty thousand devices that come back at once must not stop the rest.
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { idFrom, type DeviceId } from '../../src/protocol/ids.ts';
import type { VerifyDevice } from '../relay/ports.ts';

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4), up to the 32 bytes of the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** SPEC HS-4 and HS-5. */
export const verifyDevice: VerifyDevice = (deviceKey, message, signature) =>
	new Promise((resolve) => {
		const key = publicKey(deviceKey);
		if (!key) return resolve(undefined);
		verify(null, message, key, signature, (error, holds) => {
			resolve(!error && holds ? deviceOf(deviceKey) : undefined);
		});
	});

function deviceOf(deviceKey: Uint8Array): DeviceId {
	return idFrom(createHash('sha256').update(deviceKey).digest().subarray(0, 16));
}

function publicKey(deviceKey: Uint8Array): KeyObject | undefined {
	try {
		const der = Buffer.concat([SPKI_PREFIX, deviceKey]);
		return createPublicKey({ key: der, format: 'der', type: 'spki' });
	} catch {
		return undefined; // not 32 bytes, or not a point of the curve
	}
}
