// Safety number: what two people compare to know that nobody stands between them. Built as Signal's numeric
// fingerprint (version 2 of that format): per person 5,200 rounds of SHA-512 over the identity key, so that finding
// a key whose 30 digits collide costs an attacker 5,200 times as much; the two halves in sorted order, so that
// both people read the same 60 digits.
import { sha512 } from '@noble/hashes/sha2.js';
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { AccountId } from '../../protocol/ids.ts';
import { concatBytes, equalBytes, utf8 } from './bytes.ts';
import { accountPublicKey } from './certificate.ts';

const VERSION = 1;
const LABEL = 'kith safety number';
const ROUNDS = 5200;
const GROUPS = 6;
const GROUP_BYTES = 5;
const SCANNED_BYTES = 32;

export interface SafetyNumber {
	/** 60 digits, without spaces, the same for both people. */
	readonly digits: string;
	/** What this device shows as a QR code: CBOR [label, version, my hash, their hash]. */
	readonly qr: Uint8Array;
}

export function safetyNumber(mine: AccountId, theirs: AccountId): SafetyNumber {
	const [my, their] = [fingerprint(mine), fingerprint(theirs)];
	return {
		digits: [digitsOf(my), digitsOf(their)].sort().join(''),
		qr: writeCbor([LABEL, VERSION, my, their]),
	};
}

/** Compares with what the other person's screen shows: their hash first, then mine. */
export function compareScanned(
	scanned: Uint8Array,
	mine: AccountId,
	theirs: AccountId,
): 'same' | 'different' | 'not-a-code' {
	const items = parseCbor(scanned);
	if (!Array.isArray(items) || items.length !== 4) return 'not-a-code';
	const [label, version, first, second] = items as unknown[];
	if (label !== LABEL || version !== VERSION || !isHash(first) || !isHash(second)) {
		return 'not-a-code';
	}
	const [my, their] = [fingerprint(mine), fingerprint(theirs)];
	return equalBytes(first, their) && equalBytes(second, my) ? 'same' : 'different';
}

/** First 32 bytes of the iterated hash of one account key. */
function fingerprint(account: AccountId): Uint8Array {
	const key = accountPublicKey(account);
	let hash: Uint8Array = concatBytes(Uint8Array.of(0, VERSION), key, utf8(LABEL));
	for (let round = 0; round < ROUNDS; round++) {
		hash = sha512(concatBytes(hash, key));
	}
	return hash.slice(0, SCANNED_BYTES);
}

/** 30 digits: six groups of five, each from five bytes. */
function digitsOf(hash: Uint8Array): string {
	const view = new DataView(hash.buffer, hash.byteOffset);
	let digits = '';
	for (let group = 0; group < GROUPS; group++) {
		const at = group * GROUP_BYTES;
		const value = view.getUint8(at) * 2 ** 32 + view.getUint32(at + 1);
		digits += String(value % 100_000).padStart(5, '0');
	}
	return digits;
}

function isHash(value: unknown): value is Uint8Array {
	return value instanceof Uint8Array && value.length === SCANNED_BYTES;
}
