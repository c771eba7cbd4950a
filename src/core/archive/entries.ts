// Entries of a backup as bytes. What is read was sealed with a secret that the person knows, and may still be made by
// somebody else: every field is checked and bounded before anything is done with it.
import * as v from 'valibot';
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import { accountId, bytesUpTo, id, listUpTo, textUpTo, uint } from '../../protocol/fields.ts';
import type { Address, ConversationId, GroupId, MessageId } from '../../protocol/ids.ts';
import {
	MAX_CARD_BYTES,
	MAX_DESCRIPTION_CHARACTERS,
	MAX_GROUP_MEMBERS,
	MAX_GROUP_PICTURE_BYTES,
	MAX_MENTIONS,
	MAX_NAME_CHARACTERS,
	MAX_PICTURE_BYTES,
} from '../../protocol/limits.ts';
import { soundMentions } from '../../protocol/mentions.ts';
import type { ArchiveEntry } from '../archive-entries.ts';
import { MAX_REPORT_NOTE, MAX_REPORT_QUOTE, MAX_REPORT_QUOTES, REPORT_REASONS } from '../model.ts';

/** CBOR of one entry. */
export const MOST_ENTRY_BYTES = 1024 * 1024;
const LONGEST_TEXT = 512 * 1024;
const MOST_PARTICIPANTS = 5_000;
/** Twelve hex digits of ms, and chance. */
const REPORT = /^[0-9a-f]{12}-[\w-]{12}$/u;
/** `order`-`id` (SPEC CO-2), or the beginning. */
const POSITION = /^(?:[0-9a-f]{16}-[\w-]{22})?$/u;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_NAME_CHARACTERS * 4));
const text = textUpTo(LONGEST_TEXT);
const position = v.pipe(v.string(), v.regex(POSITION));
const profile = v.pipe(
	v.object({ name, picture: v.optional(bytesUpTo(MAX_PICTURE_BYTES)) }),
	v.transform(({ name: called, picture }) => ({ name: called, picture: picture ?? null })),
);
const entrance = v.object({ address: id<Address>(), keyPackage: bytesUpTo(MAX_CARD_BYTES) });
const verification = v.variant('kind', [
	v.object({ kind: v.literal('unverified') }),
	v.object({ kind: v.literal('verified'), at: uint, how: v.picklist(['link', 'compared']) }),
]);

const role = v.picklist(['owner', 'admin', 'member']);
const whoMay = v.picklist(['everyone', 'admins']);
const policy = v.object({ write: whoMay, change: whoMay, invite: whoMay });
const about = v.pipe(
	v.object({
		name,
		description: textUpTo(MAX_DESCRIPTION_CHARACTERS * 4),
		picture: v.optional(bytesUpTo(MAX_GROUP_PICTURE_BYTES)),
	}),
	v.transform((told) => ({ ...told, picture: told.picture ?? null })),
);
const group = v.object({
	id: id<GroupId>(),
	about,
	policy,
	members: listUpTo(v.object({ account: accountId, role }), MAX_GROUP_MEMBERS),
});

const who = listUpTo(accountId, MAX_GROUP_MEMBERS);
const event = v.variant('kind', [
	v.object({
		kind: v.picklist([
			...(['joined', 'safety-number-changed', 'latecomer', 'group-created'] as const),
			...(['described', 'pictured', 'frozen', 'recreated'] as const),
		]),
	}),
	v.object({
		kind: v.literal('added'),
		who,
		shared: v.optional(v.picklist(['last-25', 'last-100', 'days-14', 'all'])),
	}),
	v.object({ kind: v.literal('history'), count: uint }),
	v.object({ kind: v.picklist(['joined-by-link', 'removed']), who }),
	v.object({ kind: v.literal('left'), who: accountId }),
	v.object({ kind: v.literal('devices'), change: v.picklist(['added', 'removed', 'refused']) }),
	v.object({ kind: v.literal('renamed'), name }),
	v.object({ kind: v.literal('role'), who: accountId, role }),
	v.object({
		kind: v.literal('policy'),
		policy,
		rule: v.optional(v.picklist(['write', 'change', 'invite'])),
	}),
	v.object({
		kind: v.literal('not-done'),
		intention: v.picklist(['add', 'remove', 'about', 'policy', 'role', 'leave', 'recreate']),
	}),
]);

const foreignBody = v.variant('what', [
	v.object({ kind: v.literal('foreign'), what: v.picklist(['system', 'edited']), text }),
	v.pipe(
		v.object({
			kind: v.literal('foreign'),
			what: v.literal('media'),
			file: v.optional(text),
			text,
		}),
		v.transform((body) => ({ ...body, file: body.file })),
	),
	v.object({ kind: v.literal('foreign'), what: v.literal('deleted') }),
]);
const mention = v.object({ account: accountId, at: uint, length: uint });
const knownBody = v.union([
	v.pipe(
		v.object({
			kind: v.literal('text'),
			text,
			replyTo: v.optional(id<MessageId>()),
			mentions: v.fallback(v.optional(listUpTo(mention, MAX_MENTIONS)), undefined),
			sharedBy: v.optional(accountId),
		}),
		v.transform(({ replyTo, mentions, ...body }) => {
			const sound = soundMentions(body.text, mentions);
			return { ...body, replyTo, ...(sound.length > 0 && { mentions: sound }) };
		}),
	),
	v.object({ kind: v.literal('unreadable'), state: v.picklist(['asked', 'lost']) }),
	v.object({ kind: v.literal('event'), event }),
	v.object({ kind: v.literal('newer') }),
	foreignBody,
]);
/** A kind that this version does not know is shown as such, and not lost. */
const body = v.fallback(knownBody, { kind: 'newer' });

const settings = v.object({
	neverDirect: v.optional(v.boolean()),
	readReceipts: v.optional(v.boolean()),
	showPresence: v.optional(v.boolean()),
	onlyMyLink: v.optional(v.boolean()),
	enterSends: v.optional(v.boolean()),
	theme: v.optional(v.picklist(['system', 'light', 'dark'])),
	textScale: v.optional(v.pipe(v.number(), v.minValue(50), v.maxValue(300))),
	lessMotion: v.optional(v.boolean()),
	locale: v.optional(textUpTo(64)),
	notificationPreview: v.optional(v.picklist(['full', 'name', 'none'])),
	backupEvery: v.optional(v.pipe(uint, v.maxValue(3650))),
});

const imported = v.object({
	source: v.literal('whatsapp'),
	title: textUpTo(400),
	participants: listUpTo(v.object({ account: accountId, name: textUpTo(400) }), MOST_PARTICIPANTS),
	at: uint,
});

const message = v.pipe(
	v.object({
		type: v.literal('message'),
		id: id<MessageId>(),
		conversation: id<ConversationId>(),
		position,
		author: accountId,
		mine: v.boolean(),
		body,
		sent: uint,
		received: uint,
		delivery: v.picklist(['queued', 'sent', 'delivered', 'read', 'failed', 'received']),
		quiet: v.optional(v.literal(true)),
	}),
	// The place of a message ends with its id: no two can have the same.
	v.check((entry) => entry.position.endsWith(`-${entry.id}`)),
);

const shapes = {
	about: v.object({
		type: v.literal('about'),
		account: accountId,
		profile,
		created: uint,
		written: uint,
	}),
	settings: v.object({ type: v.literal('settings'), settings }),
	person: v.object({
		type: v.literal('person'),
		account: accountId,
		profile,
		profileVersion: uint,
		verification,
		lastSeen: v.optional(uint),
		entry: v.optional(entrance),
	}),
	block: v.object({ type: v.literal('block'), account: accountId, on: v.boolean(), at: uint }),
	conversation: v.object({
		type: v.literal('conversation'),
		id: id<ConversationId>(),
		subject: v.picklist(['person', 'notes', 'imported', 'group']),
		account: v.optional(accountId),
		imported: v.optional(imported),
		group: v.optional(group),
		state: v.picklist([
			...(['inviting', 'open', 'refused', 'blocked', 'restored'] as const),
			...(['removed', 'left', 'frozen'] as const),
		]),
		stateBy: v.optional(accountId),
		stateAt: v.optional(uint),
		entry: v.optional(entrance),
		generation: v.optional(uint),
		readTo: position,
		pinned: v.boolean(),
		muted: v.boolean(),
		archived: v.boolean(),
		created: uint,
		draft: text,
	}),
	message,
	link: v.object({
		type: v.literal('link'),
		secret: v.pipe(
			bytesUpTo(32),
			v.check((secret) => secret.length === 32),
		),
		kind: v.picklist(['one-time', 'reusable']),
		welcome: textUpTo(1024),
		created: uint,
		expires: v.optional(uint),
	}),
	report: v.object({
		type: v.literal('report'),
		id: v.pipe(v.string(), v.regex(REPORT)),
		account: accountId,
		name,
		at: uint,
		reason: v.fallback(v.picklist(REPORT_REASONS), 'other'),
		note: textUpTo(MAX_REPORT_NOTE * 4),
		quotes: listUpTo(
			v.object({ id: id<MessageId>(), sent: uint, text: textUpTo(MAX_REPORT_QUOTE * 4) }),
			MAX_REPORT_QUOTES,
		),
	}),
	end: v.object({ type: v.literal('end'), people: uint, conversations: uint, messages: uint }),
};

/** CBOR of an entry. Undefined for one that no reader would take: its text is too long. */
export function encodeEntry(entry: ArchiveEntry): Uint8Array | undefined {
	const bytes = writeCbor(withoutAbsent(entry));
	return bytes.length > MOST_ENTRY_BYTES ? undefined : bytes;
}

/** `unknown`: of a newer version, to be skipped. Undefined for bytes that are no entry. */
export function decodeEntry(bytes: Uint8Array): ArchiveEntry | 'unknown' | undefined {
	const value = parseCbor(bytes);
	if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
	const { type } = value;
	if (typeof type !== 'string') return undefined;
	if (!Object.hasOwn(shapes, type)) return 'unknown';
	const parsed = v.safeParse(shapes[type as keyof typeof shapes], value);
	return parsed.success ? entryOf(parsed.output) : undefined;
}

type Parsed = v.InferOutput<(typeof shapes)[keyof typeof shapes]>;

/** Absent fields become undefined ones, as the rest of Kith has them. */
function entryOf(parsed: Parsed): ArchiveEntry {
	switch (parsed.type) {
		case 'person':
			return { ...parsed, lastSeen: parsed.lastSeen, entry: parsed.entry };
		case 'conversation': {
			const { account, imported: history, group: named, entry, generation = -1 } = parsed;
			const { stateBy, stateAt } = parsed;
			const state = { stateBy, stateAt };
			return { ...parsed, ...state, account, imported: history, group: named, entry, generation };
		}
		case 'link':
			return { ...parsed, expires: parsed.expires };
		case 'message': {
			const { quiet, ...rest } = parsed;
			return { ...rest, ...(quiet && { quiet }) };
		}
		case 'settings':
			return { type: 'settings', settings: present(parsed.settings) };
		default:
			return parsed;
	}
}

/** Only the fields that are there: absent ones must not overwrite anything. */
function present<Value extends object>(
	value: Value,
): { [Key in keyof Value]: Exclude<Value[Key], undefined> } {
	return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
		[Key in keyof Value]: Exclude<Value[Key], undefined>;
	};
}

/** Maps without the fields that are undefined, null, or a generation that never was. */
function withoutAbsent(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutAbsent);
	if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([key, each]) => {
				return each !== undefined && each !== null && !(key === 'generation' && each === -1);
			})
			.map(([key, each]) => [key, withoutAbsent(each)]),
	);
}
