// A group that lives a random life: devices join, leave, rotate keys, rename, lose their state and race for an
// epoch, while messages are late. Everything is drawn from one seed; keys are not, and need not be.
import { strict as assert } from 'node:assert';
import { createGroupCrypto } from '../../../src/core/crypto/mls.ts';
import { createIdentity, openIdentity } from '../../../src/core/crypto/identity.ts';
import type {
	FrozenGroup,
	GroupChange,
	GroupCrypto,
	GroupState,
	Identity,
	Opened,
	Result,
	StagedCommit,
} from '../../../src/core/ports.ts';
import { idFrom } from '../../../src/protocol/ids.ts';
import type { ChannelId, DeviceId } from '../../../src/protocol/ids.ts';

export interface Device {
	readonly identity: Identity;
	readonly crypto: GroupCrypto;
}

interface Late {
	readonly bytes: Uint8Array;
	readonly text: string;
	readonly epoch: number;
	/** Devices that have yet to open it. */
	readonly readers: Set<DeviceId>;
}

/** How long a message may be late; the port keeps six earlier epochs. */
const KEPT_EPOCHS = 6;
const MAX_ADDED = 4;

export async function makeDevices(count: number): Promise<Device[]> {
	const clock = { now: () => Date.now() };
	const devices: Device[] = [];
	for (let index = 0; index < count; index++) {
		const stored = await createIdentity({ deviceName: `Device ${index}`, created: clock.now() });
		const identity = openIdentity(stored);
		devices.push({ identity, crypto: await createGroupCrypto({ identity, clock }) });
	}
	return devices;
}

/** Mulberry32: small, fast, and the same everywhere. */
export function seededRandom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

export class Evolution {
	readonly #random: () => number;
	readonly #devices: readonly Device[];
	readonly #states = new Map<Device, GroupState>();
	/** Devices that were removed, with the last state they had. */
	readonly #removed = new Map<Device, GroupState>();
	#late: Late[] = [];
	#groupInfo = new Uint8Array() as Uint8Array;
	#words = 0;

	constructor(devices: readonly Device[], seed: number) {
		this.#devices = devices;
		this.#random = seededRandom(seed);
	}

	async run(steps: number): Promise<void> {
		const [founder] = this.#devices;
		assert(founder);
		const channel = idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
		this.#states.set(founder, await founder.crypto.found(channel, Uint8Array.of(0)));
		await this.#commit(founder, await this.#changeOf(founder, { add: 3 }));
		for (let step = 0; step < steps; step++) {
			await this.#step();
			this.#refreeze();
		}
		await this.#deliverLate(1);
	}

	async #step(): Promise<void> {
		const actor = this.#pick([...this.#states.keys()]);
		const draw = this.#random();
		if (draw < 0.1) await this.#resync(actor);
		else if (draw < 0.2) await this.#race();
		else if (draw < 0.35) await this.#say(actor);
		else await this.#commit(actor, await this.#changeOf(actor, this.#drawChange()));
		await this.#deliverLate(0.3);
	}

	#drawChange() {
		const some = (chance: number, most: number) =>
			this.#random() < chance ? 1 + Math.floor(this.#random() * most) : 0;
		return { add: some(0.5, MAX_ADDED), remove: some(0.4, 3), context: this.#random() < 0.25 };
	}

	async #changeOf(
		actor: Device,
		draw: { add?: number; remove?: number; context?: boolean },
	): Promise<GroupChange & { readonly joiners: readonly Joiner[] }> {
		const inside = [...this.#states.keys()].filter((device) => device !== actor);
		const outside = this.#devices.filter((device) => !this.#states.has(device));
		const remove = this.#sample(inside, draw.remove ?? 0);
		const joiners: Joiner[] = [];
		for (const device of this.#sample(outside, draw.add ?? 0)) {
			const keys = await device.crypto.newKeyPackage({ reusable: this.#random() < 0.2 });
			joiners.push({ device, keys });
		}
		return {
			joiners,
			add: joiners.map(({ keys }) => keys.publicPart),
			remove: remove.map(({ identity }) => identity.device),
			...(draw.context && { context: Uint8Array.of(Math.floor(this.#random() * 256)) }),
		};
	}

	async #commit(
		actor: Device,
		change: GroupChange & { readonly joiners: readonly Joiner[] },
	): Promise<void> {
		await this.#say(actor);
		const staged = must(await actor.crypto.stage(this.#stateOf(actor), change));
		await this.#apply(actor, staged, change.joiners);
		if (change.context) {
			assert.deepEqual(actor.crypto.context(this.#stateOf(actor)), change.context);
		}
	}

	/** Two devices stage for the same epoch; the second loses and applies the winner's. */
	async #race(): Promise<void> {
		const [winner, loser] = this.#sample([...this.#states.keys()], 2);
		if (!winner || !loser) return;
		must(await loser.crypto.stage(this.#stateOf(loser), await this.#changeOf(loser, { add: 1 })));
		await this.#commit(winner, await this.#changeOf(winner, this.#drawChange()));
	}

	/** The actor lost its state and comes back by an external commit. */
	async #resync(actor: Device): Promise<void> {
		if (this.#states.size < 2) return;
		const staged = must(await actor.crypto.resync(this.#groupInfo));
		for (const late of this.#late) late.readers.delete(actor.identity.device);
		await this.#apply(actor, staged, []);
	}

	async #apply(actor: Device, staged: StagedCommit, joiners: readonly Joiner[]): Promise<void> {
		const members = new Set(actor.crypto.members(staged.next).map(({ device }) => device));
		for (const [device, state] of [...this.#states]) {
			if (device === actor) continue;
			const opened = mustBe(await device.crypto.open(state, staged.commit), 'commit');
			assert.equal(opened.by?.device, actor.identity.device);
			assert.equal(opened.removedSelf, !members.has(device.identity.device));
			if (opened.removedSelf) {
				this.#states.delete(device);
				this.#removed.set(device, opened.state);
			} else {
				this.#states.set(device, opened.state);
			}
		}
		this.#states.set(actor, staged.next);
		for (const { device, keys } of joiners) {
			assert(staged.welcome);
			this.#states.set(device, must(await device.crypto.join(staged.welcome, keys)));
			this.#removed.delete(device);
		}
		this.#groupInfo = staged.groupInfo;
		this.#agree(actor);
		await this.#removedAreShutOut(actor);
	}

	#agree(actor: Device): void {
		const reference = this.#stateOf(actor);
		const members = actor.crypto.members(reference);
		assert.equal(members.length, this.#states.size);
		for (const [device, state] of this.#states) {
			assert.equal(state.epoch, reference.epoch);
			assert.deepEqual(
				device.crypto.authenticator(state),
				actor.crypto.authenticator(reference),
				'members disagree on the epoch',
			);
			assert.deepEqual(device.crypto.members(state), members);
			assert.deepEqual(device.crypto.context(state), actor.crypto.context(reference));
		}
	}

	async #removedAreShutOut(actor: Device): Promise<void> {
		const sealed = await actor.crypto.seal(this.#stateOf(actor), utf8('secret'), new Uint8Array());
		this.#states.set(actor, sealed.state);
		for (const [device, state] of this.#removed) {
			const opened = await device.crypto.open(state, sealed.bytes);
			assert.notEqual(opened.kind, 'message', 'a removed member opened a message');
		}
	}

	/** Sends a message that every other member opens now or some epochs later. */
	async #say(actor: Device): Promise<void> {
		const text = `word ${this.#words++}`;
		const sealed = await actor.crypto.seal(this.#stateOf(actor), utf8(text), utf8('id'));
		this.#states.set(actor, sealed.state);
		const readers = new Set(
			[...this.#states.keys()]
				.filter((device) => device !== actor)
				.map(({ identity }) => identity.device),
		);
		this.#late.push({ bytes: sealed.bytes, text, epoch: sealed.state.epoch, readers });
	}

	async #deliverLate(chance: number): Promise<void> {
		for (const late of this.#late) {
			for (const [device, state] of this.#states) {
				if (!late.readers.has(device.identity.device)) continue;
				const due = state.epoch - late.epoch >= KEPT_EPOCHS - 1;
				if (!due && this.#random() > chance) continue;
				const opened = mustBe(await device.crypto.open(state, late.bytes), 'message');
				assert.equal(new TextDecoder().decode(opened.plaintext), late.text);
				this.#states.set(device, opened.state);
				late.readers.delete(device.identity.device);
			}
			// Who left does not read on, and who comes back has new secrets.
			for (const device of this.#removed.keys()) late.readers.delete(device.identity.device);
		}
		this.#late = this.#late.filter(({ readers }) => readers.size > 0);
	}

	/** Any state may go through storage between any two steps; it must come back the same to the byte. */
	#refreeze(): void {
		for (const [device, state] of this.#states) {
			if (this.#random() > 0.3) continue;
			const frozen: FrozenGroup = structuredClone(device.crypto.freeze(state));
			const thawed = device.crypto.thaw(frozen);
			assert.deepEqual(device.crypto.freeze(thawed), frozen);
			this.#states.set(device, thawed);
		}
	}

	#stateOf(device: Device): GroupState {
		const state = this.#states.get(device);
		assert(state);
		return state;
	}

	#pick<Item>(items: readonly Item[]): Item {
		const item = items[Math.floor(this.#random() * items.length)];
		assert(item !== undefined);
		return item;
	}

	#sample<Item>(items: readonly Item[], count: number): Item[] {
		const left = [...items];
		const chosen: Item[] = [];
		while (chosen.length < count && left.length > 0) {
			chosen.push(...left.splice(Math.floor(this.#random() * left.length), 1));
		}
		return chosen;
	}
}

interface Joiner {
	readonly device: Device;
	readonly keys: Awaited<ReturnType<GroupCrypto['newKeyPackage']>>;
}

function utf8(text: string): Uint8Array {
	return new TextEncoder().encode(text);
}

function must<Value>(result: Result<Value, string>): Value {
	assert(result.ok, result.ok ? '' : result.error);
	return result.value;
}

function mustBe<Kind extends Opened['kind']>(
	opened: Opened,
	kind: Kind,
): Extract<Opened, { kind: Kind }> {
	assert.equal(
		opened.kind,
		kind,
		JSON.stringify(opened, (key, value: unknown) =>
			key === 'state' ? '…' : typeof value === 'bigint' ? String(value) : value,
		),
	);
	return opened as Extract<Opened, { kind: Kind }>;
}
