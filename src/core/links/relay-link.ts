// The relay over WebSocket, and its questions that need no login over HTTP. The only file of the core that knows
// either.
import { downFrames, upFrames, type DownFrame } from '../../protocol/frames.ts';
import { fromBase64Url } from '../../protocol/ids.ts';
import { MAX_CAPSULE_BYTES, MAX_CARD_BYTES, MAX_FRAME_BYTES } from '../../protocol/limits.ts';
import type { RelayConnection, RelayHandlers, RelayLink } from '../ports.ts';

/** Bytes that may wait in the socket; beyond it the connection is too slow to be useful. */
const MOST_BUFFERED = 8 * 1024 * 1024;
const LOOK_WITHIN = 10_000;
const FETCH_WITHIN = 30_000;

/** `origin` of the relay, as in `https://kith.example`. */
export function createRelayLink(origin: string): RelayLink {
	const base = new URL(origin);
	const socketUrl = `${base.protocol === 'https:' ? 'wss:' : 'ws:'}//${base.host}/v1/socket`;
	return {
		host: base.host,
		connect: (handlers) => connect(socketUrl, handlers),
		async look(address) {
			const url = new URL('/v1/look', base);
			const answer = await ask(url, address, { within: LOOK_WITHIN, most: MAX_CARD_BYTES + 1024 });
			return answer?.type === 'looked' ? answer : undefined;
		},
		async fetchCapsule(capsule) {
			const url = new URL('/v1/capsule', base);
			const bounds = { within: FETCH_WITHIN, most: MAX_CAPSULE_BYTES + 1024 };
			const answer = await ask(url, capsule, bounds);
			return answer?.type === 'capsule' ? answer.sealed : undefined;
		},
	};
}

/** Undefined when the relay does not answer, or not with a frame of at most `most` bytes. */
async function ask(
	url: URL,
	id: string,
	{ within, most }: { readonly within: number; readonly most: number },
): Promise<DownFrame | undefined> {
	const body = fromBase64Url(id);
	if (!body) return undefined;
	try {
		const answer = await fetch(url, {
			method: 'POST',
			body,
			headers: { 'content-type': 'application/octet-stream' },
			credentials: 'omit',
			cache: 'no-store',
			signal: AbortSignal.timeout(within),
		});
		if (!answer.ok) return undefined;
		const decoded = downFrames.decode(new Uint8Array(await answer.arrayBuffer()), most);
		return decoded.ok ? decoded.value : undefined;
	} catch {
		return undefined; // no network, a proxy's own page, a time-out: the relay does not answer
	}
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
