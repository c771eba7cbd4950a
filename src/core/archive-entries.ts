// What stands in a backup, entry by entry (archive/FORMAT.md). No key is among it: whoever restores a backup becomes
// another device.
import type { Passkey } from './recovery-model.ts';
import type { Profile } from '../protocol/cards.ts';
import type { GroupId } from '../protocol/ids.ts';
import type {
	AccountId,
	ConversationId,
	ConversationState,
	Delivery,
	GroupAbout,
	GroupPolicy,
	Invite,
	MessageBody,
	MessageId,
	Position,
	Report,
	Settings,
	Verification,
} from './model.ts';
import type { AccountSecret } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import type { Entrance, ImportedRow } from './records.ts';

export interface AboutEntry {
	readonly type: 'about';
	readonly account: AccountId;
	readonly profile: Profile;
	/** When the identity was made, and when this backup was; ms. */
	readonly created: number;
	readonly written: number;
}

export interface PersonEntry {
	readonly type: 'person';
	readonly account: AccountId;
	readonly profile: Profile;
	readonly profileVersion: number;
	readonly verification: Verification;
	readonly lastSeen: number | undefined;
	/** How to reach them, as they gave it to this account. */
	readonly entry: Entrance | undefined;
}

/** A group as it was last known; whoever left it knows who was there. */
export interface ArchivedGroup {
	readonly id: GroupId;
	readonly about: GroupAbout;
	readonly policy: GroupPolicy;
	readonly members: GroupRow['members'];
}

export interface ConversationEntry {
	readonly type: 'conversation';
	readonly id: ConversationId;
	readonly subject: 'person' | 'notes' | 'imported' | 'group';
	/** Of a person, whose entry came before. */
	readonly account: AccountId | undefined;
	readonly imported: ImportedRow | undefined;
	readonly group: ArchivedGroup | undefined;
	readonly state: ConversationState['kind'];
	/** Who took this person out of the group. */
	readonly stateBy: AccountId | undefined;
	/** When this person was taken out or left, or the group froze; ms. */
	readonly stateAt: number | undefined;
	readonly entry: Entrance | undefined;
	readonly generation: number;
	readonly readTo: Position;
	readonly pinned: boolean;
	readonly muted: boolean;
	readonly archived: boolean;
	readonly created: number;
	readonly draft: string;
}

export interface MessageEntry {
	readonly type: 'message';
	readonly id: MessageId;
	readonly conversation: ConversationId;
	readonly position: Position;
	readonly author: AccountId;
	readonly mine: boolean;
	readonly body: MessageBody;
	readonly sent: number;
	readonly received: number;
	readonly delivery: Delivery['kind'];
	/** Of somebody who was blocked when it came. */
	readonly quiet?: true;
}

/** Whether somebody is blocked, and since when that is so (ms). */
export interface BlockEntry {
	readonly type: 'block';
	readonly account: AccountId;
	readonly on: boolean;
	readonly at: number;
}

/** What the person keeps about somebody. */
export interface ReportEntry extends Report {
	readonly type: 'report';
}

/** An own link that was open. */
export interface LinkEntry {
	readonly type: 'link';
	readonly secret: Uint8Array;
	readonly kind: Invite['kind'];
	readonly welcome: string;
	readonly created: number;
	readonly expires: number | undefined;
}

export interface ArchiveCounts {
	readonly people: number;
	readonly conversations: number;
	readonly messages: number;
}

export type ArchiveEntry =
	| AboutEntry
	| { readonly type: 'settings'; readonly settings: Partial<Settings> }
	| PersonEntry
	| BlockEntry
	| ConversationEntry
	| MessageEntry
	| LinkEntry
	| ReportEntry
	/** The last one. */
	| ({ readonly type: 'end' } & ArchiveCounts);

/** What a recovery code brings back: who the person is, and everything of a backup but messages (archive/FORMAT.md). */
export interface CapsuleContent extends AccountSecret {
	/** Of the own profile, as contacts were told it last. */
	readonly profileVersion: number;
	readonly passkey: Passkey | undefined;
	/** From `about` on, without messages and `end`. */
	readonly entries: readonly ArchiveEntry[];
}

export type ArchiveFailure =
	/** Some other file. */
	| 'not-an-archive'
	/** Written by a newer Kith, in a format that this one does not know. */
	| 'newer'
	| 'wrong-key'
	/** Its end is missing. */
	| 'truncated'
	| 'damaged';
