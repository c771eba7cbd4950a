import { expect, test } from 'vitest';
import { newOfferKeys, offerAddress, sealOffer } from './device-offer.ts';
import { utf8 } from './bytes.ts';

const plain = utf8('everything that a new device needs');

test('DE-8 what is sealed for a key lies where the key says, and only its maker opens it', async () => {
	const [keys, other] = [await newOfferKeys(), await newOfferKeys()];
	const offer = await sealOffer(keys.publicKey, plain);
	expect(offer?.address).toBe(keys.address);
	expect(await offerAddress(keys.publicKey)).toBe(keys.address);
	expect(other.address).not.toBe(keys.address);
	const sealed = offer?.sealed ?? new Uint8Array();
	expect(await keys.open(sealed)).toEqual(plain);
	expect(await other.open(sealed)).toBeUndefined();
	expect(await keys.open(sealed.slice(0, -1))).toBeUndefined();
	expect(await keys.open(sealed.slice(0, 20))).toBeUndefined();
	const changed = sealed.slice();
	changed[0] = (changed[0] ?? 0) ^ 1;
	expect(await keys.open(changed)).toBeUndefined();
});

test('DE-8 nothing is sealed for what is no key', async () => {
	expect(await sealOffer(new Uint8Array(31), plain)).toBeUndefined();
	// The point of order one agrees on nothing with everybody.
	expect(await sealOffer(new Uint8Array(32), plain)).toBeUndefined();
	const keys = await newOfferKeys();
	expect(await keys.open(new Uint8Array(100))).toBeUndefined();
});
