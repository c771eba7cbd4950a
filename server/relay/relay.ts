// The relay: connections in, mailboxes behind them. It carries sealed envelopes and cannot open one; it does not
// even import what is inside. Everything it touches comes in through ports.
import type {
	Address,
	CapsuleId,
	ChannelId,
	DeviceId,
	MailboxSeq,
} from '../../src/protocol/ids.ts';
import { IDLE_TIMEOUT, LOGIN_TIMEOUT } from '../../src/protocol/limits.ts';
import { Capsules } from './capsules.ts';
import { Channels } from './channels.ts';
import { Deadlines } from './deadlines.ts';
import { Directory, type LookedUp } from './directory.ts';
import { Expiry } from './expiry.ts';
import { Mailboxes, type ConnectedMailbox } from './mailboxes.ts';
import type { Message, Outcome, PeerHost, RelayConfig, RelayPorts, Socket } from './ports.ts';
import { Occupancy, RateLimit } from './quotas.ts';
import { refusal, type Reply } from './replies.ts';
import {
	MAX_PENDING_REQUESTS,
	Session,
	type LoginFrame,
	type LookFrame,
	type RequestFrame,
	type SessionHost,
} from './sessions.ts';
import { Wakes } from './wakes.ts';

/** Devices come back to the process that takes over within this time, and this much more for each of them, ms. */
const MOVE_SPREAD = 100;
const MOVE_SPREAD_EACH = 0.2;
/** How often silent sockets are looked for, ms. */
const SWEEP = 15_000;
/** Devices come back spread over this time after a restart, ms. */
const RETURN_SPREAD = 4000;
const RETURN_FIRST = 500;
/** Who asked on although it was told to wait comes back after this, ms: by then a burst passes again. */
const COME_BACK_AFTER = 10_000;
/** Uint8Array of a body that cost one more request. */
const BYTES_PER_TOKEN = 16 * 1024;
const TEST_PUSH_COST = 20;
const SNAPSHOT_COST = 4;
/** A capsule is larger than a card. */
const FETCH_COST = 4;

/** What a look without a connection is answered (SPEC AD-6). */
export type LookAnswer =
	| ({ readonly ok: true } & LookedUp)
	| { readonly ok: false; readonly code: 'rate-limited' | 'busy'; readonly retryAfter: number };

/** What who asks for a capsule is answered (SPEC CP-4). */
export type FetchAnswer =
	| { readonly ok: true; readonly sealed: Uint8Array | null }
	| { readonly ok: false; readonly code: 'rate-limited' | 'busy'; readonly retryAfter: number };

/** Counters since the start, and gauges; the metrics page names each. */
export interface RelayStats {
	readonly connections: number;
	readonly devices: number;
	readonly pendingBytes: number;
	readonly cachedChannels: number;
	readonly frames: number;
	readonly submits: number;
	readonly whispers: number;
	readonly commits: number;
	readonly commitConflicts: number;
	readonly refusals: number;
	readonly handedOver: number;
	readonly appended: number;
	readonly delivered: number;
	readonly acknowledged: number;
	readonly expired: number;
	readonly dropped: number;
	readonly pushesSent: number;
	readonly pushesFailed: number;
	readonly pushesGone: number;
}

export class Relay implements SessionHost, PeerHost {
	readonly #ports: RelayPorts;
	readonly #config: RelayConfig;
	readonly #mailboxes: Mailboxes;
	readonly #channels: Channels;
	readonly #directory: Directory;
	readonly #capsules: Capsules;
	readonly #wakes: Wakes;
	readonly #expiry: Expiry;
	readonly #sessions = new Set<Session>();
	readonly #logins: Deadlines<Session>;
	readonly #occupancy: Occupancy;
	readonly #requests: RateLimit;
	readonly #refusals: RateLimit;
	readonly #whisperRate: RateLimit;
	readonly #looks: RateLimit;
	readonly #connections: RateLimit;
	readonly #registrations: RateLimit;
	readonly #registrationsOverall: RateLimit;
	readonly #puts: RateLimit;
	readonly #counts = { frames: 0, submits: 0, whispers: 0, refusals: 0 };
	#cancelSweep: () => void;
	#draining = false;
	#frozen = false;

	constructor(ports: RelayPorts, config: RelayConfig) {
		const { limits } = config;
		this.#ports = ports;
		this.#config = config;
		this.#wakes = new Wakes(ports);
		const wake = this.#wakes.wake.bind(this.#wakes);
		this.#mailboxes = new Mailboxes(ports, config, wake);
		this.#channels = new Channels(ports, config, { mailboxes: this.#mailboxes, wake });
		this.#directory = new Directory(ports, limits.addressesPerDevice);
		this.#capsules = new Capsules(ports);
		this.#expiry = new Expiry(ports, this.#mailboxes, config.retention);
		this.#logins = new Deadlines(ports.clock, LOGIN_TIMEOUT, (session) => {
			if (!session.mailbox) session.end('login-timeout', 0);
		});
		this.#occupancy = new Occupancy(limits.connectionsPerNetwork);
		this.#requests = new RateLimit(limits.requests);
		this.#refusals = new RateLimit(limits.refusals);
		this.#whisperRate = new RateLimit(limits.whispers);
		this.#looks = new RateLimit(limits.looks);
		this.#connections = new RateLimit(limits.connections);
		this.#registrations = new RateLimit(limits.registrations);
		this.#registrationsOverall = new RateLimit(limits.registrationsOverall);
		this.#puts = new RateLimit(limits.capsules);
		this.#cancelSweep = ports.clock.schedule(SWEEP, () => this.#sweep());
	}

	/** True once {@link drain} was called: nobody is taken in any more. */
	get draining(): boolean {
		return this.#draining;
	}

	/** A new connection; the relay speaks first (SPEC HS-1). */
	open(socket: Socket): Session {
		const wait = this.#connections.take(socket.network, this.now());
		const entered = this.#occupancy.enter(socket.network);
		const session = new Session(socket, this.#ports.random.bytes(32), this);
		if (entered) this.#sessions.add(session);
		if (this.#draining) session.end('shutting-down', this.#returnAfter());
		else if (wait > 0 || !entered) session.end('rate-limited', Math.max(wait, 1000));
		else this.#logins.add(session);
		return session;
	}

	/** What stands behind an address, for those without a device (SPEC AD-6). */
	async lookUp(address: Address, network: string): Promise<LookAnswer> {
		const wait = this.#looks.take(network, this.now());
		if (wait > 0) return { ok: false, code: 'rate-limited', retryAfter: wait };
		const looked = await this.#directory.look(address, undefined);
		if (!looked.ok) return { ok: false, code: 'busy', retryAfter: 1000 };
		return { ok: true, ...looked.value };
	}

	/** What lies under a capsule's id, for those who have no device yet (SPEC CP-4). */
	async fetchCapsule(capsule: CapsuleId, network: string): Promise<FetchAnswer> {
		const wait = this.#looks.take(network, this.now(), FETCH_COST);
		if (wait > 0) return { ok: false, code: 'rate-limited', retryAfter: wait };
		const found = await this.#capsules.fetch(capsule);
		if (!found.ok) return { ok: false, code: 'busy', retryAfter: 1000 };
		return { ok: true, sealed: found.value ?? null };
	}

	stats(): RelayStats {
		const { handedOver, appended, delivered, acknowledged, dropped } = this.#mailboxes.counts;
		let devices = 0;
		for (const session of this.#sessions) if (session.mailbox) devices++;
		return {
			...{ connections: this.#sessions.size, devices, ...this.#counts },
			...{ pendingBytes: this.#mailboxes.pendingBytes, cachedChannels: this.#channels.cached },
			...{ handedOver, appended, delivered, acknowledged, dropped },
			commits: this.#channels.counts.commits,
			commitConflicts: this.#channels.counts.conflicts,
			expired: this.#expiry.counts.expired,
			pushesSent: this.#wakes.counts.sent,
			pushesFailed: this.#wakes.counts.failed,
			pushesGone: this.#wakes.counts.gone,
		};
	}

	/** Settles what is under way, then sends everyone away; the store may be closed afterwards. */
	async drain(): Promise<void> {
		this.#draining = true;
		this.freeze(); // under load there would always be one more thing to settle
		this.#ports.log.info('draining', { connections: this.#sessions.size });
		this.#expiry.stop();
		this.#cancelSweep();
		await this.#mailboxes.flush();
		for (const session of [...this.#sessions]) session.end('shutting-down', this.#returnAfter());
		await this.#mailboxes.flush();
		this.#logins.clear();
		this.#wakes.stop();
		this.#mailboxes.stop();
	}

	/**
	 * Another process is about to take over: nothing that devices say is heard any more. What they asked for stays
	 * unanswered until {@link sendAway}, and then they ask again.
	 */
	freeze(): void {
		this.#frozen = true;
	}

	/** Sends everyone to the process that took over, each at a moment of its own. */
	sendAway(): void {
		const spread = Math.min(RETURN_SPREAD, MOVE_SPREAD + MOVE_SPREAD_EACH * this.#sessions.size);
		for (const session of [...this.#sessions])
			session.end('shutting-down', Math.round(spread * this.#chance()));
	}

	/** Nobody took over: the devices come back to this one. */
	thaw(): void {
		this.sendAway();
		this.#frozen = false;
	}

	// ---- what other relays ask for (PeerHost) ----

	post(message: Message, mailbox: DeviceId, done: (outcome: Outcome | 'away') => void): void {
		if (this.#mailboxes.find(mailbox)) this.#mailboxes.post(message, [mailbox], done);
		else done('away');
	}

	whispered(mailbox: DeviceId, channel: ChannelId, body: Uint8Array): void {
		this.#mailboxes.find(mailbox)?.receiver.whispered(channel, body);
	}

	claimed(mailbox: DeviceId): void {
		this.#mailboxes.find(mailbox)?.receiver.replaced();
	}

	stored(mailbox: DeviceId, seq: MailboxSeq): void {
		const box = this.#mailboxes.find(mailbox);
		if (box && box.delivered < seq) this.#mailboxes.stored(mailbox);
	}

	changed(channel: ChannelId): void {
		this.#channels.forget(channel);
	}

	// ---- what sessions ask for (SessionHost) ----

	now(): number {
		return this.#ports.clock.now();
	}

	received(): void {
		this.#counts.frames++;
	}

	login(session: Session, frame: LoginFrame): void {
		if (this.#frozen) return;
		void this.#login(session, frame);
	}

	look(session: Session, { request, address }: LookFrame): void {
		if (this.#frozen) return;
		const { mailbox, socket } = session;
		const wait = mailbox
			? this.#requests.take(mailbox.id, this.now())
			: this.#looks.take(socket.network, this.now());
		if (wait > 0) return this.#tooSoon(session, request, wait);
		const reply = this.#replyTo(session, request);
		if (session.pending > MAX_PENDING_REQUESTS) return reply(refusal.busy());
		void this.#directory.look(address, mailbox?.id).then((looked) => {
			if (!looked.ok) return reply(refusal.busy());
			session.pending--;
			session.send({ type: 'looked', request, ...looked.value });
		});
	}

	request(session: Session, mailbox: ConnectedMailbox, frame: RequestFrame): void {
		if (this.#frozen) return;
		if (frame.type === 'acknowledge') return this.#mailboxes.acknowledge(mailbox, frame.seq);
		if (frame.type === 'whisper') return this.#whisper(mailbox, frame);
		const wait = this.#requests.take(mailbox.id, this.now(), costOf(frame));
		if (wait > 0) return this.#tooSoon(session, frame.request, wait);
		const reply = this.#replyTo(session, frame.request);
		if (session.pending > MAX_PENDING_REQUESTS) return reply(refusal.busy());
		if (frame.type !== 'fetchSnapshot') return this.#dispatch(mailbox, frame, reply);
		const { request, channel } = frame;
		this.#channels.snapshot(mailbox.id, channel, (found) => {
			if ('code' in found) return reply(found);
			session.pending--;
			session.send({ type: 'snapshot', request, ...found });
		});
	}

	ended(session: Session): void {
		if (session.mailbox) this.#mailboxes.detach(session.mailbox);
		if (this.#sessions.delete(session)) this.#occupancy.leave(session.socket.network);
	}

	#dispatch(
		{ id }: ConnectedMailbox,
		frame: Exclude<RequestFrame, { type: 'acknowledge' | 'whisper' | 'fetchSnapshot' }>,
		reply: Reply,
	): void {
		switch (frame.type) {
			case 'submit':
				this.#counts.submits++;
				return this.#channels.submit(id, frame, reply);
			case 'commit':
				return this.#channels.commit(id, frame, reply);
			case 'leave':
				return this.#channels.leave(id, frame.channel, reply);
			case 'putAddress': {
				const { address, policy, card } = frame;
				const put = this.#directory.put({ address, owner: id, policy, card });
				return void put.then((is) => reply(is === 'put' ? undefined : refusedAs(is)));
			}
			case 'revokeAddress': {
				const revoke = this.#directory.revoke(frame.address, id);
				return void revoke.then((is) => reply(is === 'revoked' ? undefined : refusedAs(is)));
			}
			case 'putCapsule': {
				const wait = this.#puts.take(id, this.now());
				if (wait > 0) return reply(refusal.after('rate-limited', wait));
				const put = this.#capsules.put(id, frame);
				return void put.then((code) => reply(code && refusedAs(code)));
			}
			case 'keepCapsule': {
				const keep = this.#capsules.keep(id, frame.capsule);
				return void keep.then((code) => reply(code && refusedAs(code)));
			}
			case 'setPush': {
				const set = this.#wakes.subscribe(id, frame.subscription);
				return void set.then((is) => reply(is === 'stored' ? undefined : refusedAs(is)));
			}
			case 'testPush': {
				const test = this.#wakes.test(id);
				return void test.then((sent) => reply(sent ? undefined : refusal.of('push-failed')));
			}
		}
	}

	#whisper({ id }: ConnectedMailbox, frame: Extract<RequestFrame, { type: 'whisper' }>): void {
		if (this.#whisperRate.take(id, this.now()) > 0) return;
		this.#counts.whispers++;
		const { channel, body } = frame;
		this.#channels.whisper(id, channel, (mailbox) => {
			const receiver = this.#mailboxes.find(mailbox)?.receiver;
			if (receiver) receiver.whispered(channel, body);
			else this.#ports.peers?.whisper(mailbox, channel, body);
		});
	}

	async #login(session: Session, { deviceKey, signature }: LoginFrame): Promise<void> {
		const device = await this.#ports.verify(deviceKey, session.statement(deviceKey), signature);
		if (!session.isEntering) return;
		if (!device) return session.end('login-failed');
		try {
			await this.#enter(session, device);
		} finally {
			this.#mailboxes.forgetAhead(device);
		}
	}

	async #enter(session: Session, device: DeviceId): Promise<void> {
		const opening = this.#ports.store.openMailbox(device, false);
		this.#mailboxes.readAhead(device); // in one trip: when all come back at once, each one counts
		const known = await opening;
		if (!session.isEntering) return;
		if (!known.ok) return session.end('busy', 1000);
		if (!known.value) {
			const { registration } = this.#config;
			const invited = registration === 'invitation' && session.socket.invited === true;
			if (registration !== 'open' && !invited) return session.end('registration-closed');
			const now = this.now();
			const wait =
				this.#registrations.take(session.socket.network, now) ||
				this.#registrationsOverall.take('', now);
			if (wait > 0) return session.end('rate-limited', wait);
			const made = await this.#ports.store.openMailbox(device, true);
			if (!made.ok) return session.end('busy', 1000);
			if (!session.isEntering) return;
		}
		const claimed = await this.#claim(session, device);
		if (claimed === undefined) return;
		this.#mailboxes.find(device)?.receiver.replaced();
		this.#wakes.connected(device);
		session.state = 'open';
		const greeted = session.send({
			...{ type: 'ready', software: this.#config.software },
			vapidKey: this.#ports.push.vapidKey,
			iceServers: [...this.#config.iceServers(this.now())],
			retention: this.#config.retention,
		});
		if (greeted) session.mailbox = this.#mailboxes.attach(device, session, claimed);
		else this.#ports.peers?.release(device);
	}

	/** From where on this connection numbers mail itself; undefined when the session has ended over it. */
	async #claim(session: Session, device: DeviceId): Promise<MailboxSeq | undefined> {
		const { peers } = this.#ports;
		if (!peers) return 0;
		const claimed = await peers.claim(device);
		if (claimed.ok && session.isEntering) return claimed.value;
		if (!this.#mailboxes.find(device)) peers.release(device);
		if (session.isEntering) session.end('busy', 1000);
		return undefined;
	}

	#replyTo(session: Session, request: number): Reply {
		session.pending++;
		return (refused) => {
			session.pending--;
			if (!refused) return void session.send({ type: 'accepted', request });
			this.#counts.refusals++;
			session.send({ type: 'refused', request, ...refused });
		};
	}

	/** An answer costs, too: who does not heed it is not answered without end (SPEC LI-3). */
	#tooSoon(session: Session, request: number, wait: number): void {
		this.#counts.refusals++;
		const who = session.mailbox?.id ?? session.socket.network;
		if (this.#refusals.take(who, this.now()) > 0)
			return session.end('rate-limited', Math.max(COME_BACK_AFTER, wait));
		session.send({ type: 'refused', request, ...refusal.after('rate-limited', wait) });
	}

	#returnAfter(): number {
		return RETURN_FIRST + Math.round(RETURN_SPREAD * this.#chance());
	}

	/** From 0 to 1. */
	#chance(): number {
		const [random = 0] = this.#ports.random.bytes(1);
		return random / 255;
	}

	/** Sockets that say nothing at all are dead, whatever TCP believes (SPEC HS-9). */
	#sweep(): void {
		const silentSince = this.now() - IDLE_TIMEOUT;
		for (const session of [...this.#sessions])
			if (session.heardAt <= silentSince) session.end('too-slow', 0);
		this.#cancelSweep = this.#ports.clock.schedule(SWEEP, () => this.#sweep());
	}
}

/** Composes the relay's parts; nothing listens yet. */
export function createRelay(ports: RelayPorts, config: RelayConfig): Relay {
	return new Relay(ports, config);
}

function refusedAs(code: Parameters<typeof refusal.of>[0]) {
	return code === 'busy' ? refusal.busy() : refusal.of(code);
}

/** Big frames cost more, and so does what leaves this machine. */
function costOf(frame: RequestFrame): number {
	if (frame.type === 'testPush') return TEST_PUSH_COST;
	if (frame.type === 'fetchSnapshot') return SNAPSHOT_COST;
	return 1 + Math.floor(sizeOf(frame) / BYTES_PER_TOKEN);
}

function sizeOf(frame: RequestFrame): number {
	if (frame.type === 'submit' || frame.type === 'commit') return frame.body.length;
	return frame.type === 'putCapsule' ? (frame.sealed?.length ?? 0) : 0;
}
