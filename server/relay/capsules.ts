// Capsules: what people get back with a recovery code (SPEC CP). The relay keeps each for the device that put it last,
// and gives it to anybody who knows where it lies.
import { createHash } from 'node:crypto';
import { fromBase64Url, type CapsuleId, type DeviceId } from '../../src/protocol/ids.ts';
import type { RefusalCode } from '../../src/protocol/errors.ts';
import type { UpFrame } from '../../src/protocol/frames.ts';
import type { RelayPorts, StoreResult } from './ports.ts';

type PutFrame = Extract<UpFrame, { type: 'putCapsule' }>;
type Refused = Extract<RefusalCode, 'capsule-taken' | 'capsule-unknown' | 'busy'>;

export class Capsules {
	readonly #ports: RelayPorts;

	constructor(ports: RelayPorts) {
		this.#ports = ports;
	}

	/** Undefined once it is stored, or deleted (SPEC CP-2). */
	async put(
		keeper: DeviceId,
		{ capsule, sealed, takesOver, pointer }: PutFrame,
	): Promise<Refused | undefined> {
		const { store, clock } = this.#ports;
		const place = placeOf(capsule);
		const beside = pointer && { place: placeOf(pointer.capsule), sealed: pointer.sealed };
		const record = sealed && { place, keeper, sealed, at: clock.now(), pointer: beside };
		const done = record
			? await store.putCapsule(record, takesOver)
			: await store.dropCapsule(place, keeper);
		if (!done.ok) return 'busy';
		return done.value === 'taken' ? 'capsule-taken' : undefined;
	}

	/** Undefined once its time is moved on (SPEC CP-3). */
	async keep(keeper: DeviceId, capsule: CapsuleId): Promise<Refused | undefined> {
		const { store, clock } = this.#ports;
		const kept = await store.keepCapsule({ place: placeOf(capsule), keeper, at: clock.now() });
		if (!kept.ok) return 'busy';
		return kept.value === 'kept' ? undefined : `capsule-${kept.value}`;
	}

	/** The sealed bytes; undefined where nothing lies (SPEC CP-4). */
	fetch(capsule: CapsuleId): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#ports.store.readCapsule(placeOf(capsule));
	}
}

function placeOf(capsule: CapsuleId): string {
	const bytes = fromBase64Url(capsule) ?? new Uint8Array();
	return createHash('sha256').update(bytes).digest('base64url');
}
