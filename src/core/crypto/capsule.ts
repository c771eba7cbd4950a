// The keys behind a recovery code (SPEC CP-1): of it come the id that the relay knows and the key of what it keeps there. The
// code has 160 random bits, so nothing has to make guessing slow.
import { idFrom, type CapsuleId } from '../../protocol/ids.ts';
import type { CapsuleKeys } from '../ports.ts';
import { placeOf } from './place.ts';
import { recoveryCodeBytes } from './recovery-code.ts';

const LABELS = { id: 'kith capsule id', key: 'kith capsule key' };

/** Undefined for what is no recovery code. */
export async function deriveCapsuleKeys(code: string): Promise<CapsuleKeys | undefined> {
	const bytes = recoveryCodeBytes(code);
	if (!bytes) return undefined;
	const { id, seal, open } = await placeOf(bytes, LABELS);
	return { capsule: idFrom<CapsuleId>(id), seal, open };
}
