// Connections whose frames move only when the world says so.
import type { Socket } from '../../../server/relay/ports.ts';
import type { Relay } from '../../../server/relay/relay.ts';
import type {
	PeerHandlers,
	PeerLink,
	PeerLinks,
	RelayConnection,
	RelayHandlers,
} from '../../../src/core/ports.ts';
import { parseCbor } from '../../../src/protocol/codec.ts';
import {
	downFrames,
	upFrames,
	type DownFrame,
	type UpFrame,
} from '../../../src/protocol/frames.ts';
import type { DeviceId } from '../../../src/protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../../../src/protocol/limits.ts';

export const HOST = 'relay.example';

/** A connection that the world moves on, one frame at a time. */
export interface Wire {
	readonly open: boolean;
	readonly waiting: boolean;
	/** Moves the oldest frame of one direction; with `twice`, the relay delivers it twice. */
	step(first: boolean, twice: boolean): void;
	/** What is on the way is lost; both ends hear that it is over. */
	cut(): void;
	/** Half open: from now on everything vanishes, and nobody is told. */
	hang(): void;
}

/** What the device is told instead of a frame. */
type Lie = (frame: DownFrame) => DownFrame | readonly DownFrame[];

/** One device's socket to the relay, both ends of it. */
export class RelayWire implements Wire {
	readonly #up: Uint8Array[] = [];
	readonly #down: Uint8Array[] = [];
	readonly #handlers: RelayHandlers;
	readonly #session;
	#hanging = false;
	#lie: Lie = (frame) => frame;
	#overhear: (frame: UpFrame) => void = () => undefined;
	open = true;

	constructor(relay: Relay, network: string, handlers: RelayHandlers) {
		this.#handlers = handlers;
		const socket: Socket = {
			host: HOST,
			network,
			send: (bytes) => {
				if (!this.open) return 'dropped';
				if (!this.#hanging) this.#down.push(bytes.slice());
				return 'sent';
			},
			buffered: () => this.#down.reduce((bytes, { length }) => bytes + length, 0),
			// A `bye` before it still arrives: the end comes with the last frame.
			close: () => {
				if (this.#hanging) this.#session.closed();
				else this.#down.push(new Uint8Array());
			},
		};
		this.#session = relay.open(socket);
	}

	/** The device's end. */
	readonly connection: RelayConnection = {
		send: (frame) => {
			if (this.open && !this.#hanging) this.#up.push(upFrames.encode(frame));
			return this.open;
		},
		close: () => this.cut(),
	};

	get waiting(): boolean {
		return this.#up.length + this.#down.length > 0;
	}

	/** From now on the device hears what `lie` makes of the relay's frames. */
	lie(lie: Lie): void {
		this.#lie = lie;
	}

	/** What the device asks of the relay, told to `hear` too. */
	overhear(hear: (frame: UpFrame) => void): void {
		this.#overhear = hear;
	}

	/** Frames on their way to the relay. */
	get rising(): number {
		return this.#up.length;
	}

	step(first: boolean, twice: boolean): void {
		if (first ? this.#up.length > 0 : this.#down.length === 0) {
			const bytes = this.#up.shift();
			if (bytes) this.#rise(bytes);
			return;
		}
		const bytes = this.#down.shift();
		if (bytes?.length === 0) this.cut();
		if (!bytes?.length) return;
		const decoded = downFrames.decode(bytes, MAX_FRAME_BYTES);
		if (!decoded.ok)
			throw new Error(`the relay sent what does not decode: ${JSON.stringify(parseCbor(bytes))}`);
		const heard = this.#lie(decoded.value);
		for (const frame of 'type' in heard ? [heard] : heard) this.#handlers.frame(frame);
		if (twice && decoded.value.type === 'deliver') this.#handlers.frame(decoded.value);
	}

	#rise(bytes: Uint8Array): void {
		const decoded = upFrames.decode(bytes, MAX_FRAME_BYTES);
		if (decoded.ok) this.#overhear(decoded.value);
		this.#session.receive(bytes);
	}

	hang(): void {
		this.#hanging = true;
		this.#up.length = 0;
		this.#down.length = 0;
	}

	cut(): void {
		if (!this.open) return;
		this.open = false;
		this.#up.length = 0;
		this.#down.length = 0;
		this.#session.closed();
		this.#handlers.closed();
	}
}

interface End {
	readonly self: DeviceId;
	readonly handlers: PeerHandlers;
}

/** A data channel between two devices. */
class PeerWire implements Wire {
	readonly #queues: { readonly to: End; readonly link: PeerLink; readonly frames: Uint8Array[] }[] =
		[];
	readonly #links: PeerLink[];
	readonly #ends: readonly [End, End];
	#hanging = false;
	open = true;
	/** Frames that came out at the other end. */
	carried = 0;

	constructor(a: End, b: End) {
		this.#ends = [a, b];
		this.#links = [this.#linkFor(a, b), this.#linkFor(b, a)];
	}

	/** The link that `own` holds: what it sends comes out at `other`. */
	#linkFor(own: End, other: End): PeerLink {
		const frames: Uint8Array[] = [];
		const link: PeerLink = {
			device: other.self,
			fingerprints: { local: `dtls ${own.self}`, remote: `dtls ${other.self}` },
			send: (bytes) => {
				if (this.open && !this.#hanging) frames.push(bytes.slice());
				return this.open;
			},
			close: () => this.cut(),
		};
		this.#queues.push({ to: other, link, frames });
		return link;
	}

	touches(device: DeviceId): boolean {
		return this.open && this.#ends.some(({ self }) => self === device);
	}

	announce(): void {
		const [a, b] = this.#ends;
		const [ofA, ofB] = this.#links;
		if (ofA) a.handlers.opened(ofA);
		if (ofB) b.handlers.opened(ofB);
	}

	get waiting(): boolean {
		return this.#queues.some(({ frames }) => frames.length > 0);
	}

	step(first: boolean): void {
		const [a, b] = first ? this.#queues : this.#queues.toReversed();
		const from = a?.frames.length ? a : b;
		const bytes = from?.frames.shift();
		// The receiving end knows the wire by its own link.
		const own = this.#links.find((link) => link !== from?.link);
		if (!bytes || !from || !own) return;
		this.carried++;
		from.to.handlers.received(own, bytes);
	}

	hang(): void {
		this.#hanging = true;
		for (const queue of this.#queues) queue.frames.length = 0;
	}

	cut(): void {
		if (!this.open) return;
		this.open = false;
		for (const queue of this.#queues) queue.frames.length = 0;
		for (const [index, end] of this.#ends.entries()) {
			const link = this.#links[index];
			if (link) end.handlers.closed(link);
		}
	}
}

/** What WebRTC needs to find each other; signalling itself goes through the devices. */
export class PeerAir {
	readonly #ends = new Map<DeviceId, End>();
	readonly #watched = new Map<DeviceId, string[]>();
	readonly wires: PeerWire[] = [];

	/** Everything that this device does with its port from now on. */
	watch(device: DeviceId): string[] {
		const calls: string[] = [];
		this.#watched.set(device, calls);
		return calls;
	}

	port(): PeerLinks {
		let self: DeviceId | undefined;
		return {
			start: (device, handlers) => {
				this.#watched.get(device)?.push('start');
				self = device;
				this.#ends.set(device, { self: device, handlers });
			},
			connect: (device) => {
				if (self) this.#ends.get(self)?.handlers.signal(device, 'offer');
			},
			receiveSignal: (from, payload) => {
				const own = self && this.#ends.get(self);
				const other = this.#ends.get(from);
				if (payload !== 'offer' || !own || !other) return;
				const wire = new PeerWire(other, own);
				this.wires.push(wire);
				wire.announce();
			},
			stop: () => {
				if (self) this.leave(self);
			},
		};
	}

	/** Frames that went directly so far. */
	get carried(): number {
		return this.wires.reduce((sum, { carried }) => sum + carried, 0);
	}

	/** The open link between two devices. */
	between(a: DeviceId, b: DeviceId): Wire | undefined {
		return this.wires.find((wire) => wire.touches(a) && wire.touches(b));
	}

	/** The device is gone from the air, with all its links. */
	leave(device: DeviceId): void {
		this.#ends.delete(device);
		for (const wire of this.wires) if (wire.touches(device)) wire.cut();
	}
}
