// Requests to join a group by a link, own ones and those of others; and an own one to join the person's other devices.
import type { Profile } from '../protocol/cards.ts';
import type { AccountId, ChannelId } from '../protocol/ids.ts';
import type { Entrance, SealedEnvelope } from './records.ts';

/** The channel of a request to join a group, until it is decided and the channel left. */
export type RequestRow =
	| WaitingRow
	/** Decided; the answer, if there is one, is sent before the channel is left. */
	| {
			readonly kind: 'over';
			readonly channel: ChannelId;
			readonly answer: SealedEnvelope | undefined;
	  };

/** Somebody who asked to join a group by a link of this device. */
export interface WaitingRow {
	/** `adding`: let in, and not in the group yet. */
	readonly kind: 'waiting' | 'adding';
	readonly channel: ChannelId;
	/** That they are turned away, sealed when they asked: no state of the channel is kept (SPEC JO-7). */
	readonly answer: SealedEnvelope;
	readonly account: AccountId;
	readonly profile: Profile;
	readonly entrance: Entrance;
	/** Relay time, ms. */
	readonly at: number;
}

/** A request to join a group, on its way and until it is answered. */
export interface AskingRow {
	/** Who made the link, and alone may answer. */
	readonly by: AccountId;
	/** Their link. */
	readonly entrance: Entrance;
	/** The channel that carries the request, once it is made. */
	readonly channel: ChannelId | undefined;
	/** Of the offer by which this device joins the others of its person. */
	readonly ticket?: Uint8Array;
}
