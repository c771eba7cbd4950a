// What every part of the engine is given: the world's ports, and the few things they share.
import type { CapsuleKeeping } from './capsule-standing.ts';
import type { Lanes } from './lanes.ts';
import type { HistoryKeeping } from './transfer.ts';
import type {
	AccountPort,
	Clock,
	GroupCrypto,
	Identity,
	Log,
	PeerLinks,
	Random,
	RelayLink,
	SmallCrypto,
	Store,
	StoreFailure,
	Transaction,
} from './ports.ts';
import { idFrom, type EnvelopeId } from '../protocol/ids.ts';

export interface EnginePorts {
	readonly store: Store;
	readonly identity: Identity;
	readonly account: AccountPort;
	readonly groups: GroupCrypto;
	readonly crypto: SmallCrypto;
	readonly relay: RelayLink;
	/** Undefined where history is not handed on: a service worker runs for seconds. */
	readonly history: HistoryKeeping | undefined;
	/** Undefined where no capsule is kept: a service worker runs for seconds. */
	readonly capsules: CapsuleKeeping | undefined;
	/** Undefined where there is no WebRTC. */
	readonly peers: PeerLinks | undefined;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
}

export interface EngineContext extends EnginePorts {
	readonly lanes: Lanes;
	/** Relay time in ms: own clock corrected by the last offset known. */
	readonly relayTime: () => number;
	/**
	 * A transaction that must not fail: where there is no room it waits and tries again, and the world is told.
	 * Only shutdown ends it (it then never resolves).
	 */
	readonly persist: <Value>(body: (tx: Transaction) => Promise<Value>) => Promise<Value>;
}

/** The engine inside one transaction: what is read and written through `tx` happens at once or not at all. */
export interface Work extends EngineContext {
	readonly tx: Transaction;
}

const RETRY_STORE = 5_000;

interface PersistEvents {
	/** Writing fails, or works again (undefined). */
	readonly condition: (failure: StoreFailure | undefined) => void;
	readonly stopped: () => boolean;
}

/** The `persist` of {@link EngineContext}. */
export function createPersist(
	store: Store,
	clock: Clock,
	{ condition, stopped }: PersistEvents,
): EngineContext['persist'] {
	let failing = false;
	return async (body) => {
		for (;;) {
			// After shutdown another engine may be the writer: this one never writes again.
			if (stopped()) return new Promise<never>(() => undefined);
			const outcome = await store.transact(body);
			if (outcome.ok) {
				if (failing) condition(undefined);
				failing = false;
				return outcome.value;
			}
			failing = true;
			condition(outcome.error);
			await new Promise<void>((resolve) => clock.schedule(RETRY_STORE, resolve));
		}
	};
}

export function newEnvelopeId(context: { readonly random: Random }): EnvelopeId {
	return idFrom<EnvelopeId>(context.random.bytes(16));
}
