// The rows of the store: what this device keeps, each under a text key. Key order is list order, so keys are built
// here and nowhere else. Rows are plain data (CBOR); the storage room seals them before they touch a disk.
import type { Profile } from '../protocol/cards.ts';
import type { HistoryShare } from '../protocol/content.ts';
import type { GroupMending, JoinedRow, ShareRow } from './group-rows.ts';
import type { FrozenGroup } from './ports.ts';
import type {
	AccountId,
	Address,
	ChannelId,
	ConversationId,
	DeviceId,
	EnvelopeId,
	Epoch,
	GroupId,
	MessageId,
} from '../protocol/ids.ts';
import type {
	ConversationState,
	ConversationSubject,
	Delivery,
	GroupAbout,
	GroupIntention,
	GroupPolicy,
	Invite,
	MessageBody,
	MessageSummary,
	Position,
	Report,
	Role,
	Settings,
	Verification,
	Written,
} from './model.ts';

export interface MeRow {
	readonly account: AccountId;
	readonly device: DeviceId;
	readonly profile: Profile;
	readonly created: number;
	/** Raised with each change of the profile, so that contacts are told once. */
	readonly profileVersion: number;
	/** When this device learned that the account was recovered elsewhere, ms: from then on it only shows what it has. */
	readonly signedOut?: number;
	/** The reusable link that stands for the person; it may be used up or taken back by now. */
	readonly link?: Address;
}

/** The person's recovery code, and what is kept under it. */
export interface RecoveryRow {
	readonly code: string;
	/** When the code was made, ms. */
	readonly made: number;
	/** The next put takes the capsule over from the device that this person had before. */
	readonly takesOver: boolean;
	/** SHA-256 of what the relay has, in base64url. */
	readonly digest: string | undefined;
	/** When the relay last said that it keeps what is here, ms. */
	readonly savedAt: number | undefined;
	/** People who did not fit. */
	readonly leftOut: number;
}

interface ClockRow {
	/** Own clock minus the relay's, ms. */
	readonly skew: number;
}

export interface ConversationRow {
	readonly id: ConversationId;
	/** The person it is with; undefined for notes and groups. */
	readonly account: AccountId | undefined;
	/** The group it is with. */
	readonly group?: GroupId | undefined;
	/** That somebody is blocked stands with the person, and is no state of a conversation. */
	readonly state: Exclude<ConversationState, { readonly kind: 'blocked' }>;
	/** How to found a channel: the invite link or the contact's own address for us. */
	readonly entry: Entrance | undefined;
	/** Channels with this person or group; the one in use for sending comes first (SPEC CH-9). */
	readonly channels: readonly ChannelId[];
	/** The highest of any channel here ever, or -1. */
	readonly generation: number;
	readonly last: MessageSummary | undefined;
	readonly unread: number;
	/** See `Conversation.mentions`; undefined in rows of before there were any. */
	readonly mentions?: readonly Position[];
	readonly readTo: Position;
	readonly failed: number;
	readonly pinned: boolean;
	readonly muted: boolean;
	readonly archived: boolean;
	readonly created: number;
	/** Highest order seen here; the next own message goes above it. */
	readonly highest: string;
	/** Came with a position that was already read; the next reading covers them. */
	readonly late: readonly MessageId[];
	/** Envelopes that could not be opened and have a placeholder in the log. */
	readonly unreadable: readonly EnvelopeId[];
	/** Groups: what this device asks to be let in by. */
	readonly asking?: AskingRow | undefined;
	/** Groups: people who wait for this device to let them in. */
	readonly requests?: number | undefined;
	/** Set in a history of another messenger; nothing is sent there. */
	readonly imported?: ImportedRow;
}

/** A request to join a group, on its way and until it is answered. */
export interface AskingRow {
	/** Who made the link, and alone may answer. */
	readonly by: AccountId;
	/** Their link. */
	readonly entrance: Entrance;
	/** The channel that carries the request, once it is made. */
	readonly channel: ChannelId | undefined;
}

export type ImportedRow = Omit<Extract<ConversationSubject, { kind: 'imported' }>, 'kind'>;
/** A group as this device knows it: of the channel in use, or as it was last. */
export interface GroupRow {
	readonly group: GroupId;
	readonly conversation: ConversationId;
	readonly about: GroupAbout;
	readonly policy: GroupPolicy;
	/** Without those who are leaving; in the order of their leaves. */
	readonly members: readonly { readonly account: AccountId; readonly role: Role }[];
	/** What a lost state is mended with; undefined until the group is founded or joined. */
	readonly mending: GroupMending | undefined;
	/** People who were removed by others and did not come back: a link alone does not let them in. */
	readonly expelled?: readonly AccountId[];
	/** The own link of this group, open or over. */
	readonly link?: Address | undefined;
	/** Who added this person, and when; undefined for who founded it, or came by a link. */
	readonly joined?: JoinedRow | undefined;
	/** Version of the own profile that was last put into the outbox for them. */
	readonly toldProfile: number;
}

export interface Entrance {
	readonly address: Address;
	readonly keyPackage: Uint8Array;
}

export interface PersonRow {
	readonly account: AccountId;
	readonly profile: Profile;
	readonly verification: Verification;
	readonly lastSeen: number | undefined;
	/** The conversation with them alone; undefined for who is known from groups only. */
	readonly conversation: ConversationId | undefined;
	/** An address and key package they gave to us alone. */
	readonly entry: Entrance | undefined;
	/** Version of `profile`, by their count; 0 for what an invite link showed. */
	readonly profileVersion: number;
	/** Version of our own profile that was last put into the outbox for them. */
	readonly toldProfile: number;
}

/** Whether somebody is blocked, and since when that is so (ms). */
export interface BlockRow {
	readonly on: boolean;
	readonly at: number;
}

export interface MessageRow {
	readonly id: MessageId;
	readonly conversation: ConversationId;
	readonly position: Position;
	readonly author: AccountId;
	readonly device: DeviceId;
	readonly mine: boolean;
	readonly body: MessageBody;
	readonly sent: number;
	readonly received: number;
	readonly delivery: Delivery;
	/** Of somebody who was blocked when it came: kept, and never news. */
	readonly quiet?: true;
	/** How it was sent last, so that it can be found for repair; own messages only, until delivered. */
	readonly carrier: Carrier | undefined;
}

export interface Carrier {
	readonly channel: ChannelId;
	readonly envelope: EnvelopeId;
	readonly count: number;
}

/** The sealed form of something on its way: retries resend exactly this. */
export interface SealedEnvelope {
	readonly channel: ChannelId;
	readonly epoch: Epoch;
	readonly envelope: EnvelopeId;
	readonly body: Uint8Array;
}

/** What is said besides text: nothing to show, only to send. */
export type SmallRow =
	| {
			readonly kind: 'receipt';
			readonly delivered: readonly MessageId[];
			readonly read: readonly MessageId[];
	  }
	| { readonly kind: 'profile' }
	/** Who is in the group, for those who were just added. */
	| { readonly kind: 'roster' }
	| {
			readonly kind: 'repair';
			readonly device: DeviceId;
			readonly envelopes: readonly EnvelopeId[];
			readonly counts: readonly number[];
	  }
	| {
			readonly kind: 'settled';
			readonly envelopes: readonly EnvelopeId[];
			readonly counts: readonly number[];
	  }
	/** A part of what is shared by the `share` of this group. */
	| { readonly kind: 'history'; readonly group: GroupId; readonly part: number }
	| { readonly kind: 'historyTaken'; readonly group: GroupId; readonly part: number };

export type OutboxRow =
	| {
			readonly kind: 'text';
			readonly sealed: SealedEnvelope | undefined;
			/** The unreadable envelope that this sending replaces. */
			readonly replaces: EnvelopeId | undefined;
	  }
	/** A change of the group that waits to be carried out. `found`: the group itself, with its first people. */
	| {
			readonly kind: 'change';
			readonly intention:
				GroupIntention | { readonly kind: 'found'; readonly people: readonly AccountId[] };
	  }
	/** Own keys in this channel should be renewed by a commit; in groups not before `due` (ms). */
	| { readonly kind: 'rotate'; readonly channel: ChannelId; readonly due?: number }
	/** Somebody leaves this group, and nobody may have taken them out by `due` (ms). */
	| { readonly kind: 'sweep'; readonly due: number }
	/** A request to join this group has to reach whoever lets people in. */
	| { readonly kind: 'ask' }
	/** The relay must still be told that this device is out of a channel. */
	| { readonly kind: 'leave'; readonly channel: ChannelId }
	| ShareRow
	| SmallRow
	/** A small row on its way; what it says stays, for it may have to be sealed anew, as text may. */
	| {
			readonly kind: 'small';
			readonly sealed: SealedEnvelope | undefined;
			readonly says: SmallRow;
	  };

export interface ChannelRow {
	readonly channel: ChannelId;
	readonly conversation: ConversationId;
	/**
	 * `broken`: cannot be used any more; a new generation takes its place. `lost`: a group's channel whose state this
	 * device does not have, or cannot follow; it comes back by a snapshot.
	 */
	readonly status: 'founding' | 'open' | 'lost' | 'broken';
	readonly generation: number;
	readonly epoch: Epoch;
	/** Which of `trees` belongs to it, and the per-message part of the group. */
	readonly treeId: string;
	readonly ratchet: Uint8Array;
	readonly staged: StagedRow | undefined;
	/** The devices that messages of this epoch are for. */
	readonly others: readonly DeviceId[];
	/** Own messages counted so far (SPEC CO-6). */
	readonly sentCount: number;
	/** Per sending device: every count up to `to` came; `holes` did not, or not yet. */
	readonly counts: Readonly<Record<DeviceId, CountRow>>;
	readonly parked: number;
	/** Groups: the first epoch that this device was in. What is older was never for it. */
	readonly joined?: Epoch;
	/** Groups: who might write from an epoch on, the latest last; null: everybody. */
	readonly writers?: readonly WritersRow[];
	/** Carries a request to join a group, and no conversation. */
	readonly asks?: true;
}

export interface WritersRow {
	readonly from: Epoch;
	readonly accounts: readonly AccountId[] | null;
}

export interface CountRow {
	readonly to: number;
	readonly holes: readonly number[];
}

export interface StagedRow {
	readonly commit: Uint8Array;
	readonly hash: string;
	readonly envelope: EnvelopeId;
	readonly expected: Epoch;
	readonly add: readonly { readonly leaf: number; readonly address: Address }[];
	readonly welcome: Uint8Array | undefined;
	readonly remove?: readonly number[];
	/** See SPEC CH-11. */
	readonly snapshot?: Uint8Array | undefined;
	/** The outbox row that this commit carries out, and what is left of it afterwards. */
	readonly change?: string | undefined;
	readonly rest?: GroupIntention | undefined;
	/** Who is added came by the own link. */
	readonly byLink?: boolean;
	/** What those who are added get of what was said before. */
	readonly history?: HistoryShare | undefined;
	readonly others: readonly DeviceId[];
	readonly next: FrozenGroup;
}

interface ParkedRow {
	readonly envelope: EnvelopeId;
	readonly epoch: Epoch;
	readonly at: number;
	readonly body: Uint8Array;
}

/** An own key package that is out in the world. */
export interface KeyPackageRow {
	readonly publicPart: Uint8Array;
	readonly privatePart: Uint8Array;
	readonly purpose:
		| { readonly kind: 'invite'; readonly address: Address }
		| { readonly kind: 'contact'; readonly account: AccountId }
		/** For founding this group anew. */
		| { readonly kind: 'group'; readonly group: GroupId };
	readonly created: number;
}

export interface InviteRow {
	readonly invite: Invite;
	readonly secret: Uint8Array;
	readonly welcome: string;
	readonly keyPackageRef: string | undefined;
	/** Set for the link of a group. */
	readonly group?: GroupLinkRow;
	/** What the relay must still be told. */
	readonly todo: 'put' | 'revoke' | undefined;
}

export interface GroupLinkRow {
	readonly group: GroupId;
	readonly approval: boolean;
	readonly uses: number | undefined;
	/** Requests that came by it. */
	readonly used: number;
	/** Raised with each change of what the relay is told. */
	readonly version: number;
}

/** The channel of a request to join a group, until it is decided and the channel left. */
export type RequestRow =
	| WaitingRow
	/** Decided; the answer, if there is one, is sent before the channel is left. */
	| {
			readonly kind: 'over';
			readonly channel: ChannelId;
			readonly answer: SealedEnvelope | undefined;
	  };

/** Somebody who asked to join a group by a link of this device. */
export interface WaitingRow {
	/** `adding`: let in, and not in the group yet. */
	readonly kind: 'waiting' | 'adding';
	readonly channel: ChannelId;
	/** That they are turned away, sealed when they asked: no state of the channel is kept (SPEC JO-7). */
	readonly answer: SealedEnvelope;
	readonly account: AccountId;
	readonly profile: Profile;
	readonly entrance: Entrance;
	/** Relay time, ms. */
	readonly at: number;
}

/** An own address given to one contact, or to the members of one group. */
interface ContactAddressRow {
	readonly address: Address;
	readonly keyPackageRef: string;
	readonly registered: boolean;
	/** The relay must still be told that nobody may be brought here by it. Stands under the address itself. */
	readonly revoked?: true;
}

/** Who has an own message of a group. */
interface ReceiptsRow {
	/** The people it was sealed for. */
	readonly audience: readonly AccountId[];
	/** Those who read it are not named here again. */
	readonly delivered: readonly AccountId[];
	readonly read: readonly AccountId[];
}

export interface Rows {
	/** Keys: me, settings, clock, recovery. */
	me: MeRow;
	recovery: RecoveryRow;
	settings: Settings;
	clock: ClockRow;
	conversations: ConversationRow;
	people: PersonRow;
	messages: MessageRow;
	/** Message id to its key in `messages`. */
	messageKeys: string;
	/** A plain string where nobody is mentioned. */
	drafts: string | Written;
	outbox: OutboxRow;
	channels: ChannelRow;
	trees: Uint8Array;
	parked: ParkedRow;
	/**
	 * Envelope id to the ms it was first seen; also the id of a message that nobody wanted to hear. Not sealed: there is
	 * nothing to hide in it.
	 */
	seen: number;
	/** Own envelope, or channel and count, to the key of the message it carries; until delivered. */
	carried: string;
	keyPackages: KeyPackageRow;
	invites: InviteRow;
	contactAddresses: ContactAddressRow;
	/** By account, also of who was unblocked since. */
	blocks: BlockRow;
	/** By their id. */
	reports: Report;
	/** By group id. */
	groups: GroupRow;
	/** By group and account: how to found the group anew with them. */
	entrances: Entrance;
	/** By group and channel. */
	requests: RequestRow;
	/** By the id of an own message, in groups. */
	receipts: ReceiptsRow;
}

export type StoreName = keyof Rows;

/** The one key of the stores that hold a single row. */
export const ONLY = 'only';

export const messageKey = (conversation: ConversationId, position: Position): string =>
	`${conversation}/${position}`;
/** Inverse of {@link messageKey}. */
export function placeOf(key: string): {
	readonly conversation: ConversationId;
	readonly position: Position;
} {
	const slash = key.indexOf('/');
	return { conversation: key.slice(0, slash) as ConversationId, position: key.slice(slash + 1) };
}
/** Links that a device looks through at once. */
export const MOST_INVITES = 1_000;

export const inConversation = (conversation: ConversationId): string => `${conversation}/`;

/** Outbox keys: what is not text sorts before all text ('!' is below every hex digit). */
export const outboxKey = {
	text: (conversation: ConversationId, position: Position) => `${conversation}/${position}`,
	profile: (conversation: ConversationId) => `${conversation}/!1profile`,
	receipt: (conversation: ConversationId, part: string) => `${conversation}/!2receipt/${part}`,
	repair: (conversation: ConversationId, device: DeviceId) => `${conversation}/!3repair/${device}`,
	settled: (conversation: ConversationId) => `${conversation}/!4settled`,
	rotations: (conversation: ConversationId) => `${conversation}/!5rotate/`,
	rotate: (conversation: ConversationId, channel: ChannelId) =>
		`${conversation}/!5rotate/${channel}`,
	sweep: (conversation: ConversationId) => `${conversation}/!7sweep`,
	ask: (conversation: ConversationId) => `${conversation}/!9ask`,
	leave: (conversation: ConversationId, channel: ChannelId) => `${conversation}/!8leave/${channel}`,
	share: (conversation: ConversationId, group: GroupId) => `${conversation}/!Ashare/${group}`,
	historyTaken: (conversation: ConversationId, group: GroupId) =>
		`${conversation}/!4taken/${group}`,
	roster: (conversation: ConversationId) => `${conversation}/!4roster`,
	changes: (conversation: ConversationId) => `${conversation}/!6change/`,
	change: (conversation: ConversationId, order: string) => `${conversation}/!6change/${order}`,
	/** `envelope`: the first one that it was sealed into. */
	small: (conversation: ConversationId, envelope: EnvelopeId) =>
		`${conversation}/!0small/${envelope}`,
	conversation: (key: string) => key.slice(0, key.indexOf('/')) as ConversationId,
};

export const entranceKey = {
	of: (group: GroupId, account: AccountId) => `${group}/${account}`,
	group: (group: GroupId) => `${group}/`,
};

export const requestKey = {
	of: (group: GroupId, channel: ChannelId) => `${group}/${channel}`,
	group: (group: GroupId) => `${group}/`,
};

export const parkedKey = {
	of: (channel: ChannelId, epoch: Epoch, envelope: EnvelopeId) =>
		`${channel}/${epoch.toString(16).padStart(8, '0')}/${envelope}`,
	channel: (key: string) => key.slice(0, key.indexOf('/')) as ChannelId,
};

export const carriedKey = {
	envelope: (envelope: EnvelopeId) => envelope as string,
	count: (conversation: ConversationId, channel: ChannelId, count: number) =>
		`${conversation}#${channel}#${count}`,
	/** All of a conversation that were not delivered yet, by whichever channel they went. */
	inConversation: (conversation: ConversationId) => `${conversation}#`,
};
