// What is kept of devices: whose they are, and what goes between those of one person.
import type { AccountId, Address, DeviceId } from '../protocol/ids.ts';
import type { Position } from './model.ts';
import type { Entrance } from './records.ts';

/** What is kept of the newest device list seen: a shorter one, or one that says something else, is refused. */
export interface PinnedDevices {
	readonly sequence: number;
	/** SHA-256 of its last link. */
	readonly hash: Uint8Array;
	readonly ids: readonly DeviceId[];
	/** It was said that something came that this list does not allow. */
	readonly doubted?: true;
}

/** An offer to a new device, until it came. */
export interface OfferRow {
	readonly address: Address;
	/** Of the new device: what is offered is sealed for it. */
	readonly publicKey: Uint8Array;
	readonly ticket: Uint8Array;
	/** ms, by this device's clock; until when it may be fetched, by the relay's. */
	readonly made: number;
	readonly expires: number;
	/** What the relay must still be told. */
	readonly todo: 'put' | 'revoke' | undefined;
}

/** Something to ask one of the own devices for. */
export interface Turn {
	readonly device: DeviceId;
	readonly cursor: string;
}

/** History on its way from another own device to this one. */
export interface TransferRow {
	readonly from: DeviceId;
	readonly began: number;
	/** What to ask for, one after the other; empty when all of it is here. */
	readonly queue: readonly string[];
	/** How much there was to ask for; undefined before that was told. */
	readonly total: number | undefined;
	/** That came so far. */
	readonly messages: number;
	/** When it was asked last, ms; and how often since something came. */
	readonly asked?: number;
	readonly times?: number;
	/** What is asked for after that, each of one device. */
	readonly turns?: readonly Turn[];
	/** Came, and is not joined with what is here yet. */
	readonly chunk?: { readonly entries: Uint8Array; readonly more: readonly string[] };
}

/** What the person's devices last agreed on, and when it was said (relay time, ms). */
export interface AgreedRow {
	readonly at: number;
	readonly said?: AgreedConversation;
	readonly settings?: readonly { readonly name: string; readonly on: boolean }[];
	/** How somebody was made sure of; null: they are not. */
	readonly verified?: Mark;
}

/** See {@link Verification}; null: not verified. */
export type Mark = 'link' | 'compared' | null;

/** See the frame `agree`. */
interface AgreedConversation {
	readonly subject: string;
	readonly readTo: Position;
	readonly pinned: boolean;
	readonly muted: boolean;
	readonly archived: boolean;
	readonly draft: string;
}

/** Another device of this person. */
export interface SiblingRow {
	/** How to bring it into a channel; undefined until it said so. */
	readonly entrance: Entrance | undefined;
	/** When something last came from it; relay time, ms. */
	readonly heard: number;
}

/** A change of which devices of somebody are in a group. */
export type DeviceIntention =
	/** Those of the newest list, and no others. */
	| { readonly kind: 'own-devices' }
	/** Of another member, none of whose devices is in it any more (SPEC DE-13). */
	| { readonly kind: 'their-devices'; readonly account: AccountId }
	/** Of the person's own group: one more device, or one less, and the list that says so. */
	| { readonly kind: 'link'; readonly entrance: Entrance; readonly certificate: Uint8Array }
	| { readonly kind: 'unlink'; readonly device: DeviceId };

export function isDeviceIntention(intention: {
	readonly kind: string;
}): intention is DeviceIntention {
	const { kind } = intention;
	return ['own-devices', 'their-devices', 'link', 'unlink'].includes(kind);
}
