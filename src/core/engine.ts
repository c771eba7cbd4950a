// The one writer: whoever holds the device's lock runs this. It owns the life of everything below and joins the parts;
// each part does one thing and does not know the others.
import type { ChannelId, ConversationId, DeviceId } from '../protocol/ids.ts';
import type { Whisper } from '../protocol/content.ts';
import { blockedPeople, isListenedTo, mayBeTold } from './blocking.ts';
import { isWorthTelling, tellOthers } from './agreement.ts';
import { createAcknowledgements } from './acknowledgements.ts';
import { syncContactAddresses } from './contact-kit.ts';
import { capsuleStanding, type CapsuleKeeper } from './capsule-standing.ts';
import { createPersist, type EngineContext, type EnginePorts } from './context.ts';
import { syncOffers } from './device-offers.ts';
import { createDelivery } from './delivery.ts';
import { createGaps, type Gaps } from './gaps.ts';
import { syncRequests } from './group-links.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { hearOfLatecomers, syncInvites } from './invites.ts';
import { createLanes } from './lanes.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createPeerMesh, type PeerMesh } from './peers.ts';
import { giveUpEverything, mendChannels, tellProfile, upkeep } from './mending.ts';
import type { LiveState } from './model.ts';
import { createParked, type Parked } from './parked.ts';
import { lookAfterDevices } from './own-devices.ts';
import { ASK_AGAIN_AFTER } from './transfer.ts';
import { createPresence, type PresenceBoard } from './presence.ts';
import type { StoreFailure, Touched } from './ports.ts';
import {
	startRelaySession,
	type RelayEvents,
	type RelayFacts,
	type RelaySession,
} from './relay-session.ts';
import { ONLY, outboxKey } from './records.ts';
import { createWhisperSealer, type HeardWhisper, type WhisperSealer } from './whispers.ts';

/** ms; smaller corrections of the clock are not written down. */
const SKEW_WORTH_KEEPING = 1_000;
const LOOK_AFTER_DEVICES = 60_000;
/** users.md: read on one device, and gone on the other within two seconds. */
const TELL_AFTER = 1_000;
const UPKEEP_EVERY = 24 * 60 * 60_000;
/** Whispers kept for a moment because their epoch is not reached yet. */
const MOST_EARLY = 32;
/** Devices whose channel is remembered for signalling; the one heard longest ago goes first. */
const MOST_HEARD = 2_000;
/** Other devices of a channel that are linked to directly. */
const MOST_LINKED = 8;
/** What the relay must hear of: own addresses, and what is decided of requests. */
const TOLD_TO_RELAY: ReadonlySet<string> = new Set([
	...['invites', 'contactAddresses', 'requests', 'offers'],
]);

export interface EngineEvents {
	readonly live: (state: LiveState) => void;
	/** New messages were stored in these conversations. */
	readonly received: (conversations: ReadonlySet<ConversationId>) => void;
	/** Writing fails, or works again (undefined). */
	readonly storage: (failure: StoreFailure | undefined) => void;
	/** The mailbox is drained: what waited has come in. */
	readonly caughtUp: () => void;
}

export interface Engine {
	setTyping(conversation: ConversationId, on: boolean): void;
	/** Whether anybody looks at the app on this device. */
	setVisible(visible: boolean): void;
	/** Try the relay now. */
	hurry(): void;
	facts(): RelayFacts | undefined;
	/** For what only hosts do: push subscriptions. */
	readonly session: RelaySession;
	live(): LiveState;
	/** Resolves when nothing is under way on this device. */
	idle(): Promise<void>;
	/** Idempotent. What is under way ends at its next step; nothing is lost by it. */
	stop(): void;
}

/** Starts the engine. The caller holds the device's lock, and calls `stop` before it lets go. */
export function runEngine(ports: EnginePorts, events: EngineEvents): Engine {
	return new RunningEngine(ports, events);
}

class RunningEngine implements Engine {
	readonly session: RelaySession;
	readonly #context: EngineContext;
	readonly #events: EngineEvents;
	readonly #sealer: WhisperSealer;
	readonly #acknowledgements = createAcknowledgements();
	readonly #gaps: Gaps;
	readonly #parked: Parked;
	readonly #mesh: PeerMesh;
	readonly #presence: PresenceBoard;
	readonly #inbox: Inbox;
	readonly #outbox: Outbox;
	readonly #capsules: CapsuleKeeper | undefined;
	readonly #unwatch: () => void;
	/** Where a device can be signalled to: the channel it was last heard in, and whose it is. */
	readonly #heardFrom = new Map<DeviceId, Pick<HeardWhisper, 'channel' | 'account'>>();
	/** Whispers that could not be opened: those of an epoch whose commit is still being applied here will be. */
	readonly #early: { readonly channel: ChannelId; readonly body: Uint8Array }[] = [];
	/** The relay said in the life of this engine that this device is still the person's. */
	#isOurs = false;
	/** Where there is a recovery code: until the relay was asked how it stands. */
	#holdsBack = false;
	/** What changed and may have to be told to the person's other devices. */
	#changed: Touched[] = [];
	#devicesPlanned = false;
	#transferPlanned = false;
	#skew = 0;
	#upkeepDue = 0;
	#stopped = false;

	constructor(ports: EnginePorts, events: EngineEvents) {
		this.#events = events;
		this.#context = this.#createContext(ports);
		const context = this.#context;
		this.#sealer = createWhisperSealer(context);
		this.#gaps = createGaps(context);
		this.#parked = createParked(context, async () => {
			await this.#inbox.drained();
			return this.session.caughtUp;
		});
		this.#mesh = this.#createMesh(ports);
		this.#presence = createPresence(context, this.#mesh, {
			changed: events.live,
			say: (channel, to, whisper) => this.#say(channel, to, whisper),
			cameOnline: (device) => this.#unlessHidden(() => void this.#wantLink(device)),
		});
		this.#inbox = createInbox(context, {
			received: (conversations) => {
				for (const conversation of conversations) this.#presence.wrote(conversation);
				this.#gaps.watch(conversations);
				events.received(conversations);
			},
			stored: () => this.#acknowledge(),
		});
		const session = () => this.session;
		const routes = createDelivery(ports.clock, session, this.#mesh);
		this.#outbox = createOutbox(context, session, routes);
		this.#capsules = ports.capsules?.(context, session, () => this.#leaveStage());
		this.session = startRelaySession(ports, this.#relayEvents());
		this.#unwatch = ports.store.watch((rows) => this.#touched(rows));
		context.lanes.run('start', async () => {
			await this.#leaveIfSignedOut();
			const { digest } = (await ports.store.get('recovery', ONLY)) ?? {};
			this.#holdsBack = digest !== undefined && !this.#isOurs;
		});
		context.lanes.run('clock', async () => {
			// Before the relay says what time it is, the last known offset is better than none.
			this.#skew ||= (await ports.store.get('clock', ONLY))?.skew ?? 0;
		});
		context.lanes.run('outbox', async () => this.#gaps.watch(await mendChannels(context)));
	}

	setTyping(conversation: ConversationId, on: boolean): void {
		this.#presence.setTyping(conversation, on);
	}

	setVisible(visible: boolean): void {
		this.#presence.setVisible(visible);
	}

	hurry(): void {
		this.session.hurry();
	}

	facts(): RelayFacts | undefined {
		return this.session.facts;
	}

	live(): LiveState {
		return this.#presence.snapshot();
	}

	idle(): Promise<void> {
		return this.#context.lanes.idle();
	}

	stop(): void {
		if (this.#stopped) return;
		this.#presence.stop();
		this.#stopped = true;
		this.#unwatch();
		this.#mesh.stop();
		this.session.stop();
	}

	#createContext(ports: EnginePorts): EngineContext {
		const lanes = createLanes((error) => {
			// A bug in one lane must not stop the others; the row it worked on stays and is tried again.
			ports.log.warn('a task failed', { error: String(error) });
		});
		return {
			...ports,
			lanes,
			relayTime: () => ports.clock.now() - this.#skew,
			persist: createPersist(ports.store, ports.clock, {
				condition: this.#events.storage,
				stopped: () => this.#stopped,
			}),
		};
	}

	#createMesh(ports: EnginePorts): PeerMesh {
		return createPeerMesh(ports, {
			changed: () => {
				this.#presence.linksChanged();
				this.#context.lanes.run('outbox', () => this.#outbox.pumpAll());
			},
			signal: (to, payload) => {
				const heard = this.#heardFrom.get(to);
				if (heard) this.#say(heard.channel, [], { type: 'signal', to, payload });
			},
			envelope: (_from, { channel, envelope, epoch, body }, stored) => {
				const at = this.#context.relayTime();
				this.#inbox.receive({ kind: 'message', channel, envelope, epoch, at, body, stored });
			},
			whisper: ({ channel, body }) => this.#hear(channel, body),
		});
	}

	#relayEvents(): RelayEvents {
		return {
			connection: (connection) => this.#presence.setConnection(connection),
			ready: (facts) => {
				this.#acknowledgements.reset();
				this.#presence.setFacts(facts);
				this.#unlessHidden(() => this.#mesh.start(facts.iceServers));
			},
			skew: (ms) => this.#setSkew(ms),
			delivered: ({ seq, kind, channel, envelope, epoch, at, body }) => {
				this.#acknowledgements.arrived(seq);
				const stored = () => this.#acknowledgements.stored(seq);
				this.#inbox.receive({ kind, channel, envelope, epoch, at, body, stored });
			},
			caughtUp: () => this.#context.lanes.run('outbox', () => this.#caughtUp()),
			whispered: (channel, body) => this.#hear(channel, body),
		};
	}

	async #leaveIfSignedOut(): Promise<void> {
		const { signedOut } = (await this.#context.store.get('me', ONLY)) ?? {};
		if (signedOut === undefined) return;
		this.#leaveStage();
		await giveUpEverything(this.#context);
	}

	/** The account was recovered on another device, or another took this one out: nothing is sent from here any more, and nothing fetched. */
	#leaveStage(): void {
		this.session.stop();
		this.#mesh.stop();
		this.#presence.setConnection({ kind: 'refused', reason: 'capsule-taken' });
	}

	#acknowledge(): void {
		const seq = this.#acknowledgements.take();
		if (seq !== undefined && !this.#stopped) this.session.tell({ type: 'acknowledge', seq });
	}

	#setSkew(ms: number): void {
		const moved = Math.abs(ms - this.#skew) > SKEW_WORTH_KEEPING;
		this.#skew = ms;
		this.#presence.setSkew(ms);
		if (!moved) return;
		const { lanes, persist } = this.#context;
		lanes.run('clock', () => persist((tx) => Promise.resolve(tx.put('clock', ONLY, { skew: ms }))));
	}

	async #caughtUp(): Promise<void> {
		const context = this.#context;
		await this.#inbox.drained();
		await this.#parked.giveUpStuck();
		if (!(await this.#maySend())) return;
		await tellProfile(context);
		await this.#registerAddresses();
		await this.#outbox.pumpAll();
		await this.#presence.announce();
		this.#events.caughtUp();
		this.#lookAfterDevices();
		this.#lookAfterTransfer(0);
		context.lanes.run('addresses', () => hearOfLatecomers(context, this.session));
		context.lanes.run('capsule', () => this.#capsules?.keep() ?? Promise.resolve());
		const now = context.clock.now();
		if (now < this.#upkeepDue) return;
		this.#upkeepDue = now + UPKEEP_EVERY;
		await upkeep(context);
	}

	/** Not once the person came back on another device; without a keeper who can prove that, nothing is risked. */
	async #maySend(): Promise<boolean> {
		if (!this.#isOurs) {
			const standing = await capsuleStanding(this.#context, this.session);
			await this.#capsules?.told(standing);
			this.#isOurs = standing === 'ours';
			if (standing === 'taken' && !this.#capsules) this.#leaveStage();
		}
		// The connection may have ended meanwhile: then it is the next one that finds all well.
		const may = !this.#stopped && this.session.caughtUp;
		if (may) this.#holdsBack = false;
		return may;
	}

	async #registerAddresses(): Promise<void> {
		if (!this.session.caughtUp) return;
		// Profiles wait for their addresses.
		if (await syncContactAddresses(this.#context, this.session)) {
			this.#context.lanes.run('outbox', () => this.#outbox.pumpAll());
		}
		await syncInvites(this.#context, this.session);
		await syncRequests(this.#context, this.session);
		await syncOffers(this.#context, this.session);
	}

	/** To the devices directly where all are linked, else to everybody in the channel who is connected. */
	#say(channel: ChannelId, to: readonly DeviceId[], whisper: Whisper): void {
		this.#context.lanes.run('whispers', async () => {
			// Signals go to one device, of which this one has heard.
			if (whisper.type !== 'signal' && !(await mayBeTold(this.#context.store, channel))) return;
			const body = await this.#sealer.seal(channel, whisper);
			if (!body || this.#stopped) return;
			const mesh = this.#mesh;
			const linked = to.length > 0 && to.every((device) => mesh.isLinked(device));
			if (linked) for (const device of to) mesh.whisper(device, { type: 'whisper', channel, body });
			else this.session.tell({ type: 'whisper', channel, body });
		});
	}

	#hear(channel: ChannelId, body: Uint8Array): void {
		this.#context.lanes.run('whispers', async () => {
			const heard = await this.#sealer.open(channel, body);
			if (this.#stopped) return;
			if (!heard) {
				this.#early.push({ channel, body });
				if (this.#early.length > MOST_EARLY) this.#early.shift();
				return;
			}
			if (!(await isListenedTo(this.#context.store, heard))) return;
			const { device, whisper } = heard;
			this.#remember(heard);
			if (whisper.type !== 'signal') this.#presence.heard(heard);
			else if (whisper.to === this.#context.identity.device) {
				this.#unlessHidden(() => this.#mesh.receiveSignal(device, whisper.payload));
			}
		});
	}

	/** What was said in an epoch that this device has now reached. */
	#hearEarly(): void {
		for (const { channel, body } of this.#early.splice(0)) this.#hear(channel, body);
	}

	#remember({ device, channel, account }: HeardWhisper): void {
		const heard = this.#heardFrom;
		heard.delete(device);
		heard.set(device, { channel, account });
		const [oldest] = heard.keys();
		if (heard.size > MOST_HEARD && oldest) heard.delete(oldest);
	}

	/** Not in large groups: everybody linked to everybody is too much for a browser. */
	async #wantLink(device: DeviceId): Promise<void> {
		const channel = this.#heardFrom.get(device)?.channel;
		const row = channel && (await this.#context.store.get('channels', channel));
		if (row && row.others.length <= MOST_LINKED && !this.#stopped) this.#mesh.want(device);
	}

	/** Runs `act` unless this person hides their network address. */
	#unlessHidden(act: () => void): void {
		void this.#isHidden().then((hidden) => {
			if (!hidden && !this.#stopped) act();
		});
	}

	async #isHidden(): Promise<boolean> {
		return (await this.#context.store.get('settings', ONLY))?.neverDirect === true;
	}

	/** No link stays with who is blocked now; what waited for who is not any more goes on. */
	async #blocksChanged(accounts: readonly string[]): Promise<void> {
		const { store } = this.#context;
		const blocked = await blockedPeople(store);
		this.#presence.forget((account) => blocked.has(account));
		for (const [device, { account }] of [...this.#heardFrom]) {
			if (!blocked.has(account)) continue;
			this.#heardFrom.delete(device);
			this.#mesh.distrust(device);
		}
		for (const account of accounts) {
			const conversation = (await store.get('people', account))?.conversation;
			if (conversation) this.#outbox.pump(conversation);
		}
	}

	/** A while after own devices changed: whoever changed them looks at once, and is through with it by then. */
	#lookAfterDevices(): void {
		if (this.#devicesPlanned) return;
		this.#devicesPlanned = true;
		this.#context.clock.schedule(LOOK_AFTER_DEVICES, () => {
			this.#devicesPlanned = false;
			this.#context.lanes.run('devices', () => lookAfterDevices(this.#context));
		});
	}

	/** As long as history is missing it is asked for. */
	#lookAfterTransfer(wait: number): void {
		if (this.#transferPlanned) return;
		this.#transferPlanned = true;
		this.#context.clock.schedule(wait, () => {
			this.#transferPlanned = false;
			this.#context.lanes.run('transfer', async () => {
				const again = await this.#context.history?.askAgain(this.#context);
				if (again !== undefined) this.#lookAfterTransfer(again);
			});
		});
	}

	/** All that changes within a moment is told together. */
	#tellOthers(rows: readonly Touched[]): void {
		if (this.#changed.length === 0) {
			this.#context.clock.schedule(TELL_AFTER, () => {
				const changed = this.#changed.splice(0);
				this.#context.lanes.run('agree', () => tellOthers(this.#context, changed));
			});
		}
		this.#changed.push(...rows);
	}

	/** Intentions written by any tab, or by the engine itself, are carried out as they appear. */
	#touched(rows: readonly Touched[]): void {
		if (this.#stopped) return;
		this.#capsules?.touched(rows);
		const { lanes } = this.#context;
		const conversations = new Set<ConversationId>();
		for (const { store, key } of rows) {
			if (store === 'outbox') conversations.add(outboxKey.conversation(key));
		}
		if (!this.#holdsBack) for (const conversation of conversations) this.#outbox.pump(conversation);
		if (rows.some(({ store }) => store === 'channels')) this.#hearEarly();
		if (rows.some(({ store }) => store === 'parked')) this.#parked.watch();
		const judged = rows.filter(({ store }) => store === 'blocks').map(({ key }) => key);
		if (judged.length > 0) lanes.run('whispers', () => this.#blocksChanged(judged));
		if (rows.some(({ store }) => TOLD_TO_RELAY.has(store))) {
			lanes.run('addresses', () => this.#registerAddresses());
		}
		if (isWorthTelling(rows)) this.#tellOthers(rows);
		if (rows.some(({ store }) => store === 'siblings')) this.#lookAfterDevices();
		if (rows.some(({ store }) => store === 'transfer')) {
			this.#lookAfterTransfer(ASK_AGAIN_AFTER);
			lanes.run(
				'transfer',
				() => this.#context.history?.joinChunk(this.#context) ?? Promise.resolve(),
			);
		}
		if (rows.some(({ store }) => store === 'me')) {
			lanes.run('start', () => this.#leaveIfSignedOut());
			this.#lookAfterDevices();
			lanes.run('addresses', () => tellProfile(this.#context));
		}
		if (rows.some(({ store }) => store === 'settings')) {
			lanes.run('settings', async () => {
				if (await this.#isHidden()) this.#mesh.stop();
				else if (this.session.facts) this.#mesh.start(this.session.facts.iceServers);
			});
		}
	}
}
