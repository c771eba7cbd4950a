// The kinds of fields that frames are made of. Each has a bound (SPEC LI-1).
import * as v from 'valibot';
import { isAccountId, isId, type AccountId } from './ids.ts';

/** A safe integer from 0 on. */
export const uint = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** A 16-byte id; the caller's type says of what. */
export const id = <Kind extends string>() =>
	v.custom<Kind>((value) => typeof value === 'string' && isId(value));

export const accountId = v.custom<AccountId>(
	(value) => typeof value === 'string' && isAccountId(value),
);

export const bytesUpTo = (max: number) =>
	v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= max);

export const bytesOf = (length: number) =>
	v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length);

/** At most `max` UTF-16 units. */
export const textUpTo = (max: number) => v.pipe(v.string(), v.maxLength(max));

export const listUpTo = <Item extends v.GenericSchema>(item: Item, max: number) =>
	v.pipe(v.array(item), v.maxLength(max));
