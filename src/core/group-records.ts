// Groups as a device keeps them: what is known of one, what a lost state is mended with, how this person came, and the
// history on its way to somebody else.
import type {
	AccountId,
	Address,
	ConversationId,
	DeviceId,
	EnvelopeId,
	Epoch,
	GroupId,
} from '../protocol/ids.ts';
import type { GroupAbout, GroupPolicy, Position, Role } from './model.ts';
import type { LeafKey } from './ports.ts';

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

export interface GroupMending {
	readonly generation: number;
	/** The highest ever: no snapshot of an earlier one is taken. */
	readonly epoch: Epoch;
	/** Seals its snapshots. */
	readonly secret: Uint8Array;
	/** Opens the secret that took its place. */
	readonly own: LeafKey;
	/** Of own commits that were staged since: if one passed and the state is lost before its echo, only these open what it left. */
	readonly staged?: readonly SnapshotKeys[];
	/** Whose devices they are: names the author of what cannot be opened. */
	readonly devices: Readonly<Record<DeviceId, AccountId>>;
}

/** What opens the snapshots of a group's state: its secret, or the own leaf for the secret of a later one. */
export type SnapshotKeys = Pick<GroupMending, 'secret' | 'own'>;

export interface JoinedRow {
	readonly by: AccountId;
	/** Of the welcome, and the relay's time of it, ms: lines about it stand there. */
	readonly envelope: EnvelopeId;
	readonly at: number;
	/** Earlier messages that they shared and this device took. */
	readonly shared: number;
	/** All of it came: nothing more is taken. */
	readonly isComplete: boolean;
}

/** The history of a group on its way to a newcomer, until they have all of it (SPEC HI). */
export interface ShareRow {
	readonly kind: 'share';
	readonly group: GroupId;
	readonly account: AccountId;
	/** When they were added: relay time, ms. */
	readonly since: number;
	/** The part that is on its way, or comes next, begins below `before`; nothing is older than `from`. */
	readonly part: number;
	readonly before: Position;
	readonly from: Position;
	/** Messages that may still be shared. */
	readonly left: number;
	/** Where the part after it begins, once this one is sealed; `isLast`: there is none. */
	readonly next:
		{ readonly before: Position; readonly left: number; readonly isLast: boolean } | undefined;
	/** Times that this part was sent, and when it goes again (own clock, ms). */
	readonly tries: number;
	readonly due: number;
}
