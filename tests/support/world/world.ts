// The simulated world: several devices and the true relay logic in one process, on one manual clock and hand-flushed
// wires. Nothing moves unless a step moves it; a seed decides the steps.
import { RELAY_DEFAULTS } from '../../../server/relay/defaults.ts';
import { verifyDevice } from '../../../server/edge/verify-device.ts';
import type { Clock } from '../../../server/relay/ports.ts';
import { createRelay, type Relay } from '../../../server/relay/relay.ts';
import { MemoryDisk, MemoryStore } from '../../../server/storage/memory-store.ts';
import { DEFAULT_MAILBOX_BYTES, DEFAULT_MAILBOX_MESSAGES } from '../../../src/protocol/limits.ts';
import { ManualClock } from '../manual-clock.ts';
import { Busy, settled } from './busy.ts';
import { Device } from './device.ts';
import { Seeded } from './seeded.ts';
import { PeerAir, type RelayWire, type Wire } from './wire.ts';

export interface WorldOptions {
	readonly seed: number;
	/** Own clocks of the devices are off by up to this much either way, ms. */
	readonly skew?: number;
	/** False: no device has WebRTC. */
	readonly direct?: boolean;
}

/** Rates are for floods; a simulated hour passes in a second. */
const NO_RATE = { perSecond: 1e6, burst: 1e6 };

export class World {
	readonly clock = new ManualClock();
	readonly busy = new Busy();
	#relayBusy = new Busy();
	#relayLife = 0;
	/** Decides the steps of the world; devices and relay draw from streams of their own. */
	readonly random: Seeded;
	readonly #relayRandom: Seeded;
	readonly air = new PeerAir();
	readonly wires = new Set<Wire>();
	readonly devices: Device[] = [];
	readonly relayDisk = new MemoryDisk();
	/** What happened, and what the parts found worth a warning, for the report of a failure. */
	readonly notes: string[] = [];
	relay: Relay | undefined;
	#store: MemoryStore | undefined;
	readonly #skew: number;
	readonly direct: boolean;
	/** Looks at the world each time it has come to rest. */
	observe: (() => void) | undefined;
	/** A relay that lies, at each connection of a device. */
	liar: ((device: Device, wire: RelayWire) => void) | undefined;

	constructor({ seed, skew = 0, direct = true }: WorldOptions) {
		this.direct = direct;
		this.random = new Seeded(seed);
		this.#relayRandom = new Seeded(this.random.below(2 ** 31));
		this.#skew = skew;
		this.startRelay();
	}

	startRelay(): void {
		const quota = { messages: DEFAULT_MAILBOX_MESSAGES, bytes: DEFAULT_MAILBOX_BYTES };
		this.#store = new MemoryStore(this.relayDisk, { quota });
		const limits = {
			...RELAY_DEFAULTS.limits,
			requests: NO_RATE,
			whispers: NO_RATE,
			looks: NO_RATE,
			connections: NO_RATE,
			registrations: NO_RATE,
			registrationsOverall: NO_RATE,
			capsules: NO_RATE,
		};
		this.relay = createRelay(
			{
				store: this.#relayBusy.watch(this.#store),
				clock: this.#relayClock(),
				random: this.#relayRandom,
				verify: this.busy.order({ verifyDevice }).verifyDevice,
				push: { vapidKey: null, allows: () => false, send: () => Promise.resolve('failed') },
				log: { info: () => undefined, warn: (event) => void this.notes.push(`relay: ${event}`) },
			},
			{ ...RELAY_DEFAULTS, limits, software: 'kith-relay/test' },
		);
	}

	/** Timers of a relay that was killed do not fire. */
	#relayClock(): Clock {
		const life = this.#relayLife;
		return {
			now: () => this.clock.now(),
			schedule: (ms, call) =>
				this.clock.schedule(Math.ceil(ms), () => {
					if (life === this.#relayLife) call();
				}),
		};
	}

	/** SIGKILL: what was not on its disk is gone. */
	killRelay(): void {
		this.#store?.crash();
		this.#relayBusy = new Busy(); // what was under way there never ends
		this.#relayLife++;
		this.relay = undefined;
		for (const device of this.devices) device.wire?.cut();
	}

	/** A device is connected. */
	plug(device: Device, wire: RelayWire): void {
		this.wires.add(wire);
		this.liar?.(device, wire);
	}

	/** A browser with nobody in it. */
	addBlank(name: string): Device {
		const device = new Device(this, name, 0);
		this.devices.push(device);
		device.open();
		return device;
	}

	async addDevice(name: string): Promise<Device> {
		const skew = Math.round((this.random.fraction() * 2 - 1) * this.#skew);
		const device = new Device(this, name, skew);
		this.devices.push(device);
		await device.start();
		await this.settled();
		return device;
	}

	/** The same for two runs of one seed: every decision draws, and ids are drawn by whoever makes them. */
	get fingerprint(): string {
		const streams = [
			this.random.state,
			this.#relayRandom.state,
			...this.devices.map((d) => d.drawn),
		];
		return streams.map((state) => state.toString(36)).join('.');
	}

	note(device: Device, event: string, fields?: Readonly<Record<string, unknown>>): void {
		this.notes.push(`${device.name}: ${event} ${fields ? JSON.stringify(fields) : ''}`);
	}

	async settled(): Promise<void> {
		await settled(this.busy, this.#relayBusy);
		this.observe?.();
	}

	allWires(): Wire[] {
		for (const wire of this.wires) if (!wire.open) this.wires.delete(wire);
		return [...this.wires, ...this.air.wires.filter(({ open }) => open)];
	}

	/** Moves frames until none waits, and lets everything they started come to its end. */
	async flush(): Promise<void> {
		for (let steps = 0; ; steps++) {
			if (steps > 200_000) throw new Error('the world does not come to rest');
			await this.settled();
			const waiting = this.allWires().filter((wire) => wire.waiting);
			if (waiting.length === 0) return;
			for (const wire of waiting) while (wire.waiting) wire.step(true, false);
		}
	}

	/** Moves what a device says to the relay, and lets the relay work; nothing comes back yet. */
	async up(device: Device): Promise<void> {
		await this.settled();
		for (let { wire } = device; wire && wire.rising > 0; { wire } = device) {
			wire.step(true, false);
			await this.settled();
		}
	}

	/** Lets time pass, in strides, with everything flowing. */
	async pass(ms: number, stride = 1_000): Promise<void> {
		for (let passed = 0; passed < ms; passed += stride) {
			this.clock.advance(Math.min(stride, ms - passed));
			await this.flush();
		}
	}
}
