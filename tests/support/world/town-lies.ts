// A relay that lies: it replays, reorders and drops what it should deliver, and shows a member of a channel another commit
// than all others, where two members made one for the same epoch.
import type { Delivery, DownFrame, UpFrame } from '../../../src/protocol/frames.ts';
import { idFrom, type EnvelopeId } from '../../../src/protocol/ids.ts';
import type { Device } from './device.ts';
import type { Seeded } from './seeded.ts';
import type { World } from './world.ts';

type Commit = Extract<UpFrame, { type: 'commit' }>;
type Lie = 'replay' | 'forge' | 'reorder' | 'drop' | 'fork';
const LIES: readonly Lie[] = ['replay', 'forge', 'reorder', 'drop', 'fork'];
/** What the relay remembers of what it saw. */
const MOST_KEPT = 200;

export interface Lies {
	/** From now on this device is told the truth, with one lie among it. */
	lieTo(device: Device): void;
	stop(): void;
	/** Who was told something else than others, or less: a fork may leave them behind until somebody acts. */
	readonly victims: Set<Device>;
	readonly told: Record<string, number>;
}

export function tellLies(world: World): Lies {
	const liar = new Liar(world);
	world.liar = (device, wire) => {
		wire.overhear((frame) => liar.hear(frame));
		wire.lie((frame) => liar.tell(device, frame));
	};
	return liar;
}

class Liar implements Lies {
	readonly #random: Seeded;
	readonly #notes: string[];
	/** What each of them will be told next. */
	readonly #planned = new Map<Device, Lie>();
	readonly #held = new Map<Device, Delivery>();
	readonly #delivered = new Map<Device, Delivery[]>();
	/** Every commit that anybody asked for, also those that lost. */
	readonly #commits: Commit[] = [];
	readonly victims = new Set<Device>();
	readonly told: Record<string, number> = {};

	constructor({ random, notes }: World) {
		this.#random = random;
		this.#notes = notes;
	}

	lieTo(device: Device): void {
		this.#planned.set(device, this.#random.pick(LIES));
	}

	stop(): void {
		this.#planned.clear();
	}

	hear(frame: UpFrame): void {
		if (frame.type !== 'commit') return;
		this.#commits.push(frame);
		if (this.#commits.length > MOST_KEPT) this.#commits.shift();
	}

	tell(device: Device, frame: DownFrame): DownFrame | readonly DownFrame[] {
		if (frame.type !== 'deliver') return frame;
		const before = this.#delivered.get(device) ?? [];
		this.#delivered.set(device, [...before.slice(-MOST_KEPT), frame]);
		const held = this.#held.get(device);
		this.#held.delete(device);
		if (held) return [frame, held];
		const told = this.#lie(device, frame, before);
		if (told) this.#planned.delete(device);
		return told ?? frame;
	}

	/** Undefined where this frame is not one for the lie that was planned. */
	#lie(device: Device, frame: Delivery, before: readonly Delivery[]): Delivery[] | undefined {
		const lie = this.#planned.get(device);
		if (!lie || frame.kind === 'dropped') return undefined;
		const frames = this.#made(device, lie, { frame, before });
		if (!frames) return undefined;
		this.told[lie] = (this.told[lie] ?? 0) + 1;
		this.#notes.push(
			`— ${device.name} is told a lie: ${lie} ${frame.kind} of epoch ${frame.epoch}`,
		);
		return frames;
	}

	#made(
		device: Device,
		lie: Lie,
		{ frame, before }: { readonly frame: Delivery; readonly before: readonly Delivery[] },
	): Delivery[] | undefined {
		const old = before.filter(({ channel }) => channel === frame.channel);
		switch (lie) {
			case 'replay':
				return [frame, ...old.slice(0, 20)];
			case 'forge': // the same once more, as if it were something new
				if (old.length === 0) return undefined;
				this.victims.add(device);
				return [frame, { ...this.#random.pick(old), envelope: this.#envelope() }];
			case 'reorder':
				this.#held.set(device, frame);
				this.victims.add(device);
				return [];
			case 'drop':
				// Who is not told that they were added is not there, and nobody can know why.
				if (frame.kind === 'welcome') return undefined;
				this.victims.add(device);
				return [];
			case 'fork': {
				const other = this.#rival(frame);
				if (!other) return undefined;
				this.victims.add(device);
				return [{ ...frame, envelope: other.envelope, body: other.body }];
			}
			default:
				return lie satisfies never;
		}
	}

	#envelope(): EnvelopeId {
		return idFrom<EnvelopeId>(this.#random.bytes(16));
	}

	/** The commit that lost against this one. */
	#rival({ kind, channel, epoch, envelope }: Delivery): Commit | undefined {
		if (kind !== 'commit') return undefined;
		return this.#commits.find((each) => {
			return each.channel === channel && each.epoch === epoch && each.envelope !== envelope;
		});
	}
}
