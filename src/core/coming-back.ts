// A person comes back with their recovery code: the same account on a new device, with everybody it knew. Nothing is written
// before all of the capsule was checked, and until the last step the code may be entered again.
import { Merge } from './archive-merge.ts';
import { queueProfile } from './channels.ts';
import { viewMe } from './client-queries.ts';
import { must } from './client-intentions.ts';
import type { CapsuleContent } from './archive-entries.ts';
import { NoRoom } from './histories.ts';
import type { AccountId, ComeBackFailure, DeviceId, Me } from './model.ts';
import type {
	AccountSecret,
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
	readonly decode: RecoveryPorts['decode'];
	/** Makes and keeps a new device of this account; undefined for a secret that is not the account's. */
	restoreIdentity(
		account: AccountId,
		secret: AccountSecret,
	): Promise<{ readonly account: AccountId; readonly device: DeviceId } | undefined>;
}

/** Makes this browser the device of the person whose code it is. Only before `start`. */
export async function comeBack(
	ports: ComeBackPorts,
	code: string,
): Promise<Result<Me, ComeBackFailure>> {
	const { store, crypto, relay } = ports;
	if (await store.get('me', ONLY)) return { ok: false, error: { kind: 'started' } };
	const keys = await crypto.capsuleKeys(code);
	if (!keys) return { ok: false, error: { kind: 'malformed', group: crypto.strayGroup(code) } };
	const sealed = await relay.fetchCapsule(keys.capsule);
	if (sealed === undefined) return { ok: false, error: { kind: 'offline' } };
	if (sealed === null) return { ok: false, error: { kind: 'unknown' } };
	const plain = await keys.open(sealed);
	const content = plain && (await ports.decode(plain));
	if (!content) return { ok: false, error: { kind: 'damaged' } };
	if (!content.ok) return { ok: false, error: { kind: content.error } };
	return restore(ports, content.value, code);
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
			...{ digest: undefined, savedAt: undefined },
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
