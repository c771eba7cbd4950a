// How people and groups present themselves to whoever does not know them: a profile, and what a link shows. Apart from what
// is said, because a page needs no more than this before somebody is in.
import * as v from 'valibot';
import { frame, frameUnion, type FrameValue } from './codec.ts';
import { accountId, bytesUpTo, id, textUpTo, uint } from './fields.ts';
import type { GroupId } from './ids.ts';
import {
	MAX_CARD_BYTES,
	MAX_GROUP_PICTURE_BYTES,
	MAX_NAME_UNITS,
	MAX_PICTURE_BYTES,
} from './limits.ts';
import { shownName } from './names.ts';

/** What others call themselves is never taken as it comes (SPEC CO-9). */
export const nameField = v.pipe(
	v.string(),
	v.minLength(1),
	v.maxLength(MAX_NAME_UNITS),
	v.transform(shownName),
);

/** A person's or business's name and picture, as they wish to be seen. */
export const profileSchema = v.strictObject({
	name: nameField,
	/** WebP, JPEG or PNG; null for the monogram. */
	picture: v.nullable(bytesUpTo(MAX_PICTURE_BYTES)),
});
export type Profile = v.InferOutput<typeof profileSchema>;

/** What an invite link shows, sealed with the link's secret (SPEC AD-5). */
const card = frame(1, 'card', {
	account: accountId,
	profile: profileSchema,
	/** A line of welcome in the inviter's words, or empty. */
	welcome: textUpTo(1024),
	keyPackage: bytesUpTo(MAX_CARD_BYTES),
});
/** The same behind the link of a group (SPEC JO-1). */
const groupCard = frame(2, 'groupCard', {
	/** Who made the link: their device is the one that lets people in. */
	account: accountId,
	/** Their name; the picture is left to those who are in. */
	inviter: nameField,
	keyPackage: bytesUpTo(MAX_CARD_BYTES),
	group: id<GroupId>(),
	name: nameField,
	picture: v.nullable(bytesUpTo(MAX_GROUP_PICTURE_BYTES)),
	/** People in it when the card was written. */
	size: uint,
	/** Whether somebody looks at each newcomer first. */
	approval: v.boolean(),
});
export const cards = frameUnion(card, groupCard);
export type Card = FrameValue<(typeof cards.shapes)[number]>;
export type GroupCard = FrameValue<typeof groupCard>;
