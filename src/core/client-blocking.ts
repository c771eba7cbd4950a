// Blocking from the person's side: one row says it, and the engine keeps to it from then on.
import { blockedPeople } from './blocking.ts';
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import { viewPerson } from './client-queries.ts';
import type { AccountId } from './model.ts';
import type { Transaction } from './ports.ts';
import { ONLY } from './records.ts';

type BlockingDoor = Pick<Client, 'setBlocked' | 'blocked'>;

export function createBlockingDoor({ store, clock }: ClientPorts): BlockingDoor {
	return {
		setBlocked: (account, on) =>
			must(store, (tx) => setBlocked(tx, account, { on, at: clock.now() })),
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
	{ on, at }: { readonly on: boolean; readonly at: number },
): Promise<void> {
	const me = await tx.get('me', ONLY);
	const person = await tx.get('people', account);
	const before = await tx.get('blocks', account);
	if (!person || account === me?.account || (before?.on ?? false) === on) return;
	tx.put('blocks', account, { on, at });
	// The list shows it: whoever watches the conversation must hear of it.
	const alone = await tx.get('conversations', person.conversation ?? '');
	if (alone) tx.put('conversations', alone.id, { ...alone });
}
