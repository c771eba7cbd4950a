// The groups of the fake client: what one wants happens at once, with a line in the log.
import type { Client } from '../../src/core/client.ts';
import { allows, type Roster } from '../../src/core/group-rights.ts';
import {
	DEFAULT_POLICY,
	isOutOfGroup,
	type AccountId,
	type Address,
	type Conversation,
	type ConversationId,
	type ConversationSubject,
	type GroupAbout,
	type GroupIntention,
	type GroupMemberView,
	type GroupPolicy,
	type GroupRefusal,
	type LogEvent,
	type MessageId,
	type Person,
	type Profile,
	type Role,
} from '../../src/core/model.ts';
import type { Result } from '../../src/core/ports.ts';
import { FakeGroupLinks } from './fake-group-links.ts';
import type { FakeConversation } from './fake-chat.ts';

/** A group as a test describes it. */
export interface FakeGroup extends Partial<Omit<FakeConversation, 'name'>> {
	readonly name: string;
	readonly description?: string;
	readonly policy?: Partial<GroupPolicy>;
	/** Without this person. */
	readonly members: readonly { readonly person: Person; readonly role?: Role }[];
	/** Of this person; `member` if it is left out. */
	readonly role?: Role;
}

export interface FakeMember {
	readonly person: Person;
	readonly role: Role;
}

/** What the groups need of the client that they belong to. */
export interface FakeGroupHost {
	readonly me: () => Person;
	readonly conversation: (id: ConversationId) => Conversation;
	readonly conversations: () => readonly Conversation[];
	readonly show: (id: ConversationId, change: Partial<Conversation>) => void;
	readonly add: (group: FakeGroup) => ConversationId;
	readonly line: (id: ConversationId, by: AccountId, event: LogEvent) => void;
	readonly now: () => number;
	readonly id: () => Address;
	readonly fragment: () => string;
	readonly forget: (id: ConversationId) => unknown;
}

type Done = Result<undefined, GroupRefusal>;
const DONE: Done = { ok: true, value: undefined };
const refuse = (error: GroupRefusal) => ({ ok: false, error }) as const;
const RANK: Record<Role, number> = { owner: 0, admin: 1, member: 2 };

export class FakeGroups implements Pick<
	Client,
	'createGroup' | 'changeGroup' | 'members' | 'profiles' | 'contacts' | 'receipts'
> {
	readonly #host: FakeGroupHost;
	readonly #members = new Map<ConversationId, readonly FakeMember[]>();
	readonly #receipts = new Map<MessageId, Awaited<ReturnType<Client['receipts']>>>();
	readonly links: FakeGroupLinks;
	/** Set to make every change fail this way. */
	refusal: GroupRefusal | undefined;

	constructor(host: FakeGroupHost) {
		this.#host = host;
		const letIn = this.#letIn.bind(this);
		this.links = new FakeGroupLinks({ ...host, letIn });
	}

	/** The conversation of a new group, whose members are kept here. */
	begin(blank: Conversation, fake: FakeGroup): Conversation {
		const { members, role = 'member', description = '', policy, ...rest } = fake;
		const { name, picture = null, echoes: _echoes, presence: _presence, ...state } = rest;
		const others = members.map((each) => ({ person: each.person, role: each.role ?? 'member' }));
		const isOut = fake.state !== undefined && isOutOfGroup(fake.state);
		this.#members.set(blank.id, isOut ? others : [{ person: this.#host.me(), role }, ...others]);
		const subject = this.#subject(blank.id, {
			about: { name, description, picture },
			policy: { ...DEFAULT_POLICY, ...policy },
		});
		return { ...blank, ...state, subject };
	}

	memberOf(id: ConversationId): AccountId | undefined {
		const me = this.#host.me().account;
		return this.#members.get(id)?.find(({ person }) => person.account !== me)?.person.account;
	}

	createGroup(
		wanted: Parameters<Client['createGroup']>[0],
	): Promise<Result<ConversationId, GroupRefusal>> {
		if (this.refusal) return Promise.resolve(refuse(this.refusal));
		const name = wanted.name.trim();
		if (name === '') return Promise.resolve(refuse({ kind: 'empty-name' }));
		const people = this.#people().filter(({ account }) => wanted.people.includes(account));
		const missing = wanted.people.filter((each) => !people.some(({ account }) => account === each));
		if (missing.length > 0)
			return Promise.resolve(refuse({ kind: 'not-reachable', people: missing }));
		const id = this.#host.add({
			name,
			...(wanted.picture && { picture: wanted.picture }),
			members: people.map((person) => ({ person })),
			role: 'owner',
		});
		this.#host.line(id, this.#host.me().account, { kind: 'group-created' });
		return Promise.resolve({ ok: true, value: id });
	}

	/** Somebody who asked by a link comes in. */
	#letIn(id: ConversationId, account: AccountId, profile: Profile): void {
		const verification = { kind: 'unverified' } as const;
		const person = { account, profile, verification, lastSeen: undefined };
		this.#change(id, (all) => [...all, { person, role: 'member' }]);
		this.#host.line(id, this.#host.me().account, { kind: 'joined-by-link', who: [account] });
	}

	changeGroup(id: ConversationId, intention: GroupIntention): Promise<Done> {
		const refusal = this.refusal ?? this.#refusal(id, intention);
		if (refusal) return Promise.resolve(refuse(refusal));
		this.#carryOut(id, intention);
		return Promise.resolve(DONE);
	}

	setReceipts(id: MessageId, receipts: Awaited<ReturnType<Client['receipts']>>): void {
		this.#receipts.set(id, receipts);
	}

	receipts(id: MessageId): ReturnType<Client['receipts']> {
		return Promise.resolve(this.#receipts.get(id) ?? []);
	}

	profiles(accounts: readonly AccountId[]) {
		const people = [...this.#members.values()].flat().map(({ person }) => person);
		const known = new Map(people.map(({ account, profile }) => [account, profile]));
		return Promise.resolve(
			accounts.flatMap((account) => {
				const profile = known.get(account);
				return profile ? [{ account, profile }] : [];
			}),
		);
	}

	members(id: ConversationId): Promise<readonly GroupMemberView[]> {
		const me = this.#host.me().account;
		const views = (this.#members.get(id) ?? []).map(({ person: { account, profile }, role }) => ({
			...{ account, profile, role, me: account === me },
			conversation: this.#alone(account),
			reachable: account !== me,
		}));
		return Promise.resolve(
			views.sort(
				(a, b) => RANK[a.role] - RANK[b.role] || a.profile.name.localeCompare(b.profile.name),
			),
		);
	}

	contacts(): Promise<readonly Person[]> {
		const byName = (a: Person, b: Person) => a.profile.name.localeCompare(b.profile.name);
		return Promise.resolve([...this.#people()].sort(byName));
	}

	#people(): Person[] {
		return this.#host.conversations().flatMap(({ subject, state }) => {
			return subject.kind === 'person' && state.kind === 'open' ? [subject.person] : [];
		});
	}

	#alone(account: AccountId): ConversationId | undefined {
		return this.#host.conversations().find(({ subject }) => {
			return subject.kind === 'person' && subject.person.account === account;
		})?.id;
	}

	#refusal(id: ConversationId, intention: GroupIntention): GroupRefusal | undefined {
		const { state, subject } = this.#host.conversation(id);
		const wanted = intention.kind === 'recreate' ? 'frozen' : 'open';
		if (subject.kind !== 'group' || state.kind !== wanted) return { kind: 'closed' };
		const roster: Roster = {
			policy: subject.policy,
			members: (this.#members.get(id) ?? []).map(({ person: { account }, role }) => {
				return { account, role };
			}),
		};
		if (!allows(roster, this.#host.me().account, intention)) return { kind: 'not-allowed' };
		const isNameless = intention.kind === 'about' && intention.about.name?.trim() === '';
		return isNameless ? { kind: 'empty-name' } : undefined;
	}

	#carryOut(id: ConversationId, intention: GroupIntention): void {
		const { me, line, now, show } = this.#host;
		const by = me().account;
		switch (intention.kind) {
			case 'add': {
				const people = this.#people().filter(({ account }) => intention.people.includes(account));
				this.#change(id, (all) => [
					...all,
					...people.map((person) => ({ person, role: 'member' as const })),
				]);
				const who = people.map(({ account }) => account);
				line(id, by, { kind: 'added', who, shared: intention.history });
				return;
			}
			case 'remove':
				this.#change(id, (all) => all.filter(({ person }) => person.account !== intention.account));
				line(id, by, { kind: 'removed', who: [intention.account] });
				return;
			case 'about':
				this.#retell(id, intention.about);
				return;
			case 'policy':
				this.#setPolicy(id, intention.policy);
				return;
			case 'role':
				this.#setRole(id, intention.account, intention.role);
				line(id, by, { kind: 'role', who: intention.account, role: intention.role });
				return;
			case 'leave':
				this.#change(id, (all) => all.filter(({ person }) => person.account !== by));
				show(id, { state: { kind: 'left', at: now() } });
				line(id, by, { kind: 'left', who: by });
				return;
			case 'recreate':
				show(id, { state: { kind: 'open' } });
				line(id, by, { kind: 'recreated' });
		}
	}

	#retell(id: ConversationId, about: Partial<GroupAbout>): void {
		const { subject } = this.#host.conversation(id);
		if (subject.kind !== 'group') return;
		const by = this.#host.me().account;
		this.#host.show(id, { subject: { ...subject, about: { ...subject.about, ...about } } });
		if (about.name !== undefined) this.#host.line(id, by, { kind: 'renamed', name: about.name });
		if (about.description !== undefined) this.#host.line(id, by, { kind: 'described' });
		if (about.picture !== undefined) this.#host.line(id, by, { kind: 'pictured' });
	}

	#setPolicy(id: ConversationId, change: Partial<GroupPolicy>): void {
		const { subject } = this.#host.conversation(id);
		if (subject.kind !== 'group') return;
		const policy = { ...subject.policy, ...change };
		this.#host.show(id, { subject: { ...subject, policy } });
		this.#host.line(id, this.#host.me().account, { kind: 'policy', policy });
	}

	#setRole(id: ConversationId, account: AccountId, role: Role): void {
		this.#change(id, (all) =>
			all.map((member) => {
				if (member.person.account === account) return { ...member, role };
				return role === 'owner' && member.role === 'owner' ? { ...member, role: 'admin' } : member;
			}),
		);
	}

	#change(id: ConversationId, change: (all: readonly FakeMember[]) => FakeMember[]): void {
		this.#members.set(id, change(this.#members.get(id) ?? []));
		const { subject } = this.#host.conversation(id);
		if (subject.kind === 'group')
			this.#host.show(id, { subject: this.#subject(id, { ...subject }) });
	}

	#subject(
		id: ConversationId,
		{ about, policy }: { readonly about: GroupAbout; readonly policy: GroupPolicy },
	): ConversationSubject {
		const members = this.#members.get(id) ?? [];
		const me = this.#host.me().account;
		const role = members.find(({ person }) => person.account === me)?.role;
		return { kind: 'group', about, policy, size: members.length, role };
	}
}
