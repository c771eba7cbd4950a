// The one conversation with the relay: connecting and coming back, the login, questions and their answers, and
// noticing that a connection is dead. It knows frames and time, not messages.
import type { RefusalCode } from '../protocol/errors.ts';
import { REFUSALS } from '../protocol/errors.ts';
import {
	loginStatement,
	type Delivery,
	type DownFrame,
	type IceServer,
	type UpFrame,
} from '../protocol/frames.ts';
import type { Address, ChannelId } from '../protocol/ids.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import type { Connection } from './model.ts';
import type { Clock, Identity, Log, Random, RelayConnection, RelayLink } from './ports.ts';

/** Well inside the relay's idle timeout (SPEC HS-9). */
const PING_EVERY = 40_000;
/** A ping unanswered for this long means that the connection is half open. */
const PONG_WITHIN = 8_000;
/** Connecting and logging in take no longer than this. */
const READY_WITHIN = 15_000;
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;
const GROWTH = 1.7;
/** Even a relay that says "never" is asked again now and then: it may have been repaired. */
const RETRY_REFUSED = 5 * 60_000;

/** A question as its caller writes it: the session numbers it. */
export type Question = UpFrame extends infer Frame
	? Frame extends { readonly request: number }
		? Omit<Frame, 'request'>
		: never
	: never;

export type Answer =
	| { readonly type: 'accepted' }
	| {
			readonly type: 'refused';
			readonly code: RefusalCode;
			readonly retryAfter: number | null;
			readonly epoch: number | null;
	  }
	/** The connection ended first: the relay may or may not have taken it. */
	| { readonly type: 'unknown' };

export type SnapshotAnswer =
	| Exclude<Answer, { type: 'accepted' }>
	| { readonly type: 'snapshot'; readonly epoch: number; readonly sealed: Uint8Array | null };

export type LookAnswer =
	Exclude<Answer, { type: 'accepted' }> | Extract<DownFrame, { type: 'looked' }>;

type AnyAnswer = Answer | SnapshotAnswer | LookAnswer;

const UNKNOWN = { type: 'unknown' } as const;

export interface RelayFacts {
	readonly software: string;
	readonly retention: number;
	readonly vapidKey: string | undefined;
	readonly iceServers: readonly IceServer[];
}

export interface RelayEvents {
	connection(state: Connection): void;
	/** Logged in; mail may come. */
	ready(facts: RelayFacts): void;
	/** Own clock minus the relay's, ms. */
	skew(ms: number): void;
	delivered(delivery: Delivery): void;
	caughtUp(): void;
	whispered(channel: ChannelId, body: Uint8Array): void;
}

export interface RelaySession {
	/** Logged in and through with the waiting mail. */
	readonly caughtUp: boolean;
	/** Undefined before the first login. */
	readonly facts: RelayFacts | undefined;
	ask(question: Exclude<Question, { type: 'fetchSnapshot' | 'look' }>): Promise<Answer>;
	/** At an own address, which tells its owner more than others (SPEC AD-8). */
	look(address: Address): Promise<LookAnswer>;
	/** The newest sealed state of a channel that this device is in (SPEC CH-12). */
	fetchSnapshot(channel: ChannelId): Promise<SnapshotAnswer>;
	/** Fire and forget: lost if there is no connection. */
	tell(frame: Extract<UpFrame, { type: 'whisper' | 'acknowledge' }>): void;
	/** Try now instead of at the planned time; probes a connection that may be half open. */
	hurry(): void;
	stop(): void;
}

interface Ports {
	readonly relay: RelayLink;
	readonly identity: Identity;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
}

/** One attempt at a connection, from opening the socket to its end. */
interface Attempt {
	readonly connection: RelayConnection;
	readonly waiting: Map<number, (answer: AnyAnswer) => void>;
	ready: boolean;
	cancelTimer: () => void;
	awaitingPong: boolean;
	nextRequest: number;
}

/** False for an answer to another kind of question: a relay that is not ours, or is broken. */
function answers<Kind extends 'accepted' | 'snapshot' | 'looked'>(
	kind: Kind,
	answer: AnyAnswer,
): answer is Extract<AnyAnswer, { type: Kind | 'refused' | 'unknown' }> {
	return answer.type === kind || answer.type === 'refused' || answer.type === 'unknown';
}

export function startRelaySession(ports: Ports, events: RelayEvents): RelaySession {
	return new Session(ports, events);
}

class Session implements RelaySession {
	readonly #ports: Ports;
	readonly #events: RelayEvents;
	#current: Attempt | undefined;
	#cancelRetry: () => void = () => undefined;
	#delay = FIRST_RETRY;
	#stopped = false;
	#caughtUp = false;
	#facts: RelayFacts | undefined;

	constructor(ports: Ports, events: RelayEvents) {
		this.#ports = ports;
		this.#events = events;
		this.#connect();
	}

	get caughtUp(): boolean {
		return this.#caughtUp;
	}

	get facts(): RelayFacts | undefined {
		return this.#facts;
	}

	async ask(question: Exclude<Question, { type: 'fetchSnapshot' | 'look' }>): Promise<Answer> {
		const answer = await this.#question(question);
		return answers('accepted', answer) ? answer : UNKNOWN;
	}

	async look(address: Address): Promise<LookAnswer> {
		const answer = await this.#question({ type: 'look', address });
		return answers('looked', answer) ? answer : UNKNOWN;
	}

	async fetchSnapshot(channel: ChannelId): Promise<SnapshotAnswer> {
		const answer = await this.#question({ type: 'fetchSnapshot', channel });
		return answers('snapshot', answer) ? answer : UNKNOWN;
	}

	#question(question: Question): Promise<AnyAnswer> {
		const attempt = this.#current;
		if (!attempt?.ready) return Promise.resolve({ type: 'unknown' });
		return new Promise((resolve) => {
			const request = attempt.nextRequest++;
			attempt.waiting.set(request, resolve);
			const sent = attempt.connection.send({ ...question, request });
			if (!sent) attempt.connection.close();
		});
	}

	tell(frame: Extract<UpFrame, { type: 'whisper' | 'acknowledge' }>): void {
		if (this.#current?.ready) this.#current.connection.send(frame);
	}

	hurry(): void {
		if (this.#stopped) return;
		if (this.#current?.ready) this.#probe(this.#current);
		else if (!this.#current) {
			this.#cancelRetry();
			this.#delay = FIRST_RETRY;
			this.#connect();
		}
	}

	stop(): void {
		this.#stopped = true;
		this.#cancelRetry();
		this.#current?.connection.close();
		this.#end(this.#current);
	}

	#connect(): void {
		this.#events.connection({ kind: 'connecting' });
		const attempt: Attempt = {
			connection: this.#ports.relay.connect({
				frame: (frame) => this.#received(attempt, frame),
				closed: () => this.#closed(attempt),
			}),
			waiting: new Map(),
			ready: false,
			cancelTimer: () => undefined,
			awaitingPong: false,
			nextRequest: 0,
		};
		this.#current = attempt;
		attempt.cancelTimer = this.#ports.clock.schedule(READY_WITHIN, () => this.#giveUp(attempt));
	}

	/** The socket may never say that it is dead: end it here and do not wait for it. */
	#giveUp(attempt: Attempt): void {
		attempt.connection.close();
		this.#closed(attempt);
	}

	#received(attempt: Attempt, frame: DownFrame): void {
		if (attempt !== this.#current) return;
		switch (frame.type) {
			case 'hello':
				void this.#login(attempt, frame);
				break;
			case 'ready':
				this.#ready(attempt, frame);
				break;
			case 'deliver':
				this.#events.delivered(frame);
				break;
			case 'caughtUp':
				this.#caughtUp = true;
				this.#delay = FIRST_RETRY;
				this.#events.connection({ kind: 'online' });
				this.#events.caughtUp();
				break;
			case 'accepted':
				this.#answer(attempt, frame.request, { type: 'accepted' });
				break;
			case 'refused':
			case 'snapshot':
			case 'looked':
				this.#answer(attempt, frame.request, frame);
				break;
			case 'whispered':
				this.#events.whispered(frame.channel, frame.body);
				break;
			case 'pong':
				attempt.awaitingPong = false;
				this.#events.skew(this.#ports.clock.now() - frame.time);
				this.#keepAlive(attempt);
				break;
			case 'bye':
				this.#bye(attempt, frame.code, frame.retryAfter);
				break;
			case 'capsule':
				break; // asked over HTTP only
			default:
				frame satisfies never;
		}
	}

	async #login(attempt: Attempt, hello: Extract<DownFrame, { type: 'hello' }>): Promise<void> {
		const { identity, relay, clock } = this.#ports;
		this.#events.skew(clock.now() - hello.time);
		if (PROTOCOL_VERSION < hello.floor) {
			this.#bye(attempt, 'unsupported-version', null);
			return;
		}
		const statement = loginStatement(hello.challenge, relay.host, identity.devicePublicKey);
		const signature = await identity.sign('kith login', statement);
		if (attempt !== this.#current) return; // it ended while we signed
		attempt.connection.send({
			type: 'login',
			version: Math.min(PROTOCOL_VERSION, hello.version),
			deviceKey: identity.devicePublicKey,
			signature,
		});
	}

	#ready(attempt: Attempt, frame: Extract<DownFrame, { type: 'ready' }>): void {
		attempt.ready = true;
		this.#facts = {
			software: frame.software,
			retention: frame.retention,
			vapidKey: frame.vapidKey ?? undefined,
			iceServers: frame.iceServers,
		};
		this.#ports.log.info('relay ready');
		this.#events.connection({ kind: 'updating' });
		this.#events.ready(this.#facts);
		this.#keepAlive(attempt);
	}

	#answer(attempt: Attempt, request: number, answer: AnyAnswer): void {
		const resolve = attempt.waiting.get(request);
		attempt.waiting.delete(request);
		resolve?.(answer);
	}

	#keepAlive(attempt: Attempt): void {
		attempt.cancelTimer();
		attempt.cancelTimer = this.#ports.clock.schedule(PING_EVERY, () => this.#probe(attempt));
	}

	#probe(attempt: Attempt): void {
		if (attempt.awaitingPong) return;
		attempt.awaitingPong = true;
		attempt.cancelTimer();
		attempt.cancelTimer = this.#ports.clock.schedule(PONG_WITHIN, () => this.#giveUp(attempt));
		if (!attempt.connection.send({ type: 'ping' })) this.#giveUp(attempt);
	}

	#bye(attempt: Attempt, code: RefusalCode, retryAfter: number | null): void {
		this.#ports.log.info('relay ended the connection', { code });
		this.#end(attempt);
		attempt.connection.close();
		if (REFUSALS[code].retry === 'never') {
			this.#events.connection({ kind: 'refused', reason: code });
			this.#retryIn(RETRY_REFUSED);
		} else {
			this.#offline(retryAfter ?? this.#nextDelay());
		}
	}

	#closed(attempt: Attempt): void {
		if (attempt !== this.#current) return;
		this.#end(attempt);
		if (!this.#stopped) this.#offline(this.#nextDelay());
	}

	#offline(delay: number): void {
		const retryAt = this.#ports.clock.now() + delay;
		this.#events.connection({ kind: 'offline', retryAt });
		this.#retryIn(delay);
	}

	#retryIn(delay: number): void {
		this.#cancelRetry();
		if (this.#stopped) return;
		this.#cancelRetry = this.#ports.clock.schedule(delay, () => this.#connect());
	}

	#nextDelay(): number {
		const delay = this.#delay * (0.5 + this.#ports.random.fraction() / 2);
		this.#delay = Math.min(LONGEST_RETRY, this.#delay * GROWTH);
		return delay;
	}

	#end(attempt: Attempt | undefined): void {
		if (!attempt || attempt !== this.#current) return;
		this.#current = undefined;
		this.#caughtUp = false;
		attempt.cancelTimer();
		for (const resolve of attempt.waiting.values()) resolve({ type: 'unknown' });
		attempt.waiting.clear();
	}
}
