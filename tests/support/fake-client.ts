// A client without keys, relay or disk: the same promises as the real one, kept in memory. Screens and component
// tests stand on it.
import type {
	Change,
	Client,
	Files,
	MessagePage,
	NotificationProblem,
	PageRequest,
} from '../../src/core/client.ts';
import {
	DEFAULT_SETTINGS,
	inListOrder,
	writtenOf,
	type AccountId,
	type Address,
	type Conversation,
	type ConversationId,
	type Delivery,
	type DeviceId,
	type LiveState,
	type Me,
	type Message,
	type MessageId,
	type Person,
	type Position,
	type Presence,
	type Profile,
	type SendRefusal,
	type Settings,
	type StorageCondition,
	type Written,
} from '../../src/core/model.ts';
import {
	NOTHING,
	at,
	empty,
	everywhere,
	SAFETY_NUMBER,
	pageRange,
	readUpTo,
	personOf,
	spread,
	summary,
	textRefusal,
	withPerson,
	type FakeConversation,
	type FakeMessage,
	type FakeOptions,
} from './fake-chat.ts';
import { fakeFiles } from './fake-files.ts';
import { FakeDevices } from './fake-devices.ts';
import { FakeRecovery } from './fake-recovery.ts';
import { FakeInvites } from './fake-invites.ts';
import { FakeBlocking } from './fake-blocking.ts';
import { FakeGroups, type FakeGroup } from './fake-groups.ts';
import { idFrom } from '../../src/protocol/ids.ts';
type AnyId = MessageId | ConversationId | DeviceId | Address;
const LARGEST_PAGE = 200;
const DAY = 86_400_000;
export class FakeClient implements Client {
	readonly #now: () => number;
	readonly #later: (ms: number, step: () => void) => void;
	readonly #storage: StorageCondition;
	#me: Me | undefined;
	#settings: Settings = DEFAULT_SETTINGS;
	#live: LiveState = {
		connection: { kind: 'online' },
		presence: new Map(),
		clockSkew: 120,
		relay: { software: 'kith-relay 0.1.0', retention: 30 * DAY },
	};
	#count = 0;
	readonly #conversations = new Map<ConversationId, Conversation>();
	readonly #messages = new Map<ConversationId, Message[]>();
	readonly #byId = new Map<MessageId, Message>();
	/** Whose other side answers with the same words. */
	readonly #echoing = new Map<ConversationId, boolean>();
	readonly #listeners = new Set<(change: Change) => void>();
	readonly groups = new FakeGroups({
		me: () => this.#self(),
		conversation: (id) => this.#need(id),
		conversations: () => [...this.#conversations.values()],
		show: (id, change) => void this.#update(id, change),
		add: (group) => this.addGroup(group),
		line: (id, author, event) => {
			const mine = author === this.#self().account;
			this.addMessage(id, { mine, author, body: { kind: 'event', event }, sent: this.#now() });
			this.#changed(id);
		},
		now: () => this.#now(),
		id: () => this.#id(),
		fragment: () => `${this.#id<Address>()}.${this.#account()}`,
		forget: (id) => this.#conversations.delete(id) && this.#changed(id),
	});
	readonly groupLink = this.groups.links.groupLink.bind(this.groups.links);
	readonly makeGroupLink = this.groups.links.makeGroupLink.bind(this.groups.links);
	readonly changeGroupLink = this.groups.links.changeGroupLink.bind(this.groups.links);
	readonly closeGroupLink = this.groups.links.closeGroupLink.bind(this.groups.links);
	readonly joinRequests = this.groups.links.joinRequests.bind(this.groups.links);
	readonly answerRequest = this.groups.links.answerRequest.bind(this.groups.links);
	readonly withdrawRequest = this.groups.links.withdrawRequest.bind(this.groups.links);
	readonly links = new FakeInvites({
		now: () => this.#now(),
		id: () => this.#id(),
		fragment: () => `${this.#id<Address>()}.${this.#account()}`,
		isOnline: () => this.#live.connection.kind === 'online',
		begin: (name) => this.addConversation({ name, echoes: true }),
		ask: ({ name, by, approval }) =>
			this.addGroup({ name, members: [], state: { kind: 'asking', name: by.name, approval } }),
		changed: () => this.#tell({ invites: true }),
	});
	readonly #around = Object.assign(
		{ now: () => this.#now(), me: () => this.me(), changed: () => this.#tell({ me: true }) },
		{ start: (name: string) => this.start(name) },
		{ isOnline: () => this.#live.connection.kind === 'online' },
	);
	readonly #recovery = new FakeRecovery(this.#around);
	readonly #own = new FakeDevices(this.#around);
	readonly linkThisDevice = () => this.#own.linkThisDevice();
	readonly devices = () => this.#own.devices();
	readonly linkDevice = (fragment: string) => this.#own.linkDevice(fragment);
	readonly removeDevice = (device: DeviceId) => this.#own.removeDevice(device);
	readonly transfer = () => this.#own.transfer();
	readonly recovery = this.#recovery.recovery.bind(this.#recovery);
	readonly newRecoveryCode = () => this.#recovery.newRecoveryCode();
	readonly useRecoveryCode = this.#recovery.useRecoveryCode.bind(this.#recovery);
	readonly usePasskey = this.#recovery.usePasskey.bind(this.#recovery);
	readonly comeBack = this.#recovery.comeBack.bind(this.#recovery);
	readonly invites = this.links.invites.bind(this.links);
	readonly ownInvite = this.links.ownInvite.bind(this.links);
	readonly createInvite = this.links.createInvite.bind(this.links);
	readonly revokeInvite = this.links.revokeInvite.bind(this.links);
	readonly previewInvite = this.links.previewInvite.bind(this.links);
	readonly acceptInvite = this.links.acceptInvite.bind(this.links);
	readonly createGroup = this.groups.createGroup.bind(this.groups);
	readonly changeGroup = this.groups.changeGroup.bind(this.groups);
	readonly members = this.groups.members.bind(this.groups);
	readonly receipts = this.groups.receipts.bind(this.groups);
	readonly profiles = this.groups.profiles.bind(this.groups);
	readonly contacts = this.groups.contacts.bind(this.groups);
	readonly #blocking = new FakeBlocking({
		conversations: () => [...this.#conversations.values()],
		show: (id, change) => void this.#update(id, change),
		members: (id) => this.members(id),
		begin: (name) => this.addConversation({ name, state: { kind: 'inviting' } }),
		forget: (id) => {
			this.#conversations.delete(id);
			this.#tell({ conversations: new Set([id]) });
		},
		changed: () => this.#tell({ blocked: true }),
	});
	readonly setBlocked = this.#blocking.setBlocked.bind(this.#blocking);
	readonly blocked = this.#blocking.blocked.bind(this.#blocking);
	readonly writeTo = this.#blocking.writeTo.bind(this.#blocking);
	readonly answerStranger = this.#blocking.answerStranger.bind(this.#blocking);
	readonly report = this.#blocking.report.bind(this.#blocking);
	readonly reports = this.#blocking.reports;
	readonly forgetReport = this.#blocking.forgetReport.bind(this.#blocking);
	/** What the next notification check finds. */
	notificationProblem: NotificationProblem | undefined = 'permission-ask';
	/** Set to make every send fail this way. */
	sendRefusal: SendRefusal | undefined;
	/** Set to make reading fail, as a broken disk would. */
	broken = false;

	constructor(options: FakeOptions = {}) {
		this.#now = options.now ?? Date.now;
		this.#later = options.later ?? (() => undefined);
		this.#storage = options.storage ?? { kind: 'kept', persistent: true };
	}

	// ---- what a test arranges ----

	addConversation(fake: FakeConversation): ConversationId {
		const id = this.#id<ConversationId>();
		const blank = empty(id, this.#now());
		this.#conversations.set(id, withPerson(blank, this.#account(), fake));
		this.#messages.set(id, []);
		this.#echoing.set(id, fake.echoes ?? false);
		this.setPresence(id, fake.presence ?? {});
		this.#tell({ conversations: new Set([id]) });
		return id;
	}

	addGroup(fake: FakeGroup): ConversationId {
		const id = this.#id<ConversationId>();
		this.#conversations.set(id, this.groups.begin({ ...empty(id, this.#now()) }, fake));
		this.#messages.set(id, []);
		this.setPresence(id, fake.presence ?? {});
		this.#tell({ conversations: new Set([id]) });
		return id;
	}

	/** Somebody who is no contact. */
	stranger(name: string): Person {
		return personOf(this.#account(), { name, picture: null });
	}

	/** Adds without touching the unread count: a test says what it is. */
	addMessage(id: ConversationId, fake: FakeMessage): Message {
		const mine = fake.mine ?? false;
		const message: Message = {
			id: this.#id<MessageId>(),
			conversation: id,
			position: this.#position(),
			author: fake.author ?? (mine ? this.#self().account : this.#otherSide(id)),
			mine,
			body: fake.body ?? { kind: 'text', text: fake.text ?? '', replyTo: undefined },
			sent: fake.sent,
			received: fake.sent,
			delivery: fake.delivery ?? (mine ? { kind: 'read' } : { kind: 'received' }),
		};
		this.#messages.get(id)?.push(message);
		this.#byId.set(message.id, message);
		const before = this.#need(id);
		this.#conversations.set(id, {
			...before,
			last: message.body.kind === 'event' ? before.last : summary(message),
			failed: before.failed + (message.delivery.kind === 'failed' ? 1 : 0),
		});
		return message;
	}

	setPresence(id: ConversationId, presence: Partial<Presence>): void {
		const before = this.#live.presence.get(id) ?? {
			...{ path: 'relay', online: false, typing: false, typists: [] },
		};
		this.setLive({ presence: new Map(this.#live.presence).set(id, { ...before, ...presence }) });
	}

	setLive(change: Partial<LiveState>): void {
		this.#live = { ...this.#live, ...change };
		this.#tell({ live: true });
	}

	/** Somebody writes. */
	receive(id: ConversationId, text: string): Message {
		const message = this.addMessage(id, { text, sent: this.#now() });
		const before = this.#need(id);
		this.#conversations.set(id, { ...before, unread: before.unread + 1 });
		this.#changed(id);
		return message;
	}

	me(): Promise<Me | undefined> {
		return Promise.resolve(this.#me && { ...this.#me, link: this.links.own });
	}

	start(name: string): Promise<Me> {
		if (!this.#me) {
			const id = { account: this.#account(), device: this.#id<DeviceId>(), signedOut: undefined };
			this.#me = { ...id, profile: { name, picture: null }, created: this.#now() };
			const notes = this.#id<ConversationId>();
			this.#conversations.set(notes, empty(notes, this.#now()));
			this.#messages.set(notes, []);
			this.#tell({ me: true, conversations: new Set([notes]) });
		}
		return Promise.resolve(this.#me);
	}

	setProfile(profile: Profile): Promise<void> {
		if (this.#me) this.#me = { ...this.#me, profile };
		this.#tell({ me: true });
		return Promise.resolve();
	}

	conversations(): Promise<readonly Conversation[]> {
		return Promise.resolve([...this.#conversations.values()].sort(inListOrder));
	}

	conversation(id: ConversationId): Promise<Conversation | undefined> {
		return Promise.resolve(this.#conversations.get(id));
	}

	messages(id: ConversationId, page: PageRequest): Promise<MessagePage> {
		if (this.broken) return Promise.reject(new Error('the store does not answer'));
		const all = this.#messages.get(id) ?? [];
		const limit = Math.min(page.limit, LARGEST_PAGE);
		const [from, to] = pageRange(all, page, limit);
		return Promise.resolve({
			messages: all.slice(from, to),
			olderExist: from > 0,
			newerExist: to < all.length,
		});
	}

	message(id: MessageId): Promise<Message | undefined> {
		return Promise.resolve(this.#byId.get(id));
	}

	messagesAt(id: ConversationId, positions: Iterable<Position>): Promise<readonly Message[]> {
		return Promise.resolve(at(this.#messages.get(id) ?? [], positions));
	}

	firstUnread(id: ConversationId): Promise<Position | undefined> {
		const { unread } = this.#need(id);
		const theirs = (this.#messages.get(id) ?? []).filter((each) => !each.mine);
		return Promise.resolve(unread > 0 ? theirs.at(-unread)?.position : undefined);
	}

	send(...[id, said, replyTo]: Parameters<Client['send']>): ReturnType<Client['send']> {
		const { text, mentions } = writtenOf(said);
		const refusal = this.sendRefusal ?? this.#refusal(id, text);
		if (refusal) return Promise.resolve({ ok: false, error: refusal });
		const message = this.addMessage(id, {
			mine: true,
			body: { kind: 'text', text, replyTo, ...(mentions.length > 0 && { mentions }) },
			sent: this.#now(),
			delivery: { kind: 'queued' },
		});
		this.#changed(id);
		this.#rise(message);
		return Promise.resolve({ ok: true, value: message.id });
	}

	retry(id: MessageId): Promise<void> {
		const message = this.#byId.get(id);
		if (message?.delivery.kind !== 'failed') return Promise.resolve();
		this.#countFailed(message.conversation, -1);
		this.#setDelivery(id, { kind: 'queued' });
		this.#rise(message);
		return Promise.resolve();
	}

	discard(id: MessageId): Promise<void> {
		const message = this.#byId.get(id);
		if (message?.delivery.kind !== 'failed') return Promise.resolve();
		const left = (this.#messages.get(message.conversation) ?? []).filter((each) => each.id !== id);
		this.#messages.set(message.conversation, left);
		this.#byId.delete(id);
		this.#countFailed(message.conversation, -1);
		this.#changed(message.conversation);
		return Promise.resolve();
	}

	saveDraft(id: ConversationId, draft: string | Written): Promise<void> {
		const { text, mentions: draftMentions } = writtenOf(draft);
		return this.#update(id, { draft: text, draftMentions });
	}

	markRead(id: ConversationId, upTo: Position): Promise<void> {
		const before = this.#need(id);
		if (upTo <= before.readTo) return Promise.resolve();
		return this.#update(id, readUpTo(before, this.#messages.get(id) ?? [], upTo));
	}

	/** Nobody is on the other side to see it. */
	setTyping = (): void => undefined;

	setFlags(...[id, flags]: Parameters<Client['setFlags']>): Promise<void> {
		return this.#update(id, flags);
	}

	files = (): Promise<Files> => Promise.resolve(fakeFiles(this.#now));
	safetyNumber(id: ConversationId): ReturnType<Client['safetyNumber']> {
		const isPerson = this.#need(id).subject.kind === 'person';
		return Promise.resolve(isPerson ? SAFETY_NUMBER : undefined);
	}

	async compareSafetyNumber(
		id: ConversationId,
		scanned: Uint8Array,
	): Promise<'same' | 'different' | 'not-a-code'> {
		const own = await this.safetyNumber(id);
		if (scanned.length !== own?.qr.length) return 'not-a-code';
		const same = scanned.every((byte, at) => byte === own.qr[at]);
		const { subject } = this.#need(id);
		if (same && subject.kind === 'person') await this.markVerified(subject.person.account, true);
		return same ? 'same' : 'different';
	}

	markVerified(account: AccountId, verified: boolean): Promise<void> {
		for (const [id, each] of this.#conversations) {
			if (each.subject.kind !== 'person' || each.subject.person.account !== account) continue;
			const verification = verified
				? ({ kind: 'verified', at: this.#now(), how: 'compared' } as const)
				: ({ kind: 'unverified' } as const);
			const person = { ...each.subject.person, verification };
			this.#conversations.set(id, { ...each, subject: { kind: 'person', person } });
			this.#tell({ conversations: new Set([id]) });
		}
		return Promise.resolve();
	}

	enableNotifications = () => Promise.resolve(this.notificationProblem);
	testNotification = () => Promise.resolve(this.notificationProblem);
	settings = (): Promise<Settings> => Promise.resolve(this.#settings);

	changeSettings(change: Partial<Settings>): Promise<void> {
		this.#settings = { ...this.#settings, ...change };
		this.#tell({ settings: true });
		return Promise.resolve();
	}

	live = (): LiveState => this.#live;
	storage = (): StorageCondition => this.#storage;
	reconnect(): void {
		if (this.#live.connection.kind !== 'offline') return;
		this.setLive({ connection: { kind: 'connecting' } });
		this.#later(800, () => this.setLive({ connection: { kind: 'online' } }));
	}

	watch(listener: (change: Change) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	close = (): void => this.#listeners.clear();
	#refusal(id: ConversationId, text: string): SendRefusal | undefined {
		if (this.#storage.kind === 'full') return textRefusal(text) ?? { kind: 'storage-full' };
		const { kind } = this.#need(id).state;
		const closed = kind !== 'open' && kind !== 'inviting';
		return textRefusal(text) ?? (closed ? { kind: 'closed' } : undefined);
	}

	/** Delivery states only rise, and only while there is a connection. */
	#rise({ id, conversation }: Message): void {
		if (this.#need(conversation).subject.kind === 'notes') {
			this.#setDelivery(id, { kind: 'sent' });
			return;
		}
		if (this.#live.connection.kind !== 'online') return;
		this.#later(300, () => this.#setDelivery(id, { kind: 'sent' }));
		if (!this.#echoing.get(conversation)) return;
		this.#later(700, () => this.#setDelivery(id, { kind: 'delivered' }));
		this.#later(1200, () => {
			this.#setDelivery(id, { kind: 'read' });
			this.setPresence(conversation, { typing: true, online: true });
		});
		this.#later(2600, () => {
			const { body } = this.#byId.get(id) ?? {};
			this.setPresence(conversation, { typing: false });
			if (body?.kind === 'text') this.receive(conversation, body.text);
		});
	}

	#setDelivery(id: MessageId, delivery: Delivery): void {
		const before = this.#byId.get(id);
		if (!before) return;
		const after = { ...before, delivery };
		this.#byId.set(id, after);
		const all = this.#messages.get(before.conversation) ?? [];
		all[all.indexOf(before)] = after;
		const conversation = this.#need(before.conversation);
		if (conversation.last?.id === id) {
			this.#conversations.set(conversation.id, { ...conversation, last: summary(after) });
		}
		this.#changed(before.conversation);
	}

	#countFailed(id: ConversationId, by: number): void {
		const before = this.#need(id);
		this.#conversations.set(id, { ...before, failed: Math.max(0, before.failed + by) });
	}

	#update(id: ConversationId, change: Partial<Conversation>): Promise<void> {
		this.#conversations.set(id, { ...this.#need(id), ...change });
		this.#tell({ conversations: new Set([id]) });
		return Promise.resolve();
	}

	#need(id: ConversationId): Conversation {
		const found = this.#conversations.get(id);
		if (!found) throw new Error(`no conversation ${id}`);
		return found;
	}

	#changed(id: ConversationId): void {
		this.#tell({ conversations: new Set([id]), messages: everywhere(id, this.#messages.get(id)) });
	}

	#tell(change: Partial<Change>): void {
		for (const listener of this.#listeners) listener({ ...NOTHING, ...change });
	}

	// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller says which kind
	#id<Kind extends AnyId>(): Kind {
		return idFrom<Kind>(spread(++this.#count, 16));
	}

	#account(): AccountId {
		return idFrom<AccountId>(spread(++this.#count, 32));
	}

	#otherSide(id: ConversationId): AccountId {
		const { subject } = this.#need(id);
		if (subject.kind === 'person') return subject.person.account;
		return this.groups.memberOf(id) ?? this.#self().account;
	}

	#self(): Person {
		if (!this.#me) throw new Error('start first');
		return personOf(this.#me.account, this.#me.profile);
	}
	#position(): Position {
		return (++this.#count).toString(16).padStart(16, '0');
	}
}
