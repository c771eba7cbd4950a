// Whispers (SPEC WH-2): typing, presence and signalling. Sealed under a key that every member of the group's
// current epoch can derive, and signed inside, or any member could speak as another.
//
// Sealed = AES box of CBOR [device key, signature, payload], bound to channel and epoch;
// the signature is by the device key over CBOR [channel, epoch, device id, payload] for 'kith ephemeral'.
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { DeviceId } from '../../protocol/ids.ts';
import type { GroupMember, Identity, WhisperScope } from '../ports.ts';
import { openBox, sealBox } from './aes-box.ts';
import { toBufferSource } from './bytes.ts';
import { deviceIdOf } from './certificate.ts';
import { verifySignature } from './signing.ts';

export async function sealWhisper(
	scope: WhisperScope,
	identity: Identity,
	payload: Uint8Array,
): Promise<Uint8Array> {
	const signed = signedPart(scope, identity.device, payload);
	const signature = await identity.sign('kith ephemeral', signed);
	const inner = writeCbor([identity.devicePublicKey, signature, payload]);
	return sealBox(await importKey(scope), inner, boundTo(scope));
}

/** Undefined unless it was sealed for this scope and signed by one of `members`. */
export async function openWhisper(
	scope: WhisperScope,
	members: readonly GroupMember[],
	sealed: Uint8Array,
): Promise<{ readonly from: GroupMember; readonly payload: Uint8Array } | undefined> {
	const inner = await openBox(await importKey(scope), sealed, boundTo(scope));
	const items = inner && parseCbor(inner);
	if (!Array.isArray(items) || items.length !== 3) return undefined;
	const [publicKey, signature, payload] = items as unknown[];
	if (!(publicKey instanceof Uint8Array) || !(signature instanceof Uint8Array)) return undefined;
	if (!(payload instanceof Uint8Array)) return undefined;
	const device = deviceIdOf(publicKey);
	const from = members.find((member) => member.device === device);
	if (!from) return undefined;
	const bytes = signedPart(scope, device, payload);
	const holds = await verifySignature({ publicKey, purpose: 'kith ephemeral', bytes, signature });
	return holds ? { from, payload } : undefined;
}

function signedPart(scope: WhisperScope, device: DeviceId, payload: Uint8Array): Uint8Array {
	return writeCbor([scope.channel, scope.epoch, device, payload]);
}

function boundTo(scope: WhisperScope): Uint8Array {
	return writeCbor([scope.channel, scope.epoch]);
}

function importKey(scope: WhisperScope): Promise<CryptoKey> {
	return crypto.subtle.importKey('raw', toBufferSource(scope.key), 'AES-GCM', false, [
		'encrypt',
		'decrypt',
	]);
}
