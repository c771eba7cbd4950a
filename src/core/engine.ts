// The one writer: whoever holds the device's lock runs this. It owns the life of everything below and joins the parts;
// each part does one thing and does not know the others.
import type { ChannelId, ConversationId, DeviceId } from '../protocol/ids.ts';
import type { Whisper } from '../protocol/content.ts';
import { createAcknowledgements } from './acknowledgements.ts';
import { registerContactAddresses } from './contact-kit.ts';
import { createPersist, type EngineContext, type EnginePorts } from './context.ts';
import { createDelivery } from './delivery.ts';
import { createGaps } from './gaps.ts';
import { createInbox } from './inbox.ts';
import { syncInvites } from './invites.ts';
import { createLanes } from './lanes.ts';
import { createOutbox } from './outbox.ts';
import { createPeerMesh } from './peers.ts';
import { forgetOld, mendChannels, tellProfile } from './mending.ts';
import type { LiveState } from './model.ts';
import { createPresence } from './presence.ts';
import type { StoreFailure, Touched } from './ports.ts';
import { startRelaySession, type RelayFacts, type RelaySession } from './relay-session.ts';
import { ONLY, outboxKey } from './records.ts';
import { createWhisperSealer } from './whispers.ts';

/** ms; smaller corrections of the clock are not written down. */
const SKEW_WORTH_KEEPING = 1_000;

export interface EngineEvents {
	live(state: LiveState): void;
	/** New messages were stored in these conversations. */
	received(conversations: ReadonlySet<ConversationId>): void;
	/** Writing fails, or works again (undefined). */
	storage(failure: StoreFailure | undefined): void;
	/** The mailbox is drained: what waited has come in. */
	caughtUp(): void;
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
	let skew = 0;
	let stopped = false;
	const lanes = createLanes((error) => {
		// A bug in one lane must not stop the others; the row it worked on stays and is tried again.
		ports.log.warn('a task failed', { error: String(error) });
	});
	const context: EngineContext = {
		...ports,
		lanes,
		relayTime: () => ports.clock.now() - skew,
		persist: createPersist(ports.store, ports.clock, {
			condition: events.storage,
			stopped: () => stopped,
		}),
	};
	const sealer = createWhisperSealer(context);
	const acknowledgements = createAcknowledgements();
	const gaps = createGaps(context);

	const mesh = createPeerMesh(ports, {
		changed: () => {
			presence.linksChanged();
			lanes.run('outbox', () => outbox.pumpAll());
		},
		signal: (to, payload) => {
			const channel = channelsByDevice.get(to);
			if (channel) say(channel, [], { type: 'signal', to, payload });
		},
		envelope: (_from, { channel, envelope, epoch, body }, stored) => {
			const at = context.relayTime();
			inbox.receive({ kind: 'message', channel, envelope, epoch, at, body, stored });
		},
		whisper: ({ channel, body }) => hear(channel, body),
	});

	/** Where a device can be signalled to: the channel it was last heard in. */
	const channelsByDevice = new Map<DeviceId, ChannelId>();

	function say(channel: ChannelId, to: readonly DeviceId[], whisper: Whisper): void {
		lanes.run('whispers', async () => {
			const body = await sealer.seal(channel, whisper);
			if (!body || stopped) return;
			const linked = to.length > 0 && to.every((device) => mesh.isLinked(device));
			if (linked) for (const device of to) mesh.whisper(device, { type: 'whisper', channel, body });
			else session.tell({ type: 'whisper', channel, body });
		});
	}

	function hear(channel: ChannelId, body: Uint8Array): void {
		lanes.run('whispers', async () => {
			const heard = await sealer.open(channel, body);
			if (!heard || stopped) return;
			channelsByDevice.set(heard.device, channel);
			if (heard.whisper.type === 'signal') {
				if (heard.whisper.to !== ports.identity.device) return;
				if (!(await neverDirect())) mesh.receiveSignal(heard.device, heard.whisper.payload);
			} else presence.heard(heard);
		});
	}

	async function neverDirect(): Promise<boolean> {
		return (await ports.store.get('settings', ONLY))?.neverDirect === true;
	}

	const presence = createPresence(context, mesh, {
		changed: events.live,
		say,
		cameOnline: (device) => {
			void neverDirect().then((never) => {
				if (!never && !stopped) mesh.want(device);
			});
		},
	});

	const inbox = createInbox(context, {
		received: (conversations) => {
			for (const conversation of conversations) presence.wrote(conversation);
			gaps.watch(conversations);
			events.received(conversations);
		},
	});

	const outbox = createOutbox(
		context,
		() => session,
		createDelivery(ports.clock, () => session, mesh),
	);

	const session: RelaySession = startRelaySession(ports, {
		connection: (connection) => presence.setConnection(connection),
		ready: (facts) => {
			acknowledgements.reset();
			presence.setFacts(facts);
			void neverDirect().then((never) => {
				if (!never && !stopped) mesh.start(facts.iceServers);
			});
		},
		skew: (ms) => {
			const moved = Math.abs(ms - skew) > SKEW_WORTH_KEEPING;
			skew = ms;
			presence.setSkew(ms);
			if (!moved) return;
			lanes.run('clock', async () => {
				await context.persist((tx) => Promise.resolve(tx.put('clock', ONLY, { skew: ms })));
			});
		},
		delivered: ({ seq, kind, channel, envelope, epoch, at, body }) => {
			acknowledgements.arrived(seq);
			const stored = () => {
				const upTo = acknowledgements.stored(seq);
				if (upTo !== undefined && !stopped) session.tell({ type: 'acknowledge', seq: upTo });
			};
			inbox.receive({ kind, channel, envelope, epoch, at, body, stored });
		},
		caughtUp: () => {
			lanes.run('outbox', async () => {
				await inbox.drained();
				await tellProfile(context);
				await registerContactAddresses(context, session);
				await syncInvites(context, session);
				await outbox.pumpAll();
				await presence.announce();
				events.caughtUp();
				await forgetOld(context);
			});
		},
		whispered: hear,
	});

	/** Intentions written by any tab, or by the engine itself, are carried out as they appear. */
	function touched(rows: readonly Touched[]): void {
		if (stopped) return;
		const conversations = new Set<ConversationId>();
		for (const { store, key } of rows) {
			if (store === 'outbox') conversations.add(outboxKey.conversation(key));
		}
		for (const conversation of conversations) outbox.pump(conversation);
		if (rows.some(({ store }) => store === 'invites' || store === 'contactAddresses')) {
			lanes.run('addresses', async () => {
				if (!session.caughtUp) return;
				await registerContactAddresses(context, session);
				await syncInvites(context, session);
			});
		}
		if (rows.some(({ store }) => store === 'me'))
			lanes.run('addresses', () => tellProfile(context));
		if (rows.some(({ store }) => store === 'settings')) {
			lanes.run('settings', async () => {
				if (await neverDirect()) mesh.stop();
				else if (session.facts) mesh.start(session.facts.iceServers);
			});
		}
	}
	const unwatch = ports.store.watch(touched);
	lanes.run('clock', async () => {
		// Before the relay says what time it is, the last known offset is better than none.
		skew ||= (await ports.store.get('clock', ONLY))?.skew ?? 0;
	});
	lanes.run('outbox', () => mendChannels(context));

	return {
		session,
		setTyping: (conversation, on) => presence.setTyping(conversation, on),
		setVisible: (visible) => presence.setVisible(visible),
		hurry: () => session.hurry(),
		facts: () => session.facts,
		live: () => presence.snapshot(),
		idle: () => lanes.idle(),
		stop() {
			if (stopped) return;
			presence.stop();
			stopped = true;
			unwatch();
			mesh.stop();
			session.stop();
		},
	};
}
