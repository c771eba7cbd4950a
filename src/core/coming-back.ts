// A person comes back with their recovery code, or a passkey that leads to it: the same account on a new device, with
// everybody it knew. Nothing is written before all of the capsule was checked, and until the last step the code may be
// entered again.
import { Merge } from './archive-merge.ts';
import { queueProfile } from './channels.ts';
import { viewMe } from './client-queries.ts';
import { must } from './client-intentions.ts';
import type { CapsuleContent } from './archive-entries.ts';
import { NoRoom } from './histories.ts';
import type { AccountId, ComeBackFailure, DeviceId, Me, WayBack } from './model.ts';
import type {
	AccountSecret,
	CapsuleKeys,
	Clock,
	RecoveryPorts,
	RelayLink,
	Result,
	SmallCrypto,
	Store,
	Transaction,
} from './ports.ts';
import { ONLY, type MeRow } from './records.ts';

/**
 * The device before may have founded channels and changed its profile after the capsule was put. What begins here must
 * come after all of that, or contacts would stay with what is gone.
 */
const GENERATIONS_AHEAD = 16;
const VERSIONS_AHEAD = 1_000;
const EVERYTHING = { prefix: '', limit: 20_000 };

export interface ComeBackPorts {
	readonly store: Store;
	readonly crypto: SmallCrypto;
	readonly relay: Pick<RelayLink, 'fetchCapsule'>;
	readonly clock: Clock;
	readonly recovery: Pick<RecoveryPorts, 'decode' | 'passkeyKeys'>;
	/** Makes and keeps a new device of this account; undefined for a secret that is not the account's. */
	restoreIdentity(
		account: AccountId,
		secret: AccountSecret,
	): Promise<{ readonly account: AccountId; readonly device: DeviceId } | undefined>;
}

/** Makes this browser the device of the person whose code or passkey it is. Only before `start`. */
export async function comeBack(
	ports: ComeBackPorts,
	by: WayBack,
): Promise<Result<Me, ComeBackFailure>> {
	if (await ports.store.get('me', ONLY)) return { ok: false, error: { kind: 'started' } };
	if (typeof by === 'string') return comeBackByCode(ports, by);
	const keys = await ports.recovery.passkeyKeys(by.passkey);
	const code = keys ? await fetchUnder(ports, keys) : failed('damaged');
	if (!code.ok) return code;
	const back = await comeBackByCode(ports, new TextDecoder().decode(code.value));
	// Nobody typed it: what is wrong with it is not theirs to mend.
	return !back.ok && back.error.kind === 'malformed' ? failed('damaged') : back;
}

async function comeBackByCode(
	ports: ComeBackPorts,
	code: string,
): Promise<Result<Me, ComeBackFailure>> {
	const { crypto } = ports;
	const keys = await crypto.capsuleKeys(code);
	if (!keys) return { ok: false, error: { kind: 'malformed', group: crypto.strayGroup(code) } };
	const plain = await fetchUnder(ports, keys);
	if (!plain.ok) return plain;
	const content = await ports.recovery.decode(plain.value);
	return content.ok ? restore(ports, content.value, code) : failed(content.error);
}

async function fetchUnder(
	{ relay }: ComeBackPorts,
	{ capsule, open }: CapsuleKeys,
): Promise<Result<Uint8Array, ComeBackFailure>> {
	const sealed = await relay.fetchCapsule(capsule);
	if (sealed === undefined) return failed('offline');
	if (sealed === null) return failed('unknown');
	const plain = await open(sealed);
	return plain ? { ok: true, value: plain } : failed('damaged');
}

function failed(kind: Exclude<ComeBackFailure['kind'], 'malformed'>) {
	return { ok: false, error: { kind } } as const;
}

async function restore(
	ports: ComeBackPorts,
	content: CapsuleContent,
	code: string,
): Promise<Result<Me, ComeBackFailure>> {
	const { store } = ports;
	const [about] = content.entries;
	if (about?.type !== 'about') return { ok: false, error: { kind: 'damaged' } };
	const self = await ports.restoreIdentity(about.account, content);
	if (!self) return { ok: false, error: { kind: 'damaged' } };
	const { profile, created } = about;
	const profileVersion = content.profileVersion + VERSIONS_AHEAD;
	const me: MeRow = {
		account: self.account,
		device: self.device,
		profile,
		created,
		profileVersion,
	};
	const merge = new Merge(ports, me);
	try {
		for (const entry of content.entries) await merge.take(entry);
		await merge.finish();
	} catch (error) {
		if (error instanceof NoRoom) return { ok: false, error: { kind: 'storage-full' } };
		throw error;
	}
	const made = ports.clock.now();
	await must(store, async (tx) => {
		await reachOut(tx);
		tx.put('recovery', ONLY, {
			...{ code, made, takesOver: true, leftOut: 0 },
			...{ digest: undefined, savedAt: undefined, passkey: content.passkey },
		});
		// Last: the engine starts with it.
		tx.put('me', ONLY, me);
	});
	return { ok: true, value: viewMe(me) };
}

/** Everybody is told of this device in a channel of its own; whoever was only written to is written to again. */
async function reachOut(tx: Transaction): Promise<void> {
	for (const { key, value } of await tx.list('conversations', EVERYTHING)) {
		const { kind } = value.state;
		if (!value.account || (kind !== 'open' && kind !== 'inviting')) continue;
		const generation = Math.max(value.generation, 0) + GENERATIONS_AHEAD;
		tx.put('conversations', key, { ...value, generation });
		queueProfile(tx, value.id);
	}
}
