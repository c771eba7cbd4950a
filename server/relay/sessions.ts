// One connection from its hello to its bye: who may say what when (SPEC FR, HS), and nothing else.
import {
	loginStatement,
	type Delivery,
	type DownFrame,
	type UpFrame,
} from '../../src/protocol/frames.ts';
import { decodeUp, encodeDown } from '../../src/protocol/hot-frames.ts';
import type { ChannelId } from '../../src/protocol/ids.ts';
import { MAX_FRAME_BYTES, MAX_FRAME_BYTES_BEFORE_LOGIN } from '../../src/protocol/limits.ts';
import { PROTOCOL_FLOOR, PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import type { RefusalCode } from '../../src/protocol/errors.ts';
import type { ConnectedMailbox, Receiver } from './mailboxes.ts';
import type { Socket } from './ports.ts';

/** Requests of one connection that may wait for their answers. */
export const MAX_PENDING_REQUESTS = 1024;
/** What may wait for a device that does not read, in bytes; beyond it the connection ends (SPEC MB-8). */
export const MAX_BUFFERED = 4 * 1024 * 1024;
/** Whispers are not worth waiting for: a device that is this far behind gets none. */
const MAX_BUFFERED_WHISPERS = 64 * 1024;
const PURPOSE = new TextEncoder().encode('kith login\0');

/** WebSocket close codes (RFC 6455 7.4.1, 7.4.2) beside the `bye` that says the same to programs. */
const CLOSE_CODES: Partial<Record<RefusalCode, number>> = {
	malformed: 1002,
	'too-large': 1009,
	'shutting-down': 1012,
	'rate-limited': 1013,
	busy: 1013,
	'too-slow': 1013,
	'login-timeout': 1013,
};
const POLICY_VIOLATION = 1008;

export type LoginFrame = Extract<UpFrame, { type: 'login' }>;
export type LookFrame = Extract<UpFrame, { type: 'look' }>;
/** What a logged-in device may ask for. */
export type RequestFrame = Exclude<UpFrame, LoginFrame | LookFrame | { type: 'ping' }>;

/** What the session needs from the relay that it belongs to. */
export interface SessionHost {
	now(): number;
	/** Counts a message that came in. */
	received(): void;
	login(session: Session, frame: LoginFrame): void;
	look(session: Session, frame: LookFrame): void;
	request(session: Session, mailbox: ConnectedMailbox, frame: RequestFrame): void;
	ended(session: Session): void;
}

export class Session implements Receiver {
	readonly socket: Socket;
	/** When the device was last heard of, ms. */
	heardAt: number;
	/** Answers that are still owed. */
	pending = 0;
	/** `entering`: the login is being checked. */
	state: 'greeted' | 'entering' | 'open' | 'ended' = 'greeted';
	mailbox: ConnectedMailbox | undefined;
	readonly #host: SessionHost;
	/** Until it is used: a device at rest needs none. */
	#challenge: Uint8Array | undefined;

	constructor(socket: Socket, challenge: Uint8Array, host: SessionHost) {
		this.socket = socket;
		this.#challenge = challenge;
		this.#host = host;
		this.heardAt = host.now();
		const versions = { version: PROTOCOL_VERSION, floor: PROTOCOL_FLOOR };
		this.send({ type: 'hello', ...versions, challenge, time: this.heardAt });
	}

	/** True between a valid first login frame and its outcome. */
	get isEntering(): boolean {
		return this.state === 'entering';
	}

	/** The bytes that the one login of this connection signs (SPEC HS-4). */
	statement(deviceKey: Uint8Array): Uint8Array {
		const challenge = this.#challenge ?? new Uint8Array();
		this.#challenge = undefined;
		const statement = loginStatement(challenge, this.socket.host, deviceKey);
		const signed = new Uint8Array(PURPOSE.length + statement.length);
		signed.set(PURPOSE, 0);
		signed.set(statement, PURPOSE.length);
		return signed;
	}

	/** One WebSocket message, whose bytes are not kept. `undefined` stands for one that was not binary (SPEC FR-2). */
	receive(bytes: Uint8Array | undefined): void {
		if (this.state === 'ended') return;
		this.heardAt = this.#host.now();
		this.#host.received();
		const max = this.state === 'open' ? MAX_FRAME_BYTES : MAX_FRAME_BYTES_BEFORE_LOGIN;
		const decoded = bytes && decodeUp(bytes, max);
		if (!decoded?.ok) this.end(decoded?.error ?? 'malformed');
		else this.#take(decoded.value);
	}

	/** The connection is gone. */
	closed(): void {
		if (this.state === 'ended') return;
		this.state = 'ended';
		this.#host.ended(this);
	}

	send(frame: DownFrame): boolean {
		if (this.state === 'ended') return false;
		const sent = this.socket.send(encodeDown(frame));
		if (sent === 'sent') return true;
		if (sent === 'queued' && this.socket.buffered() <= MAX_BUFFERED) return true;
		this.#close('too-slow', sent === 'queued' ? 0 : null);
		return false;
	}

	deliver(frame: Delivery): boolean {
		return this.send(frame);
	}

	caughtUp(): void {
		this.send({ type: 'caughtUp' });
	}

	whispered(channel: ChannelId, body: Uint8Array): void {
		if (this.socket.buffered() <= MAX_BUFFERED_WHISPERS)
			this.send({ type: 'whispered', channel, body });
	}

	replaced(): void {
		this.end('replaced');
	}

	/** Says why and ends the connection. */
	end(code: RefusalCode, retryAfter: number | null = null): void {
		this.#close(code, retryAfter);
	}

	#take(frame: UpFrame): void {
		if (frame.type === 'ping') this.send({ type: 'pong', time: this.heardAt });
		else if (frame.type === 'look') this.#host.look(this, frame);
		else if (frame.type === 'login') this.#login(frame);
		else if (this.mailbox) this.#host.request(this, this.mailbox, frame);
		else this.end('login-required');
	}

	#login(frame: LoginFrame): void {
		if (this.state !== 'greeted') return this.end('malformed');
		if (frame.version < PROTOCOL_FLOOR || frame.version > PROTOCOL_VERSION)
			return this.end('unsupported-version');
		this.state = 'entering';
		this.#host.login(this, frame);
	}

	#close(code: RefusalCode, retryAfter: number | null): void {
		if (this.state === 'ended') return;
		this.state = 'ended';
		this.socket.send(encodeDown({ type: 'bye', code, retryAfter }));
		this.socket.close(CLOSE_CODES[code] ?? POLICY_VIOLATION);
		this.#host.ended(this);
	}
}
