// Who may do what in a group. Every member judges every change by these rules, for the relay cannot (SPEC GR). Pure.
import type { AccountId, GroupIntention, GroupPolicy, Role } from './model.ts';

/** People and what they may do, as rights are judged by. */
export interface Roster {
	readonly policy: GroupPolicy;
	readonly members: readonly { readonly account: AccountId; readonly role: Role }[];
}

/** Undefined for who is not in the group. */
export function roleIn({ members }: Roster, account: AccountId): Role | undefined {
	return members.find((member) => member.account === account)?.role;
}

function may(role: Role, who: 'everyone' | 'admins'): boolean {
	return who === 'everyone' || role !== 'member';
}

/** Whether `account` may take out who has the role `target`: nobody removes the owner, only the owner removes admins. */
function mayRemove(role: Role, target: Role): boolean {
	return target === 'member' ? role !== 'member' : target === 'admin' && role === 'owner';
}

/** Whether the group lets `account` do this. */
export function allows(roster: Roster, account: AccountId, intention: GroupIntention): boolean {
	const role = roleIn(roster, account);
	if (role === undefined) return false;
	switch (intention.kind) {
		case 'add':
			return may(role, roster.policy.invite);
		case 'remove': {
			const target = roleIn(roster, intention.account);
			return target === undefined || mayRemove(role, target);
		}
		case 'about':
			return may(role, roster.policy.change);
		case 'policy':
		case 'recreate':
			return role !== 'member';
		case 'role':
			return role === 'owner';
		case 'leave':
			return true;
		default:
			return intention satisfies never;
	}
}
