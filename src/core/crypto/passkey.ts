// The keys behind a passkey (SPEC CP-7). Its authenticator gives the same 32 secret bytes each time it is asked; of them
// come the id of the pointer to the person's capsule and the key of what lies there: their recovery code.
import { idFrom, type CapsuleId } from '../../protocol/ids.ts';
import type { CapsuleKeys } from '../ports.ts';
import { toBufferSource } from './bytes.ts';
import { placeOf } from './place.ts';

const SECRET_BYTES = 32;
const LABELS = { id: 'kith passkey id', key: 'kith passkey key' };

/** Undefined for a secret that is not 32 bytes. */
export async function derivePasskeyKeys(secret: Uint8Array): Promise<CapsuleKeys | undefined> {
	if (secret.length !== SECRET_BYTES) return undefined;
	const { id, seal, open } = await placeOf(toBufferSource(secret), LABELS);
	return { capsule: idFrom<CapsuleId>(id), seal, open };
}
