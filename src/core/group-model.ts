// The nouns of groups: who is in one, who may do what, what somebody wants changed, and the link that leads in.
import type { Profile } from '../protocol/cards.ts';
import type { HistoryShare } from '../protocol/content.ts';
import type { AddressState } from '../protocol/frames.ts';
import type { AccountId, Address, ConversationId } from '../protocol/ids.ts';

/** Exactly one owner; who is not named otherwise is a member. */
export type Role = 'owner' | 'admin' | 'member';

/** What a group tells of itself. */
export interface GroupAbout {
	readonly name: string;
	readonly description: string;
	readonly picture: Uint8Array | null;
}

/** Who may write, change name and picture, and add people. Owner and admins always may. */
export interface GroupPolicy {
	readonly write: 'everyone' | 'admins';
	readonly change: 'everyone' | 'admins';
	readonly invite: 'everyone' | 'admins';
}

/** Whether somebody with this role may do what a group leaves to `who`; nobody outside may do anything. */
export function isAllowed(role: Role | undefined, who: GroupPolicy[keyof GroupPolicy]): boolean {
	return role !== undefined && (who === 'everyone' || role !== 'member');
}

/** A group as everybody starts it. */
export const DEFAULT_POLICY: GroupPolicy = {
	write: 'everyone',
	change: 'admins',
	invite: 'admins',
};

export interface GroupMemberView {
	readonly account: AccountId;
	readonly profile: Profile;
	readonly role: Role;
	readonly me: boolean;
	/** The conversation with them alone, if there is one. */
	readonly conversation: ConversationId | undefined;
	/** They gave the group a way to write to them. */
	readonly reachable: boolean;
}

/** What somebody wants to change in a group. */
export type GroupIntention =
	/** `byLink`: they asked by the own link of this group. `history`: what they get of what was said before. */
	| {
			readonly kind: 'add';
			readonly people: readonly AccountId[];
			readonly byLink?: true;
			readonly history?: HistoryShare | undefined;
	  }
	| { readonly kind: 'remove'; readonly account: AccountId }
	| { readonly kind: 'about'; readonly about: Partial<GroupAbout> }
	| { readonly kind: 'policy'; readonly policy: Partial<GroupPolicy> }
	/** `owner` hands the group over: who had it is an admin from then on. */
	| { readonly kind: 'role'; readonly account: AccountId; readonly role: Role }
	/** `successor`: the next owner, where the owner leaves; undefined lets Kith choose. */
	| { readonly kind: 'leave'; readonly successor: AccountId | undefined }
	/** Founds a frozen group anew, with everybody who can be reached. */
	| { readonly kind: 'recreate' };

/** Why an intention is not taken at all. */
export type GroupRefusal =
	| { readonly kind: 'empty-name' }
	| { readonly kind: 'too-many'; readonly limit: number }
	/** Nobody can add these: they never gave this device a way to. */
	| { readonly kind: 'not-reachable'; readonly people: readonly AccountId[] }
	| { readonly kind: 'not-allowed' }
	| { readonly kind: 'closed' }
	| { readonly kind: 'storage-full' };

/** What may be chosen of a group's link. */
export interface LinkTerms {
	/** Whether each newcomer is looked at first. */
	readonly approval: boolean;
	/** ms since 1970; undefined: until it is reset. */
	readonly expires: number | undefined;
	/** How many may ask by it; undefined: as many as fit. */
	readonly uses: number | undefined;
}

/** The link by which this device lets people into a group. */
export interface GroupLink extends LinkTerms {
	readonly address: Address;
	/** What stands after `/i#`. */
	readonly fragment: string;
	readonly created: number;
	/** `pending`: not yet at the relay. Of one that is over, why. */
	readonly state: 'pending' | AddressState;
}

/** Somebody who waits to be let in. */
export interface JoinRequest {
	readonly account: AccountId;
	readonly profile: Profile;
	/** When they asked: relay time, ms. */
	readonly at: number;
	/** They were in the group before, and were removed. */
	readonly wasRemoved: boolean;
}
