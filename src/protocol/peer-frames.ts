// What two devices say to each other over a data channel (SPEC PE-*).
import { frame, frameUnion, type FrameValue } from './codec.ts';
import { bytesOf, bytesUpTo, id, uint } from './fields.ts';
import type { ChannelId, EnvelopeId } from './ids.ts';
import { MAX_BODY_BYTES, MAX_EPHEMERAL_BYTES } from './limits.ts';

const introduce = frame(1, 'introduce', { deviceKey: bytesOf(32), nonce: bytesOf(32) });
const prove = frame(2, 'prove', { signature: bytesOf(64) });
const envelope = frame(3, 'envelope', {
	channel: id<ChannelId>(),
	envelope: id<EnvelopeId>(),
	epoch: uint,
	body: bytesUpTo(MAX_BODY_BYTES),
});
const acknowledge = frame(4, 'acknowledge', { envelope: id<EnvelopeId>() });
const whisper = frame(5, 'whisper', {
	channel: id<ChannelId>(),
	body: bytesUpTo(MAX_EPHEMERAL_BYTES),
});
const ping = frame(6, 'ping', {});
const pong = frame(7, 'pong', {});

export const peerFrames = frameUnion(introduce, prove, envelope, acknowledge, whisper, ping, pong);
export type PeerFrame = FrameValue<(typeof peerFrames.shapes)[number]>;
export const MAX_PEER_FRAME_BYTES = MAX_BODY_BYTES + 1024;
