// WebRTC data channels through PeerJS, in a page: the only file that knows PeerJS. Its signalling goes through our own
// sealed whispers instead of a PeerJS server, by two of its private names (_createServerConnection, _handleMessage):
// the version is pinned, and the contract test of peer links notices when they change.
import { Peer, type DataConnection } from 'peerjs';
import type { IceServer } from '../../protocol/frames.ts';
import type { DeviceId } from '../../protocol/ids.ts';
import { MAX_PEER_FRAME_BYTES } from '../../protocol/peer-frames.ts';
import type { PeerHandlers, PeerLink, PeerLinks } from '../ports.ts';
import { chunksOf, createJoiner } from './peer-chunks.ts';

/** Bytes that may wait in a data channel before the relay is the better way. */
const HIGH_WATER = 4 * 1024 * 1024;
/** An attempt that did not open by then never will: PeerJS keeps such connections for ever. */
const OPENS_WITHIN = 15_000;

type ServerMessage = { readonly type: string; readonly src?: string; readonly dst?: string };

/** What PeerJS expects of its signalling server, answered by us. */
interface Signalling {
	on(event: string, listener: (message?: unknown) => void): void;
	start(id: string): void;
	send(message: ServerMessage): void;
	close(): void;
	removeAllListeners(): void;
}

/** What PeerJS does not put into its types. */
interface PrivatePeer {
	_handleMessage(message: ServerMessage): void;
}

/** Set while a peer is constructed: the base constructor asks for its server before own fields exist. */
let signallingOfNext: ((message: ServerMessage) => void) | undefined;

class WhisperingPeer extends Peer {
	/** Called by the base constructor; the one seam that PeerJS leaves for other signalling. */
	_createServerConnection(): Signalling {
		const send = signallingOfNext;
		const listeners = new Map<string, (message?: unknown) => void>();
		listeners.set('message', (message) => this.takeSignal(message as ServerMessage));
		return {
			on: (event, listener) => {
				if (event !== 'message') listeners.set(event, listener);
			},
			start: () => queueMicrotask(() => listeners.get('message')?.({ type: 'OPEN' })),
			send: (message) => send?.(message),
			close: () => undefined,
			removeAllListeners: () => listeners.clear(),
		};
	}

	takeSignal(message: ServerMessage): void {
		(this as unknown as PrivatePeer)._handleMessage(message);
	}
}

/** PeerJS refuses ids with a mark at an end or two in a row, as one device id in twelve has: the same in hex. */
function peerId(device: DeviceId): string {
	return Array.from(device, (character) => character.charCodeAt(0).toString(16)).join('');
}

function deviceOf(peer: string): DeviceId {
	const codes = peer.match(/../g) ?? [];
	return codes.map((code) => String.fromCharCode(parseInt(code, 16))).join('') as DeviceId;
}

export function createPeerLinks(): PeerLinks {
	let active: ActivePeer | undefined;
	return {
		start(self, handlers, iceServers) {
			active?.stop();
			active = new ActivePeer(self, handlers, iceServers);
		},
		connect: (device) => active?.connect(device),
		receiveSignal: (from, payload) => active?.receiveSignal(from, payload),
		stop() {
			active?.stop();
			active = undefined;
		},
	};
}

class ActivePeer {
	readonly #peer: WhisperingPeer;
	readonly #handlers: PeerHandlers;
	readonly #self: DeviceId;
	/** The newest attempt of this side for each device. */
	readonly #attempts = new Map<DeviceId, DataConnection>();

	constructor(self: DeviceId, handlers: PeerHandlers, iceServers: readonly IceServer[]) {
		this.#self = self;
		this.#handlers = handlers;
		signallingOfNext = (message) => this.#signalOut(message);
		this.#peer = new WhisperingPeer(peerId(self), {
			debug: 0,
			config: {
				iceServers: iceServers.map(({ urls, username, credential }) => ({
					urls: [...urls],
					...(username !== null && { username }),
					...(credential !== null && { credential }),
				})),
			},
		});
		signallingOfNext = undefined;
		this.#peer.on('connection', (connection) => this.#adopt(connection));
		// Errors of one connection arrive here too; each connection's own end is what counts.
		this.#peer.on('error', () => undefined);
	}

	connect(device: DeviceId): void {
		// Were both to open, each side might keep another one.
		this.#attempts.get(device)?.close();
		const attempt = this.#peer.connect(peerId(device), { serialization: 'raw', reliable: true });
		this.#attempts.set(device, attempt);
		this.#adopt(attempt);
	}

	receiveSignal(from: DeviceId, payload: string): void {
		const message = parseSignal(payload);
		// The claimed sender is whoever the whisper was sealed by, not what the message says.
		if (message) this.#peer.takeSignal({ ...message, src: peerId(from), dst: peerId(this.#self) });
	}

	stop(): void {
		this.#peer.destroy();
	}

	#signalOut(message: ServerMessage): void {
		if (message.dst) this.#handlers.signal(deviceOf(message.dst), JSON.stringify(message));
	}

	#adopt(connection: DataConnection): void {
		let link: PeerLink | undefined;
		const ended = () => {
			clearTimeout(giveUp);
			const device = deviceOf(connection.peer);
			if (this.#attempts.get(device) === connection) this.#attempts.delete(device);
			const was = link;
			link = undefined;
			if (was) this.#handlers.closed(was);
		};
		// One that never opened says nothing when it is closed.
		const giveUp = setTimeout(() => {
			connection.close();
			ended();
		}, OPENS_WITHIN);
		connection.on('open', () => {
			clearTimeout(giveUp);
			link = openLink(connection);
			if (!link) {
				connection.close();
				return;
			}
			this.#handlers.opened(link);
		});
		const join = createJoiner(MAX_PEER_FRAME_BYTES);
		connection.on('data', (data) => {
			const bytes = bytesOf(data);
			const frame = bytes && join(bytes);
			if (frame === 'broken' || !bytes) connection.close();
			else if (frame && link) this.#handlers.received(link, frame);
		});
		connection.on('close', ended);
		connection.on('error', () => {
			connection.close();
			ended();
		});
	}
}

/** The link over an open connection; undefined if the platform does not tell the fingerprints. */
function openLink(connection: DataConnection): PeerLink | undefined {
	const local = fingerprintOf(connection.peerConnection.localDescription);
	const remote = fingerprintOf(connection.peerConnection.remoteDescription);
	if (local === undefined || remote === undefined) return undefined;
	return {
		device: deviceOf(connection.peer),
		fingerprints: { local, remote },
		send(frame) {
			const channel = connection.dataChannel;
			if (channel.readyState !== 'open' || channel.bufferedAmount > HIGH_WATER) return false;
			for (const chunk of chunksOf(frame)) channel.send(chunk);
			return true;
		},
		close: () => connection.close(),
	};
}

/** `a=fingerprint` of a session description (RFC 8122). */
function fingerprintOf(description: RTCSessionDescription | null): string | undefined {
	return /^a=fingerprint:(\S+ \S+)/m.exec(description?.sdp ?? '')?.[1]?.toLowerCase();
}

function bytesOf(data: unknown): Uint8Array | undefined {
	if (data instanceof ArrayBuffer) return new Uint8Array(data);
	return data instanceof Uint8Array ? data : undefined;
}

function parseSignal(payload: string): ServerMessage | undefined {
	try {
		const parsed: unknown = JSON.parse(payload);
		return typeof parsed === 'object' && parsed !== null && 'type' in parsed
			? (parsed as ServerMessage)
			: undefined;
	} catch {
		return undefined;
	}
}
