// The kinds of fields that frames are made of. Each has a bound (SPEC LI-1).
import * as v from 'valibot';
import { isAccountId, isId, type AccountId } from './ids.ts';

/** A safe integer from 0 on. */
export const uint = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** A 16-byte id; the caller's type says of what. */
export const id = <Kind extends string>() =>
	v.pipe(
		v.custom<Kind>((value) => typeof value === 'string' && isId(value)),
		v.description('id'),
	);

export const accountId = v.pipe(
	v.custom<AccountId>((value) => typeof value === 'string' && isAccountId(value)),
	v.description('account id'),
);

// The descriptions are what the fingerprint of the wire knows a bound by (tests/vectors/frames.test.ts).
export const bytesUpTo = (max: number) =>
	v.pipe(
		v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= max),
		v.description(`bytes, at most ${max}`),
	);

export const bytesOf = (length: number) =>
	v.pipe(
		v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length),
		v.description(`bytes, exactly ${length}`),
	);

/** At most `max` UTF-16 units. */
export const textUpTo = (max: number) => v.pipe(v.string(), v.maxLength(max));

export const listUpTo = <Item extends v.GenericSchema>(item: Item, max: number) =>
	v.pipe(v.array(item), v.maxLength(max));
