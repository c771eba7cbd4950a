// Every bound of the wire, in one place, for the relay, the client and the sockets' own settings (SPEC LI-*).
// The operator may lower the relay's quotas by configuration; what is here is the protocol's own ceiling.

const KIB = 1024;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** A whole frame once a session is logged in (room for a Welcome of 1,000 leaves). */
export const MAX_FRAME_BYTES = 1024 * KIB;
/** A frame before login, when the relay does not know who talks to it. */
export const MAX_FRAME_BYTES_BEFORE_LOGIN = 4 * KIB;
/** A sealed message, commit or welcome. */
export const MAX_BODY_BYTES = 512 * KIB;
/** A packet that is never stored: typing, presence, signalling. */
export const MAX_EPHEMERAL_BYTES = 16 * KIB;
/** The sealed card behind an invite link: name, picture, key package. */
export const MAX_CARD_BYTES = 64 * KIB;
/** What a person gets back with a recovery code, sealed. */
export const MAX_CAPSULE_BYTES = 256 * KIB;
/** The second way to a capsule, sealed: a recovery code, and room to spare. */
export const MAX_POINTER_BYTES = 256;
/** Devices that one commit may add, and so the welcomes it may carry. */
export const MAX_MEMBERS_PER_COMMIT = 1024;
/** Addresses that one device may hold. */
export const MAX_ADDRESSES_PER_DEVICE = 4096;
/** Messages more than this many epochs old are refused: their keys may be gone (encryption.md 10). */
export const MAX_EPOCHS_BEHIND = 3;

/** Text in one message: characters shown inline, and the bytes of UTF-8 beyond which it is not sent. */
export const INLINE_TEXT_CHARACTERS = 8192;
export const MAX_TEXT_BYTES = 64 * KIB;
/** Places in one text where somebody is mentioned. */
export const MAX_MENTIONS = 32;
/** A name: what a person sees as characters, and UTF-16 units (a family emoji is one of 11). */
export const MAX_NAME_CHARACTERS = 64;
export const MAX_NAME_UNITS = 4 * MAX_NAME_CHARACTERS;
export const MAX_PICTURE_BYTES = 32 * KIB;
/** A group's own words about itself, and its picture, which travels with every welcome. */
export const MAX_DESCRIPTION_CHARACTERS = 512;
export const MAX_GROUP_PICTURE_BYTES = 16 * KIB;
/** People in one group: beyond the first nobody is added by this client, beyond the second nobody can be. */
export const DEFAULT_GROUP_MEMBERS = 256;
export const MAX_GROUP_MEMBERS = 1024;
/** Leaves that a snapshot's secret is sealed for; in larger groups it is sealed for none. */
export const MAX_SNAPSHOT_KEYS = 128;
/** People that one frame for newcomers names. */
export const MAX_ROSTER_PEOPLE = 64;
/** Messages of a group's history that one newcomer is given, and that one part of it holds. */
export const MAX_HISTORY_MESSAGES = 5_000;
export const MAX_HISTORY_PART = 256;
/** Message ids that one receipt may name. */
export const MAX_RECEIPT_IDS = 512;

/** Devices that a person may have at once, and the bytes of the signed list of all that they ever had. */
export const MAX_DEVICES = 10;
export const MAX_DEVICE_LIST_BYTES = 128 * KIB;

/** How long the relay waits for a login before it closes the socket, in ms. */
export const LOGIN_TIMEOUT = 10_000;
/** A socket without any frame for this long is dead; clients ping well inside it. In ms. */
export const IDLE_TIMEOUT = 2 * MINUTE;
/** How long mail waits for its device by default, in ms. */
export const DEFAULT_RETENTION = 30 * DAY;
/** How long a capsule stays that no device puts or keeps, in ms. */
export const CAPSULE_KEPT = 400 * DAY;
export const DEFAULT_MAILBOX_MESSAGES = 10_000;
export const DEFAULT_MAILBOX_BYTES = 100 * KIB * KIB;
/** Clocks further apart than this are told to the person (ms); up to a day either way everything still works. */
export const CLOCK_SKEW_NOTICE = 5 * MINUTE;
