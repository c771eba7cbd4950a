// Which devices are whose. Everybody's devices stand in a list that their account signs, link by link; what is kept of the
// newest one seen decides who is heard, and an older list or another one of the same length changes nothing (SPEC DE-1, DE-2).
import type { AccountId, ConversationId, DeviceId } from '../protocol/ids.ts';
import type { Work } from './context.ts';
import { placeEvents } from './group-log.ts';
import type { Incoming } from './incoming.ts';
import type { ReadDeviceList } from './model.ts';
import type { GroupMember, Transaction } from './ports.ts';
import type { PinnedDevices } from './device-records.ts';
import { ONLY, outboxKey, type MeRow, type PersonRow } from './records.ts';

/** The newest list of this person's own devices, signed. */
export async function ownList({ tx, account }: Pick<Work, 'tx' | 'account'>): Promise<Uint8Array> {
	return (await tx.get('me', ONLY))?.deviceList ?? account.deviceList;
}

/** What the newest own list says. */
export async function ownDevices(work: Work): Promise<ReadDeviceList> {
	const read = await work.crypto.readDeviceList(await ownList(work), work.identity.account);
	if (!read.ok) throw new Error(`the own device list is ${read.error}`);
	return read.value;
}

export function pinOf({ sequence, hash, devices }: ReadDeviceList): PinnedDevices {
	return { sequence, hash, ids: devices.map(({ device }) => device) };
}

/** Whether `pinned` says that this device is not the person's, or not any more. */
export function isStranger(
	holder: Pick<PersonRow | MeRow, 'devices'> | undefined,
	device: DeviceId,
): boolean {
	return holder?.devices !== undefined && !holder.devices.ids.includes(device);
}

/** Whether neither this person nor that one ever had another device, as far as is known. */
export async function isOneToEach(
	tx: Pick<Transaction, 'get'>,
	account: AccountId,
): Promise<boolean> {
	if ((await tx.get('me', ONLY))?.devices) return false;
	return ((await tx.get('people', account))?.devices?.sequence ?? 0) === 0;
}

/** Who told a list, and where. */
interface Told {
	readonly incoming: Pick<Incoming, 'envelope' | 'at'>;
	readonly by: Pick<GroupMember, 'account' | 'device'>;
}

/** Takes a list that goes on from the one known; anything else is ignored, or said to be wrong. */
export async function learnDevices(
	work: Work,
	{ account, list }: { readonly account: AccountId; readonly list: Uint8Array },
	told: Told,
): Promise<void> {
	if (account === work.identity.account) return learnOwn(work, list);
	const { tx } = work;
	const person = await tx.get('people', account);
	if (!person) return;
	const read = await work.crypto.readDeviceList(list, account, person.devices);
	if (!read.ok) {
		// An older list of the same line is told by who has not heard of the newer one.
		if (read.error !== 'rollback') await sayRefused(work, account, told);
		return;
	}
	const before = person.devices;
	const devices = pinOf(read.value);
	if (before?.sequence === devices.sequence) return;
	const entrances = Object.fromEntries(
		Object.entries(person.entrances ?? {}).filter(([id]) => devices.ids.includes(id as DeviceId)),
	);
	tx.put('people', account, { ...person, devices, entrances });
	tx.put('deviceLists', account, list);
	if (!before || !person.conversation) return;
	const isMore = devices.ids.some((id) => !before.ids.includes(id));
	// Nothing more is sealed for one that is gone, should the channel in use have it still.
	if (!isMore) tx.put('outbox', outboxKey.devices(person.conversation), { kind: 'devices' });
	const event = { kind: 'devices', change: isMore ? 'added' : 'removed' } as const;
	await placeLine(work, person.conversation, { ...told, event });
}

/** Something came from a device that is not theirs, or a list that contradicts the one known: said once. */
export async function sayRefused(work: Work, account: AccountId, told: Told): Promise<void> {
	const person = await work.tx.get('people', account);
	if (!person?.conversation || !person.devices || person.devices.doubted) return;
	work.log.warn('a device that is not theirs');
	const devices = { ...person.devices, doubted: true as const };
	work.tx.put('people', account, { ...person, devices });
	const event = { kind: 'devices', change: 'refused' } as const;
	await placeLine(work, person.conversation, { ...told, event });
}

function placeLine(
	work: Work,
	conversation: ConversationId,
	{
		incoming: { envelope, at },
		by,
		event,
	}: Told & { readonly event: Parameters<typeof placeEvents>[2]['events'][number] },
): Promise<void> {
	return placeEvents(work, conversation, { happening: { envelope, at, by }, events: [event] });
}

/** The own list as others tell it: newer than the one here where a change happened elsewhere. */
async function learnOwn(work: Work, list: Uint8Array): Promise<void> {
	const { tx, crypto, identity, clock } = work;
	const me = await tx.get('me', ONLY);
	if (!me) return;
	const known = await ownDevices(work);
	const read = await crypto.readDeviceList(list, identity.account, known);
	if (!read.ok) {
		if (read.error === 'forked') work.log.warn('two lists of own devices');
		return;
	}
	if (read.value.sequence === known.sequence && me.devices) return;
	const devices = pinOf(read.value);
	const wasIn = known.devices.some(({ device }) => device === identity.device);
	const isOut = wasIn && !devices.ids.includes(identity.device);
	tx.put('me', ONLY, {
		...{ ...me, deviceList: list, devices },
		...(isOut && { signedOut: me.signedOut ?? clock.now() }),
	});
	for (const { device } of known.devices) {
		if (!devices.ids.includes(device)) tx.delete('siblings', device);
	}
}
