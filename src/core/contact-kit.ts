// What a contact is given so that they can always found a channel with us again: an address of their own and a
// reusable key package (SPEC CO-1 `profile`, CH-9). Revoking the address shuts out that one contact and nobody else.
import type { Content } from '../protocol/content.ts';
import { idFrom, type AccountId, type Address, type ConversationId } from '../protocol/ids.ts';
import type { EngineContext, Work } from './context.ts';
import type { RelaySession } from './relay-session.ts';
import { ONLY, type Entrance, type KeyPackageRow } from './records.ts';

const MOST_CONTACTS = 4_000;
const DAY = 24 * 60 * 60_000;
/** Half of what a reusable key package lives: whoever was told the old one in time can still use it. */
const RENEW_AFTER = 180 * DAY;

/** Whether a key package that is out in the world should be replaced. `now` by the clock of this device. */
export function isStale(keys: Pick<KeyPackageRow, 'created'>, now: number): boolean {
	return now - keys.created > RENEW_AFTER;
}

/** Own profile for the person of this conversation; makes their kit at the first time, and when its keys are old. */
export async function profileContent(
	work: Work,
	conversation: ConversationId,
): Promise<Content | undefined> {
	const { tx } = work;
	const me = await tx.get('me', ONLY);
	const account = (await tx.get('conversations', conversation))?.account;
	const person = account && (await tx.get('people', account));
	if (!me || !account || !person) return undefined;
	const { address, keyPackage } = await kitFor(work, account);
	tx.put('people', account, { ...person, toldProfile: me.profileVersion });
	const { profile, profileVersion: version } = me;
	return { type: 'profile', profile, version, address, keyPackage };
}

/** The address stays when its keys are renewed; old keys stay readable for as long as others may use them. */
async function kitFor(work: Work, account: AccountId): Promise<Entrance> {
	const { tx, clock, groups, random } = work;
	const known = await tx.get('contactAddresses', account);
	const keys = known && (await tx.get('keyPackages', known.keyPackageRef));
	if (known && keys && !isStale(keys, clock.now())) {
		return { address: known.address, keyPackage: keys.publicPart };
	}
	const fresh = await groups.newKeyPackage({ reusable: true });
	tx.put('keyPackages', fresh.ref, {
		publicPart: fresh.publicPart,
		privatePart: fresh.privatePart,
		purpose: { kind: 'contact', account },
		created: clock.now(),
	});
	const address = known?.address ?? idFrom<Address>(random.bytes(16));
	const registered = known?.registered ?? false;
	tx.put('contactAddresses', account, { address, keyPackageRef: fresh.ref, registered });
	return { address, keyPackage: fresh.publicPart };
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
