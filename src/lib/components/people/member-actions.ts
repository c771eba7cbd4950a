// What to offer on a member of a group. The engine judges what is done; offering what it would refuse helps nobody.
import type { GroupIntention, GroupMemberView, Role } from '../../../core/model.ts';

export type MemberAction = 'make-admin' | 'dismiss' | 'hand-over' | 'remove';

/** What somebody with the role `mine` may do to `member`. */
export function actionsOn(member: GroupMemberView, mine: Role | undefined): MemberAction[] {
	if (member.me || mine === undefined || mine === 'member' || member.role === 'owner') return [];
	const isPlain = member.role === 'member';
	if (mine === 'admin') return isPlain ? ['remove'] : [];
	return [isPlain ? 'make-admin' : 'dismiss', 'hand-over', 'remove'];
}

export function intentionOf(action: MemberAction, { account }: GroupMemberView): GroupIntention {
	switch (action) {
		case 'make-admin':
			return { kind: 'role', account, role: 'admin' };
		case 'dismiss':
			return { kind: 'role', account, role: 'member' };
		case 'hand-over':
			return { kind: 'role', account, role: 'owner' };
		case 'remove':
			return { kind: 'remove', account };
	}
}

/** Who takes over from an owner who leaves: an admin, else whoever is first; `members` in their order. */
export function successorAmong(members: readonly GroupMemberView[]): GroupMemberView | undefined {
	const others = members.filter(({ me }) => !me);
	return others.find(({ role }) => role === 'admin') ?? others[0];
}
