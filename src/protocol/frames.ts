// What the relay and a device say to each other. The relay sees these, and nothing inside `body` and `card`.
import * as v from 'valibot';
import { frame, frameUnion, type FrameValue } from './codec.ts';
import { REFUSAL_CODES } from './errors.ts';
import { bytesOf, bytesUpTo, id, listUpTo, textUpTo, uint } from './fields.ts';
import type { Address, CapsuleId, ChannelId, EnvelopeId } from './ids.ts';
import {
	MAX_BODY_BYTES,
	MAX_CAPSULE_BYTES,
	MAX_CARD_BYTES,
	MAX_EPHEMERAL_BYTES,
	MAX_MEMBERS_PER_COMMIT,
	MAX_POINTER_BYTES,
} from './limits.ts';

/** Names an answer's question; counts up from 0 on each connection. */
const request = uint;
const channel = id<ChannelId>();
const envelope = id<EnvelopeId>();
const address = id<Address>();
const capsuleId = id<CapsuleId>();
/** MLS leaf index: how a channel's members are named towards the relay (SPEC CH-2). */
const leaf = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffff));

/** How often an address may be submitted to (SPEC AD-3). Nulls mean: without that limit. */
const addressPolicy = v.strictObject({
	uses: v.nullable(uint),
	usesPerDay: v.nullable(uint),
	/** Relay time in ms. */
	expires: v.nullable(uint),
});
export type AddressPolicy = v.InferOutput<typeof addressPolicy>;

export const ADDRESS_STATES = ['open', 'unknown', 'used', 'expired', 'revoked', 'limit'] as const;
export type AddressState = (typeof ADDRESS_STATES)[number];

const pushSubscription = v.strictObject({
	endpoint: textUpTo(2048),
	p256dh: textUpTo(256),
	auth: textUpTo(64),
});
export type PushSubscriptionData = v.InferOutput<typeof pushSubscription>;

const iceServer = v.strictObject({
	urls: listUpTo(textUpTo(512), 8),
	username: v.nullable(textUpTo(512)),
	credential: v.nullable(textUpTo(512)),
});
export type IceServer = v.InferOutput<typeof iceServer>;

// ---- device -> relay ----
const login = frame(1, 'login', {
	version: uint,
	deviceKey: bytesOf(32),
	signature: bytesOf(64),
});
/** To every other device of a channel. */
const submit = frame(2, 'submit', {
	request,
	envelope,
	channel,
	epoch: uint,
	body: bytesUpTo(MAX_BODY_BYTES),
});
/** Compare-and-swap of a channel's epoch; founds the channel when it does not exist and `epoch` is 0. */
const commit = frame(3, 'commit', {
	request,
	envelope,
	channel,
	epoch: uint,
	body: bytesUpTo(MAX_BODY_BYTES),
	/** Devices that join, by one of their addresses; each gets `welcome`. */
	add: listUpTo(v.strictObject({ leaf, address }), MAX_MEMBERS_PER_COMMIT),
	remove: listUpTo(leaf, MAX_MEMBERS_PER_COMMIT),
	welcome: v.nullable(bytesUpTo(MAX_BODY_BYTES)),
	/** The state that the commit leads to, sealed for members that lost theirs (SPEC CH-11). */
	snapshot: v.nullable(bytesUpTo(MAX_BODY_BYTES)),
});
const leave = frame(4, 'leave', { request, channel });
/** Never stored, never answered; reaches the channel's devices that are connected. */
const whisper = frame(5, 'whisper', { channel, body: bytesUpTo(MAX_EPHEMERAL_BYTES) });
/** Everything up to `seq` is stored on this device. */
const acknowledge = frame(6, 'acknowledge', { seq: uint });
/** Creates or replaces one of the device's own addresses; `card` is what an invite link shows. */
const putAddress = frame(7, 'putAddress', {
	request,
	address,
	policy: addressPolicy,
	card: v.nullable(bytesUpTo(MAX_CARD_BYTES)),
});
const revokeAddress = frame(8, 'revokeAddress', { request, address });
const setPush = frame(9, 'setPush', { request, subscription: v.nullable(pushSubscription) });
const testPush = frame(10, 'testPush', { request });
const ping = frame(11, 'ping', {});
/** What stands behind an invite link; also served over HTTP to those without a device (SPEC AD-6). */
const look = frame(12, 'look', { request, address });
/** The newest snapshot of a channel that the device is in (SPEC CH-12). */
const fetchSnapshot = frame(13, 'fetchSnapshot', { request, channel });
/** What the person gets back with their recovery code (SPEC CP-1). */
const putCapsule = frame(14, 'putCapsule', {
	request,
	capsule: capsuleId,
	/** Null takes it away. */
	sealed: v.nullable(bytesUpTo(MAX_CAPSULE_BYTES)),
	/** Also where another device keeps it: this one takes its place. */
	takesOver: v.boolean(),
	/** Lies, stays and goes with it, under an id of its own (SPEC CP-6). */
	pointer: v.optional(v.strictObject({ capsule: capsuleId, sealed: bytesUpTo(MAX_POINTER_BYTES) })),
});
/** As it lies there, for another 400 days; says whether this device still keeps it (SPEC CP-3). */
const keepCapsule = frame(15, 'keepCapsule', { request, capsule: capsuleId });

export const upFrames = frameUnion(
	login,
	submit,
	commit,
	leave,
	whisper,
	acknowledge,
	putAddress,
	revokeAddress,
	setPush,
	testPush,
	ping,
	look,
	fetchSnapshot,
	putCapsule,
	keepCapsule,
);
export type UpFrame = FrameValue<(typeof upFrames.shapes)[number]>;

// ---- relay -> device ----
const hello = frame(65, 'hello', {
	version: uint,
	floor: uint,
	challenge: bytesOf(32),
	/** The relay's clock, ms since 1970: the device derives its offset (SPEC HS-6). */
	time: uint,
});
const ready = frame(66, 'ready', {
	/** Name and version of the relay's software, for the About page. */
	software: textUpTo(64),
	vapidKey: v.nullable(textUpTo(128)),
	iceServers: listUpTo(iceServer, 16),
	/** How long mail waits here, ms. */
	retention: uint,
});
export const DELIVERY_KINDS = ['message', 'commit', 'welcome', 'dropped'] as const;
export type DeliveryKind = (typeof DELIVERY_KINDS)[number];
const deliver = frame(67, 'deliver', {
	seq: uint,
	kind: v.picklist(DELIVERY_KINDS),
	envelope,
	channel,
	epoch: uint,
	/** Relay's clock when it took the envelope, ms. */
	at: uint,
	body: bytesUpTo(MAX_BODY_BYTES),
});
/** The backlog that waited at login is delivered; what follows is live. */
const caughtUp = frame(68, 'caughtUp', {});
const accepted = frame(69, 'accepted', { request });
const refused = frame(70, 'refused', {
	request,
	code: v.picklist(REFUSAL_CODES),
	/** Earliest useful retry, ms from now; null where retrying does not help. */
	retryAfter: v.nullable(uint),
	/** The channel's epoch, with `epoch-conflict` and `epoch-too-old`. */
	epoch: v.nullable(uint),
});
const whispered = frame(71, 'whispered', { channel, body: bytesUpTo(MAX_EPHEMERAL_BYTES) });
const looked = frame(72, 'looked', {
	request,
	state: v.picklist(ADDRESS_STATES),
	card: v.nullable(bytesUpTo(MAX_CARD_BYTES)),
	/** To its owner: when somebody first came after its one use, ms (SPEC AD-8). */
	latecomer: v.optional(v.nullable(uint)),
});
const pong = frame(73, 'pong', { time: uint });
/** The relay ends the connection; the device comes back after `retryAfter` ms, or not at all if null. */
const bye = frame(74, 'bye', { code: v.picklist(REFUSAL_CODES), retryAfter: v.nullable(uint) });
const snapshot = frame(75, 'snapshot', {
	request,
	/** The epoch that it is of. */
	epoch: uint,
	/** Null where the commit that led there brought none. */
	sealed: v.nullable(bytesUpTo(MAX_BODY_BYTES)),
});
/** The answer over HTTP to whoever knows where a capsule lies (SPEC CP-4). Null: nothing does. */
const capsule = frame(76, 'capsule', { request, sealed: v.nullable(bytesUpTo(MAX_CAPSULE_BYTES)) });

export const downFrames = frameUnion(
	hello,
	ready,
	deliver,
	caughtUp,
	accepted,
	refused,
	whispered,
	looked,
	pong,
	bye,
	snapshot,
	capsule,
);
export type DownFrame = FrameValue<(typeof downFrames.shapes)[number]>;
export type Delivery = Extract<DownFrame, { type: 'deliver' }>;

/**
 * What a device signs to log in (SPEC HS-4): the challenge makes it fresh, the host keeps one relay from
 * passing it on to another.
 */
export function loginStatement(
	challenge: Uint8Array,
	host: string,
	deviceKey: Uint8Array,
): Uint8Array {
	const encodedHost = new TextEncoder().encode(host.toLowerCase());
	const statement = new Uint8Array(64 + encodedHost.length);
	statement.set(challenge, 0);
	statement.set(deviceKey, 32);
	statement.set(encodedHost, 64);
	return statement;
}
