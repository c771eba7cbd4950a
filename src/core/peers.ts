// Links to devices that are online now: wanting them, authenticating them, and what travels on them. A peer's claim to
// be a device counts only after it signed over both ends' DTLS fingerprints (SPEC PE-2).
import type { DeviceId, EnvelopeId } from '../protocol/ids.ts';
import { MAX_PEER_FRAME_BYTES, peerFrames, type PeerFrame } from '../protocol/peer-frames.ts';
import { toBase64Url } from '../protocol/ids.ts';
import type { IceServer } from '../protocol/frames.ts';
import type { Clock, Identity, Log, PeerLink, PeerLinks, Random, SmallCrypto } from './ports.ts';
import type { SealedEnvelope } from './records.ts';

/** A killed peer is noticed by its silence; PeerJS alone would take 45 s. */
const PING_EVERY = 5_000;
const SILENCE_LIMIT = 12_000;
/** After a failed or ended link, wait before wanting it again. */
const WANT_AGAIN_AFTER = 15_000;
/** A data channel opens in a fraction of this where it can open at all, ms. */
const OPENS_WITHIN = 4_000;
const ATTEMPTS = 3;
const MOST_LINKS = 16;
/** Envelopes on one link that wait for an acknowledgement; beyond it the relay is the better way. */
const MOST_UNACKNOWLEDGED = 512;

interface PeerEvents {
	/** Links came or went. */
	changed(): void;
	signal(to: DeviceId, payload: string): void;
	envelope(
		from: DeviceId,
		frame: Extract<PeerFrame, { type: 'envelope' }>,
		stored: () => void,
	): void;
	whisper(frame: Extract<PeerFrame, { type: 'whisper' }>): void;
}

export interface PeerMesh {
	start(iceServers: readonly IceServer[]): void;
	/** This device is online: link to it, if it is our part to begin. */
	want(device: DeviceId): void;
	receiveSignal(from: DeviceId, payload: string): void;
	isLinked(device: DeviceId): boolean;
	/** True once the other side has stored it; false if the link ends first. */
	send(device: DeviceId, sealed: SealedEnvelope): Promise<boolean>;
	whisper(device: DeviceId, frame: Extract<PeerFrame, { type: 'whisper' }>): boolean;
	/** It did not acknowledge in time: end the link, the relay takes over. */
	distrust(device: DeviceId): void;
	/** Ends all links; `start` begins anew. */
	stop(): void;
}

interface Ports {
	readonly peers: PeerLinks | undefined;
	readonly identity: Identity;
	readonly crypto: SmallCrypto;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
}

interface Linked {
	readonly link: PeerLink;
	readonly nonce: Uint8Array;
	theirs: { readonly deviceKey: Uint8Array; readonly nonce: Uint8Array } | undefined;
	proven: boolean;
	heard: number;
	cancelPing: () => void;
	tail: Promise<void>;
	readonly waiting: Map<EnvelopeId, (arrived: boolean) => void>;
}

export function createPeerMesh(ports: Ports, events: PeerEvents): PeerMesh {
	return new Mesh(ports, events);
}

function statement(
	own: { fingerprint: string; nonce: Uint8Array; device: DeviceId },
	other: { fingerprint: string; nonce: Uint8Array; device: DeviceId },
): Uint8Array {
	const line = (side: typeof own) =>
		`${side.fingerprint}\n${toBase64Url(side.nonce)}\n${side.device}\n`;
	return new TextEncoder().encode(line(own) + line(other));
}

class Mesh implements PeerMesh {
	readonly #ports: Ports;
	readonly #events: PeerEvents;
	readonly #links = new Map<DeviceId, Linked>();
	readonly #notBefore = new Map<DeviceId, number>();
	#started = false;

	constructor(ports: Ports, events: PeerEvents) {
		this.#ports = ports;
		this.#events = events;
	}

	start(iceServers: readonly IceServer[]): void {
		if (this.#started || !this.#ports.peers) return;
		this.#started = true;
		this.#ports.peers.start(
			this.#ports.identity.device,
			{
				signal: (to, payload) => this.#events.signal(to, payload),
				opened: (link) => this.#opened(link),
				received: (link, bytes) => this.#received(link, bytes),
				closed: (link) => this.#ended(link),
			},
			iceServers,
		);
	}

	want(device: DeviceId): void {
		const { peers, identity, clock } = this.#ports;
		// One side begins, so that two links do not cross; the other waits to be called.
		if (!this.#started || !peers || identity.device > device || this.#links.has(device)) return;
		if (this.#links.size >= MOST_LINKS || clock.now() < (this.#notBefore.get(device) ?? 0)) return;
		this.#notBefore.set(device, clock.now() + WANT_AGAIN_AFTER);
		this.#tryToLink(device, peers);
	}

	/** Signalling goes by whispers, and a whisper may be lost: an attempt that leads nowhere is made again. */
	#tryToLink(device: DeviceId, peers: PeerLinks, attempt = 1): void {
		// A link that opened and proved nothing leads nowhere too: attempts that crossed may have ended at one side.
		if (!this.#started || this.isLinked(device)) return;
		peers.connect(device);
		if (attempt === ATTEMPTS) return;
		this.#ports.clock.schedule(OPENS_WITHIN, () => this.#tryToLink(device, peers, attempt + 1));
	}

	receiveSignal(from: DeviceId, payload: string): void {
		if (this.#started) this.#ports.peers?.receiveSignal(from, payload);
	}

	isLinked(device: DeviceId): boolean {
		return this.#links.get(device)?.proven === true;
	}

	send(device: DeviceId, { channel, envelope, epoch, body }: SealedEnvelope): Promise<boolean> {
		const linked = this.#links.get(device);
		if (!linked?.proven || linked.waiting.size >= MOST_UNACKNOWLEDGED)
			return Promise.resolve(false);
		return new Promise((resolve) => {
			linked.waiting.set(envelope, resolve);
			if (!this.#say(linked, { type: 'envelope', channel, envelope, epoch, body })) {
				linked.waiting.delete(envelope);
				resolve(false);
			}
		});
	}

	whisper(device: DeviceId, frame: Extract<PeerFrame, { type: 'whisper' }>): boolean {
		const linked = this.#links.get(device);
		return linked?.proven === true && this.#say(linked, frame);
	}

	distrust(device: DeviceId): void {
		const linked = this.#links.get(device);
		if (!linked) return;
		linked.link.close();
		this.#ended(linked.link);
	}

	stop(): void {
		if (!this.#started) return;
		this.#started = false;
		for (const { link } of [...this.#links.values()]) {
			link.close();
			this.#ended(link);
		}
		this.#ports.peers?.stop();
	}

	#say(linked: Linked, frame: PeerFrame): boolean {
		return linked.link.send(peerFrames.encode(frame));
	}

	#opened(link: PeerLink): void {
		const before = this.#links.get(link.device);
		if (before) {
			before.link.close();
			this.#ended(before.link);
		}
		const linked: Linked = {
			link,
			nonce: this.#ports.random.bytes(32),
			theirs: undefined,
			proven: false,
			heard: this.#ports.clock.now(),
			cancelPing: () => undefined,
			tail: Promise.resolve(),
			waiting: new Map(),
		};
		this.#links.set(link.device, linked);
		this.#keepAlive(linked);
		const { devicePublicKey } = this.#ports.identity;
		this.#say(linked, { type: 'introduce', deviceKey: devicePublicKey, nonce: linked.nonce });
	}

	#received(link: PeerLink, bytes: Uint8Array): void {
		const linked = this.#links.get(link.device);
		if (linked?.link !== link) return;
		const frame = peerFrames.decode(bytes, MAX_PEER_FRAME_BYTES);
		if (!frame.ok) {
			this.distrust(link.device);
			return;
		}
		linked.heard = this.#ports.clock.now();
		// In order, although proving takes time: what follows their proof must not overtake its check.
		linked.tail = linked.tail.then(async () => {
			if (this.#links.get(link.device) !== linked) return;
			if (linked.proven) this.#proven(linked, frame.value);
			else await this.#unproven(linked, frame.value);
		});
	}

	async #unproven(linked: Linked, frame: PeerFrame): Promise<void> {
		const { device, fingerprints } = linked.link;
		const { identity, crypto } = this.#ports;
		const own = () => ({
			fingerprint: fingerprints.local,
			nonce: linked.nonce,
			device: identity.device,
		});
		if (frame.type === 'introduce' && !linked.theirs) {
			linked.theirs = frame;
			const other = { fingerprint: fingerprints.remote, nonce: frame.nonce, device };
			const signature = await identity.sign('kith peer hello', statement(own(), other));
			if (this.#links.get(device) === linked) this.#say(linked, { type: 'prove', signature });
			return;
		}
		if (frame.type === 'prove' && linked.theirs) {
			const { deviceKey, nonce } = linked.theirs;
			const other = { fingerprint: fingerprints.remote, nonce, device };
			const signed = { device, key: deviceKey, bytes: statement(other, own()) };
			const holds = await crypto.verify('kith peer hello', signed, frame.signature);
			if (this.#links.get(device) !== linked) return; // replaced while we checked
			if (holds) this.#admit(linked);
			else this.distrust(device);
			return;
		}
		this.distrust(device); // nothing else counts before the proof
	}

	#admit(linked: Linked): void {
		linked.proven = true;
		this.#ports.log.info('direct link');
		this.#events.changed();
	}

	#proven(linked: Linked, frame: PeerFrame): void {
		switch (frame.type) {
			case 'envelope':
				this.#events.envelope(linked.link.device, frame, () => {
					this.#say(linked, { type: 'acknowledge', envelope: frame.envelope });
				});
				break;
			case 'acknowledge': {
				const resolve = linked.waiting.get(frame.envelope);
				linked.waiting.delete(frame.envelope);
				resolve?.(true);
				break;
			}
			case 'whisper':
				this.#events.whisper(frame);
				break;
			case 'ping':
				this.#say(linked, { type: 'pong' });
				break;
			case 'pong':
			case 'introduce':
			case 'prove':
				break;
			default:
				frame satisfies never;
		}
	}

	#keepAlive(linked: Linked): void {
		const { clock } = this.#ports;
		linked.cancelPing = clock.schedule(PING_EVERY, () => {
			if (clock.now() - linked.heard > SILENCE_LIMIT) {
				this.distrust(linked.link.device);
				return;
			}
			this.#say(linked, { type: 'ping' });
			this.#keepAlive(linked);
		});
	}

	#ended(link: PeerLink): void {
		const linked = this.#links.get(link.device);
		if (linked?.link !== link) return;
		this.#links.delete(link.device);
		this.#notBefore.set(link.device, this.#ports.clock.now() + WANT_AGAIN_AFTER);
		linked.cancelPing();
		for (const resolve of linked.waiting.values()) resolve(false);
		linked.waiting.clear();
		if (linked.proven) this.#events.changed();
	}
}
