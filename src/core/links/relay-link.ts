// The relay over WebSocket, and its one question that needs no login over HTTP. The only file of the core that knows
// either.
import { downFrames, upFrames, type DownFrame } from '../../protocol/frames.ts';
import { fromBase64Url } from '../../protocol/ids.ts';
import { MAX_CARD_BYTES, MAX_FRAME_BYTES } from '../../protocol/limits.ts';
import type { RelayConnection, RelayHandlers, RelayLink } from '../ports.ts';

/** Bytes that may wait in the socket; beyond it the connection is too slow to be useful. */
const MOST_BUFFERED = 8 * 1024 * 1024;
const LOOK_WITHIN = 10_000;

/** `origin` of the relay, as in `https://kith.example`. */
export function createRelayLink(origin: string): RelayLink {
	const base = new URL(origin);
	const socketUrl = `${base.protocol === 'https:' ? 'wss:' : 'ws:'}//${base.host}/v1/socket`;
	return {
		host: base.host,
		connect: (handlers) => connect(socketUrl, handlers),
		async look(address) {
			const body = fromBase64Url(address);
			if (!body) return undefined;
			try {
				const answer = await fetch(new URL('/v1/look', base), {
					method: 'POST',
					body,
					headers: { 'content-type': 'application/octet-stream' },
					credentials: 'omit',
					cache: 'no-store',
					signal: AbortSignal.timeout(LOOK_WITHIN),
				});
				if (!answer.ok) return undefined;
				const bytes = new Uint8Array(await answer.arrayBuffer());
				const decoded = downFrames.decode(bytes, MAX_CARD_BYTES + 1024);
				return decoded.ok && decoded.value.type === 'looked' ? decoded.value : undefined;
			} catch {
				return undefined; // no network, a proxy's own page, a time-out: the relay does not answer
			}
		},
	};
}

function connect(url: string, handlers: RelayHandlers): RelayConnection {
	const socket = new WebSocket(url);
	socket.binaryType = 'arraybuffer';
	let ended = false;

	function end(): void {
		if (ended) return;
		ended = true;
		// Later, so that nobody is called back from inside their own call.
		queueMicrotask(handlers.closed);
	}

	socket.onmessage = ({ data }) => {
		if (ended) return;
		const frame = data instanceof ArrayBuffer ? decode(new Uint8Array(data)) : undefined;
		if (frame) handlers.frame(frame);
		else socket.close(); // not a relay that speaks our protocol
	};
	socket.onclose = end;
	socket.onerror = end;
	return {
		send(frame) {
			if (ended || socket.readyState !== WebSocket.OPEN) return false;
			if (socket.bufferedAmount > MOST_BUFFERED) return false;
			socket.send(upFrames.encode(frame) as Uint8Array<ArrayBuffer>);
			return true;
		},
		close() {
			socket.close();
			end();
		},
	};
}

function decode(bytes: Uint8Array): DownFrame | undefined {
	const decoded = downFrames.decode(bytes, MAX_FRAME_BYTES);
	return decoded.ok ? decoded.value : undefined;
}
