// Identifiers that cross a wire. All are base64url text without padding, made from random or hashed bytes;
// the brands keep one kind from being passed where another belongs, and this is the only file that makes them.

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** The account's Ed25519 public key (32 bytes, 43 characters): the identity that people verify. */
export type AccountId = Id<'AccountId'>;
/** First 16 bytes of SHA-256 over a device's Ed25519 public key (22 characters); also names its mailbox. */
export type DeviceId = Id<'DeviceId'>;
/** A random capability (16 bytes) that lets its holder submit to one mailbox; an invite link is one. */
export type Address = Id<'Address'>;
/** A random name (16 bytes) for a group of devices at the relay; equals the MLS group id. */
export type ChannelId = Id<'ChannelId'>;
/** One sealed packet, whichever way it travels (16 random bytes). Transport is idempotent by it. */
export type EnvelopeId = Id<'EnvelopeId'>;
/** One message as people see it (16 random bytes). Content is idempotent by it; a resend keeps it. */
export type MessageId = Id<'MessageId'>;
/** One conversation on this device (16 random bytes); never crosses a wire. */
export type ConversationId = Id<'ConversationId'>;
/** Where a capsule lies (16 bytes of HKDF over the recovery code): whoever knows it may fetch and replace it. */
export type CapsuleId = Id<'CapsuleId'>;
/** One group of people (16 random bytes), whichever channel it uses; known to its members alone. */
export type GroupId = Id<'GroupId'>;
/** MLS epoch of a channel: 0 when founded, +1 with each commit. */
export type Epoch = number;
/** Position in a mailbox; strictly increasing, not contiguous. */
export type MailboxSeq = number;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VALUES = new Map(Array.from(ALPHABET, (letter, value) => [letter, value]));

/** Base64url (RFC 4648 section 5) without padding. */
export function toBase64Url(bytes: Uint8Array): string {
	let text = '';
	for (let at = 0; at < bytes.length; at += 3) {
		const left = bytes.length - at;
		const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + 3);
		const group = (first << 16) | (second << 8) | third;
		text += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63);
		if (left > 1) text += ALPHABET.charAt((group >> 6) & 63);
		if (left > 2) text += ALPHABET.charAt(group & 63);
	}
	return text;
}

/** Inverse of {@link toBase64Url}; undefined for anything that it would not have written. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
	const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
	let buffer = 0;
	let bits = 0;
	let at = 0;
	for (const letter of text) {
		const value = VALUES.get(letter);
		if (value === undefined) return undefined;
		buffer = ((buffer << 6) | value) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[at++] = (buffer >> bits) & 0xff;
		}
	}
	// A lone trailing letter, or bits that are not zero, is a text that we never write: one id, one spelling.
	if (text.length % 4 === 1 || (buffer & ((1 << bits) - 1)) !== 0) return undefined;
	return bytes;
}

// The last letter carries 2 or 4 bits only; the rest of it must be zero, so that one id has one spelling.
const ID_TEXT = /^[\w-]{21}[AQgw]$/;
const ACCOUNT_ID_TEXT = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** True for the text of a 16-byte id. */
export function isId(text: string): boolean {
	return ID_TEXT.test(text);
}

/** True for the text of an account's 32-byte key. */
export function isAccountId(text: string): text is AccountId {
	return ACCOUNT_ID_TEXT.test(text);
}

/** Makes an id of any kind from its bytes; the caller's type says which. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- an assertion in one place beats many
export function idFrom<Kind extends Id<string>>(bytes: Uint8Array): Kind {
	return toBase64Url(bytes) as Kind;
}
