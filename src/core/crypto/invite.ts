// The keys behind an invite link (SPEC AD-5). The link's 32-byte secret stays in the fragment; of it come the address that
// the relay knows and the key of the card that the relay keeps.
import { idFrom } from '../../protocol/ids.ts';
import type { Address } from '../../protocol/ids.ts';
import type { InviteKeys } from '../ports.ts';
import { toBufferSource } from './bytes.ts';
import { placeOf } from './place.ts';

const SECRET_BYTES = 32;
const LABELS = { id: 'kith link address', key: 'kith link card' };

/** Throws for a secret that is not 32 bytes: the caller checks what it reads from a link. */
export async function deriveInviteKeys(secret: Uint8Array): Promise<InviteKeys> {
	if (secret.length !== SECRET_BYTES) throw new Error('The secret of an invite link has 32 bytes');
	const { id, seal, open } = await placeOf(toBufferSource(secret), LABELS);
	return { address: idFrom<Address>(id), sealCard: seal, openCard: open };
}
