import { describe, expect, test } from 'vitest';
import { contents } from '../protocol/content.ts';
import { idFrom, type DeviceId, type GroupId } from '../protocol/ids.ts';
import { planChange, planSweep, type GroupStep } from './group-plan.ts';
import {
	mayRecreate,
	rosterOf,
	unsoundness,
	violationOf,
	type GroupSight,
	type JudgedCommit,
} from './group-rights.ts';
import type { AccountId, GroupIntention, GroupPolicy } from './model.ts';
import type { GroupMember } from './ports.ts';

const bytes = (fill: number, length = 32) => new Uint8Array(length).fill(fill);
const account = (number: number) => idFrom<AccountId>(bytes(number));
const [OWNER, ADMIN, ADMIN2, MEMBER, MEMBER2, STRANGER] = [1, 2, 3, 4, 5, 9].map(account) as [
	AccountId,
	AccountId,
	AccountId,
	AccountId,
	AccountId,
	AccountId,
];
const EVERYBODY = [OWNER, ADMIN, ADMIN2, MEMBER, MEMBER2];
const ALL: GroupPolicy = { write: 'everyone', change: 'everyone', invite: 'everyone' };

type ContextChange = Partial<GroupSight['context']>;

function sight(change: ContextChange = {}, people: readonly AccountId[] = EVERYBODY): GroupSight {
	return {
		context: {
			type: 'group',
			group: idFrom<GroupId>(bytes(7, 16)),
			generation: 0,
			name: 'Hut',
			description: '',
			picture: null,
			roles: [
				{ account: OWNER, role: 'owner' as const },
				{ account: ADMIN, role: 'admin' as const },
				{ account: ADMIN2, role: 'admin' as const },
			].filter((role) => people.includes(role.account)),
			policy: { write: 'everyone', change: 'admins', invite: 'admins' },
			leaving: [],
			secret: bytes(1),
			devices: undefined,
			...change,
		},
		people,
	};
}

const member = (who: AccountId): GroupMember => ({
	leaf: 0,
	account: who,
	device: idFrom<DeviceId>(bytes(who.charCodeAt(0), 16)),
});

interface Tried extends Partial<Pick<JudgedCommit, 'by'>> {
	readonly add?: readonly AccountId[];
	readonly remove?: readonly AccountId[];
	readonly change?: ContextChange;
}

/** What a commit by `by` is judged as, on a group with `before` as its context. */
function judged(tried: Tried, before: ContextChange = {}): string | undefined {
	const { by = MEMBER, add = [], remove = [], change = {} } = tried;
	const old = sight(before);
	const people = [...old.people.filter((each) => !remove.includes(each)), ...add];
	const context = {
		...old.context,
		roles: old.context.roles.filter((role) => people.includes(role.account)),
		leaving: old.context.leaving.filter((each) => people.includes(each)),
		...(remove.length > 0 && { secret: bytes(2) }),
		...change,
	};
	const after = { context, people: [...new Set(people)] };
	return violationOf(old, { by, added: add.map(member), removed: remove.map(member), after });
}

describe('DE-5 own devices', () => {
	const first = idFrom<DeviceId>(bytes(41, 16));
	const leaf = { leaf: 9, device: first };
	const devices = new Set([first]);
	const judge = (by: AccountId, of: AccountId, more: Partial<Parameters<typeof violationOf>[1]>) =>
		violationOf(sight(), {
			...{ by, added: [], removed: [], after: sight(), listed: { account: by, devices } },
			...Object.fromEntries(
				Object.entries(more).map(([key, value]) => [
					key,
					key === 'added' || key === 'removed' ? [{ ...leaf, account: of }] : value,
				]),
			),
		});

	test('a member brings in their own, if the list has it, and nobody else does', () => {
		expect(judge(MEMBER, MEMBER, { added: [] })).toBeUndefined();
		expect(judge(MEMBER, MEMBER, { added: [], listed: undefined })).toBe('adds');
		expect(judge(OWNER, MEMBER, { added: [] })).toBe('adds');
		expect(judge(MEMBER, OWNER, { added: [] })).toBe('adds');
	});

	test('DE-13 anybody puts right the devices of a member whose list says so, and of nobody else', () => {
		const after = sight({ secret: bytes(2) });
		const listed = { account: MEMBER, devices };
		const gone = { account: MEMBER, devices: new Set<DeviceId>() };
		expect(judge(MEMBER2, MEMBER, { added: [], listed })).toBeUndefined();
		expect(judge(MEMBER2, MEMBER, { removed: [], after, listed: gone })).toBeUndefined();
		expect(judge(MEMBER2, OWNER, { added: [], listed })).toBe('adds');
		expect(judge(MEMBER2, OWNER, { removed: [], after, listed: gone })).toBe('removes');
		// One that is theirs still is not taken from them, and nobody is put out of the group so.
		expect(judge(MEMBER2, MEMBER, { removed: [], after, listed })).toBe('removes');
		const without = { ...after, people: after.people.filter((account) => account !== MEMBER) };
		expect(judge(MEMBER2, MEMBER, { removed: [], after: without, listed: gone })).toBe('removes');
	});

	test('a member takes out their own, and stays; whoever it is sees no violation', () => {
		const after = sight({ secret: bytes(2) });
		expect(judge(MEMBER, MEMBER, { removed: [], after })).toBeUndefined();
		expect(judge(OWNER, OWNER, { removed: [], after })).toBeUndefined();
		expect(judge(MEMBER, MEMBER, { removed: [], after: undefined })).toBeUndefined();
		expect(judge(MEMBER, OWNER, { removed: [], after })).toBe('removes');
		// The last of them is no device less: that would be leaving.
		const gone = sight(
			{ secret: bytes(2) },
			EVERYBODY.filter((account) => account !== MEMBER),
		);
		expect(judge(MEMBER, MEMBER, { removed: [], after: gone })).toBe('removes');
	});
});

describe('GR-2 who may add and remove', () => {
	test.each<[string, Tried, ContextChange?]>([
		['an admin adds', { by: ADMIN, add: [STRANGER] }],
		['anybody adds, where the policy says so', { add: [STRANGER] }, { policy: ALL }],
		['an admin removes a member', { by: ADMIN, remove: [MEMBER] }],
		['the owner removes an admin', { by: OWNER, remove: [ADMIN] }],
		['anybody removes who said goodbye', { remove: [MEMBER2] }, { leaving: [MEMBER2] }],
		['also an admin who did', { remove: [ADMIN] }, { leaving: [ADMIN] }],
		['nothing but new keys', {}],
	])('%s', (_title, tried, before) => {
		expect(judged(tried, before)).toBeUndefined();
	});

	test.each<[string, Tried, string, ContextChange?]>([
		['a member adds', { add: [STRANGER] }, 'adds'],
		['a member removes a member', { remove: [MEMBER2] }, 'removes'],
		['a member removes the owner', { remove: [OWNER] }, 'removes'],
		[
			'a member removes one who goes and one who stays',
			{ remove: [MEMBER2, ADMIN] },
			'removes',
			{
				leaving: [MEMBER2],
			},
		],
		['an admin removes an admin', { by: ADMIN, remove: [ADMIN2] }, 'removes'],
		['an admin removes the owner', { by: ADMIN, remove: [OWNER] }, 'removes'],
		['somebody who is not in it', { by: STRANGER }, 'by a stranger'],
		['an admin adds a device for somebody else', { by: ADMIN, add: [MEMBER] }, 'adds'],
	])('not: %s', (_title, tried, ...[why, before]) => {
		expect(judged(tried, before)).toBe(why);
	});

	test('who is removed judges it too, without seeing further', () => {
		const removed = [member(MEMBER2)];
		const commit = { added: [], removed, after: undefined };
		expect(violationOf(sight(), { ...commit, by: ADMIN })).toBeUndefined();
		expect(violationOf(sight(), { ...commit, by: MEMBER })).toBe('removes');
	});
});

describe('GR-3 who may change what the group says', () => {
	const roles = (...more: GroupSight['context']['roles']) => ({
		roles: [{ account: OWNER, role: 'owner' as const }, ...more],
	});
	test.each<[string, Tried, ContextChange?]>([
		['an admin renames', { by: ADMIN, change: { name: 'Cabin' } }],
		['anybody, where the policy says so', { change: { picture: bytes(3) } }, { policy: ALL }],
		['an admin changes the policy', { by: ADMIN, change: { policy: ALL } }],
		[
			'the owner makes an admin',
			{
				by: OWNER,
				change: roles({ account: MEMBER, role: 'admin' }),
			},
		],
		[
			'the owner hands over',
			{
				by: OWNER,
				change: {
					roles: [
						{ account: MEMBER, role: 'owner' },
						{ account: OWNER, role: 'admin' },
					],
				},
			},
		],
	])('%s', (_title, tried, before) => {
		expect(judged(tried, before)).toBeUndefined();
	});

	test.each<[string, Tried, string, ContextChange?]>([
		['a member renames', { change: { name: 'Cabin' } }, 'changes what it is called'],
		[
			'a member changes the picture',
			{ change: { picture: bytes(3) } },
			'changes what it is called',
		],
		['a member opens the policy', { change: { policy: ALL } }, 'changes the policy'],
		[
			'a member, even where all may rename',
			{ change: { policy: sight().context.policy } },
			'changes the policy',
			{ policy: ALL },
		],
		[
			'an admin makes an admin',
			{
				by: ADMIN,
				change: {
					roles: [...sight().context.roles, { account: MEMBER, role: 'admin' }],
				},
			},
			'changes a role',
		],
		[
			'an admin makes himself the owner',
			{
				by: ADMIN,
				change: {
					roles: [{ account: ADMIN, role: 'owner' }],
				},
			},
			'changes a role',
		],
		[
			'a newcomer comes as an admin',
			{
				by: ADMIN,
				add: [STRANGER],
				change: {
					roles: [...sight().context.roles, { account: STRANGER, role: 'admin' }],
				},
			},
			'changes a role',
		],
		[
			'another group',
			{ by: OWNER, change: { group: idFrom<GroupId>(bytes(8, 16)) } },
			'another group',
		],
		['another generation', { by: OWNER, change: { generation: 1 } }, 'another group'],
	])('not: %s', (_title, tried, ...[why, before]) => {
		expect(judged(tried, before)).toBe(why);
	});

	test.each<[string, ContextChange, string]>([
		['without an owner', { roles: [] }, 'not one owner'],
		[
			'with two owners',
			{
				roles: [
					{ account: OWNER, role: 'owner' },
					{ account: ADMIN, role: 'owner' },
				],
			},
			'not one owner',
		],
		[
			'with a role twice',
			{
				roles: [
					{ account: OWNER, role: 'owner' },
					{ account: OWNER, role: 'admin' },
				],
			},
			'two roles',
		],
		[
			'with a role for somebody outside',
			{
				roles: [
					{ account: OWNER, role: 'owner' },
					{ account: STRANGER, role: 'admin' },
				],
			},
			'a role for a stranger',
		],
		['whose owner just goes', { leaving: [OWNER] }, 'the owner leaves'],
	])('GR-1 not even the owner makes a group %s', (_title, change, why) => {
		expect(judged({ by: OWNER, change })).toBe(why);
	});
});

describe('GR-4 leaving', () => {
	test('everybody says it for themselves', () => {
		expect(judged({ change: { leaving: [MEMBER] } })).toBeUndefined();
		expect(judged({ by: ADMIN, change: { leaving: [MEMBER] } })).toBe('sends somebody away');
		expect(judged({ change: { leaving: [STRANGER] } })).toBe('a stranger leaves');
	});

	test('the last one goes without an heir, and only the last one', () => {
		const alone = { people: [OWNER] };
		const change = { leaving: [OWNER] };
		expect(unsoundness(sight(change, alone.people))).toBeUndefined();
		expect(unsoundness(sight(change, [OWNER, MEMBER]))).toBe('the owner leaves');
		const all = { leaving: [MEMBER, OWNER] };
		expect(unsoundness(sight(all, [OWNER, MEMBER]))).toBeUndefined();
	});

	test('nobody takes it back for another', () => {
		expect(judged({ change: { leaving: [] } }, { leaving: [MEMBER2] })).toBe(
			'keeps somebody who goes',
		);
	});
});

test('GR-5 a removal brings a new secret, and nothing else does', () => {
	expect(judged({ by: ADMIN, remove: [MEMBER], change: { secret: bytes(1) } })).toBe('the secret');
	expect(judged({ by: ADMIN, change: { secret: bytes(2) } })).toBe('the secret');
});

describe('GR-6 founding anew', () => {
	const before = rosterOf(sight());
	test('admins may, and the owner stays the owner', () => {
		expect(mayRecreate(before, sight({ generation: 1 }), ADMIN)).toBe(true);
		expect(mayRecreate(before, sight({ generation: 1 }), OWNER)).toBe(true);
		expect(mayRecreate(before, sight({ generation: 1 }), MEMBER)).toBe(false);
		expect(mayRecreate(before, sight({ generation: 1 }), STRANGER)).toBe(false);
		const taken = sight({ roles: [{ account: ADMIN, role: 'owner' }] });
		expect(mayRecreate(before, taken, ADMIN)).toBe(false);
	});

	test('where the owner cannot be reached, whoever founds it is the next one', () => {
		const people = [ADMIN, MEMBER];
		const roles = [{ account: ADMIN, role: 'owner' as const }];
		expect(mayRecreate(before, sight({ roles }, people), ADMIN)).toBe(true);
		const other = [{ account: MEMBER, role: 'owner' as const }];
		expect(mayRecreate(before, sight({ roles: other }, people), ADMIN)).toBe(false);
	});
});

describe('what is planned passes the judgement of the others', () => {
	const secret = bytes(2);
	const reachable = new Set([STRANGER]);
	const INTENTIONS: GroupIntention[] = [
		{ kind: 'add', people: [STRANGER] },
		{ kind: 'add', people: [STRANGER, account(10)] },
		...EVERYBODY.map((each) => ({ kind: 'remove' as const, account: each })),
		{ kind: 'about', about: { name: 'Cabin' } },
		{ kind: 'about', about: { picture: bytes(4) } },
		{ kind: 'policy', policy: ALL },
		...EVERYBODY.flatMap((each) =>
			(['owner', 'admin', 'member'] as const).map((role) => ({
				...{ kind: 'role' as const, account: each, role },
			})),
		),
		{ kind: 'leave', successor: undefined },
		{ kind: 'leave', successor: MEMBER2 },
		{ kind: 'leave', successor: STRANGER },
	];

	function carriedOut(before: GroupSight, step: GroupStep): GroupSight {
		const people = before.people.filter((each) => !step.remove.includes(each));
		return { context: step.context ?? before.context, people: [...people, ...step.add] };
	}

	test.each([
		['as it is', sight()],
		['open to all', sight({ policy: ALL })],
		['while somebody goes', sight({ leaving: [ADMIN2] })],
	])('in a group %s', (_title, before) => {
		let steps = 0;
		for (const me of [...EVERYBODY, STRANGER]) {
			for (const intention of INTENTIONS) {
				if (intention.kind === 'recreate') continue;
				const plan = planChange(before, intention, { me, reachable, secret });
				if (plan.kind !== 'step') continue;
				steps++;
				const after = carriedOut(before, plan);
				const [added, removed] = [plan.add.map(member), plan.remove.map(member)];
				expect(violationOf(before, { by: me, added, removed, after })).toBeUndefined();
				// Planned again, nothing or only the rest is left: whoever lost a race does nothing twice.
				const again = planChange(after, intention, { me, reachable, secret: bytes(3) });
				expect(again.kind === 'step' && !plan.rest).toBe(false);
			}
			const sweep = planSweep(before, { me, secret });
			if (sweep?.kind !== 'step' || me === STRANGER) continue;
			const after = carriedOut(before, sweep);
			const removed = sweep.remove.map(member);
			expect(violationOf(before, { by: me, added: [], removed, after })).toBeUndefined();
		}
		expect(steps).toBeGreaterThan(20);
	});

	test('both of two changes at once happen: the second is planned on what the first made', () => {
		const planning = { me: ADMIN, reachable, secret };
		const renamed = sight({ name: 'Cabin' });
		const plan = planChange(renamed, { kind: 'add', people: [STRANGER] }, planning);
		expect(plan).toMatchObject({ kind: 'step', add: [STRANGER], context: undefined });
		const described = planChange(renamed, { kind: 'about', about: { description: 'x' } }, planning);
		expect(described).toMatchObject({ context: { name: 'Cabin', description: 'x' } });
	});

	test('what is true already is done, what is not allowed any more is refused', () => {
		const planning = { me: ADMIN, reachable, secret };
		const gone = sight({}, [OWNER, ADMIN]);
		expect(planChange(gone, { kind: 'remove', account: MEMBER }, planning).kind).toBe('done');
		const demoted = sight({ roles: [{ account: OWNER, role: 'owner' }] });
		expect(planChange(demoted, { kind: 'remove', account: MEMBER }, planning).kind).toBe('refused');
		const unreachable = { kind: 'add' as const, people: [account(10)] };
		expect(planChange(sight(), unreachable, planning).kind).toBe('refused');
	});

	test('an owner who leaves hands over: to whom they name, the first admin, the first member', () => {
		const planning = { me: OWNER, reachable, secret };
		const heirOf = (before: GroupSight, successor: AccountId | undefined) => {
			const plan = planChange(before, { kind: 'leave', successor }, planning);
			if (plan.kind !== 'step') return plan.kind;
			return plan.context?.roles.find(({ role }) => role === 'owner')?.account;
		};
		expect(heirOf(sight(), MEMBER2)).toBe(MEMBER2);
		expect(heirOf(sight(), undefined)).toBe(ADMIN);
		expect(heirOf(sight({ leaving: [ADMIN] }), undefined)).toBe(ADMIN2);
		expect(heirOf(sight({}, [OWNER, MEMBER, MEMBER2]), undefined)).toBe(MEMBER);
		expect(heirOf(sight({}, [OWNER]), undefined)).toBe('alone');
		expect(heirOf(sight({ leaving: [MEMBER] }, [OWNER, MEMBER]), undefined)).toBe('alone');
	});

	test('many people come in several steps', () => {
		const many = Array.from({ length: 200 }, (_, at) => account(10 + at));
		const plan = planChange(
			sight(),
			{ kind: 'add', people: many },
			{
				...{ me: OWNER, secret, reachable: new Set(many) },
			},
		);
		expect(plan.kind === 'step' && plan.add.length).toBe(128);
		expect(plan.kind === 'step' && plan.rest?.kind === 'add' && plan.rest.people.length).toBe(72);
	});
});

test('GR-7 a roster of the largest size fits its frame', () => {
	const people = Array.from({ length: 64 }, (_, at) => ({
		...{ account: account(at), name: 'x'.repeat(64), entrance: null },
	}));
	expect(contents.encode({ type: 'roster', people }).length).toBeLessThan(16_384);
});
