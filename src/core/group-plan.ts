// What a wanted change means for a group as it is right now. Planned anew after each lost race, so that two changes at
// once both happen where both can (encryption.md 8). Pure.
import type { GroupContext } from '../protocol/content.ts';
import { MAX_GROUP_MEMBERS } from '../protocol/limits.ts';
import {
	allows,
	rosterOf,
	roleIn,
	sameBytes,
	samePolicy,
	type GroupSight,
} from './group-rights.ts';
import type { AccountId, GroupIntention, Role } from './model.ts';

/** People that one commit adds: each brings a key package, and all get a welcome of the same frame. */
const MOST_ADDED = 128;

interface Planning {
	readonly me: AccountId;
	/** The people who can be added: a key package of theirs is at hand. */
	readonly reachable: ReadonlySet<AccountId>;
	/** 32 fresh random bytes, for a change that needs a new secret. */
	readonly secret: Uint8Array;
}

export interface GroupStep {
	readonly kind: 'step';
	readonly add: readonly AccountId[];
	readonly remove: readonly AccountId[];
	/** Undefined leaves the context as it is. */
	readonly context: GroupContext | undefined;
	/** What is left to do after this step. */
	readonly rest: GroupIntention | undefined;
}

export type GroupPlan =
	| GroupStep
	/** It is so already. */
	| { readonly kind: 'done' }
	/** Nobody else is left: nothing has to be told to anybody, but `step` to other own devices. */
	| { readonly kind: 'alone'; readonly step: GroupStep }
	/** The group does not allow it any more, or nobody of those to be added can be reached. */
	| { readonly kind: 'refused' };

const DONE: GroupPlan = { kind: 'done' };
const REFUSED: GroupPlan = { kind: 'refused' };
const STEP: GroupStep = { kind: 'step', add: [], remove: [], context: undefined, rest: undefined };

type Changes = Exclude<GroupIntention, { kind: 'recreate' }>;

/** The next step of `intention` for who is `me` in the group. */
export function planChange(sight: GroupSight, intention: Changes, planning: Planning): GroupPlan {
	const { me } = planning;
	const { context } = sight;
	if (!allows(rosterOf(sight), me, intention)) return isSo(sight, intention) ? DONE : REFUSED;
	switch (intention.kind) {
		case 'add':
			return planAdding(sight, intention, planning);
		case 'remove':
			if (!sight.people.includes(intention.account)) return DONE;
			return planRemoving(sight, [intention.account], planning.secret);
		case 'about':
		case 'policy': {
			if (isSo(sight, intention)) return DONE;
			const next =
				intention.kind === 'about'
					? { ...context, ...intention.about }
					: { ...context, policy: { ...context.policy, ...intention.policy } };
			return { ...STEP, context: next };
		}
		case 'role':
			return planRole(sight, intention, me);
		case 'leave':
			return planLeaving(sight, me, intention.successor);
		default:
			return intention satisfies never;
	}
}

function isSo({ context, people }: GroupSight, intention: GroupIntention): boolean {
	switch (intention.kind) {
		case 'add':
			return intention.people.every((account) => people.includes(account));
		case 'remove':
			return !people.includes(intention.account);
		case 'about': {
			const { name, description, picture } = { ...context, ...intention.about };
			const { picture: old } = context;
			const samePicture = picture && old ? sameBytes(picture, old) : picture === old;
			return name === context.name && description === context.description && samePicture;
		}
		case 'policy':
			return samePolicy(context.policy, { ...context.policy, ...intention.policy });
		default:
			return false;
	}
}

function planAdding(
	sight: GroupSight,
	intention: Extract<GroupIntention, { kind: 'add' }>,
	{ reachable, secret }: Planning,
): GroupPlan {
	const { people, context } = sight;
	// Who goes and comes back is taken out first.
	const going = intention.people.filter((account) => context.leaving.includes(account));
	if (going.length > 0) return { ...planRemoving(sight, going, secret), rest: intention };
	const missing = [...new Set(intention.people)].filter((account) => !people.includes(account));
	if (missing.length === 0) return DONE;
	const add = missing.filter((account) => reachable.has(account)).slice(0, MOST_ADDED);
	if (add.length === 0 || people.length + add.length > MAX_GROUP_MEMBERS) return REFUSED;
	const left = missing.filter((account) => !add.includes(account));
	return { ...STEP, add, rest: left.length > 0 ? { ...intention, people: left } : undefined };
}

/** Nobody keeps a role or a secret of a group that they are not in. */
function planRemoving(
	{ context }: GroupSight,
	remove: readonly AccountId[],
	secret: Uint8Array,
): GroupStep {
	const roles = context.roles.filter(({ account }) => !remove.includes(account));
	const leaving = context.leaving.filter((account) => !remove.includes(account));
	return { ...STEP, remove, context: { ...context, roles, leaving, secret } };
}

function planRole(
	sight: GroupSight,
	{ account, role }: { readonly account: AccountId; readonly role: Role },
	me: AccountId,
): GroupPlan {
	const { context, people } = sight;
	const before = roleIn(rosterOf(sight), account);
	if (before === role) return DONE;
	// An owner ceases to be one by naming another.
	const cannot = !people.includes(account) || context.leaving.includes(account) || account === me;
	return cannot ? REFUSED : { ...STEP, context: withRole(context, { account, role }, me) };
}

function withRole(
	context: GroupContext,
	{ account, role }: { readonly account: AccountId; readonly role: Role },
	me: AccountId,
): GroupContext {
	const others = context.roles.filter((each) => each.account !== account);
	if (role === 'member') return { ...context, roles: others };
	if (role === 'admin') return { ...context, roles: [...others, { account, role }] };
	const kept = others.filter((each) => each.account !== me);
	const heir = { account, role: 'owner' } as const;
	return { ...context, roles: [heir, { account: me, role: 'admin' }, ...kept] };
}

function planLeaving(sight: GroupSight, me: AccountId, wanted: AccountId | undefined): GroupPlan {
	const { context, people } = sight;
	if (context.leaving.includes(me)) return DONE;
	const staying = people.filter((account) => account !== me && !context.leaving.includes(account));
	const leaving = [...context.leaving, me];
	if (staying.length === 0)
		return { kind: 'alone', step: { ...STEP, context: { ...context, leaving } } };
	const { members } = rosterOf(sight);
	const isOwner = members.some(({ account, role }) => account === me && role === 'owner');
	const admin = members.find(({ account, role }) => role === 'admin' && staying.includes(account));
	const successor = wanted && staying.includes(wanted) ? wanted : (admin?.account ?? staying[0]);
	const handed =
		isOwner && successor ? withRole(context, { account: successor, role: 'owner' }, me) : context;
	return { ...STEP, context: { ...handed, leaving } };
}

/** Takes out those who said that they go; undefined where nobody does. */
export function planSweep(
	sight: GroupSight,
	{ me, secret }: Pick<Planning, 'me' | 'secret'>,
): GroupPlan | undefined {
	const going = sight.context.leaving.filter((account) => account !== me);
	return going.length > 0 ? planRemoving(sight, going, secret) : undefined;
}
