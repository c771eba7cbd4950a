// Whether this device still is the one that keeps the person's capsule. Every engine asks before it sends anything: where
// another device took it over, the person came back elsewhere.
import type { EngineContext } from './context.ts';
import type { Touched } from './ports.ts';
import type { RelaySession } from './relay-session.ts';
import { ONLY } from './records.ts';

/**
 * - `ours`: kept for this device, or it never put one.
 * - `taken`: by another device, says the relay.
 * - `lost`: the relay has none.
 * - `unasked`: no answer.
 */
export type Standing = 'ours' | 'taken' | 'lost' | 'unasked';

export async function capsuleStanding(
	{ store, crypto }: Pick<EngineContext, 'store' | 'crypto'>,
	session: RelaySession,
): Promise<Standing> {
	const row = await store.get('recovery', ONLY);
	const keys = row?.digest === undefined ? undefined : await crypto.capsuleKeys(row.code);
	if (!keys) return 'ours';
	const answer = await session.ask({ type: 'keepCapsule', capsule: keys.capsule });
	if (answer.type === 'accepted') return 'ours';
	if (answer.type === 'refused' && answer.code === 'capsule-taken') return 'taken';
	return answer.type === 'refused' && answer.code === 'capsule-unknown' ? 'lost' : 'unasked';
}

/** What an engine does about its capsule, where it lives long enough to. */
export interface CapsuleKeeper {
	touched(rows: readonly Touched[]): void;
	/** Puts it, if there is something new in it. */
	keep(): Promise<void>;
	/** The relay told how it stands. */
	told(standing: Standing): Promise<void>;
}

/** Makes one; `signedOut`: the account was recovered on another device, and says so itself. */
export type CapsuleKeeping = (
	context: EngineContext,
	session: () => RelaySession,
	signedOut: () => void,
) => CapsuleKeeper;
