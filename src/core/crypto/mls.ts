// GroupCrypto over ts-mls. This file and the mls-*.ts beside it are all that know the library.
// What Kith narrows of RFC 9420, so that a hostile member or relay can say less:
// - members' commits travel as PrivateMessage; the relay sees neither who commits nor what changes;
// - commits carry Add, Remove and GroupContextExtensions by value; there are no stand-alone proposals;
// - an external commit may only replace a leaf by another of the same device key (resync). Anybody who holds the
//   public GroupInfo, and the relay may, could otherwise join.
import type { Capabilities, CiphersuiteImpl, ClientConfig, ClientState, KeyPackage } from 'ts-mls';
import type { LifetimeConfig, MLSMessage, PrivateKeyPackage, Proposal } from 'ts-mls';
import { createGroup, joinGroup } from 'ts-mls/clientState.js';
import {
	createCommit,
	createGroupInfoWithExternalPubAndRatchetTree,
	joinGroupExternal,
} from 'ts-mls/createCommit.js';
import { createApplicationMessage } from 'ts-mls/createMessage.js';
import {
	generateKeyPackageWithKey,
	makeKeyPackageRef,
	verifyKeyPackage,
} from 'ts-mls/keyPackage.js';
import { defaultKeyPackageEqualityConfig } from 'ts-mls/keyPackageEqualityConfig.js';
import { mlsExporter } from 'ts-mls/keySchedule.js';
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js';
import { encodeMlsMessage } from 'ts-mls/message.js';
import { emptyPskIndex } from 'ts-mls/pskIndex.js';
import { fromBase64Url, toBase64Url } from '../../protocol/ids.ts';
import type { ChannelId } from '../../protocol/ids.ts';
import type {
	GroupChange,
	GroupCrypto,
	GroupFailure,
	GroupState,
	Identity,
	KeyPackagePair,
	Result,
	StagedCommit,
} from '../ports.ts';
import { ID_BYTES, concatBytes, copyBytes, sha256 } from './bytes.ts';
import { readCredential, verifyCredential, writeCredential } from './credential.ts';
import { freezeRatchet, thawGroup } from './mls-frozen.ts';
import {
	GROUP_DATA,
	decodeMessage,
	failureOf,
	heldOf,
	holdNew,
	holdSameTree,
	holdThawed,
	membersOf,
	mlsOf,
} from './mls-group.ts';
import { openMessage } from './mls-open.ts';
import { SIGNING_HANDLE, SUITE, createSuite } from './mls-suite.ts';

const DAY = 24 * 60 * 60;
/** Clocks disagree: a key package made a moment ahead of ours must not be refused. */
const LIFETIME_MARGIN = DAY;
const ONE_TIME_LIFETIME = 90 * DAY;
const REUSABLE_LIFETIME = 365 * DAY;
/** KeyPackage extension of the MLS extensions draft: this package may be used more than once. */
const LAST_RESORT = 10;

/** encryption.md 10: enough for mail that waited for days and for a chat that ran hot meanwhile. */
const RETENTION = {
	retainKeysForEpochs: 6,
	retainKeysForGenerations: 500,
	maximumForwardRatchetSteps: 20_000,
};

/** Sealed content is padded to steps of this many bytes up to the limit, so that short texts look alike. */
const PADDING_STEP = 256;
const PADDING_LIMIT = 1024;
/** What RFC 9420 6.3.1 puts around the plaintext before padding: two length prefixes and the signature. */
const CONTENT_OVERHEAD = 2 + 2 + 64;

const HPKE_KEY_BYTES = 32;

const CAPABILITIES: Capabilities = {
	versions: ['mls10'],
	ciphersuites: [SUITE],
	extensions: [LAST_RESORT, GROUP_DATA],
	proposals: [],
	credentials: ['basic'],
};

/** The GroupCrypto port for one device. `clock.now()` is in ms since 1970 and judges key package lifetimes. */
export async function createGroupCrypto(options: {
	readonly identity: Identity;
	readonly clock: { now(): number };
}): Promise<GroupCrypto> {
	const { identity, clock } = options;
	const suite = await createSuite(identity);
	const config = clientConfig(clock);
	const seconds = () => BigInt(Math.floor(clock.now() / 1000));

	const stagedOf = async (
		commit: MLSMessage,
		next: ClientState,
		welcome?: MLSMessage,
	): Promise<StagedCommit> => {
		const bytes = encodeMlsMessage(commit);
		const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(next, [], suite);
		return {
			commit: bytes,
			hash: toBase64Url(await sha256(bytes)),
			...(welcome && { welcome: encodeMlsMessage(welcome) }),
			groupInfo: encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo }),
			next: holdNew(next),
		};
	};

	return {
		async newKeyPackage({ reusable }) {
			return packPair(await generate(identity, suite, { reusable, now: seconds() }), suite);
		},

		async inspectKeyPackage(publicPart) {
			const keyPackage = readKeyPackage(publicPart);
			if (!keyPackage) return { ok: false, error: 'malformed' };
			const { leafNode } = keyPackage;
			const now = seconds();
			if (leafNode.lifetime.notBefore > now || leafNode.lifetime.notAfter < now) {
				return { ok: false, error: 'unsupported' };
			}
			const valid =
				(await verifyKeyPackage(keyPackage, suite.signature)) &&
				(await verifyLeafNodeSignatureKeyPackage(leafNode, suite.signature)) &&
				(await config.authService.validateCredential(
					leafNode.credential,
					leafNode.signaturePublicKey,
				));
			const member =
				valid && leafNode.credential.credentialType === 'basic'
					? readCredential(leafNode.credential.identity)
					: undefined;
			return member ? { ok: true, value: member } : { ok: false, error: 'forged' };
		},

		async found(channel, context) {
			const { publicPackage, privatePackage } = await generate(identity, suite, {
				reusable: false,
				now: seconds(),
			});
			const extensions = [{ extensionType: GROUP_DATA, extensionData: copyBytes(context) }];
			const groupId = requiredChannel(channel);
			return holdNew(
				await createGroup(groupId, publicPackage, privatePackage, extensions, suite, config),
			);
		},

		welcomeRefs(welcome) {
			const message = decodeMessage(welcome);
			if (message?.wireformat !== 'mls_welcome') return { ok: false, error: 'malformed' };
			const refs = message.welcome.secrets.map(({ newMember }) => toBase64Url(newMember));
			return { ok: true, value: refs };
		},

		async join(welcome, keys) {
			const message = decodeMessage(welcome);
			if (message?.wireformat !== 'mls_welcome') return { ok: false, error: 'malformed' };
			if (message.welcome.cipherSuite !== SUITE) return { ok: false, error: 'unsupported' };
			const refs = message.welcome.secrets.map(({ newMember }) => toBase64Url(newMember));
			if (!refs.includes(keys.ref)) return { ok: false, error: 'not-for-us' };
			const { publicPackage, privatePackage } = unpackPair(keys);
			return attempt(async () => {
				const joined = await joinGroup(
					message.welcome,
					publicPackage,
					privatePackage,
					emptyPskIndex,
					suite,
					undefined,
					undefined,
					config,
				);
				if (!isWellFormed(joined)) return { ok: false, error: 'malformed' };
				return { ok: true, value: holdNew(joined) };
			});
		},

		async resync(groupInfo) {
			const message = decodeMessage(groupInfo);
			if (message?.wireformat !== 'mls_group_info') return { ok: false, error: 'malformed' };
			return attempt(async () => {
				const { publicPackage, privatePackage } = await generate(identity, suite, {
					reusable: false,
					now: seconds(),
				});
				const { publicMessage, newState } = await joinGroupExternal(
					message.groupInfo,
					publicPackage,
					privatePackage,
					true,
					suite,
					undefined,
					config,
				);
				if (!isWellFormed(newState)) return { ok: false, error: 'malformed' };
				const commit: MLSMessage = {
					version: 'mls10',
					wireformat: 'mls_public_message',
					publicMessage,
				};
				return { ok: true, value: await stagedOf(commit, newState) };
			});
		},

		async stage(state, change) {
			const proposals = proposalsOf(state, change);
			if (!proposals) return { ok: false, error: 'malformed' };
			return attempt(async () => {
				const { commit, newState, welcome } = await createCommit(
					{ state: mlsOf(state), cipherSuite: suite },
					{ extraProposals: proposals, ratchetTreeExtension: true },
				);
				const sealedWelcome: MLSMessage | undefined = welcome && {
					version: 'mls10',
					wireformat: 'mls_welcome',
					welcome,
				};
				return { ok: true, value: await stagedOf(commit, newState, sealedWelcome) };
			});
		},

		async seal(state, plaintext, authenticated) {
			const padded = withPadding(mlsOf(state), plaintext.length);
			const { newState, privateMessage } = await createApplicationMessage(
				padded,
				plaintext,
				suite,
				authenticated,
			);
			const bytes = encodeMlsMessage({
				version: 'mls10',
				wireformat: 'mls_private_message',
				privateMessage,
			});
			return { state: holdSameTree({ ...newState, clientConfig: config }, state), bytes };
		},

		open: (state, bytes) => openMessage(state, bytes, suite),

		exportSecret: (state, label, length) =>
			mlsExporter(mlsOf(state).keySchedule.exporterSecret, label, new Uint8Array(), length, suite),

		authenticator: (state) => copyBytes(mlsOf(state).keySchedule.epochAuthenticator),

		members: (state) => membersOf(mlsOf(state).ratchetTree),

		context(state) {
			const { extensions } = mlsOf(state).groupContext;
			const data = extensions.find(({ extensionType }) => extensionType === GROUP_DATA);
			return copyBytes(data?.extensionData ?? new Uint8Array());
		},

		freeze(state) {
			const { epoch, mls, treePart } = heldOf(state);
			const { treeId } = treePart;
			return { epoch, treeId, tree: treePart.frozen(), ratchet: freezeRatchet(treeId, mls) };
		},

		thaw(frozen) {
			const { treeId, state } = thawGroup(frozen.tree, frozen.ratchet, config);
			return holdThawed(state, treeId, frozen.tree);
		},
	};
}

function clientConfig(clock: { now(): number }): ClientConfig {
	// `now` is read by our patch of ts-mls, which otherwise asks Date: a simulated world has its own time.
	const lifetimeConfig: LifetimeConfig & { now: () => number } = {
		maximumTotalLifetime: BigInt(REUSABLE_LIFETIME + LIFETIME_MARGIN),
		validateLifetimeOnReceive: false,
		now: () => clock.now(),
	};
	return {
		keyRetentionConfig: RETENTION,
		lifetimeConfig,
		keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
		paddingConfig: { kind: 'padUntilLength', padUntilLength: PADDING_STEP },
		authService: {
			async validateCredential(credential, signaturePublicKey) {
				if (credential.credentialType !== 'basic') return false;
				return verifyCredential(credential.identity, signaturePublicKey);
			},
		},
	};
}

/**
 * Turns what foreign bytes can cause inside ts-mls into a value. A hostile Welcome can make it fail in any way, down
 * to a TypeError, and an engine that crashed over it would meet the same Welcome again at its next start.
 */
async function attempt<Value>(
	work: () => Promise<Result<Value, GroupFailure>>,
): Promise<Result<Value, GroupFailure>> {
	try {
		return await work();
	} catch (error) {
		return { ok: false, error: failureOf(error) };
	}
}

interface FullKeyPackage {
	readonly publicPackage: KeyPackage;
	readonly privatePackage: PrivateKeyPackage;
}

function generate(
	identity: Identity,
	suite: CiphersuiteImpl,
	options: { readonly reusable: boolean; readonly now: bigint },
): Promise<FullKeyPackage> {
	const { reusable, now } = options;
	return generateKeyPackageWithKey(
		{ credentialType: 'basic', identity: writeCredential(identity) },
		CAPABILITIES,
		{
			notBefore: now > BigInt(LIFETIME_MARGIN) ? now - BigInt(LIFETIME_MARGIN) : 0n,
			notAfter: now + BigInt(reusable ? REUSABLE_LIFETIME : ONE_TIME_LIFETIME),
		},
		reusable ? [{ extensionType: LAST_RESORT, extensionData: new Uint8Array() }] : [],
		{ signKey: SIGNING_HANDLE, publicKey: identity.devicePublicKey },
		suite,
	);
}

async function packPair(
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
function unpackPair(keys: KeyPackagePair): FullKeyPackage {
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

function readKeyPackage(bytes: Uint8Array): KeyPackage | undefined {
	const message = decodeMessage(bytes);
	if (message?.wireformat !== 'mls_key_package') return undefined;
	return message.keyPackage;
}

/** Undefined if a key package to add cannot be read; throws for a device to remove that is not there. */
function proposalsOf(state: GroupState, change: GroupChange): Proposal[] | undefined {
	const members = new Map(
		membersOf(mlsOf(state).ratchetTree).map((member) => [member.device, member]),
	);
	const proposals: Proposal[] = [];
	for (const device of change.remove ?? []) {
		const member = members.get(device);
		if (!member) throw new Error(`Device ${device} is not in the group`);
		proposals.push({ proposalType: 'remove', remove: { removed: member.leaf } });
	}
	for (const publicPart of change.add ?? []) {
		const keyPackage = readKeyPackage(publicPart);
		if (!keyPackage) return undefined;
		proposals.push({ proposalType: 'add', add: { keyPackage } });
	}
	if (change.context) {
		const extensions = [{ extensionType: GROUP_DATA, extensionData: copyBytes(change.context) }];
		proposals.push({
			proposalType: 'group_context_extensions',
			groupContextExtensions: { extensions },
		});
	}
	return proposals;
}

function withPadding(mls: ClientState, plaintextBytes: number): ClientState {
	const content = plaintextBytes + CONTENT_OVERHEAD;
	const padUntilLength =
		content > PADDING_LIMIT ? 0 : Math.ceil(content / PADDING_STEP) * PADDING_STEP;
	const paddingConfig = { kind: 'padUntilLength', padUntilLength } as const;
	return { ...mls, clientConfig: { ...mls.clientConfig, paddingConfig } };
}

/** Every Kith group is named by 16 bytes; a Welcome may claim anything. */
function isWellFormed(mls: ClientState): boolean {
	return mls.groupContext.groupId.length === ID_BYTES;
}

function requiredChannel(channel: ChannelId): Uint8Array {
	const groupId = fromBase64Url(channel);
	if (groupId === undefined || groupId.length !== ID_BYTES) throw new Error('Not a channel id');
	return groupId;
}
