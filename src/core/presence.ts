// Who is there, who is typing, and which path is in use. Nothing of it is stored, all of it fades by itself, and nothing
// is shown that is not known.
import type { Whisper } from '../protocol/content.ts';
import type { AccountId, ChannelId, ConversationId, DeviceId } from '../protocol/ids.ts';
import type { EngineContext } from './context.ts';
import type { Connection, LiveState, Presence } from './model.ts';
import type { PeerMesh } from './peers.ts';
import type { RelayFacts } from './relay-session.ts';
import type { HeardWhisper } from './whispers.ts';

/** Presence is said again this often while the app is in front, and believed for a little more than twice that. */
const REFRESH_EVERY = 40_000;
const BELIEVED_FOR = 100_000;
const TYPING_EVERY = 3_000;
const TYPING_FADES = 6_000;
const ASK_AGAIN_AFTER = 3_000;
/** Newest conversations that are told that this device came online. */
const MOST_TOLD = 20;
/** In larger groups nobody says that they are there: everybody would have to answer. */
const MOST_TOLD_IN_GROUP = 31;

/** One device, as it was heard last. */
interface Heard {
	readonly account: AccountId;
	until: number;
	typingUntil: number;
}

interface Party {
	readonly channel: ChannelId;
	readonly devices: Map<DeviceId, Heard>;
}

export interface PresenceBoard {
	setConnection(connection: Connection): void;
	setFacts(facts: RelayFacts): void;
	setSkew(ms: number): void;
	heard(heard: HeardWhisper): void;
	/** A message came from there: whoever wrote it is not typing any more. */
	wrote(conversation: ConversationId): void;
	linksChanged(): void;
	/** Whatever was heard of these people is not known any more. */
	forget(isForgotten: (account: AccountId) => boolean): void;
	setVisible(visible: boolean): void;
	setTyping(conversation: ConversationId, on: boolean): void;
	/** The relay is there: say so to the newest conversations and ask who else is. */
	announce(): Promise<void>;
	snapshot(): LiveState;
	stop(): void;
}

interface PresenceEvents {
	changed(state: LiveState): void;
	say(channel: ChannelId, to: readonly DeviceId[], whisper: Whisper): void;
	/** This device is online and may be linked to. */
	cameOnline(device: DeviceId): void;
}

export function createPresence(
	context: EngineContext,
	mesh: PeerMesh,
	events: PresenceEvents,
): PresenceBoard {
	return new Board(context, mesh, events);
}

class Board implements PresenceBoard {
	readonly #context: EngineContext;
	readonly #mesh: PeerMesh;
	readonly #events: PresenceEvents;
	readonly #parties = new Map<ConversationId, Party>();
	readonly #lastTyping = new Map<ConversationId, number>();
	readonly #askedAt = new Map<ConversationId, number>();
	#connection: Connection = { kind: 'starting' };
	#relay: LiveState['relay'];
	#skew: number | undefined;
	#visible = true;
	#state: LiveState;
	#cancelFade: () => void = () => undefined;
	#cancelRefresh: () => void = () => undefined;

	constructor(context: EngineContext, mesh: PeerMesh, events: PresenceEvents) {
		this.#context = context;
		this.#mesh = mesh;
		this.#events = events;
		this.#state = this.#build();
		this.#refreshLater();
	}

	setConnection(connection: Connection): void {
		this.#connection = connection;
		this.#publish();
	}

	setFacts({ software, retention }: RelayFacts): void {
		this.#relay = { software, retention };
		this.#publish();
	}

	setSkew(ms: number): void {
		this.#skew = ms;
		this.#publish();
	}

	heard({ conversation, channel, account, device, whisper }: HeardWhisper): void {
		// Another device of this person is not the other side; but it can be linked to.
		if (account === this.#context.identity.account) {
			if (whisper.type !== 'presence') return;
			if (whisper.reply) this.#tell(channel, [device], { online: this.#visible, reply: false });
			if (whisper.online) this.#events.cameOnline(device);
			return;
		}
		const now = this.#context.clock.now();
		const party = this.#partyOf(conversation, channel);
		const entry = party.devices.get(device) ?? { account, until: 0, typingUntil: 0 };
		if (whisper.type === 'typing') {
			entry.typingUntil = whisper.on ? now + TYPING_FADES : 0;
			// Nobody types who is not there; but whoever hides their presence is not there any longer than that.
			entry.until = Math.max(entry.until, entry.typingUntil);
		}
		if (whisper.type === 'presence') {
			entry.until = whisper.online ? now + BELIEVED_FOR : 0;
			if (!whisper.online) entry.typingUntil = 0;
			if (whisper.reply) this.#tell(channel, [device], { online: this.#visible, reply: false });
			if (whisper.online) this.#events.cameOnline(device);
		}
		party.devices.set(device, entry);
		this.#publish();
	}

	wrote(conversation: ConversationId): void {
		const now = this.#context.clock.now();
		let known = false;
		for (const entry of this.#parties.get(conversation)?.devices.values() ?? []) {
			entry.typingUntil = 0;
			known ||= entry.until > now;
		}
		this.#publish();
		// Somebody new, or back after a while: they may be there right now.
		if (!known && now - (this.#askedAt.get(conversation) ?? -Infinity) > ASK_AGAIN_AFTER) {
			this.#askedAt.set(conversation, now);
			this.#context.lanes.run('presence', () => this.#askIn(conversation));
		}
	}

	async #askIn(conversation: ConversationId): Promise<void> {
		const { store } = this.#context;
		const channel = (await store.get('conversations', conversation))?.channels[0];
		const row = channel && (await store.get('channels', channel));
		if (row?.status === 'open' && row.others.length <= MOST_TOLD_IN_GROUP) {
			this.#tell(row.channel, row.others, { online: this.#visible, reply: true });
		}
	}

	linksChanged(): void {
		this.#publish();
	}

	forget(isForgotten: (account: AccountId) => boolean): void {
		for (const { devices } of this.#parties.values()) {
			for (const [device, { account }] of devices) {
				if (isForgotten(account)) devices.delete(device);
			}
		}
		this.#publish();
	}

	setVisible(visible: boolean): void {
		if (visible === this.#visible) return;
		this.#visible = visible;
		if (visible) void this.announce();
		else this.#tellOnline(false);
	}

	setTyping(conversation: ConversationId, on: boolean): void {
		const now = this.#context.clock.now();
		const last = this.#lastTyping.get(conversation) ?? -Infinity;
		if (on ? now - last < TYPING_EVERY : last === -Infinity) return;
		if (on) this.#lastTyping.set(conversation, now);
		else this.#lastTyping.delete(conversation);
		this.#context.lanes.run('presence', async () => {
			const channel = (await this.#context.store.get('conversations', conversation))?.channels[0];
			const row = channel && (await this.#context.store.get('channels', channel));
			if (row) this.#events.say(row.channel, row.others, { type: 'typing', on });
		});
	}

	async announce(): Promise<void> {
		const { store } = this.#context;
		const all = await store.list('conversations', { prefix: '', limit: 2_000 });
		const newest = all
			.map(({ value }) => value)
			.filter(({ channels }) => channels.length > 0)
			.sort((a, b) => ((a.last?.position ?? '') < (b.last?.position ?? '') ? 1 : -1))
			.slice(0, MOST_TOLD);
		for (const { id } of newest) await this.#askIn(id);
	}

	snapshot(): LiveState {
		return this.#state;
	}

	stop(): void {
		this.#tellOnline(false);
		this.#cancelFade();
		this.#cancelRefresh();
	}

	#partyOf(conversation: ConversationId, channel: ChannelId): Party {
		const known = this.#parties.get(conversation);
		if (known?.channel === channel) return known;
		const party: Party = { channel, devices: new Map() };
		this.#parties.set(conversation, party);
		return party;
	}

	#tell(
		channel: ChannelId,
		to: readonly DeviceId[],
		presence: { online: boolean; reply: boolean },
	): void {
		this.#context.lanes.run('presence', async () => {
			const settings = await this.#context.store.get('settings', 'only');
			if (settings?.showPresence === false) return;
			this.#events.say(channel, to, { type: 'presence', ...presence });
		});
	}

	#tellOnline(online: boolean): void {
		const now = this.#context.clock.now();
		for (const { channel, devices } of this.#parties.values()) {
			const there = [...devices].filter(([, { until }]) => until > now).map(([device]) => device);
			if (there.length > 0) this.#tell(channel, there, { online, reply: false });
		}
	}

	#refreshLater(): void {
		this.#cancelRefresh = this.#context.clock.schedule(REFRESH_EVERY, () => {
			if (this.#visible) this.#tellOnline(true);
			this.#refreshLater();
		});
	}

	#publish(): void {
		this.#state = this.#build();
		this.#events.changed(this.#state);
	}

	#build(): LiveState {
		const now = this.#context.clock.now();
		const presence = new Map<ConversationId, Presence>();
		let fadesAt = Infinity;
		for (const [conversation, { devices }] of this.#parties) {
			let online = false;
			let typing = false;
			let direct = devices.size > 0;
			const typists = new Set<AccountId>();
			for (const [device, { account, until, typingUntil }] of devices) {
				const linked = this.#mesh.isLinked(device);
				online ||= linked || until > now;
				typing ||= typingUntil > now;
				if (typingUntil > now) typists.add(account);
				direct &&= linked;
				if (until > now) fadesAt = Math.min(fadesAt, until);
				if (typingUntil > now) fadesAt = Math.min(fadesAt, typingUntil);
			}
			const relay = this.#connection.kind === 'online' || this.#connection.kind === 'updating';
			const path = direct ? 'direct' : relay ? 'relay' : 'offline';
			presence.set(conversation, { path, online, typing, typists: [...typists] });
		}
		this.#cancelFade();
		if (fadesAt < Infinity) {
			const wait = Math.max(1, fadesAt - now + 1);
			this.#cancelFade = this.#context.clock.schedule(wait, () => this.#publish());
		}
		return { connection: this.#connection, presence, clockSkew: this.#skew, relay: this.#relay };
	}
}
