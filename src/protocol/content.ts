// What people say, as it stands inside an envelope's sealed body. The relay must not import this file.
import * as v from 'valibot';
import { frame, frameUnion, type FrameValue } from './codec.ts';
import { accountId, bytesOf, bytesUpTo, id, listUpTo, textUpTo, uint } from './fields.ts';
import type { Address, DeviceId, EnvelopeId, GroupId, MessageId } from './ids.ts';
import {
	MAX_BODY_BYTES,
	MAX_CARD_BYTES,
	MAX_DESCRIPTION_CHARACTERS,
	MAX_DEVICE_LIST_BYTES,
	MAX_EPHEMERAL_BYTES,
	MAX_GROUP_MEMBERS,
	MAX_GROUP_PICTURE_BYTES,
	MAX_HISTORY_PART,
	MAX_MENTIONS,
	MAX_RECEIPT_IDS,
	MAX_ROSTER_PEOPLE,
	MAX_SNAPSHOT_KEYS,
	MAX_TEXT_BYTES,
} from './limits.ts';
import { nameField as name, profileSchema } from './cards.ts';

const message = id<MessageId>();

/**
 * Place of a message in its conversation (SPEC CO-2): a hybrid logical clock as 12 hex digits of milliseconds
 * and 4 of counter. With the message id as tie-break it sorts the same on every device.
 */
const order = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));

const mention = v.strictObject({ account: accountId, at: uint, length: uint });

/** Text in UTF-8 of at most 64 KiB (SPEC CO-4). `sent` is the sender's wall clock in ms: displayed, never sorted by. */
const text = frame(1, 'text', {
	message,
	order,
	/** Counts this device's messages in this channel from 1: a hole is a lost message (SPEC CO-6). */
	count: uint,
	sent: uint,
	text: v.pipe(v.string(), v.maxBytes(MAX_TEXT_BYTES)),
	replyTo: v.nullable(message),
	/** The envelope that could not be opened and that this one replaces (SPEC CO-7). */
	replaces: v.nullable(id<EnvelopeId>()),
	/** Left out where nobody is mentioned. What is no such list is as if it were left out (SPEC CO-10, CO-11). */
	mentions: v.fallback(v.optional(listUpTo(mention, MAX_MENTIONS)), undefined),
});
/** Messages that reached this device, and messages that were on its screen. */
const receipt = frame(2, 'receipt', {
	delivered: listUpTo(message, MAX_RECEIPT_IDS),
	read: listUpTo(message, MAX_RECEIPT_IDS),
});
/**
 * How the sender wants to be seen, and how to found a new channel with them should this one break: an address
 * for this contact alone, and a reusable key package.
 */
const profile = frame(3, 'profile', {
	profile: profileSchema,
	/** Raised with each change, for packets overtake each other (SPEC CO-8). */
	version: uint,
	address: id<Address>(),
	keyPackage: bytesUpTo(MAX_CARD_BYTES),
	/** The signed list of the sender's devices, as the sender knows it (SPEC DE-1). */
	devices: v.optional(bytesUpTo(MAX_DEVICE_LIST_BYTES)),
});
/** Asks the sender to seal again what could not be opened or never came (SPEC CO-7). */
const repair = frame(4, 'repair', {
	device: id<DeviceId>(),
	envelopes: listUpTo(id<EnvelopeId>(), MAX_RECEIPT_IDS),
	/** Counts (see `text`) that are missing. */
	counts: listUpTo(uint, MAX_RECEIPT_IDS),
});
/** Of what was asked for in `repair`, these carried nothing that people see, or are gone at their sender. */
const settled = frame(5, 'settled', {
	envelopes: listUpTo(id<EnvelopeId>(), MAX_RECEIPT_IDS),
	counts: listUpTo(uint, MAX_RECEIPT_IDS),
});

/** For those who were just added: who is here, until each says so themselves (SPEC GR-7). */
const roster = frame(6, 'roster', {
	people: listUpTo(
		v.strictObject({
			account: accountId,
			name,
			/** How to found the group's next channel with them. */
			entrance: v.nullable(
				v.strictObject({ address: id<Address>(), keyPackage: bytesUpTo(MAX_CARD_BYTES) }),
			),
		}),
		MAX_ROSTER_PEOPLE,
	),
});

/** To who asked to join a group: they are not let in (SPEC JO-7). Only in a channel whose context is `asking`. */
const turnedAway = frame(9, 'turnedAway', {
	/** Somebody said no; nobody more fits in; the link is over, or its maker may not invite any more. */
	reason: v.picklist(['declined', 'full', 'closed']),
});

/** As it stands on the device of who shares it; nothing proves that its author said so. */
const shared = v.strictObject({
	message,
	order,
	author: accountId,
	sent: uint,
	text: v.pipe(v.string(), v.maxBytes(MAX_TEXT_BYTES)),
	replyTo: v.nullable(message),
	mentions: v.fallback(v.optional(listUpTo(mention, MAX_MENTIONS)), undefined),
});
/** A part of a group's history, for who was added to it by the sender (SPEC HI). Only between the two. */
const history = frame(12, 'history', {
	group: id<GroupId>(),
	/** From 0; the newest messages come first. */
	part: uint,
	messages: listUpTo(shared, MAX_HISTORY_PART),
	/** Nothing follows. */
	last: v.boolean(),
});
/** That part is stored: the next one may come. */
const historyTaken = frame(13, 'historyTaken', { group: id<GroupId>(), part: uint });

/** To one of the person's own devices: a piece of history is wanted (SPEC DE-10). Only in the group of own devices. */
const want = frame(20, 'want', { to: id<DeviceId>(), cursor: textUpTo(128) });
/** The answer: entries as in a backup, and what may be wanted after them. */
const chunk = frame(21, 'chunk', {
	to: id<DeviceId>(),
	cursor: textUpTo(128),
	entries: bytesUpTo(MAX_BODY_BYTES),
	more: listUpTo(textUpTo(128), 4_096),
});
/** To the person's other devices: how it stands with a conversation, or with what the person prefers (SPEC DE-11). */
const agree = frame(22, 'agree', {
	/** Relay time, ms: the latest counts. */
	at: uint,
	conversations: listUpTo(
		v.strictObject({
			/** `p/` and an account, `g/` and a group, or `n/` for the notes. */
			subject: textUpTo(64),
			readTo: textUpTo(64),
			pinned: v.boolean(),
			muted: v.boolean(),
			archived: v.boolean(),
			draft: textUpTo(MAX_TEXT_BYTES),
		}),
		32,
	),
	settings: v.nullable(listUpTo(v.strictObject({ name: textUpTo(32), on: v.boolean() }), 32)),
	/** Who is blocked, or not any more, since when (ms). */
	blocks: listUpTo(v.strictObject({ account: accountId, on: v.boolean(), at: uint }), 32),
	/** Who was made sure of, and how; null: not any more (ms). Left out where it is about nobody. */
	verified: v.optional(
		listUpTo(
			v.strictObject({
				account: accountId,
				how: v.nullable(v.picklist(['link', 'compared'])),
				at: uint,
			}),
			32,
		),
	),
});
/** Something that the person noted for themselves. */
const note = frame(23, 'note', {
	message,
	order,
	sent: uint,
	text: v.pipe(v.string(), v.maxBytes(MAX_TEXT_BYTES)),
	replyTo: v.nullable(message),
});

export const contents = frameUnion(
	...[text, receipt, profile, repair, settled, roster, turnedAway, history, historyTaken],
	...[want, chunk, agree, note],
);
export type Content = FrameValue<(typeof contents.shapes)[number]>;
export type HistoryContent = Extract<Content, { type: 'history' }>;
export type TextContent = Extract<Content, { type: 'text' }>;

/** Application data of a channel's GroupContext. */
const about = frame(1, 'about', {
	/** Raised when a channel is founded anew for the same people; the highest is in use (SPEC CH-9). */
	generation: uint,
	/** Device lists of the people in it, as the founder knows them (SPEC DE-3). */
	lists: v.optional(
		listUpTo(v.strictObject({ account: accountId, list: bytesUpTo(MAX_DEVICE_LIST_BYTES) }), 2),
	),
});
const who = v.picklist(['everyone', 'admins']);
/** The same for a channel of a group: what it is called, and who may do what (SPEC GR). */
const group = frame(2, 'group', {
	/** The same in all channels of one group. */
	group: id<GroupId>(),
	generation: uint,
	name,
	description: textUpTo(MAX_DESCRIPTION_CHARACTERS),
	picture: v.nullable(bytesUpTo(MAX_GROUP_PICTURE_BYTES)),
	/** One owner and the admins; who is not named is a member. */
	roles: listUpTo(
		v.strictObject({ account: accountId, role: v.picklist(['owner', 'admin']) }),
		MAX_GROUP_MEMBERS,
	),
	policy: v.strictObject({ write: who, change: who, invite: who }),
	/** People who said that they go; anybody may take them out. */
	leaving: listUpTo(accountId, MAX_GROUP_MEMBERS),
	/** Seals the snapshots (SPEC CH-11). */
	secret: bytesOf(32),
	/** Of the group that an account's own devices form: the list of them (SPEC DE-6). Nowhere else. */
	devices: v.optional(bytesUpTo(MAX_DEVICE_LIST_BYTES)),
});
/** A channel in which somebody asks the maker of a group's link to let them in (SPEC JO-2). */
const asking = frame(3, 'asking', {
	group: id<GroupId>(),
	profile: profileSchema,
	/** How to add them, and nothing else: the address is theirs for this group. */
	address: id<Address>(),
	keyPackage: bytesUpTo(MAX_CARD_BYTES),
});
/** A channel in which a new device asks one of its person's devices to bring it in (SPEC DE-9). */
const joining = frame(4, 'joining', {
	/** From the offer that it took: nobody else has it. */
	ticket: bytesOf(32),
	address: id<Address>(),
	keyPackage: bytesUpTo(MAX_CARD_BYTES),
	certificate: bytesUpTo(1024),
});
export const channelContexts = frameUnion(about, group, asking, joining);
export type GroupContext = FrameValue<typeof group>;
export type AskingContext = FrameValue<typeof asking>;
/** A picture, and roles of 43 characters each; or two lists of devices. */
export const MAX_CONTEXT_BYTES =
	2 * MAX_DEVICE_LIST_BYTES + MAX_GROUP_PICTURE_BYTES + MAX_GROUP_MEMBERS * 128;

/** What the relay keeps of a group (SPEC CH-11). */
const snapshot = frame(1, 'snapshot', {
	/** The secret that seals `state`, sealed to the key of each leaf: 32 bytes of key, and the secret with its tag. */
	keys: listUpTo(v.strictObject({ leaf: uint, sealed: bytesOf(32 + 32 + 16) }), MAX_SNAPSHOT_KEYS),
	/** The GroupInfo with its tree, sealed. */
	state: bytesUpTo(MAX_BODY_BYTES),
});
export const snapshots = frameUnion(snapshot);

// ---- whispers: sealed, signed, never stored ----
const typing = frame(1, 'typing', { on: v.boolean() });
/** Where its sender is. `reply` asks the others to say the same of themselves. */
const presence = frame(2, 'presence', { online: v.boolean(), reply: v.boolean() });
/** WebRTC signalling for one device of the channel (SPEC PE-1). */
const signal = frame(3, 'signal', {
	to: id<DeviceId>(),
	payload: textUpTo(MAX_EPHEMERAL_BYTES),
});
export const whispers = frameUnion(typing, presence, signal);
export type Whisper = FrameValue<(typeof whispers.shapes)[number]>;

/** What a device of a person hands to a new one, sealed for the key that it showed (SPEC DE-8). */
const offer = frame(1, 'offer', {
	account: accountId,
	/** The account's private key as PKCS #8 (RFC 8410). */
	accountKey: bytesUpTo(256),
	deviceList: bytesUpTo(MAX_DEVICE_LIST_BYTES),
	/** Shown again by who took it. */
	ticket: bytesOf(32),
	/** The group of the person's own devices. */
	group: id<GroupId>(),
	/** Who made the offer, and how to reach it. */
	device: id<DeviceId>(),
	address: id<Address>(),
	keyPackage: bytesUpTo(MAX_CARD_BYTES),
	profile: profileSchema,
	version: uint,
	created: uint,
});
export const offers = frameUnion(offer);

/** What a commit of a group says of itself to its members, as its authenticated data. */
const byLink = frame(1, 'byLink', {});
/** Whoever commits shares this much of what was said before with those whom the commit adds (SPEC HI-1). */
const sharing = frame(3, 'sharing', {
	history: v.picklist(['last-25', 'last-100', 'days-14', 'all']),
});
/** Who commits brings devices of their own: the list that has them (SPEC DE-5). */
const ownDevices = frame(2, 'ownDevices', { list: bytesUpTo(MAX_DEVICE_LIST_BYTES) });
/** Who commits puts the devices of another member in order, as that account's own list says (SPEC DE-13). */
const theirDevices = frame(4, 'theirDevices', {
	account: accountId,
	list: bytesUpTo(MAX_DEVICE_LIST_BYTES),
});
export const commitNotes = frameUnion(byLink, ownDevices, sharing, theirDevices);
export const MAX_NOTE_BYTES = MAX_DEVICE_LIST_BYTES + 128;
export type CommitNote = FrameValue<(typeof commitNotes.shapes)[number]>;
export type HistoryShare = FrameValue<typeof sharing>['history'];
