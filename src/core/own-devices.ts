// The person's other devices: how they are brought into a channel, and which channels lack one of them or have one too many
// (SPEC DE-3 to DE-5).
import type { AccountId, Address, DeviceId } from '../protocol/ids.ts';
import type { ShownList } from './channels.ts';
import type { EngineContext, Work } from './context.ts';
import { isStranger, ownList } from './device-pins.ts';
import { isOutOfGroup } from './model.ts';
import { nextOrder } from './positions.ts';
import type { Store, Transaction } from './ports.ts';
import { isDeviceIntention, type DeviceIntention } from './device-records.ts';
import {
	ONLY,
	outboxKey,
	type ChannelRow,
	type ConversationRow,
	type Entrance,
	type PersonRow,
} from './records.ts';

const MOST_DEVICES = 64;
const EVERYTHING = { prefix: '', limit: 20_000 };
/** Changes of one group that may wait. */
const MOST_CHANGES = 64;

/** The own devices beside this one that can be brought into a channel. */
export async function siblingEntrances(work: Work): Promise<Map<DeviceId, Entrance>> {
	const { tx, identity } = work;
	const entrances = new Map<DeviceId, Entrance>();
	const me = await tx.get('me', ONLY);
	if (!me?.devices) return entrances; // there never was another
	for (const device of me.devices.ids) {
		const entrance = (await tx.get('siblings', device))?.entrance;
		if (device === identity.device || !entrance) continue;
		const owner = await work.groups.inspectKeyPackage(entrance.keyPackage);
		const isTheirs = owner.ok && owner.value.device === device;
		if (isTheirs && owner.value.account === identity.account) entrances.set(device, entrance);
	}
	return entrances;
}

/** Ways to the devices of a person: by what each told, else by what one of them gave to everybody. */
export async function contactEntrances(
	work: Work,
	account: AccountId,
	invite: Entrance | undefined,
): Promise<Map<DeviceId, Entrance>> {
	const person = await work.tx.get('people', account);
	const told = [...Object.values(person?.entrances ?? {}), person?.entry];
	const known = await usable(work, { account, person }, told);
	return known.size > 0 ? known : usable(work, { account, person }, [invite]);
}

async function usable(
	work: Work,
	{ account, person }: { readonly account: AccountId; readonly person: PersonRow | undefined },
	entrances: readonly (Entrance | undefined)[],
): Promise<Map<DeviceId, Entrance>> {
	const found = new Map<DeviceId, Entrance>();
	for (const entrance of entrances) {
		const owner = entrance && (await work.groups.inspectKeyPackage(entrance.keyPackage));
		if (!entrance || !owner?.ok || owner.value.account !== account) continue;
		const { device } = owner.value;
		if (!isStranger(person, device) && !found.has(device)) found.set(device, entrance);
	}
	return found;
}

/** The lists that a new channel with this person shows to everybody in it (SPEC DE-3). */
export async function listsFor(work: Work, account: AccountId): Promise<ShownList[]> {
	const theirs = await work.tx.get('deviceLists', account);
	const own = { account: work.identity.account, list: await ownList(work) };
	return [own, ...(theirs ? [{ account, list: theirs }] : [])];
}

/** Addresses that do not work any more are not used again. */
export async function forgetAddresses(
	tx: Transaction,
	closed: readonly Address[],
	account: AccountId | undefined,
): Promise<void> {
	const person = account && (await tx.get('people', account));
	if (person) {
		const entry = person.entry && closed.includes(person.entry.address) ? undefined : person.entry;
		const entrances = Object.fromEntries(
			Object.entries(person.entrances ?? {}).filter(([, { address }]) => !closed.includes(address)),
		);
		tx.put('people', person.account, { ...person, entry, entrances });
	}
	for (const { key } of await tx.list('siblings', { prefix: '', limit: MOST_DEVICES })) {
		const row = await tx.get('siblings', key);
		if (!row?.entrance || !closed.includes(row.entrance.address)) continue;
		tx.put('siblings', key, { ...row, entrance: undefined });
	}
}

/**
 * Whether the channel in use of a conversation lacks an own device that could be in it, or has one of anybody's that is not
 * theirs any more.
 */
export async function hasWrongDevices(
	tx: Pick<Transaction, 'get'>,
	{ account, group: id }: ConversationRow,
	{ others }: Pick<ChannelRow, 'others'>,
): Promise<boolean> {
	const me = await tx.get('me', ONLY);
	if (!me || (!me.devices && !account)) return false;
	const self = me.device;
	for (const device of me.devices?.ids ?? []) {
		if (device === self || others.includes(device)) continue;
		if ((await tx.get('siblings', device))?.entrance) return true;
	}
	const own = new Set(me.devices?.ids ?? [self]);
	const group = await tx.get('groups', id ?? '');
	if (group) {
		const devices = Object.entries(group.mending?.devices ?? {});
		return devices.some(([device, owner]) => owner === me.account && !own.has(device as DeviceId));
	}
	const person = account && (await tx.get('people', account));
	if (!person) return false;
	return others.some((device) => {
		return !own.has(device) && person.devices !== undefined && isStranger(person, device);
	});
}

/** Wants the devices of a conversation put in order: by a newer channel, or in a group by a commit. */
export async function queueDevices(tx: Transaction, conversation: ConversationRow): Promise<void> {
	if (conversation.account) {
		tx.put('outbox', outboxKey.devices(conversation.id), { kind: 'devices' });
	} else await queueDeviceChange(tx, conversation, { kind: 'own-devices' });
}

export async function queueDeviceChange(
	tx: Transaction,
	{ id, created }: Pick<ConversationRow, 'id' | 'created'>,
	intention: DeviceIntention,
): Promise<void> {
	const prefix = outboxKey.changes(id);
	const waiting = await tx.list('outbox', { prefix, limit: MOST_CHANGES, newestFirst: true });
	const isThere = waiting.some(
		({ value }) => value.kind === 'change' && isSameWish(value.intention, intention),
	);
	if (isThere) return;
	let order = nextOrder(waiting[0]?.key.slice(prefix.length) ?? '', created);
	// Asked for, so that two who write at once do not both take it.
	while (await tx.get('outbox', outboxKey.change(id, order))) order = nextOrder(order, 0);
	tx.put('outbox', outboxKey.change(id, order), { kind: 'change', intention });
}

/** Wanted twice it is still done once. */
function isSameWish(a: { readonly kind: string }, b: DeviceIntention): boolean {
	if (b.kind === 'own-devices') return a.kind === b.kind;
	return b.kind === 'their-devices' && isDeviceIntention(a) && a.kind === b.kind
		? a.account === b.account
		: false;
}

/**
 * Somebody came back without any of the devices that they had: nobody of their own can bring them into their groups, so
 * whoever is there does (SPEC DE-13).
 */
export async function bringBack({ tx }: Work, account: AccountId): Promise<void> {
	const person = await tx.get('people', account);
	// Whose list never changed has nothing to come back from: most people, and their groups need not be looked through.
	if (!person?.devices || person.devices.sequence === 0) return;
	for (const { value } of await tx.list('groups', EVERYTHING)) {
		const theirs = Object.entries(value.mending?.devices ?? {}).filter(
			([, owner]) => owner === account,
		);
		const isGone = theirs.every(([device]) => isStranger(person, device as DeviceId));
		const conversation = await tx.get('conversations', value.conversation);
		if (theirs.length === 0 || !isGone || conversation?.state.kind !== 'open') continue;
		await queueDeviceChange(tx, conversation, { kind: 'their-devices', account });
	}
}

/** Looks through all conversations and wants in order what is not. */
export async function lookAfterDevices({ store, persist }: EngineContext): Promise<void> {
	if (!(await store.get('me', ONLY))?.devices) return;
	for (const { value } of await store.list('conversations', EVERYTHING)) {
		if (!isLooked(value)) continue;
		const row = await inUse(store, value);
		if (!row || !(await hasWrongDevices(store, value, row))) continue;
		await persist(async (tx) => {
			const fresh = await tx.get('conversations', value.id);
			if (fresh) await queueDevices(tx, fresh);
		});
	}
}

function isLooked({ account, group, hidden, state }: ConversationRow): boolean {
	if (hidden || !(account ?? group) || isOutOfGroup(state)) return false;
	if (state.kind === 'request') return false;
	return state.kind !== 'refused' && state.kind !== 'restored' && state.kind !== 'frozen';
}

async function inUse(
	store: Pick<Store, 'get'>,
	{ channels: [channel] }: ConversationRow,
): Promise<ChannelRow | undefined> {
	const row = channel === undefined ? undefined : await store.get('channels', channel);
	return row?.status === 'open' ? row : undefined;
}
