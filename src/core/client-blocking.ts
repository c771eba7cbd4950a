// Blocking from the person's side: one row says it, and the engine keeps to it from then on.
import { blockedPeople, keepBlock } from './blocking.ts';
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import { viewPerson } from './client-queries.ts';
import type { AccountId } from './model.ts';
import type { Transaction } from './ports.ts';

type BlockingDoor = Pick<Client, 'setBlocked' | 'blocked'>;

export function createBlockingDoor({ store, clock }: ClientPorts): BlockingDoor {
	return {
		setBlocked: (account, on) =>
			must(store, (tx) => setBlocked(tx, account, { on, now: clock.now() })),
		async blocked() {
			const since = await blockedPeople(store);
			const newest = [...since].sort(([, a], [, b]) => b - a);
			const rows = await Promise.all(newest.map(([account]) => store.get('people', account)));
			return rows.flatMap((row) => (row ? [viewPerson(row)] : []));
		},
	};
}

async function setBlocked(
	tx: Transaction,
	account: AccountId,
	{ on, now }: { readonly on: boolean; readonly now: number },
): Promise<void> {
	const known = await tx.get('blocks', account);
	if (!(await tx.get('people', account)) || (known?.on ?? false) === on) return;
	// After what another device with a faster clock said, or the others would not listen.
	await keepBlock(tx, { account, on, at: Math.max(now, (known?.at ?? 0) + 1) });
}
