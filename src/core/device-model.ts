// The nouns of a person's devices.
import type { DeviceId } from '../protocol/ids.ts';
import type { Me } from './model.ts';

/** One of the person's devices. */
export interface OwnDevice {
	readonly device: DeviceId;
	/** As the browser was called when it was linked. */
	readonly name: string;
	/** Since when it is the person's, ms. */
	readonly created: number;
	/** Relay time (ms) of the last sign of it; undefined for this one, and before there was any. */
	readonly lastSeen: number | undefined;
	readonly isThis: boolean;
}

/** Why a device is not linked. */
export type DeviceRefusal =
	/** Not what a browser of Kith shows. */
	| { readonly kind: 'broken' }
	| { readonly kind: 'too-many'; readonly limit: number }
	/** This device is not one of the person's any more. */
	| { readonly kind: 'closed' }
	| { readonly kind: 'storage-full' };

/** This browser on its way to become one more device of somebody. */
export interface LinkingDevice {
	/** What stands after `/d#`: for the person's other device to scan or open. It is no secret. */
	readonly fragment: string;
	/** Resolves once this browser is the person's; history follows by itself ({@link Client.transfer}). */
	readonly done: Promise<
		{ readonly ok: true; readonly value: Me } | { readonly ok: false; readonly error: LinkFailure }
	>;
	cancel(): void;
}

export type LinkFailure =
	| { readonly kind: 'cancelled' }
	/** Somebody laid something there that is no offer. */
	| { readonly kind: 'damaged' }
	/** There is somebody on this device. */
	| { readonly kind: 'started' };

/** History on its way from another own device, in conversations. */
export interface Transfer {
	readonly done: number;
	/** Undefined before that was told. */
	readonly total: number | undefined;
	/** Messages that came so far. */
	readonly messages: number;
	readonly complete: boolean;
}

/** A device list whose every link is signed and in its place. */
export interface ReadDeviceList {
	readonly sequence: number;
	readonly hash: Uint8Array;
	/** The devices that count, oldest first. */
	readonly devices: readonly {
		readonly device: DeviceId;
		readonly name: string;
		/** ms since 1970, by the clock of the device that certified. */
		readonly created: number;
	}[];
}

export type DeviceListFailure =
	/** Not a list, or breaking its own rules. */
	| 'malformed'
	/** A signature or a hash that does not hold, or another account's list. */
	| 'forged'
	/** Valid, but ends before the pinned head: somebody shows an old list. */
	| 'rollback'
	/** Valid, but says something else than the pinned head did at its place. */
	| 'forked';
