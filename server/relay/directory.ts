// Addresses: capabilities to reach one mailbox, and what their owners allow with them (SPEC AD).
import type { AddressPolicy, AddressState } from '../../src/protocol/frames.ts';
import type { Address, DeviceId } from '../../src/protocol/ids.ts';
import type { RefusalCode } from '../../src/protocol/errors.ts';
import type { AddressRecord, RelayPorts, StoreResult } from './ports.ts';

export const DAY = 24 * 60 * 60 * 1000;
/** Two devices that change one address at one time: the loser looks again, this often at most. */
const ATTEMPTS = 8;

/** Whether an address may be used now. The first reason that applies is named (SPEC AD-4). */
export function stateOf(record: AddressRecord | undefined, now: number): AddressState {
	if (!record) return 'unknown';
	const { uses, usesPerDay, expires } = record.policy;
	if (record.revoked) return 'revoked';
	if (expires !== null && now >= expires) return 'expired';
	if (uses !== null && record.uses >= uses) return 'used';
	const today = record.day === Math.floor(now / DAY) ? record.usesOnDay : 0;
	return usesPerDay !== null && today >= usesPerDay ? 'limit' : 'open';
}

/** The record after one more use (SPEC AD-3). */
export function used(record: AddressRecord, now: number): AddressRecord {
	const day = Math.floor(now / DAY);
	return {
		...record,
		version: record.version + 1,
		uses: record.uses + 1,
		day,
		usesOnDay: (record.day === day ? record.usesOnDay : 0) + 1,
		changedAt: now,
	};
}

/**
 * Somebody came to an address by which nobody can come any more. Of one that was for many that says nothing; of one that was
 * for one it is kept, once, so that coming again costs the disk nothing (SPEC AD-8). Lost if another change is faster.
 */
export async function noteLatecomer(
	{ store, clock }: Pick<RelayPorts, 'store' | 'clock'>,
	record: AddressRecord | undefined,
): Promise<void> {
	const now = clock.now();
	const isLate = record?.policy.uses === 1 && stateOf(record, now) === 'used';
	if (!isLate || record.latecomer !== undefined) return;
	await store.putAddress({ ...record, version: record.version + 1, latecomer: now }, Infinity);
}

export interface LookedUp {
	readonly state: AddressState;
	readonly card: Uint8Array | null;
	/** To the owner alone. */
	readonly latecomer: number | null | undefined;
}

interface NewAddress {
	readonly address: Address;
	readonly owner: DeviceId;
	readonly policy: AddressPolicy;
	readonly card: Uint8Array | null;
}

type Put = 'put' | Extract<RefusalCode, 'address-taken' | 'address-revoked' | 'too-many' | 'busy'>;
type Revoked = 'revoked' | Extract<RefusalCode, 'address-unknown' | 'busy'>;

export class Directory {
	readonly #ports: RelayPorts;
	readonly #max: number;

	constructor(ports: RelayPorts, addressesPerDevice: number) {
		this.#ports = ports;
		this.#max = addressesPerDevice;
	}

	/**
	 * What stands behind an address; the card only while the address is open (SPEC AD-6). Its owner also hears whether
	 * somebody came too late (SPEC AD-8); `by` is undefined for who did not say who they are.
	 */
	async look(address: Address, by: DeviceId | undefined): Promise<StoreResult<LookedUp>> {
		const read = await this.#ports.store.readAddresses([address]);
		if (!read.ok) return read;
		const record = read.value[0];
		const state = stateOf(record, this.#ports.clock.now());
		const isOwner = record !== undefined && record.owner === by;
		if (!isOwner) await noteLatecomer(this.#ports, record);
		const card = state === 'open' ? (record?.card ?? null) : null;
		const latecomer = isOwner ? (record.latecomer ?? null) : undefined;
		return { ok: true, value: { state, card, latecomer } };
	}

	/** Makes or replaces an address; the uses counted so far stay counted, and a revoked one stays revoked. */
	put({ address, owner, policy, card }: NewAddress): Promise<Put> {
		return this.#change<Put>(address, (found, now) => {
			if (found && found.owner !== owner) return 'address-taken';
			if (found?.revoked) return 'address-revoked';
			const fresh = { uses: 0, day: 0, usesOnDay: 0, revoked: false, version: 0 };
			const base = found ?? fresh;
			const version = base.version + 1;
			return { ...base, address, owner, policy, card, version, changedAt: now };
		}).then((outcome) => (outcome === 'changed' ? 'put' : outcome));
	}

	/** Ends an address of its owner for good; what began through it goes on (SPEC AD-7). */
	revoke(address: Address, owner: DeviceId): Promise<Revoked> {
		return this.#change<Revoked>(address, (found, now) => {
			if (!found || found.owner !== owner) return 'address-unknown';
			if (found.revoked) return 'revoked';
			return { ...found, version: found.version + 1, revoked: true, card: null, changedAt: now };
		}).then((outcome) => (outcome === 'changed' || outcome === 'too-many' ? 'revoked' : outcome));
	}

	async #change<Refused extends string>(
		address: Address,
		next: (found: AddressRecord | undefined, now: number) => AddressRecord | Refused,
	): Promise<Refused | 'changed' | 'busy' | 'too-many'> {
		for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
			const read = await this.#ports.store.readAddresses([address]);
			if (!read.ok) return 'busy';
			const record = next(read.value[0], this.#ports.clock.now());
			if (typeof record === 'string') return record;
			const put = await this.#ports.store.putAddress(record, this.#max);
			if (!put.ok) return 'busy';
			if (put.value !== 'conflict') return put.value === 'put' ? 'changed' : put.value;
		}
		return 'busy';
	}
}
