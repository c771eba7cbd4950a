// The SmallCrypto port: everything sealed or signed outside MLS.
import type { SmallCrypto } from '../ports.ts';
import { toBufferSource } from './bytes.ts';
import { deviceIdOf } from './certificate.ts';
import { openWhisper, sealWhisper } from './ephemeral.ts';
import { deriveInviteKeys } from './invite.ts';
import { compareScanned, safetyNumber } from './safety-number.ts';
import { verifySignature } from './signing.ts';

export const smallCrypto: SmallCrypto = {
	inviteKeys: deriveInviteKeys,
	sealWhisper,
	openWhisper,
	async verify(purpose, { device, key, bytes }, signature) {
		if (deviceIdOf(key) !== device) return false;
		return verifySignature({ publicKey: key, purpose, bytes, signature });
	},
	sha256: async (bytes) =>
		new Uint8Array(await crypto.subtle.digest('SHA-256', toBufferSource(bytes))),
	safetyNumber: (mine, theirs) => Promise.resolve(safetyNumber(mine, theirs)),
	compareSafetyNumber: (mine, theirs, scanned) =>
		Promise.resolve(compareScanned(scanned, mine, theirs)),
};
