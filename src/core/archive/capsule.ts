// What is inside a capsule, as bytes (FORMAT.md, "The capsule"). It is small: there are no streams.
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { ArchiveEntry, CapsuleContent } from '../archive-entries.ts';
import type { CapsuleFailure, Result } from '../ports.ts';
import { framed, readFramed } from './container.ts';

const VERSION = 1;
const HEAD_BYTES = 5;
/** A device list grows by some 300 bytes with each device that an account ever had. */
const MOST_IDENTITY_BYTES = 512 * 1024;

/** The bytes that the code's key seals. */
export async function encodeCapsule(content: CapsuleContent): Promise<Uint8Array> {
	const { accountKey, deviceList, profileVersion, passkey, entries } = content;
	const leading = passkey ? [[passkey.secret, passkey.credential, passkey.made]] : [];
	const identity = writeCbor([accountKey, deviceList, profileVersion, ...leading]);
	const head = new Uint8Array(HEAD_BYTES);
	head[0] = VERSION;
	new DataView(head.buffer).setUint32(1, identity.length);
	const parts = [head, identity];
	for await (const bytes of framed(entries)) parts.push(bytes);
	const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** What a capsule holds. Its key belongs to whoever has the code, and it may still be made by somebody else's hand. */
export async function decodeCapsule(
	bytes: Uint8Array,
): Promise<Result<CapsuleContent, CapsuleFailure>> {
	const damaged = { ok: false, error: 'damaged' } as const;
	if ((bytes[0] ?? 0) > VERSION) return { ok: false, error: 'newer' };
	if (bytes[0] !== VERSION || bytes.length < HEAD_BYTES) return damaged;
	const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
	if (length > MOST_IDENTITY_BYTES || HEAD_BYTES + length > bytes.length) return damaged;
	const identity = readIdentity(bytes.subarray(HEAD_BYTES, HEAD_BYTES + length));
	if (!identity) return damaged;
	const entries: ArchiveEntry[] = [];
	const read = await readFramed([bytes.subarray(HEAD_BYTES + length)], (entry) => {
		if (entry.type !== 'message' && entry.type !== 'end') entries.push(entry);
	});
	return read.ok ? { ok: true, value: { ...identity, entries } } : damaged;
}

function readIdentity(bytes: Uint8Array): Omit<CapsuleContent, 'entries'> | undefined {
	const parts = parseCbor(bytes);
	if (!Array.isArray(parts)) return undefined;
	const [accountKey, deviceList, profileVersion, leading] = parts as unknown[];
	if (!(accountKey instanceof Uint8Array) || !(deviceList instanceof Uint8Array)) return undefined;
	if (!Number.isSafeInteger(profileVersion) || (profileVersion as number) < 0) return undefined;
	const passkey = readPasskey(leading);
	return { accountKey, deviceList, profileVersion: profileVersion as number, passkey };
}

/** Capsules of before have none, and one that is not understood is only a convenience less. */
function readPasskey(parts: unknown): CapsuleContent['passkey'] {
	if (!Array.isArray(parts)) return undefined;
	const [secret, credential, made] = parts as unknown[];
	if (!(secret instanceof Uint8Array) || !(credential instanceof Uint8Array)) return undefined;
	return Number.isSafeInteger(made) ? { secret, credential, made: made as number } : undefined;
}
