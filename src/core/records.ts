// The rows of the store: what this device keeps, each under a text key. Key order is list order, so keys are built
// here and nowhere else. Rows are plain data (CBOR); the storage room seals them before they touch a disk.
import type { Profile } from '../protocol/cards.ts';
import type { HistoryShare } from '../protocol/content.ts';
import type {
	AgreedRow,
	DeviceIntention,
	OfferRow,
	PinnedDevices,
	SiblingRow,
	TransferRow,
} from './device-records.ts';
import type { GroupRow, ShareRow } from './group-records.ts';
import type { HeardRow } from './heard.ts';
import type { FrozenGroup } from './ports.ts';
import { messageAt } from './positions.ts';
import type { RecoveryRow } from './recovery-model.ts';
import type { AskingRow, RequestRow } from './request-records.ts';
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
	GroupIntention,
	Invite,
	MessageBody,
	MessageSummary,
	Position,
	Report,
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
	/** The newest signed list of the person's devices; undefined: the one that this device was made with. */
	readonly deviceList?: Uint8Array;
	/** The hidden conversation of the person's own devices, once there was another. */
	readonly self?: ConversationId;
	/** What that list says. */
	readonly devices?: PinnedDevices;
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
	/** The group of the person's own devices: nobody sees it. */
	readonly hidden?: true;
	/** Set in a history of another messenger; nothing is sent there. */
	readonly imported?: ImportedRow;
}

export type ImportedRow = Omit<Extract<ConversationSubject, { kind: 'imported' }>, 'kind'>;

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
	/** Their devices, by the newest list that was seen; undefined before they told one. */
	readonly devices?: PinnedDevices;
	/** The same as `entry`, by device: each gives its own. */
	readonly entrances?: Readonly<Record<DeviceId, Entrance>>;
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
	/** How it was sent last, so that it can be found for repair; own messages only. Until delivered, `carried` leads here. */
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
	/** History is wanted of another own device, or wanted by one. */
	| { readonly kind: 'want'; readonly to: DeviceId; readonly cursor: string }
	| { readonly kind: 'chunk'; readonly to: DeviceId; readonly cursor: string }
	| { readonly kind: 'agree'; readonly subject: string }
	/** An own note, by its key. */
	| { readonly kind: 'note'; readonly key: string }
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
	/** The channel in use does not have the devices that it should. */
	| { readonly kind: 'devices' }
	/** A change of the group that waits to be carried out. `found`: the group itself, with its first people. */
	| {
			readonly kind: 'change';
			readonly intention:
				| GroupIntention
				| DeviceIntention
				| { readonly kind: 'found'; readonly people: readonly AccountId[] };
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
		/** For the person's other devices, whatever they bring this one into. */
		| { readonly kind: 'own' }
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
	/** Who came by a link for one. */
	readonly usedBy?: AccountId;
	/** Somebody came after that, and the person was told. */
	readonly latecomer?: true;
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
	/** A plain string where nobody is mentioned. */
	drafts: string | Written;
	outbox: OutboxRow;
	channels: ChannelRow;
	trees: Uint8Array;
	parked: ParkedRow;
	/**
	 * The ms at which something was first seen: a commit or a welcome, by its envelope; a message that nobody wanted to
	 * hear. Not sealed, like `heard`: there is nothing to hide in it.
	 */
	seen: number;
	/** The envelopes of messages that came, by channel, a page of them each (`heard.ts`). */
	heard: HeardRow;
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
	/** The person's other devices. */
	siblings: SiblingRow;
	/** Signed device lists of contacts, by account. */
	deviceLists: Uint8Array;
	/** By address. */
	offers: OfferRow;
	/** One row. */
	transfer: TransferRow;
	/** By what all devices know it by. */
	agreed: AgreedRow;
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
/** The message that is stored under a key of `messages`. */
export const messageOf = (key: string): MessageId => messageAt(placeOf(key).position);
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
	want: (conversation: ConversationId) => `${conversation}/!3want`,
	chunk: (conversation: ConversationId, to: DeviceId) => `${conversation}/!4chunk/${to}`,
	agree: (conversation: ConversationId, subject: string) => `${conversation}/!3agree/${subject}`,
	note: (conversation: ConversationId, message: MessageId) => `${conversation}/!3note/${message}`,
	devices: (conversation: ConversationId) => `${conversation}/!5devices`,
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
