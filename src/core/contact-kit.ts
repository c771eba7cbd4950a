// What a contact is given so that they can always found a channel with us again: an address of their own and a
// reusable key package (SPEC CO-1 `profile`, CH-9). Revoking the address shuts out that one contact and nobody else.
import type { Content } from '../protocol/content.ts';
import { REFUSALS, type RefusalCode } from '../protocol/errors.ts';
import {
	idFrom,
	type AccountId,
	type Address,
	type ConversationId,
	type GroupId,
} from '../protocol/ids.ts';
import { MAX_ROSTER_PEOPLE } from '../protocol/limits.ts';
import type { EngineContext, Work } from './context.ts';
import { ownList } from './device-pins.ts';
import type { Transaction } from './ports.ts';
import type { RelaySession } from './relay-session.ts';
import { entranceKey, ONLY, type Entrance, type KeyPackageRow } from './records.ts';

const MOST_CONTACTS = 4_000;
/** In larger groups only names go round: entrances would be megabytes with each newcomer. */
const MOST_WITH_ENTRANCES = 32;
const DAY = 24 * 60 * 60_000;
/** Half of what a reusable key package lives: whoever was told the old one in time can still use it. */
const RENEW_AFTER = 180 * DAY;

/** Whether a key package that is out in the world should be replaced. `now` by the clock of this device. */
export function isStale(keys: Pick<KeyPackageRow, 'created'>, now: number): boolean {
	return now - keys.created > RENEW_AFTER;
}

/** Own profile for the person or the group of this conversation, with the way to found a channel with us. */
export async function profileContent(
	work: Work,
	conversation: ConversationId,
): Promise<Content | undefined> {
	const { tx } = work;
	const me = await tx.get('me', ONLY);
	const kit = await kitOf(work, conversation);
	if (!me || !kit) return undefined;
	const { profile, profileVersion: version } = me;
	const { address, keyPackage, person, group } = kit;
	if (group) tx.put('groups', group.group, { ...group, toldProfile: version });
	else if (person) tx.put('people', person.account, { ...person, toldProfile: version });
	const devices = await ownList(work);
	return { type: 'profile', profile, version, address, keyPackage, devices };
}

/**
 * Whether the relay knows the address that the profile will carry; from the first time it is asked, the address is on its
 * way there. A profile that goes directly would be faster than its own address, and whoever needs that at once would
 * take it for withdrawn.
 */
export async function isEntranceOpen(work: Work, conversation: ConversationId): Promise<boolean> {
	return (await kitOf(work, conversation))?.registered !== false;
}

/** How others can add this device to the group, or the contact reach it, of this conversation. */
export async function entranceToSelf(
	work: Work,
	conversation: ConversationId,
): Promise<(Entrance & { readonly registered: boolean }) | undefined> {
	return kitOf(work, conversation);
}

/** How this person's other devices bring this one into a channel. */
export function kitForOwn(work: Work): Promise<Entrance & { readonly registered: boolean }> {
	return kitFor(work, work.identity.account, { kind: 'own' });
}

/** Makes the kit at the first time, and anew when its keys are old; undefined for notes. */
async function kitOf(work: Work, conversation: ConversationId) {
	const { tx } = work;
	const { account, group: id, hidden } = (await tx.get('conversations', conversation)) ?? {};
	const group = await tx.get('groups', id ?? '');
	if (group && hidden) return { ...(await kitForOwn(work)), group, person: undefined };
	if (group) {
		const purpose = { kind: 'group', group: group.group } as const;
		return { ...(await kitFor(work, group.group, purpose)), group, person: undefined };
	}
	const person = account && (await tx.get('people', account));
	if (!account || !person) return undefined;
	return { ...(await kitFor(work, account, { kind: 'contact', account })), person, group };
}

/** Who is in the group, for those who were just added; entrances only where they are few. */
export async function rosterContents(work: Work, conversation: ConversationId): Promise<Content[]> {
	const { tx } = work;
	const row = await tx.get('conversations', conversation);
	const group = await tx.get('groups', row?.group ?? '');
	if (!group) return [];
	const withEntrances = group.members.length <= MOST_WITH_ENTRANCES;
	const people = [];
	for (const { account } of group.members) {
		const person = await tx.get('people', account);
		if (!person) continue;
		const entrance = withEntrances
			? await tx.get('entrances', entranceKey.of(group.group, account))
			: undefined;
		people.push({ account, name: person.profile.name, entrance: entrance ?? null });
	}
	const frames: Content[] = [];
	for (let at = 0; at < people.length; at += MAX_ROSTER_PEOPLE) {
		frames.push({ type: 'roster', people: people.slice(at, at + MAX_ROSTER_PEOPLE) });
	}
	return frames;
}

/** The address stays when its keys are renewed; old keys stay readable for as long as others may use them. */
async function kitFor(
	work: Work,
	key: AccountId | GroupId,
	purpose: KeyPackageRow['purpose'],
): Promise<Entrance & { readonly registered: boolean }> {
	const { tx, clock, groups, random } = work;
	const known = await tx.get('contactAddresses', key);
	const keys = known && (await tx.get('keyPackages', known.keyPackageRef));
	if (known && keys && !isStale(keys, clock.now())) {
		const { address, registered } = known;
		return { address, keyPackage: keys.publicPart, registered };
	}
	const fresh = await groups.newKeyPackage({ reusable: true });
	tx.put('keyPackages', fresh.ref, {
		publicPart: fresh.publicPart,
		privatePart: fresh.privatePart,
		purpose,
		created: clock.now(),
	});
	const address = known?.address ?? idFrom<Address>(random.bytes(16));
	const registered = known?.registered ?? false;
	tx.put('contactAddresses', key, { address, keyPackageRef: fresh.ref, registered });
	return { address, keyPackage: fresh.publicPart, registered };
}

/** Makes the relay know the addresses that were given out, and those that were withdrawn. True if it did any. */
export async function syncContactAddresses(
	context: EngineContext,
	session: RelaySession,
): Promise<boolean> {
	let did = false;
	const rows = await context.store.list('contactAddresses', { prefix: '', limit: MOST_CONTACTS });
	for (const { key, value } of rows) {
		if (value.registered && !value.revoked) continue;
		const { address } = value;
		const answer = await session.ask(
			value.revoked
				? { type: 'revokeAddress', address }
				: { type: 'putAddress', address, policy: FOR_EVER, card: null },
		);
		if (answer.type === 'unknown') return did; // the next connection goes on here
		// An address that the relay never had is withdrawn as well as one can be.
		const isWithdrawn = value.revoked === true && answer.type === 'refused' && isFinal(answer.code);
		const isDone = answer.type === 'accepted' || isWithdrawn;
		if (isDone) await context.persist((tx) => settleAddress(tx, key));
		did ||= isDone;
	}
	return did;
}

const FOR_EVER = { uses: null, usesPerDay: null, expires: null };

function isFinal(code: RefusalCode): boolean {
	return REFUSALS[code].retry !== 'later';
}

async function settleAddress(tx: Transaction, key: string): Promise<void> {
	const row = await tx.get('contactAddresses', key);
	if (row?.revoked) tx.delete('contactAddresses', key);
	else if (row) tx.put('contactAddresses', key, { ...row, registered: true });
}
