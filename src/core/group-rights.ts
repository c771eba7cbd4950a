// Who may do what in a group. Every member judges every change by these rules, for the relay cannot (SPEC GR). Pure.
import type { GroupContext } from '../protocol/content.ts';
import { MAX_GROUP_MEMBERS } from '../protocol/limits.ts';
import {
	isAllowed,
	type AccountId,
	type GroupIntention,
	type GroupPolicy,
	type Role,
} from './model.ts';
import type { DeviceId } from '../protocol/ids.ts';
import type { GroupMember } from './ports.ts';

/** People and what they may do, as rights are judged by. */
export interface Roster {
	readonly policy: GroupPolicy;
	readonly members: readonly { readonly account: AccountId; readonly role: Role }[];
}

/** Undefined for who is not in the group. */
export function roleIn({ members }: Roster, account: AccountId): Role | undefined {
	return members.find((member) => member.account === account)?.role;
}

/** Whether `account` may write in this group. */
export function mayWrite(roster: Roster, account: AccountId): boolean {
	const role = roleIn(roster, account);
	return isAllowed(role, roster.policy.write);
}

/** Whether `account` may bring people into this group. */
export function mayInvite(roster: Roster, account: AccountId): boolean {
	const role = roleIn(roster, account);
	return isAllowed(role, roster.policy.invite);
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
			return isAllowed(role, roster.policy.invite);
		case 'remove': {
			const target = roleIn(roster, intention.account);
			return target === undefined || mayRemove(role, target);
		}
		case 'about':
			return isAllowed(role, roster.policy.change);
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

/** A group at one epoch: what its context says, and who is in it, in the order of their leaves. */
export interface GroupSight {
	readonly context: GroupContext;
	readonly people: readonly AccountId[];
}

export function rosterOf({ context, people }: GroupSight): Roster {
	const roles = new Map(context.roles.map(({ account, role }) => [account, role]));
	return {
		policy: context.policy,
		members: people.map((account) => ({ account, role: roles.get(account) ?? 'member' })),
	};
}

/** An account and its devices, as it signed them. */
export interface Listed {
	readonly account: AccountId;
	readonly devices: ReadonlySet<DeviceId>;
}

/** A commit as every receiver sees it. */
export interface JudgedCommit {
	readonly by: AccountId;
	readonly added: readonly GroupMember[];
	readonly removed: readonly GroupMember[];
	/** The devices of one account, by the list of it that came with the commit (SPEC DE-5, DE-13). */
	readonly listed?: Listed | undefined;
	/** Undefined for who is removed by it and cannot see further. */
	readonly after: GroupSight | undefined;
}

/** What a commit does that its maker may not do; undefined for one that holds (SPEC GR-2 to GR-5). */
export function violationOf(before: GroupSight, commit: JudgedCommit): string | undefined {
	const roster = rosterOf(before);
	const { by, added, removed, after, listed } = commit;
	const role = roleIn(roster, by);
	if (role === undefined) return 'by a stranger';
	const isStill = (account: AccountId) => !after || after.people.includes(account);
	for (const { account, device } of removed) {
		const isGoing = before.context.leaving.includes(account);
		// One device less of one's own is no leaving: that has its own way (GR-4).
		const isOutdated = listed?.account === account && !listed.devices.has(device);
		if ((account === by || isOutdated) && isStill(account)) continue;
		if (!isGoing && !mayRemove(role, roleIn(roster, account) ?? 'member')) return 'removes';
	}
	for (const { account, device } of added) {
		const isNew = !before.people.includes(account);
		const isListed = listed?.account === account && listed.devices.has(device);
		if (isNew ? !mayInvite(roster, by) : !isListed) return 'adds';
	}
	if (!after) return undefined;
	return unsoundness(after) ?? violationInContext(before, { ...commit, after, role });
}

function violationInContext(
	before: GroupSight,
	{ by, role, removed, after }: JudgedCommit & { readonly role: Role; readonly after: GroupSight },
): string | undefined {
	const [old, next] = [before.context, after.context];
	if (next.group !== old.group || next.generation !== old.generation) return 'another group';
	const roster = rosterOf(before);
	for (const member of rosterOf(after).members) {
		const was = roleIn(roster, member.account) ?? 'member';
		if (was !== member.role && role !== 'owner') return 'changes a role';
	}
	if (!sameAbout(old, next) && !isAllowed(role, old.policy.change))
		return 'changes what it is called';
	if (!samePolicy(old.policy, next.policy) && role === 'member') return 'changes the policy';
	for (const account of next.leaving) {
		if (account !== by && !old.leaving.includes(account)) return 'sends somebody away';
	}
	for (const account of old.leaving) {
		const isHere = after.people.includes(account);
		if (isHere && !next.leaving.includes(account)) return 'keeps somebody who goes';
	}
	// Whoever was removed knows the old secret, and nobody else needs a new one.
	if (sameBytes(old.secret, next.secret) !== (removed.length === 0)) return 'the secret';
	return undefined;
}

/** What no group may be, whoever made it so (SPEC GR-1). */
export function unsoundness({ context, people }: GroupSight): string | undefined {
	const { roles, leaving } = context;
	if (people.length > MAX_GROUP_MEMBERS) return 'too many';
	const owners = roles.filter(({ role }) => role === 'owner');
	if (owners.length !== 1) return 'not one owner';
	if (new Set(roles.map(({ account }) => account)).size !== roles.length) return 'two roles';
	if (roles.some(({ account }) => !people.includes(account))) return 'a role for a stranger';
	if (leaving.some((account) => !people.includes(account))) return 'a stranger leaves';
	// With the last one who leaves, nobody is there to be handed anything.
	const isOver = people.every((account) => leaving.includes(account));
	const ownerLeaves = owners.some(({ account }) => leaving.includes(account));
	return ownerLeaves && !isOver ? 'the owner leaves' : undefined;
}

/**
 * Whether `founder` may found this group anew as `after`: an admin may, as this device knows them, and takes the owner's
 * place only where the owner is not in it (SPEC GR-6).
 */
export function mayRecreate(before: Roster, after: GroupSight, founder: AccountId): boolean {
	const role = roleIn(before, founder);
	if (role === undefined || role === 'member' || unsoundness(after)) return false;
	const owner = before.members.find((member) => member.role === 'owner')?.account;
	const heir = owner && after.people.includes(owner) ? owner : founder;
	return roleIn(rosterOf(after), heir) === 'owner';
}

function sameAbout(a: GroupContext, b: GroupContext): boolean {
	const samePicture =
		a.picture && b.picture ? sameBytes(a.picture, b.picture) : a.picture === b.picture;
	return a.name === b.name && a.description === b.description && samePicture;
}

export function samePolicy(a: GroupPolicy, b: GroupPolicy): boolean {
	return a.write === b.write && a.change === b.change && a.invite === b.invite;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
