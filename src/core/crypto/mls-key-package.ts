// Key packages (RFC 9420 10): what a device publishes so that others can add it while it is offline.
import type { AuthenticationService, Capabilities, CiphersuiteImpl } from 'ts-mls';
import type { KeyPackage, PrivateKeyPackage } from 'ts-mls';
import {
	generateKeyPackageWithKey,
	makeKeyPackageRef,
	verifyKeyPackage,
} from 'ts-mls/keyPackage.js';
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js';
import { encodeMlsMessage } from 'ts-mls/message.js';
import { toBase64Url } from '../../protocol/ids.ts';
import type { GroupFailure, Identity, KeyPackagePair } from '../ports.ts';
import { concatBytes, copyBytes } from './bytes.ts';
import { GROUP_DATA, decodeMessage } from './mls-group.ts';
import { SIGNING_HANDLE, SUITE } from './mls-suite.ts';

const DAY = 24 * 60 * 60;
/** Clocks may be a day wrong either way (limits.ts), so two devices two days apart. */
const LIFETIME_MARGIN = 3 * DAY;
const ONE_TIME_LIFETIME = 90 * DAY;
const REUSABLE_LIFETIME = 365 * DAY;
/** Of any key package of ours, in seconds. */
export const MAX_LIFETIME = REUSABLE_LIFETIME + LIFETIME_MARGIN;
/** KeyPackage extension of the MLS extensions draft: this package may be used more than once. */
const LAST_RESORT = 10;
const HPKE_KEY_BYTES = 32;

const CAPABILITIES: Capabilities = {
	versions: ['mls10'],
	ciphersuites: [SUITE],
	extensions: [LAST_RESORT, GROUP_DATA],
	proposals: [],
	credentials: ['basic'],
};

export interface FullKeyPackage {
	readonly publicPackage: KeyPackage;
	readonly privatePackage: PrivateKeyPackage;
}

/** A key package for this device, valid from `now` (seconds since 1970). */
export function generateKeyPackage(
	identity: Identity,
	suite: CiphersuiteImpl,
	options: { readonly reusable: boolean; readonly now: bigint },
): Promise<FullKeyPackage> {
	const { reusable, now } = options;
	const margin = BigInt(LIFETIME_MARGIN);
	return generateKeyPackageWithKey(
		{ credentialType: 'basic', identity: identity.certificate },
		CAPABILITIES,
		{
			notBefore: now > margin ? now - margin : 0n,
			notAfter: now + BigInt(reusable ? REUSABLE_LIFETIME : ONE_TIME_LIFETIME),
		},
		reusable ? [{ extensionType: LAST_RESORT, extensionData: new Uint8Array() }] : [],
		{ signKey: SIGNING_HANDLE, publicKey: identity.devicePublicKey },
		suite,
	);
}

export function readKeyPackage(bytes: Uint8Array): KeyPackage | undefined {
	const message = decodeMessage(bytes);
	return message?.wireformat === 'mls_key_package' ? message.keyPackage : undefined;
}

/** What is wrong with a key package (RFC 9420 10.1); undefined if it can be added. */
export async function judgeKeyPackage(
	keyPackage: KeyPackage,
	suite: CiphersuiteImpl,
	{ authService, now }: { readonly authService: AuthenticationService; readonly now: bigint },
): Promise<GroupFailure | undefined> {
	const { leafNode } = keyPackage;
	if (keyPackage.cipherSuite !== SUITE) return 'unsupported';
	if (leafNode.lifetime.notBefore > now || leafNode.lifetime.notAfter < now) return 'unsupported';
	const { credential, signaturePublicKey } = leafNode;
	const valid =
		(await verifyKeyPackage(keyPackage, suite.signature)) &&
		(await verifyLeafNodeSignatureKeyPackage(leafNode, suite.signature)) &&
		(await authService.validateCredential(credential, signaturePublicKey));
	return valid ? undefined : 'forged';
}

export async function packPair(
	{ publicPackage, privatePackage }: FullKeyPackage,
	suite: CiphersuiteImpl,
): Promise<KeyPackagePair> {
	return {
		ref: toBase64Url(await makeKeyPackageRef(publicPackage, suite.hash)),
		publicPart: encodeMlsMessage({
			version: 'mls10',
			wireformat: 'mls_key_package',
			keyPackage: publicPackage,
		}),
		privatePart: concatBytes(privatePackage.initPrivateKey, privatePackage.hpkePrivateKey),
	};
}

/** Throws on a pair that packPair did not write: it comes from our own store. */
export function unpackPair(keys: KeyPackagePair): FullKeyPackage {
	const publicPackage = readKeyPackage(keys.publicPart);
	if (!publicPackage || keys.privatePart.length !== 2 * HPKE_KEY_BYTES) {
		throw new Error('A stored key package is damaged');
	}
	return {
		publicPackage,
		privatePackage: {
			initPrivateKey: copyBytes(keys.privatePart.subarray(0, HPKE_KEY_BYTES)),
			hpkePrivateKey: copyBytes(keys.privatePart.subarray(HPKE_KEY_BYTES)),
			signaturePrivateKey: SIGNING_HANDLE,
		},
	};
}
