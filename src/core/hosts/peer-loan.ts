// WebRTC exists only in pages, the engine runs in a worker: the page lends its peer links over a MessagePort. Both ends
// are here, so that they agree.
import type { IceServer } from '../../protocol/frames.ts';
import type { DeviceId } from '../../protocol/ids.ts';
import type { PeerHandlers, PeerLink, PeerLinks } from '../ports.ts';

/** Bytes handed to the page and not yet reported as sent; beyond it `send` says no. */
const MOST_ON_LOAN = 4 * 1024 * 1024;

type ToPage =
	| { readonly type: 'start'; readonly self: DeviceId; readonly iceServers: readonly IceServer[] }
	| { readonly type: 'connect'; readonly device: DeviceId }
	| { readonly type: 'signal'; readonly from: DeviceId; readonly payload: string }
	| { readonly type: 'send'; readonly link: number; readonly bytes: Uint8Array }
	| { readonly type: 'close'; readonly link: number }
	| { readonly type: 'stop' };

type ToWorker =
	| { readonly type: 'signal'; readonly to: DeviceId; readonly payload: string }
	| {
			readonly type: 'opened';
			readonly link: number;
			readonly device: DeviceId;
			readonly fingerprints: PeerLink['fingerprints'];
	  }
	| { readonly type: 'received'; readonly link: number; readonly bytes: Uint8Array }
	| { readonly type: 'sent'; readonly link: number; readonly bytes: number }
	| { readonly type: 'closed'; readonly link: number };

/** The worker's end. */
export function borrowPeerLinks(port: MessagePort): PeerLinks {
	const links = new Map<number, { readonly link: PeerLink; waiting: number; open: boolean }>();
	let handlers: PeerHandlers | undefined;
	const tell = (message: ToPage) => port.postMessage(message);

	function open({
		link: number,
		device,
		fingerprints,
	}: Extract<ToWorker, { type: 'opened' }>): PeerLink {
		const lent = {
			waiting: 0,
			open: true,
			link: {
				device,
				fingerprints,
				send: (bytes: Uint8Array) => {
					if (!lent.open || lent.waiting > MOST_ON_LOAN) return false;
					lent.waiting += bytes.length;
					tell({ type: 'send', link: number, bytes });
					return true;
				},
				close: () => {
					lent.open = false;
					tell({ type: 'close', link: number });
				},
			},
		};
		links.set(number, lent);
		return lent.link;
	}

	port.onmessage = ({ data }) => {
		const message = data as ToWorker;
		if (message.type === 'signal') {
			handlers?.signal(message.to, message.payload);
			return;
		}
		if (message.type === 'opened') {
			handlers?.opened(open(message));
			return;
		}
		const lent = links.get(message.link);
		if (!lent) return;
		if (message.type === 'received') handlers?.received(lent.link, message.bytes);
		if (message.type === 'sent') lent.waiting -= message.bytes;
		if (message.type === 'closed') {
			lent.open = false;
			links.delete(message.link);
			handlers?.closed(lent.link);
		}
	};

	return {
		start(self, given, iceServers) {
			handlers = given;
			tell({ type: 'start', self, iceServers });
		},
		connect: (device) => tell({ type: 'connect', device }),
		receiveSignal: (from, payload) => tell({ type: 'signal', from, payload }),
		stop: () => tell({ type: 'stop' }),
	};
}

/** The page's end. `load` brings WebRTC's library, only when it is first needed. */
export function lendPeerLinks(port: MessagePort, load: () => Promise<PeerLinks>): void {
	const links = new Map<number, PeerLink>();
	const numbers = new Map<PeerLink, number>();
	let next = 0;
	let peers: Promise<PeerLinks> | undefined;
	/** How the engine wants it to run, and how it runs. */
	let wanted: Extract<ToPage, { type: 'start' }> | undefined;
	let begun: typeof wanted;
	const tell = (message: ToWorker) => port.postMessage(message);

	const handlers: PeerHandlers = {
		signal: (to, payload) => tell({ type: 'signal', to, payload }),
		opened(link) {
			const number = next++;
			links.set(number, link);
			numbers.set(link, number);
			const { device, fingerprints } = link;
			tell({ type: 'opened', link: number, device, fingerprints });
		},
		received(link, bytes) {
			const number = numbers.get(link);
			if (number !== undefined) tell({ type: 'received', link: number, bytes });
		},
		closed(link) {
			const number = numbers.get(link);
			if (number === undefined) return;
			numbers.delete(link);
			links.delete(number);
			tell({ type: 'closed', link: number });
		},
	};

	function send(number: number, bytes: Uint8Array): void {
		const link = links.get(number);
		// What the channel cannot take now would be lost in silence: end it, and the relay carries on.
		if (link && !link.send(bytes)) link.close();
		tell({ type: 'sent', link: number, bytes: bytes.length });
	}

	/** Its code; what could not be loaded is tried again by the next message. */
	function loaded(): Promise<PeerLinks> {
		peers ??= load().catch((error: unknown) => {
			peers = undefined;
			throw error;
		});
		return peers;
	}

	async function take(message: ToPage): Promise<void> {
		if (message.type === 'send') return send(message.link, message.bytes);
		if (message.type === 'close') return links.get(message.link)?.close();
		if (message.type === 'start') wanted = message;
		if (message.type === 'stop') wanted = undefined;
		const room = await loaded();
		// Whichever message comes first once the code is there: an earlier one may have found none.
		if (wanted && wanted !== begun) room.start(wanted.self, handlers, wanted.iceServers);
		if (!wanted && begun) room.stop();
		begun = wanted;
		if (message.type === 'connect') room.connect(message.device);
		if (message.type === 'signal') room.receiveSignal(message.from, message.payload);
	}

	// Without its code there is no direct path for now, and the relay carries on.
	port.onmessage = ({ data }) => void take(data as ToPage).catch(() => undefined);
}
