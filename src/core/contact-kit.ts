// What a contact is given so that they can always found a channel with us again: an address of their own and a
// reusable key package (SPEC CO-1 `profile`, CH-9). Revoking the address shuts out that one contact and nobody else.
import type { Content } from '../protocol/content.ts';
import { idFrom, type AccountId, type Address, type ConversationId } from '../protocol/ids.ts';
import type { EngineContext } from './context.ts';
import type { RelaySession } from './relay-session.ts';
import type { Transaction } from './ports.ts';
import { ONLY, type ContactAddressRow } from './records.ts';

const MOST_CONTACTS = 4_000;

/** Own profile for the person of this conversation; makes their kit at the first time. */
export async function profileContent(
	context: EngineContext,
	tx: Transaction,
	conversation: ConversationId,
): Promise<Content | undefined> {
	const me = await tx.get('me', ONLY);
	const account = (await tx.get('conversations', conversation))?.account;
	const person = account && (await tx.get('people', account));
	if (!me || !account || !person) return undefined;
	const kit = await kitFor(context, tx, account);
	const keys = kit && (await tx.get('keyPackages', kit.keyPackageRef));
	if (!kit || !keys) return undefined;
	tx.put('people', account, { ...person, toldProfile: me.profileVersion });
	return {
		type: 'profile',
		profile: me.profile,
		address: kit.address,
		keyPackage: keys.publicPart,
	};
}

async function kitFor(
	context: EngineContext,
	tx: Transaction,
	account: AccountId,
): Promise<ContactAddressRow> {
	const known = await tx.get('contactAddresses', account);
	if (known) return known;
	const keys = await context.groups.newKeyPackage({ reusable: true });
	tx.put('keyPackages', keys.ref, {
		publicPart: keys.publicPart,
		privatePart: keys.privatePart,
		purpose: { kind: 'contact', account },
		created: context.clock.now(),
	});
	const row: ContactAddressRow = {
		address: idFrom<Address>(context.random.bytes(16)),
		keyPackageRef: keys.ref,
		registered: false,
	};
	tx.put('contactAddresses', account, row);
	return row;
}

/** Makes the relay know the addresses that were given out. */
export async function registerContactAddresses(
	context: EngineContext,
	session: RelaySession,
): Promise<void> {
	const rows = await context.store.list('contactAddresses', { prefix: '', limit: MOST_CONTACTS });
	for (const { key, value } of rows) {
		if (value.registered) continue;
		const answer = await session.ask({
			type: 'putAddress',
			address: value.address,
			policy: { uses: null, usesPerDay: null, expires: null },
			card: null,
		});
		if (answer.type === 'unknown') return; // the next connection goes on here
		if (answer.type === 'accepted') {
			await context.persist(async (tx) => {
				const row = await tx.get('contactAddresses', key);
				if (row) tx.put('contactAddresses', key, { ...row, registered: true });
			});
		}
	}
}
