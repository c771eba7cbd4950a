// Pushes to devices that are not connected: one wakes a device, more would only spend its battery (SPEC PU).
import type { PushSubscriptionData } from '../../src/protocol/frames.ts';
import type { DeviceId } from '../../src/protocol/ids.ts';
import { Deadlines } from './deadlines.ts';
import type { RelayPorts } from './ports.ts';

const QUIET = 60_000;
/** Devices that may be waiting for the end of their minute; beyond it nobody is woken, mail waits all the same. */
const MAX_QUIET = 200_000;

export class Wakes {
	readonly counts = { sent: 0, failed: 0, gone: 0 };
	readonly #ports: RelayPorts;
	/** When each was woken last, so that a deadline of an earlier wake does not end a later quiet minute. */
	readonly #woken = new Map<DeviceId, number>();
	readonly #quiet: Deadlines<{ readonly device: DeviceId; readonly at: number }>;

	constructor(ports: RelayPorts) {
		this.#ports = ports;
		this.#quiet = new Deadlines(ports.clock, QUIET, ({ device, at }) => {
			if (this.#woken.get(device) === at) this.#woken.delete(device);
		});
	}

	/** Mail was stored for a device that is not connected. */
	wake(device: DeviceId): void {
		if (this.#ports.push.vapidKey === null) return;
		if (this.#woken.has(device) || this.#woken.size >= MAX_QUIET) return;
		const at = this.#ports.clock.now();
		this.#woken.set(device, at);
		this.#quiet.add({ device, at });
		void this.#wake(device);
	}

	/** The device is here: the next mail after it has left may wake it again. */
	connected(device: DeviceId): void {
		this.#woken.delete(device);
	}

	/** Stores or forgets where a device can be woken. */
	async subscribe(
		device: DeviceId,
		subscription: PushSubscriptionData | null,
	): Promise<'stored' | 'push-refused' | 'busy'> {
		if (subscription && !this.#ports.push.allows(subscription)) return 'push-refused';
		const written = await this.#ports.store.writePush(device, subscription);
		return written.ok ? 'stored' : 'busy';
	}

	/** Pushes now, whatever was pushed before (SPEC PU-4). */
	async test(device: DeviceId): Promise<boolean> {
		return (await this.#send(device)) === 'sent';
	}

	stop(): void {
		this.#quiet.clear();
	}

	async #wake(device: DeviceId): Promise<void> {
		const { peers } = this.#ports;
		if (!peers || (await peers.mayWake(device, QUIET))) await this.#send(device);
		// It is connected elsewhere, or another relay has done it: ask again when there is more.
		else this.#woken.delete(device);
	}

	async #send(device: DeviceId): Promise<'sent' | 'gone' | 'failed'> {
		const read = await this.#ports.store.readPush(device);
		if (!read.ok || !read.value) return 'failed';
		const subscription = read.value;
		// The operator may have changed the list since the subscription was stored.
		if (!this.#ports.push.allows(subscription)) return 'failed';
		const outcome = await this.#ports.push.send(subscription);
		this.counts[outcome]++;
		if (outcome === 'gone') await this.#forget(device, subscription);
		return outcome;
	}

	/** Only what failed: the device may have subscribed anew meanwhile. */
	async #forget(device: DeviceId, { endpoint }: PushSubscriptionData): Promise<void> {
		const read = await this.#ports.store.readPush(device);
		if (read.ok && read.value?.endpoint === endpoint)
			await this.#ports.store.writePush(device, null);
	}
}
