import type { DeliveryKind } from '../protocol/frames.ts';
import type { ChannelId, EnvelopeId, Epoch } from '../protocol/ids.ts';

/** Sealed bytes from outside, before anything is believed. */
export interface Incoming {
	readonly kind: DeliveryKind;
	readonly channel: ChannelId;
	readonly envelope: EnvelopeId;
	readonly epoch: Epoch;
	/** Relay's clock, or own relay time for what came directly (ms). */
	readonly at: number;
	readonly body: Uint8Array;
	/** Called once it is stored: now it may be acknowledged. */
	readonly stored: () => void;
}
