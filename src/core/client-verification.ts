// Making sure that a person is who they say: comparing safety numbers.
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import type { AccountId, ConversationId } from './model.ts';
import { ONLY } from './records.ts';

type VerificationDoor = Pick<Client, 'safetyNumber' | 'compareSafetyNumber' | 'markVerified'>;

export function createVerification({ store, crypto, clock }: ClientPorts): VerificationDoor {
	async function bothAccounts(id: ConversationId) {
		const [me, conversation] = await Promise.all([
			store.get('me', ONLY),
			store.get('conversations', id),
		]);
		if (!me || !conversation?.account) return undefined;
		return { mine: me.account, theirs: conversation.account };
	}

	async function markVerified(account: AccountId, verified: boolean): Promise<void> {
		await must(store, async (tx) => {
			const person = await tx.get('people', account);
			if (!person) return;
			const conversation = await tx.get('conversations', person.conversation ?? '');
			tx.put('people', account, {
				...person,
				verification: verified
					? { kind: 'verified', at: clock.now(), how: 'compared' }
					: { kind: 'unverified' },
			});
			if (!conversation) return;
			tx.put('conversations', conversation.id, { ...conversation }); // whoever shows it hears of it
		});
	}

	return {
		markVerified,
		async safetyNumber(id) {
			const accounts = await bothAccounts(id);
			return accounts && crypto.safetyNumber(accounts.mine, accounts.theirs);
		},
		async compareSafetyNumber(id, scanned) {
			const accounts = await bothAccounts(id);
			if (!accounts) return 'not-a-code';
			const { mine, theirs } = accounts;
			const outcome = await crypto.compareSafetyNumber(mine, theirs, scanned);
			if (outcome === 'same') await markVerified(theirs, true);
			return outcome;
		},
	};
}
