// The SmallCrypto port: everything sealed or signed outside MLS.
import type { SmallCrypto } from '../ports.ts';
import { openBox, sealBox } from './aes-box.ts';
import { toBufferSource } from './bytes.ts';
import { deriveCapsuleKeys } from './capsule.ts';
import { deviceIdOf } from './certificate.ts';
import { readDeviceList } from './device-list.ts';
import { newOfferKeys, offerAddress, sealOffer } from './device-offer.ts';
import { openWhisper, sealWhisper } from './ephemeral.ts';
import { deriveInviteKeys } from './invite.ts';
import { newRecoveryCode, strayGroup } from './recovery-code.ts';
import { compareScanned, safetyNumber } from './safety-number.ts';
import { verifySignature } from './signing.ts';

export const smallCrypto: SmallCrypto = {
	readDeviceList,
	newOfferKeys,
	offerAddress,
	sealOffer,
	inviteKeys: deriveInviteKeys,
	newRecoveryCode,
	strayGroup,
	capsuleKeys: deriveCapsuleKeys,
	sealUnder: async (secret, scope, plain) =>
		sealBox(await importKey(secret), plain, new TextEncoder().encode(scope)),
	openUnder: async (secret, scope, sealed) =>
		openBox(await importKey(secret), sealed, new TextEncoder().encode(scope)),
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

function importKey(secret: Uint8Array): Promise<CryptoKey> {
	const uses: KeyUsage[] = ['encrypt', 'decrypt'];
	return crypto.subtle.importKey('raw', toBufferSource(secret), 'AES-GCM', false, uses);
}
