// A recovery code: 160 random bits in 32 letters that people can write down and read back.

const BYTES = 20;
const LETTERS_LONG = 32;
/** Crockford's base 32: no I, L, O and U. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new one, in groups of four. */
export function newRecoveryCode(): string {
	const letters = [...crypto.getRandomValues(new Uint8Array(LETTERS_LONG))].map((byte) =>
		LETTERS.charAt(byte & 31),
	);
	return letters.join('').replaceAll(/.{4}(?=.)/gu, '$&-');
}

/** Its 20 bytes, as people type it: O is 0, I and L are 1. Undefined for what is no code. */
export function recoveryCodeBytes(code: string): Uint8Array | undefined {
	const letters = code
		.toUpperCase()
		.replaceAll(/[\s\u2010-\u2015-]/gu, '')
		.replaceAll('O', '0')
		.replaceAll(/[IL]/gu, '1');
	if (letters.length !== LETTERS_LONG) return undefined;
	const bytes = new Uint8Array(BYTES);
	let buffer = 0;
	let bits = 0;
	let at = 0;
	for (const letter of letters) {
		const value = LETTERS.indexOf(letter);
		if (value < 0) return undefined;
		buffer = ((buffer << 5) | value) & 0xfff;
		bits += 5;
		if (bits < 8) continue;
		bits -= 8;
		bytes[at++] = (buffer >> bits) & 0xff;
	}
	return bytes;
}
