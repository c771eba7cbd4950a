// GroupCrypto over ts-mls. This file and the mls-*.ts beside it are all that know the library.
// What Kith narrows of RFC 9420, so that a hostile member or relay can say less:
// - members' commits travel as PrivateMessage; the relay sees neither who commits nor what changes;
// - commits carry Add, Remove and GroupContextExtensions by value; there are no stand-alone proposals;
// - an external commit may only replace a leaf by another of the same device key (resync). Anybody who holds the
//   public GroupInfo, and the relay may, could otherwise join.
import { sha256 } from '@noble/hashes/sha2.js';
import type { AuthenticationService, CiphersuiteImpl, ClientConfig, ClientState } from 'ts-mls';
import type { MLSMessage, Proposal, Welcome } from 'ts-mls';
import { createGroup, joinGroup } from 'ts-mls/clientState.js';
import {
	createCommit,
	createGroupInfoWithExternalPubAndRatchetTree,
	joinGroupExternal,
} from 'ts-mls/createCommit.js';
import { createApplicationMessage } from 'ts-mls/createMessage.js';
import { defaultKeyPackageEqualityConfig } from 'ts-mls/keyPackageEqualityConfig.js';
import { mlsExporter } from 'ts-mls/keySchedule.js';
import { encodeMlsMessage } from 'ts-mls/message.js';
import { emptyPskIndex } from 'ts-mls/pskIndex.js';
import { fromBase64Url, toBase64Url } from '../../protocol/ids.ts';
import type { ChannelId } from '../../protocol/ids.ts';
import type {
	GroupChange,
	GroupCrypto,
	GroupFailure,
	GroupMember,
	GroupState,
	Identity,
	KeyPackagePair,
	Result,
	StagedCommit,
} from '../ports.ts';
import { ID_BYTES, copyBytes } from './bytes.ts';
import { certifies } from './certificate.ts';
import { freezeRatchet, thawGroup } from './mls-frozen.ts';
import {
	GROUP_DATA,
	decodeMessage,
	deviceOf,
	failureOf,
	heldOf,
	holdNew,
	holdSameTree,
	holdThawed,
	membersOf,
	mlsOf,
} from './mls-group.ts';
import {
	MAX_LIFETIME,
	generateKeyPackage,
	judgeKeyPackage,
	packPair,
	readKeyPackage,
	unpackPair,
} from './mls-key-package.ts';
import { leafKeyOf, openAsLeaf, sealToLeaves } from './mls-leaf-box.ts';
import { openRun } from './mls-open-run.ts';
import { openMessage, replacedBy } from './mls-open.ts';
import { SUITE, createSuite } from './mls-suite.ts';

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

const MLS10 = { version: 'mls10' } as const;

/** RFC 9420 5.3.1: a leaf is a device whose account certified its signature key. */
const authService: AuthenticationService = {
	async validateCredential(credential, signaturePublicKey) {
		if (credential.credentialType !== 'basic') return false;
		return certifies(credential.identity, signaturePublicKey);
	},
};

/** What every operation of one device needs. */
interface Context {
	readonly identity: Identity;
	readonly suite: CiphersuiteImpl;
	readonly config: ClientConfig;
	/** Seconds since 1970. */
	readonly now: () => bigint;
}

/** The GroupCrypto port for one device. `clock.now()` is in ms since 1970 and judges key package lifetimes. */
export async function createGroupCrypto(options: {
	readonly identity: Identity;
	readonly clock: { now(): number };
}): Promise<GroupCrypto> {
	const { identity, clock } = options;
	const suite = await createSuite(identity);
	const config = clientConfig(clock);
	const now = () => BigInt(Math.floor(clock.now() / 1000));
	const context: Context = { identity, suite, config, now };
	return {
		newKeyPackage: async ({ reusable }) =>
			packPair(await generateKeyPackage(identity, suite, { reusable, now: now() }), suite),
		inspectKeyPackage: (publicPart) => inspectKeyPackage(context, publicPart),
		found: (channel, data) => found(context, channel, data),
		welcomeRefs(welcome) {
			const message = decodeMessage(welcome);
			if (message?.wireformat !== 'mls_welcome') return { ok: false, error: 'malformed' };
			return { ok: true, value: refsOf(message.welcome) };
		},
		join: (welcome, keys) => join(context, welcome, keys),
		resync: (groupInfo) => resync(context, groupInfo),
		stage: (state, change) => stage(context, state, change),
		seal: (state, plaintext, authenticated) => seal(context, state, { plaintext, authenticated }),
		claimOf(bytes) {
			const message = decodeMessage(bytes);
			if (message?.wireformat !== 'mls_private_message') return undefined;
			return message.privateMessage.authenticatedData;
		},
		open: (state, bytes) => openMessage(state, bytes, suite),
		sealToLeaves: (state, scope, plain) => sealToLeaves(suite, mlsOf(state), { scope, plain }),
		leafKey: (state) => leafKeyOf(mlsOf(state)),
		openAsLeaf: (own, scope, boxes) => openAsLeaf(suite, own, { scope, boxes }),
		openRun: (state, bodies) => openRun(state, bodies, suite),
		exportSecret: (state, label, length) =>
			mlsExporter(mlsOf(state).keySchedule.exporterSecret, label, new Uint8Array(), length, suite),
		authenticator: (state) => copyBytes(mlsOf(state).keySchedule.epochAuthenticator),
		members: (state) => membersOf(mlsOf(state).ratchetTree),
		context: groupData,
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

async function inspectKeyPackage(
	{ suite, now }: Context,
	publicPart: Uint8Array,
): Promise<Result<Omit<GroupMember, 'leaf'>, GroupFailure>> {
	const keyPackage = readKeyPackage(publicPart);
	if (!keyPackage) return { ok: false, error: 'malformed' };
	const failure = await judgeKeyPackage(keyPackage, suite, { authService, now: now() });
	if (failure) return { ok: false, error: failure };
	const member = deviceOf(keyPackage.leafNode);
	return member ? { ok: true, value: member } : { ok: false, error: 'forged' };
}

async function found(context: Context, channel: ChannelId, data: Uint8Array): Promise<GroupState> {
	const { identity, suite, config, now } = context;
	const groupId = fromBase64Url(channel);
	if (!groupId || groupId.length !== ID_BYTES) throw new Error('Not a channel id');
	const own = await generateKeyPackage(identity, suite, { reusable: false, now: now() });
	const extensions = [{ extensionType: GROUP_DATA, extensionData: copyBytes(data) }];
	return holdNew(
		await createGroup(groupId, own.publicPackage, own.privatePackage, extensions, suite, config),
	);
}

function refsOf(welcome: Welcome): string[] {
	return welcome.secrets.map(({ newMember }) => toBase64Url(newMember));
}

async function join(
	{ suite, config }: Context,
	welcome: Uint8Array,
	keys: KeyPackagePair,
): Promise<Result<GroupState, GroupFailure>> {
	const message = decodeMessage(welcome);
	if (message?.wireformat !== 'mls_welcome') return { ok: false, error: 'malformed' };
	if (message.welcome.cipherSuite !== SUITE) return { ok: false, error: 'unsupported' };
	if (!refsOf(message.welcome).includes(keys.ref)) return { ok: false, error: 'not-for-us' };
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
}

async function resync(context: Context, groupInfo: Uint8Array): ReturnType<GroupCrypto['resync']> {
	const { identity, suite, config, now } = context;
	const message = decodeMessage(groupInfo);
	if (message?.wireformat !== 'mls_group_info') return { ok: false, error: 'malformed' };
	return attempt(async () => {
		const own = await generateKeyPackage(identity, suite, { reusable: false, now: now() });
		const { publicMessage, newState } = await joinGroupExternal(
			message.groupInfo,
			own.publicPackage,
			own.privatePackage,
			true,
			suite,
			undefined,
			config,
		);
		if (!isWellFormed(newState)) return { ok: false, error: 'malformed' };
		const commit = { ...MLS10, wireformat: 'mls_public_message', publicMessage } as const;
		const replaced = replacedBy(commit);
		if (replaced === undefined) return { ok: false, error: 'malformed' };
		const staged = await stagedOf(context, { commit, newState });
		return { ok: true, value: { ...staged, replaced } };
	});
}

async function stage(
	context: Context,
	state: GroupState,
	change: GroupChange,
): Promise<Result<StagedCommit, GroupFailure>> {
	const proposals = proposalsOf(state, change);
	if (!proposals) return { ok: false, error: 'malformed' };
	return attempt(async () => {
		const created = await createCommit(
			{ state: mlsOf(state), cipherSuite: context.suite },
			{
				extraProposals: proposals,
				ratchetTreeExtension: true,
				...(change.authenticated && { authenticatedData: change.authenticated }),
			},
		);
		return { ok: true, value: await stagedOf(context, created) };
	});
}

async function stagedOf(
	{ suite }: Context,
	made: { commit: MLSMessage; newState: ClientState; welcome?: Welcome | undefined },
): Promise<StagedCommit> {
	const { newState, welcome } = made;
	const commit = encodeMlsMessage(made.commit);
	const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(newState, [], suite);
	return {
		commit,
		hash: toBase64Url(sha256(commit)),
		...(welcome && {
			welcome: encodeMlsMessage({ ...MLS10, wireformat: 'mls_welcome', welcome }),
		}),
		groupInfo: encodeMlsMessage({ ...MLS10, wireformat: 'mls_group_info', groupInfo }),
		next: holdNew(newState),
	};
}

async function seal(
	{ suite, config }: Context,
	state: GroupState,
	content: { readonly plaintext: Uint8Array; readonly authenticated: Uint8Array },
): Promise<{ readonly state: GroupState; readonly bytes: Uint8Array }> {
	const { plaintext, authenticated } = content;
	const padded = withPadding(mlsOf(state), plaintext.length);
	const { newState, privateMessage } = await createApplicationMessage(
		padded,
		plaintext,
		suite,
		authenticated,
	);
	return {
		state: holdSameTree({ ...newState, clientConfig: config }, state),
		bytes: encodeMlsMessage({ ...MLS10, wireformat: 'mls_private_message', privateMessage }),
	};
}

function groupData(state: GroupState): Uint8Array {
	const { extensions } = mlsOf(state).groupContext;
	const data = extensions.find(({ extensionType }) => extensionType === GROUP_DATA);
	return copyBytes(data?.extensionData ?? new Uint8Array());
}

function clientConfig(clock: { now(): number }): ClientConfig {
	// `now` is read by our patch of ts-mls, which otherwise asks Date: a simulated world has its own time.
	const lifetimeConfig: ClientConfig['lifetimeConfig'] & { now: () => number } = {
		maximumTotalLifetime: BigInt(MAX_LIFETIME),
		validateLifetimeOnReceive: false,
		now: () => clock.now(),
	};
	return {
		keyRetentionConfig: RETENTION,
		lifetimeConfig,
		keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
		paddingConfig: { kind: 'padUntilLength', padUntilLength: PADDING_STEP },
		authService,
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
