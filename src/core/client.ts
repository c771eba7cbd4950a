// The door to the chat for every context: intentions, queries, changes. It needs no lock and no connection;
// it writes intentions to the store, and the engine, wherever it runs, sees them there and carries them out.
import { createBlockingDoor } from './client-blocking.ts';
import { createGroupDoor } from './client-groups.ts';
import type { DeviceDoor } from './client-devices.ts';
import type { GroupLinkDoor } from './client-group-links.ts';
import type { ReportDoor } from './client-reports.ts';
import { createIntentions } from './client-intentions.ts';
import { createInviteDoor } from './client-invites.ts';
import { createQueries } from './client-queries.ts';
import { createRequestDoor } from './client-requests.ts';
import { createVerification } from './client-verification.ts';
import type { Files } from './files.ts';
import type { DeviceId } from '../protocol/ids.ts';
import type { Clock, Random, RelayLink, Result, SmallCrypto, Store, Touched } from './ports.ts';
import { placeOf, type StoreName } from './records.ts';
import type {
	AccountId,
	ComeBackFailure,
	DeviceRefusal,
	LinkingDevice,
	OwnDevice,
	Transfer,
	Conversation,
	ConversationId,
	GroupIntention,
	GroupLink,
	GroupMemberView,
	GroupRefusal,
	Invite,
	InvitePreview,
	JoinRequest,
	LinkTerms,
	LiveState,
	Me,
	Message,
	MessageId,
	Person,
	Position,
	Profile,
	Report,
	Recovery,
	SendRefusal,
	Settings,
	StorageCondition,
	WayBack,
	Written,
} from './model.ts';

import type { Passkey } from './recovery-model.ts';

export type { ArchiveFailure } from './archive-entries.ts';
export type { ArchiveSecret } from './ports.ts';
export { FilesInterrupted } from './files.ts';
export type { ArchiveSummary, Files, ImportOutcome, Restored } from './files.ts';

/** What changed since the last notice; the listener asks again for what it shows. */
export interface Change {
	readonly me: boolean;
	readonly settings: boolean;
	readonly invites: boolean;
	/** Somebody was blocked or unblocked. */
	readonly blocked: boolean;
	/** Conversations whose row in the list changed. */
	readonly conversations: ReadonlySet<ConversationId>;
	/** Where messages were added, changed or taken away. */
	readonly messages: ReadonlyMap<ConversationId, ReadonlySet<Position>>;
	readonly live: boolean;
}

export interface MessagePage {
	/** Oldest first. */
	readonly messages: readonly Message[];
	readonly olderExist: boolean;
	readonly newerExist: boolean;
}

/** Which messages a page holds; at most 200. */
export type PageRequest =
	| { readonly at: 'end'; readonly limit: number }
	| { readonly at: 'before'; readonly position: Position; readonly limit: number }
	| { readonly at: 'after'; readonly position: Position; readonly limit: number }
	/** Half before and half from `position` on. */
	| { readonly at: 'around'; readonly position: Position; readonly limit: number };

export interface NewInvite {
	readonly kind: 'one-time' | 'reusable';
	/** ms since 1970, or undefined for the default (one-time: 7 days; reusable: until revoked). */
	readonly expires?: number;
}

/** What the person should do for notifications to work, first problem first. */
export type NotificationProblem =
	| 'unsupported'
	| 'needs-install'
	| 'permission-ask'
	| 'permission-denied'
	| 'no-relay'
	| 'no-subscription'
	| 'relay-cannot-push'
	| 'push-failed';

export interface Client {
	/** Undefined until `start`. */
	me(): Promise<Me | undefined>;
	/** Makes the identity of this device and the notes conversation. Idempotent: a second call changes nothing. */
	start(name: string): Promise<Me>;
	setProfile(profile: Profile): Promise<void>;

	/** Undefined without a recovery code. */
	recovery(): Promise<Recovery | undefined>;
	/** A code for showing; nothing is kept under it before {@link Client.useRecoveryCode}. */
	newRecoveryCode(): string;
	/** From now on the relay keeps under this code what the person gets back with it, and nothing under an earlier one. */
	useRecoveryCode(code: string): Promise<void>;
	/** From now on this passkey, too, brings the person back, and no other; undefined: none does. Nothing without a code. */
	usePasskey(passkey: Omit<Passkey, 'made'> | undefined): Promise<void>;
	/**
	 * Makes this browser the device of the person whose recovery code or passkey it is; only before `start`. Their contacts and groups
	 * are here when it resolves; messages are not among what comes back.
	 */
	comeBack(by: WayBack): Promise<Result<Me, ComeBackFailure>>;

	/** Shows what makes this browser one more device of a person; only before `start`. */
	linkThisDevice(): Promise<LinkingDevice>;
	/** The person's devices, oldest first; empty before there was a second. */
	devices(): Promise<readonly OwnDevice[]>;
	/**
	 * Lets the browser in that shows `fragment`, with everything that this person has. Ask them before: who is let in is them.
	 * Resolves when it is wanted; it comes when both are online.
	 */
	linkDevice(fragment: string): Promise<Result<undefined, DeviceRefusal>>;
	/** Takes a device out: it gets nothing any more, and says so. */
	removeDevice(device: DeviceId): Promise<void>;
	/** History that comes from another device; undefined where none does. */
	transfer(): Promise<Transfer | undefined>;

	/** Pinned first, then by newest message. */
	conversations(): Promise<readonly Conversation[]>;
	conversation(id: ConversationId): Promise<Conversation | undefined>;
	messages(id: ConversationId, page: PageRequest): Promise<MessagePage>;
	message(id: MessageId): Promise<Message | undefined>;
	/** The messages at these places, oldest first; those that are not there are left out. */
	messagesAt(id: ConversationId, positions: Iterable<Position>): Promise<readonly Message[]>;
	/** Position of the first message that was not read when the conversation was opened. */
	firstUnread(id: ConversationId): Promise<Position | undefined>;

	/**
	 * Stores the message and its sending in one step; resolves when it is safe on this device. Mentions that nobody
	 * would take (SPEC CO-11) are left as the text that they are.
	 */
	send(
		id: ConversationId,
		said: string | Written,
		replyTo?: MessageId,
	): Promise<Result<MessageId, SendRefusal>>;
	/** Queues a failed message again, with the same id. */
	retry(id: MessageId): Promise<void>;
	/** Takes a failed message away. */
	discard(id: MessageId): Promise<void>;
	saveDraft(id: ConversationId, draft: string | Written): Promise<void>;
	markRead(id: ConversationId, upTo: Position): Promise<void>;
	/** Call on each keystroke and with false on leaving; it throttles itself. */
	setTyping(id: ConversationId, on: boolean): void;
	setFlags(
		id: ConversationId,
		flags: { readonly pinned?: boolean; readonly muted?: boolean; readonly archived?: boolean },
	): Promise<void>;

	/** Makes a group of this person and `people`; one can write at once, it leaves when the relay took the group. */
	createGroup(group: {
		readonly name: string;
		readonly picture: Uint8Array | null;
		readonly people: readonly AccountId[];
	}): Promise<Result<ConversationId, GroupRefusal>>;
	/** Stores what somebody wants; the engine carries it out, or says in the log that it could not. */
	changeGroup(
		id: ConversationId,
		intention: GroupIntention,
	): Promise<Result<undefined, GroupRefusal>>;
	/** Owner first, then admins, then by name. Empty for what is not a group. */
	members(id: ConversationId): Promise<readonly GroupMemberView[]>;
	/** What people are called whom this device ever knew, also from groups that they left; in no order. */
	profiles(
		accounts: readonly AccountId[],
	): Promise<readonly { readonly account: AccountId; readonly profile: Profile }[]>;
	/** People one can add: contacts with an entrance, by name. */
	contacts(): Promise<readonly Person[]>;
	/** Who has an own message of a group, by person; empty for any other. */
	receipts(
		id: MessageId,
	): Promise<
		readonly { readonly account: AccountId; readonly kind: 'sent' | 'delivered' | 'read' }[]
	>;

	/** The link by which this device lets people into a group, the last one made; undefined before there is one. */
	groupLink(id: ConversationId): Promise<GroupLink | undefined>;
	/** Makes a link for this group; the one before, if any, works no more. Works offline. */
	makeGroupLink(id: ConversationId, terms: LinkTerms): Promise<Result<GroupLink, GroupRefusal>>;
	/** Other terms for the link that is open; those who have it keep it. */
	changeGroupLink(id: ConversationId, terms: LinkTerms): Promise<Result<undefined, GroupRefusal>>;
	/** The link works no more; who has asked by it waits on. */
	closeGroupLink(id: ConversationId): Promise<void>;
	/** People who wait for this person to let them into the group, those who asked first first. */
	joinRequests(id: ConversationId): Promise<readonly JoinRequest[]>;
	/** Lets somebody in who waits, or says no to them. */
	answerRequest(
		id: ConversationId,
		account: AccountId,
		answer: 'let-in' | 'decline',
	): Promise<Result<undefined, GroupRefusal>>;
	/** Does not want in any more. Resolves with true if nothing was left to keep, and the conversation is gone. */
	withdrawRequest(id: ConversationId): Promise<boolean>;

	invites(): Promise<readonly Invite[]>;
	createInvite(options: NewInvite): Promise<Invite>;
	/** The reusable link that stands for this person; made where none can be used. Needs `start` first. */
	ownInvite(): Promise<Invite>;
	revokeInvite(address: Invite['address']): Promise<void>;
	/** `fragment`: what stands after `#`. Never uses a link up, never throws. */
	previewInvite(fragment: string): Promise<InvitePreview>;
	/**
	 * Opens the conversation with the inviter. Needs `start` first. The link is used up only when the first
	 * message reaches the relay. Returns the existing conversation for somebody already known.
	 */
	acceptInvite(fragment: string): Promise<Result<ConversationId, InvitePreview>>;

	/** From now on this person hears nothing of `account`, and is told nothing of it; or does again. */
	setBlocked(account: AccountId, on: boolean): Promise<void>;
	/** Everybody who is blocked, the latest first. */
	blocked(): Promise<readonly Person[]>;

	/** Keeps a report on this device, with what they said last in this conversation. Nobody is told. */
	report(
		account: AccountId,
		conversation: ConversationId,
		report: Pick<Report, 'reason' | 'note'>,
	): Promise<void>;
	/** The latest first. */
	reports(): Promise<readonly Report[]>;
	forgetReport(id: Report['id']): Promise<void>;

	/** The conversation with somebody of a common group; undefined where they gave no way to write to them. */
	writeTo(account: AccountId): Promise<ConversationId | undefined>;
	/** Until it is accepted nobody is told anything; deleted, it comes again with their next message. */
	answerStranger(id: ConversationId, answer: 'accept' | 'delete'): Promise<void>;

	/** 60 digits in groups of five, and what the QR code carries; undefined for notes. */
	safetyNumber(
		id: ConversationId,
	): Promise<{ readonly digits: string; readonly qr: Uint8Array } | undefined>;
	/** Compares what was scanned; marks the person as verified on a match. */
	compareSafetyNumber(
		id: ConversationId,
		scanned: Uint8Array,
	): Promise<'same' | 'different' | 'not-a-code'>;
	markVerified(account: AccountId, verified: boolean): Promise<void>;

	/**
	 * Lets this device be woken where the browser permits it already (it never prompts), renewing what is stale.
	 * Resolves with the first problem that is left, or undefined when notifications work.
	 */
	enableNotifications(): Promise<NotificationProblem | undefined>;
	/** Sends a wake the whole way: relay, push service, this device. Resolves as above. */
	testNotification(): Promise<NotificationProblem | undefined>;

	/** What reads and writes files; its code is loaded at the first call. */
	files(): Promise<Files>;

	settings(): Promise<Settings>;
	changeSettings(change: Partial<Settings>): Promise<void>;

	/** A snapshot; compare by identity, it is replaced as a whole. */
	live(): LiveState;
	storage(): StorageCondition;
	/** Try the relay now: the person asked, or the browser said that the network is back. */
	reconnect(): void;

	/** Registers for changes made in any context, own ones included; returns how to stop. */
	watch(listener: (change: Change) => void): () => void;
	close(): void;
}

/** The engine of this device, wherever it runs, as far as it is not reached through the store. */
export interface EngineRemote {
	setTyping(id: ConversationId, on: boolean): void;
	hurry(): void;
	live(): LiveState;
	/** Called when `live` or `storage` answer something new. Returns how to stop. */
	watch(listener: () => void): () => void;
	storage(): StorageCondition;
	enableNotifications(): Promise<NotificationProblem | undefined>;
	testNotification(): Promise<NotificationProblem | undefined>;
}

export interface ClientPorts {
	readonly store: Store;
	readonly crypto: SmallCrypto;
	readonly relay: Pick<RelayLink, 'look'>;
	readonly clock: Clock;
	readonly random: Random;
	readonly engine: EngineRemote;
	/** See {@link Client.files}. */
	files(): Promise<Files>;
	/** See {@link Client.comeBack}. */
	comeBack(by: WayBack): Promise<Result<Me, ComeBackFailure>>;
	/** See {@link Client.linkThisDevice}. */
	linkThisDevice(): Promise<LinkingDevice>;
	/** Makes the keys of this device and keeps them; the same ones if it was asked before, in any tab. */
	createIdentity(): Promise<{ readonly account: AccountId; readonly device: DeviceId }>;
}

/** Opens the door. Costs nothing until it is used. */
export function openClient(ports: ClientPorts): Client {
	const { store, engine } = ports;
	const queries = createQueries(store);
	const intentions = createIntentions(ports);
	const invites = createInviteDoor(ports);
	return {
		...queries,
		...intentions,
		...invites,
		...createGroupDoor(ports),
		...lazyGroupLinkDoor(ports),
		...createBlockingDoor(ports),
		...lazyReportDoor(ports),
		...createRequestDoor(ports),
		...createVerification(ports),
		files: () => ports.files(),
		comeBack: (by) => ports.comeBack(by),
		linkThisDevice: () => ports.linkThisDevice(),
		...lazyDeviceDoor(ports),
		setTyping: (id, on) => engine.setTyping(id, on),
		enableNotifications: () => engine.enableNotifications(),
		testNotification: () => engine.testNotification(),
		live: () => engine.live(),
		storage: () => engine.storage(),
		reconnect: () => engine.hurry(),
		watch(listener) {
			const stopRows = store.watch((touched) => listener(changeOf(touched)));
			const stopLive = engine.watch(() => listener({ ...NOTHING, live: true }));
			return () => {
				stopRows();
				stopLive();
			};
		},
		close: () => store.close(),
	};
}

/** Most people never open it: its code comes with the first call. */
function lazyReportDoor(ports: ClientPorts): ReportDoor {
	let door: Promise<ReportDoor> | undefined;
	const open = () =>
		(door ??= import('./client-reports.ts').then(({ createReportDoor }) =>
			createReportDoor(ports),
		));
	return {
		report: async (account, conversation, report) =>
			(await open()).report(account, conversation, report),
		reports: async () => (await open()).reports(),
		forgetReport: async (id) => (await open()).forgetReport(id),
	};
}

function lazyGroupLinkDoor(ports: ClientPorts): GroupLinkDoor {
	let door: Promise<GroupLinkDoor> | undefined;
	const open = () =>
		(door ??= import('./client-group-links.ts').then(({ createGroupLinkDoor }) =>
			createGroupLinkDoor(ports),
		));
	return {
		groupLink: async (id) => (await open()).groupLink(id),
		makeGroupLink: async (id, terms) => (await open()).makeGroupLink(id, terms),
		changeGroupLink: async (id, terms) => (await open()).changeGroupLink(id, terms),
		closeGroupLink: async (id) => (await open()).closeGroupLink(id),
		joinRequests: async (id) => (await open()).joinRequests(id),
		answerRequest: async (id, account, answer) => (await open()).answerRequest(id, account, answer),
		withdrawRequest: async (id) => (await open()).withdrawRequest(id),
	};
}

/** As few people open this one. */
function lazyDeviceDoor(ports: ClientPorts): DeviceDoor {
	let door: Promise<DeviceDoor> | undefined;
	const open = () =>
		(door ??= import('./client-devices.ts').then(({ createDeviceDoor }) =>
			createDeviceDoor(ports),
		));
	return {
		devices: async () => (await open()).devices(),
		linkDevice: async (fragment) => (await open()).linkDevice(fragment),
		removeDevice: async (device) => (await open()).removeDevice(device),
		transfer: async () => (await open()).transfer(),
	};
}

const NOTHING: Change = {
	me: false,
	settings: false,
	invites: false,
	blocked: false,
	conversations: new Set(),
	messages: new Map(),
	live: false,
};

/** What rows mean to those who show them. */
function changeOf(touched: readonly Touched[]): Change {
	const keys = (name: StoreName) =>
		touched.filter(({ store }) => store === name).map(({ key }) => key as ConversationId);
	return {
		me: ['me', 'recovery', 'siblings', 'transfer'].some(
			(name) => keys(name as StoreName).length > 0,
		),
		settings: keys('settings').length > 0,
		invites: keys('invites').length > 0,
		blocked: keys('blocks').length > 0,
		conversations: new Set([...keys('conversations'), ...keys('drafts')]),
		messages: positionsIn(touched),
		live: false,
	};
}

function positionsIn(touched: readonly Touched[]): Change['messages'] {
	const positions = new Map<ConversationId, Set<Position>>();
	for (const { store, key } of touched) {
		if (store !== 'messages') continue;
		const { conversation, position } = placeOf(key);
		const known = positions.get(conversation);
		if (known) known.add(position);
		else positions.set(conversation, new Set([position]));
	}
	return positions;
}
