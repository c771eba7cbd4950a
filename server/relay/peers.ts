// Relays beside this one, on the same store: what one has for a device that is connected to another, it hands to that.
import type { DeviceId } from '../../src/protocol/ids.ts';
import type { Message, Peers, RelayStore, StoreResult, Target } from './ports.ts';

interface Among {
	readonly store: RelayStore;
	readonly peers: Peers;
	isHere(mailbox: DeviceId): boolean;
}

export interface Appended {
	readonly full: readonly DeviceId[];
	/** Nothing was left for the store: it is other relays that answer for all of it. */
	readonly elsewhere?: boolean;
}

/** Safe, for every target: with the relay that serves it, which answers for it then, or in the store. */
export function appendAmong(
	{ store, peers, isHere }: Among,
	message: Message,
	targets: readonly Target[],
): Promise<StoreResult<Appended>> {
	// At once, so that a read which is called next sees it.
	if (targets.every(({ mailbox }) => isHere(mailbox))) return store.append({ message, targets });
	const ask = ({ mailbox }: Target) =>
		isHere(mailbox) ? Promise.resolve('away' as const) : peers.post(message, mailbox);
	return Promise.all(targets.map(ask)).then(async (answers) => {
		if (answers.includes('busy')) return { ok: false, error: 'busy' } as const;
		const those = (answer: string) => targets.filter((_, index) => answers[index] === answer);
		const left = those('away');
		const full = those('mailbox-full').map(({ mailbox }) => mailbox);
		if (left.length === 0) return { ok: true, value: { full, elsewhere: true } } as const;
		const stored = await store.append({ message, targets: left });
		if (!stored.ok) return stored;
		return { ok: true, value: { full: [...full, ...stored.value.full] } } as const;
	});
}
