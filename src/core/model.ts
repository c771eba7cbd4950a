// The nouns of the chat, as the store keeps them and the screens show them. States are unions that carry only
// their own fields. Nothing here knows how anything is sealed, stored or sent.
import type { Profile } from '../protocol/cards.ts';
import type { HistoryShare } from '../protocol/content.ts';
import type { RefusalCode } from '../protocol/errors.ts';
import type { AddressState } from '../protocol/frames.ts';
import type { GroupAbout, GroupIntention, GroupLink, GroupPolicy, Role } from './group-model.ts';
import type { AccountId, Address, ConversationId, DeviceId, MessageId } from '../protocol/ids.ts';
import type { Mention } from '../protocol/mentions.ts';

export type { ComeBackFailure, Recovery, WayBack } from './recovery-model.ts';
export {
	CLOCK_SKEW_NOTICE,
	DEFAULT_GROUP_MEMBERS,
	INLINE_TEXT_CHARACTERS,
	MAX_DESCRIPTION_CHARACTERS,
	MAX_GROUP_PICTURE_BYTES,
	MAX_HISTORY_MESSAGES,
	MAX_MENTIONS,
	MAX_DEVICES,
	MAX_NAME_CHARACTERS,
	MAX_PICTURE_BYTES,
	MAX_TEXT_BYTES,
} from '../protocol/limits.ts';
export { DEFAULT_POLICY, isAllowed } from './group-model.ts';
export type {
	GroupAbout,
	GroupIntention,
	GroupLink,
	GroupMemberView,
	GroupPolicy,
	GroupRefusal,
	JoinRequest,
	LinkTerms,
	Role,
} from './group-model.ts';
export type {
	DeviceListFailure,
	DeviceRefusal,
	LinkFailure,
	LinkingDevice,
	OwnDevice,
	ReadDeviceList,
	Transfer,
} from './device-model.ts';
export {
	MAX_REPORT_NOTE,
	MAX_REPORT_QUOTE,
	MAX_REPORT_QUOTES,
	REPORT_REASONS,
	type Report,
} from './report-model.ts';
export type { Mention } from '../protocol/mentions.ts';
export { cleanName } from '../protocol/names.ts';
export type {
	DateOrder,
	ForeignChat,
	ForeignDates,
	ForeignFailure,
	ForeignMessage,
	ForeignProblem,
	ReadOptions,
} from './foreign.ts';
export type { RefusalCode } from '../protocol/errors.ts';
export type { AddressState } from '../protocol/frames.ts';
export type { AccountId, Address, ConversationId, DeviceId, HistoryShare, MessageId, Profile };

/** Sortable place of a message (SPEC CO-2) with its id as tie-break: `order` + `-` + message id. */
export type Position = string;

/** The person whose device this is. */
export interface Me {
	readonly account: AccountId;
	readonly device: DeviceId;
	readonly profile: Profile;
	/** ms since 1970. */
	readonly created: number;
	/** Since when the account is on another device, and this one only shows what it has; ms. */
	readonly signedOut: number | undefined;
	/** The reusable link that stands for this person, if one was made; it may be taken back by now. */
	readonly link?: Address | undefined;
}

export type Verification =
	| { readonly kind: 'unverified' }
	| { readonly kind: 'verified'; readonly at: number; readonly how: 'link' | 'compared' };

export interface Person {
	readonly account: AccountId;
	readonly profile: Profile;
	readonly verification: Verification;
	/** Relay time (ms) of the last sign of life, where they let it be known. */
	readonly lastSeen: number | undefined;
}

/** Where a conversation stands. */
export type ConversationState =
	/** Written to through an invite link, or a group just made: not yet taken by the relay. */
	| { readonly kind: 'inviting' }
	| { readonly kind: 'open' }
	/** The link did not work; nothing that was written has left this device. */
	| { readonly kind: 'refused'; readonly reason: AddressState }
	| { readonly kind: 'blocked' }
	/** Asked to join this group by a link of somebody of this `name`; `approval`: they look at each newcomer first. */
	| { readonly kind: 'asking'; readonly name: string; readonly approval: boolean }
	/** Asked to join this group, and was not let in. */
	| { readonly kind: 'turned-away'; readonly reason: 'declined' | 'full' | 'closed' }
	/** Somebody writes who is known from a group only, and is told nothing yet. `from`: the group's conversation. */
	| { readonly kind: 'request'; readonly from: ConversationId }
	/** Came back from a backup without a way to reach the other side: open again with a link from them. */
	| { readonly kind: 'restored' }
	/** Not in this group any more. `by`: the own account where nobody says who it was. `at`: relay time, ms. */
	| { readonly kind: 'removed'; readonly by: AccountId; readonly at: number }
	| { readonly kind: 'left'; readonly at: number }
	/** Somebody went beyond their rights, or the group came apart: an admin may recreate it. */
	| { readonly kind: 'frozen'; readonly at: number };

/** Not in this group any more, or not yet. */
export function isOutOfGroup({ kind }: ConversationState): boolean {
	return kind === 'removed' || kind === 'left' || kind === 'asking' || kind === 'turned-away';
}

/** Somebody who wrote in a history that came from another messenger. */
export interface Participant {
	/** A known person, oneself, or an id made from the name that nobody has. */
	readonly account: AccountId;
	readonly name: string;
}

export type ConversationSubject =
	| { readonly kind: 'person'; readonly person: Person }
	| { readonly kind: 'notes' }
	/** A history of another messenger, to read. */
	| {
			readonly kind: 'imported';
			readonly source: 'whatsapp';
			readonly title: string;
			readonly participants: readonly Participant[];
			/** When it was imported, ms. */
			readonly at: number;
	  }
	| {
			readonly kind: 'group';
			readonly about: GroupAbout;
			readonly policy: GroupPolicy;
			/** People in it, this one included while in it. */
			readonly size: number;
			/** Undefined once this person is not in it any more. */
			readonly role: Role | undefined;
	  };

export interface Conversation {
	readonly id: ConversationId;
	readonly subject: ConversationSubject;
	readonly state: ConversationState;
	/** Newest message, for the list; undefined in an empty conversation. */
	readonly last: MessageSummary | undefined;
	/** Name of who wrote it, in a group; undefined for oneself and for who is not known. */
	readonly lastBy: string | undefined;
	readonly unread: number;
	/** Where this person is mentioned among what is unread, oldest first; the newest 64. */
	readonly mentions: readonly Position[];
	/** Position up to which this person has read. */
	readonly readTo: Position;
	/** Messages of ours here that failed for good and wait for a decision. */
	readonly failed: number;
	/** People who wait for this person to let them into this group; undefined: none. */
	readonly requests?: number | undefined;
	readonly pinned: boolean;
	readonly muted: boolean;
	readonly archived: boolean;
	/** Text not yet sent, or empty. */
	readonly draft: string;
	/** In the draft. */
	readonly draftMentions: readonly Mention[];
	/** When it began, ms. */
	readonly created: number;
}

/** Pinned ones first, then by newest message. */
export function inListOrder(a: Conversation, b: Conversation): number {
	if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
	const at = ({ last, created }: Conversation) =>
		last?.position ?? created.toString(16).padStart(12, '0');
	return at(a) < at(b) ? 1 : -1;
}

export interface MessageSummary {
	readonly id: MessageId;
	readonly position: Position;
	readonly mine: boolean;
	/** Undefined in rows of before there were groups. */
	readonly author: AccountId | undefined;
	/** First 140 characters on one line. */
	readonly text: string;
	/** ms by the sender's clock, corrected to be plausible. */
	readonly sent: number;
	readonly delivery: Delivery;
}

/** Only ever rises (SPEC CO-5), except that a failed message may be queued again by its author. */
export type Delivery =
	| { readonly kind: 'queued' }
	/** Safe at the relay, or with every device of the other side. */
	| { readonly kind: 'sent' }
	| { readonly kind: 'delivered' }
	| { readonly kind: 'read' }
	| { readonly kind: 'failed'; readonly reason: RefusalCode }
	/** Written by somebody else. */
	| { readonly kind: 'received' };

export type MessageBody =
	| {
			readonly kind: 'text';
			readonly text: string;
			readonly replyTo: MessageId | undefined;
			/** Checked against the text and against who was in the group; left out where there are none. */
			readonly mentions?: readonly Mention[];
			/** Whose word it is that the author said this, where it came with a group's history (SPEC HI-5). */
			readonly sharedBy?: AccountId | undefined;
	  }
	/** Could not be opened: who wrote it may be unknown; asked again by itself. */
	| { readonly kind: 'unreadable'; readonly state: 'asked' | 'lost' }
	/** Made by a newer version of Kith. */
	| { readonly kind: 'newer' }
	/** What only a history of another messenger holds. */
	| ForeignBody
	/** A line of the system in the log. Whoever did it is the message's author. */
	| { readonly kind: 'event'; readonly event: LogEvent };

/** A text on its way into a message, and whom it mentions. */
export interface Written {
	readonly text: string;
	readonly mentions: readonly Mention[];
}

/** A plain string mentions nobody. */
export function writtenOf(said: string | Written): Written {
	return typeof said === 'string' ? { text: said, mentions: [] } : said;
}

export type LogEvent =
	| { readonly kind: 'joined' }
	| { readonly kind: 'safety-number-changed' }
	/** Somebody came by the one-time link by which whoever this line is from had come (SPEC AD-8). */
	| { readonly kind: 'latecomer' }
	/** Of the devices of whoever this line is from; `refused`: something came from one that is not theirs. */
	| { readonly kind: 'devices'; readonly change: 'added' | 'removed' | 'refused' }
	| { readonly kind: 'group-created' }
	/** `shared`: with what was said before. */
	| {
			readonly kind: 'added';
			readonly who: readonly AccountId[];
			readonly shared?: HistoryShare | undefined;
	  }
	/** Whoever added this person shared so many earlier messages, which stand above. */
	| { readonly kind: 'history'; readonly count: number }
	/** By a link of whoever this line is from. */
	| { readonly kind: 'joined-by-link'; readonly who: readonly AccountId[] }
	| { readonly kind: 'removed'; readonly who: readonly AccountId[] }
	| { readonly kind: 'left'; readonly who: AccountId }
	| { readonly kind: 'renamed'; readonly name: string }
	| { readonly kind: 'described' }
	| { readonly kind: 'pictured' }
	| { readonly kind: 'role'; readonly who: AccountId; readonly role: Role }
	/** `rule`: which part of the policy changed; lines from before it was told have none. */
	| {
			readonly kind: 'policy';
			readonly policy: GroupPolicy;
			readonly rule?: keyof GroupPolicy | undefined;
	  }
	| { readonly kind: 'frozen' }
	| { readonly kind: 'recreated' }
	/** Own change that the group does not allow any more, or that nobody could be reached for. */
	| { readonly kind: 'not-done'; readonly intention: GroupIntention['kind'] };

/** Whom a line of the log speaks of, besides whoever did it. */
export function namedIn(event: LogEvent): readonly AccountId[] {
	if (!('who' in event)) return [];
	return typeof event.who === 'string' ? [event.who] : event.who;
}

export type GroupEvent = Exclude<
	LogEvent,
	{ readonly kind: 'joined' | 'safety-number-changed' | 'latecomer' | 'devices' }
>;

export interface NamedInEvent {
	/** Whoever did it; undefined for the reader. */
	readonly by: string | undefined;
	readonly who: readonly string[];
}

export type ForeignBody =
	/** A line that the other messenger wrote itself; nobody is its author. */
	| { readonly kind: 'foreign'; readonly what: 'system'; readonly text: string }
	/** A picture or other file that is not here: its name, where the export has it, and what was written with it. */
	| {
			readonly kind: 'foreign';
			readonly what: 'media';
			readonly file: string | undefined;
			readonly text: string;
	  }
	| { readonly kind: 'foreign'; readonly what: 'edited'; readonly text: string }
	| { readonly kind: 'foreign'; readonly what: 'deleted' };

export interface Message {
	readonly id: MessageId;
	readonly conversation: ConversationId;
	readonly position: Position;
	readonly author: AccountId;
	readonly mine: boolean;
	readonly body: MessageBody;
	/** Sender's clock, ms. */
	readonly sent: number;
	/** This device's clock when it came (ms); equal to `sent` for own messages. */
	readonly received: number;
	readonly delivery: Delivery;
}

/** One of this person's invite links. */
export interface Invite {
	readonly address: Address;
	/** What stands after `/i#`. */
	readonly fragment: string;
	readonly kind: 'one-time' | 'reusable';
	readonly created: number;
	/** ms; undefined: until revoked. */
	readonly expires: number | undefined;
	/** `pending`: made on this device, not yet at the relay. */
	readonly state: 'pending' | 'open' | 'used' | 'revoked' | 'expired';
}

/** Whether it still lets somebody in, or will once the relay knows it. */
export function isLive({ state }: Pick<Invite | GroupLink, 'state'>): boolean {
	return state === 'open' || state === 'pending';
}

/** What somebody sees who opened an invite link. */
export type InvitePreview =
	| {
			readonly kind: 'open';
			readonly account: AccountId;
			readonly profile: Profile;
			readonly welcome: string;
			/** The conversation with this person that already exists. */
			readonly existing: ConversationId | undefined;
	  }
	/** The link of a group. `by`: who made it. */
	| {
			readonly kind: 'group';
			readonly name: string;
			readonly picture: Uint8Array | null;
			readonly size: number;
			readonly by: { readonly account: AccountId; readonly name: string };
			readonly approval: boolean;
			/** The conversation of who is in it already, or waits to be. */
			readonly existing: ConversationId | undefined;
	  }
	/** One's own link; `group`: that of a group. */
	| { readonly kind: 'own'; readonly group?: ConversationId | undefined }
	| { readonly kind: 'closed'; readonly reason: Exclude<AddressState, 'open'> }
	/** The relay does not answer. */
	| { readonly kind: 'offline' }
	/** Not a link that Kith made, or cut off. */
	| { readonly kind: 'broken' };

/** The one connection of this device, whichever tab or worker holds it. */
export type Connection =
	| { readonly kind: 'starting' }
	| { readonly kind: 'connecting' }
	/** Connected, waiting mail comes in. */
	| { readonly kind: 'updating' }
	| { readonly kind: 'online' }
	/** `retryAt`: ms by this device's clock. */
	| { readonly kind: 'offline'; readonly retryAt: number | undefined }
	/** The relay refuses this device; trying again does not help. */
	| { readonly kind: 'refused'; readonly reason: RefusalCode };

export type Path = 'direct' | 'relay' | 'offline';

/** What is true of a conversation right now and is never stored. */
export interface Presence {
	readonly path: Path;
	readonly online: boolean;
	readonly typing: boolean;
	/** Who is typing, longest first. */
	readonly typists: readonly AccountId[];
}

export interface LiveState {
	readonly connection: Connection;
	readonly presence: ReadonlyMap<ConversationId, Presence>;
	/** Own clock minus the relay's, ms; undefined before the first connection. */
	readonly clockSkew: number | undefined;
	/** The relay's software and how long it keeps mail (ms), once known. */
	readonly relay: { readonly software: string; readonly retention: number } | undefined;
}

export interface Settings {
	/** Hide network addresses: everything goes through the relay. */
	readonly neverDirect: boolean;
	readonly readReceipts: boolean;
	readonly showPresence: boolean;
	/** Whoever has no link of this person is not heard. */
	readonly onlyMyLink: boolean;
	readonly enterSends: boolean;
	readonly theme: 'system' | 'light' | 'dark';
	/** Text size in per cent of the browser's own. */
	readonly textScale: number;
	readonly lessMotion: boolean;
	/** BCP 47 tag, or undefined for the browser's own. */
	readonly locale: string | undefined;
	readonly notificationPreview: 'full' | 'name' | 'none';
	/** Days after which a backup is too old and the list says so; 0: never. */
	readonly backupEvery: number;
	/** When the last backup was written on this device, ms. */
	readonly lastBackup: number | undefined;
}

export const DEFAULT_SETTINGS: Settings = {
	neverDirect: false,
	readReceipts: true,
	showPresence: true,
	onlyMyLink: false,
	enterSends: true,
	theme: 'system',
	textScale: 100,
	lessMotion: false,
	locale: undefined,
	notificationPreview: 'full',
	backupEvery: 30,
	lastBackup: undefined,
};

/** How this browser keeps what is written. */
export type StorageCondition =
	| { readonly kind: 'kept'; readonly persistent: boolean }
	/** No IndexedDB: everything is gone when the last tab closes. */
	| { readonly kind: 'memory' }
	/** Writing failed for want of room; reading still works. */
	| { readonly kind: 'full' };

/** Why a message is not taken at all. Sizes are in UTF-8 bytes. */
export type SendRefusal =
	| { readonly kind: 'empty' }
	| { readonly kind: 'too-long'; readonly bytes: number; readonly limit: number }
	| { readonly kind: 'storage-full' }
	| { readonly kind: 'closed' };

/** What an exported page says in the reader's language. */
export interface PageWords {
	/** BCP 47. */
	readonly locale: string;
	readonly notes: string;
	/** "Saved from Kith on …", complete. */
	readonly made: string;
	readonly you: string;
	readonly media: string;
	readonly deleted: string;
	readonly edited: string;
	readonly unreadable: string;
	readonly newer: string;
	/** Events of the log; `name` is the other side's. */
	readonly joined: string;
	readonly safetyNumberChanged: string;
	readonly latecomer: string;
	/** Beside what somebody else says that its author said. */
	readonly sharedBy: (name: string) => string;
	/** The devices of whoever `by` is changed. */
	devices(change: Extract<LogEvent, { kind: 'devices' }>['change'], by: string): string;
	/** A line of a group's log, by the people whom it names. */
	readonly group: (event: GroupEvent, named: NamedInEvent) => string;
}
