// Recovery codes: 160 random bits that people write down (SPEC CP-1), one form for backups and capsules.
const CODE_BYTES = 20;
const CODE_LETTERS = 32;
const GROUP_LETTERS = 4;
/** Crockford's base 32: no I, L, O and U. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 32 letters in 8 groups of four, with dashes between them. */
export function newRecoveryCode(): string {
	const letters = [...crypto.getRandomValues(new Uint8Array(CODE_LETTERS))].map((byte) =>
		LETTERS.charAt(byte & 31),
	);
	return letters.join('').replaceAll(/.{4}(?=.)/gu, '$&-');
}

/** The first group, from 1, with a letter that no code has; undefined where only letters are missing or too many. */
export function strayGroup(code: string): number | undefined {
	const at = Array.from(plainLetters(code)).findIndex((letter) => !LETTERS.includes(letter));
	return at < 0 ? undefined : Math.floor(at / GROUP_LETTERS) + 1;
}

/** The 20 bytes of a code as people type it: O is 0, I and L are 1; case, spaces and dashes do not matter. */
export function recoveryCodeBytes(code: string): Uint8Array<ArrayBuffer> | undefined {
	const letters = plainLetters(code);
	if (letters.length !== CODE_LETTERS) return undefined;
	const bytes = new Uint8Array(CODE_BYTES);
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

function plainLetters(code: string): string {
	return code
		.toUpperCase()
		.replaceAll(/[\s\u2010-\u2015-]/gu, '')
		.replaceAll('O', '0')
		.replaceAll(/[IL]/gu, '1');
}
