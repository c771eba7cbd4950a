// Own devices in groups: each account brings in its own and takes out its own, by commits that every receiver judges. The
// account's devices have a group of themselves, whose context holds the list of them: as the relay orders its commits, two
// changes of the list at once are one after the other (SPEC DE-5, DE-6).
import { commitNotes, type CommitNote, type GroupContext } from '../protocol/content.ts';
import type { AccountId, ConversationId, DeviceId, GroupId } from '../protocol/ids.ts';
import { MAX_DEVICES } from '../protocol/limits.ts';
import { queueProfile, type LoadedChannel } from './channels.ts';
import type { Work } from './context.ts';
import { isStranger, learnDevices, ownDevices, ownList, pinOf } from './device-pins.ts';
import type { GroupSight, Listed } from './group-rights.ts';
import { DEFAULT_POLICY } from './model.ts';
import {
	contactEntrances,
	hasWrongDevices,
	queueDevices,
	siblingEntrances,
} from './own-devices.ts';
import type { GroupMember, Transaction } from './ports.ts';
import type { DeviceIntention, PinnedDevices } from './device-records.ts';
import type { GroupRow } from './group-records.ts';
import { ONLY, outboxKey, type ConversationRow, type Entrance } from './records.ts';
import { newConversation } from './threads.ts';

const SECRET_BYTES = 32;
const EVERYTHING = { prefix: '', limit: 20_000 };
/** Nobody reads it. */
const NAME = 'devices';

/** What a wanted change of own devices comes to. */
export interface DeviceStep {
	readonly add: ReadonlyMap<DeviceId, Entrance>;
	readonly remove: readonly DeviceId[];
	readonly context: GroupContext | undefined;
	/** Said with the commit: the list that has the added devices. */
	readonly note: Uint8Array;
}

/** Undefined where there is nothing to do, or nothing that can be done. */
export async function planDevices(
	work: Work,
	{
		members,
		context,
	}: { readonly members: readonly GroupMember[]; readonly context: GroupContext },
	intention: DeviceIntention,
): Promise<DeviceStep | undefined> {
	const { identity } = work;
	if (intention.kind === 'their-devices')
		return planTheirs(work, { members, context }, intention.account);
	const own = members.filter(({ account }) => account === identity.account);
	const here = new Set(own.map(({ device }) => device));
	if (intention.kind === 'own-devices') {
		const { devices } = await ownDevices(work);
		const listed = new Set(devices.map(({ device }) => device));
		if (!listed.has(identity.device)) return undefined;
		const add = new Map(
			[...(await siblingEntrances(work))].filter(([device]) => !here.has(device)),
		);
		const remove = [...here].filter((device) => !listed.has(device));
		return stepOf(work, context, { add, remove, list: await ownList(work) });
	}
	if (!context.devices) return undefined; // the person's own group is elsewhere
	return intention.kind === 'link'
		? planLink(work, { context, here }, intention)
		: planUnlink(work, { context, here }, intention.device);
}

/** Only while they can be brought in: without their devices they would be out of the group. */
async function planTheirs(
	work: Work,
	{ members, context }: Parameters<typeof planDevices>[1],
	account: AccountId,
): Promise<DeviceStep | undefined> {
	const person = await work.tx.get('people', account);
	const list = await work.tx.get('deviceLists', account);
	const theirs = members.filter((member) => member.account === account);
	const stays = theirs.some(({ device }) => !isStranger(person, device));
	if (!list || theirs.length === 0 || stays || context.leaving.includes(account)) return undefined;
	const add = await contactEntrances(work, account, undefined);
	if (add.size === 0) return undefined;
	return {
		...{ add, remove: theirs.map(({ device }) => device) },
		context: { ...context, secret: work.random.bytes(SECRET_BYTES) },
		note: commitNotes.encode({ type: 'theirDevices', account, list }),
	};
}

interface Own {
	readonly context: GroupContext;
	/** The own devices that are in it. */
	readonly here: ReadonlySet<DeviceId>;
}

async function planLink(
	work: Work,
	{ context, here }: Own,
	{ entrance, certificate }: Extract<DeviceIntention, { kind: 'link' }>,
): Promise<DeviceStep | undefined> {
	const owner = await work.groups.inspectKeyPackage(entrance.keyPackage);
	if (!owner.ok || owner.value.account !== work.identity.account) return undefined;
	const { device } = owner.value;
	const { devices } = await ownDevices(work);
	const isListed = devices.some((each) => each.device === device);
	if (here.has(device) || (!isListed && devices.length >= MAX_DEVICES)) return undefined;
	const before = await ownList(work);
	const list = isListed
		? before
		: await work.account.changeDevices(before, { add: certificate }, work.clock.now());
	return list && stepOf(work, context, { add: new Map([[device, entrance]]), remove: [], list });
}

async function planUnlink(
	work: Work,
	{ context, here }: Own,
	device: DeviceId,
): Promise<DeviceStep | undefined> {
	const { devices } = await ownDevices(work);
	const before = await ownList(work);
	const isListed = devices.some((each) => each.device === device);
	const list = isListed
		? await work.account.changeDevices(before, { remove: device }, work.clock.now())
		: before;
	const remove = here.has(device) ? [device] : [];
	return list && stepOf(work, context, { add: new Map(), remove, list });
}

function stepOf(
	{ random }: Work,
	context: GroupContext,
	{ add, remove, list }: Pick<DeviceStep, 'add' | 'remove'> & { readonly list: Uint8Array },
): DeviceStep | undefined {
	const isOwnGroup = context.devices !== undefined;
	const isOther = isOwnGroup && !sameList(context.devices, list);
	if (add.size === 0 && remove.length === 0 && !isOther) return undefined;
	const secret = remove.length > 0 ? random.bytes(SECRET_BYTES) : context.secret;
	const next = { ...context, secret, ...(isOwnGroup && { devices: list }) };
	return {
		...{ add, remove },
		context: remove.length > 0 || isOther ? next : undefined,
		note: commitNotes.encode({ type: 'ownDevices', list }),
	};
}

function sameList(a: Uint8Array | undefined, b: Uint8Array): boolean {
	return a?.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** The devices of the account whose list came with a commit, and the list; undefined where none did that holds. */
export async function listedBy(
	work: Work,
	by: GroupMember,
	note: CommitNote | undefined,
): Promise<(Listed & { readonly list: Uint8Array }) | undefined> {
	if (note?.type !== 'ownDevices' && note?.type !== 'theirDevices') return undefined;
	const { list } = note;
	const isTheirs = note.type === 'theirDevices';
	const account = isTheirs ? note.account : by.account;
	// Of oneself one may be late. Of others, whoever goes back to an older list could bring back what they threw out: where
	// a newer one is known, that one counts (SPEC DE-13).
	const known = isTheirs ? await pinnedOf(work, account) : undefined;
	const read = await work.crypto.readDeviceList(list, account, known);
	if (read.ok) return { account, list, devices: new Set(pinOf(read.value).ids) };
	const isLate = known !== undefined && read.error === 'rollback';
	return isLate ? { account, list, devices: new Set(known.ids) } : undefined;
}

async function pinnedOf(
	{ tx, identity }: Work,
	account: AccountId,
): Promise<PinnedDevices | undefined> {
	const isOwn = account === identity.account;
	return (isOwn ? await tx.get('me', ONLY) : await tx.get('people', account))?.devices;
}

/** What is wrong with a commit of the person's own group; undefined for any other, and for one that holds. */
export async function violationOfOwn(
	{ crypto, identity }: Work,
	{
		before,
		after,
		members,
	}: {
		readonly before: GroupSight;
		readonly after: GroupSight;
		readonly members: readonly GroupMember[];
	},
): Promise<string | undefined> {
	const [old, next] = [before.context.devices, after.context.devices];
	if (!old && !next) return undefined;
	if (!old || !next) return 'the list of devices';
	const known = await crypto.readDeviceList(old, identity.account);
	if (!known.ok) return 'the list of devices';
	const read = await crypto.readDeviceList(next, identity.account, known.value);
	if (!read.ok) return 'the list of devices';
	const listed = new Set(read.value.devices.map(({ device }) => device));
	return members.every(({ device }) => listed.has(device)) ? undefined : 'a device of nobody';
}

/** The person's own group is at a new epoch: its list is the one that counts. */
export async function followOwn(
	work: Work,
	{ row }: Pick<LoadedChannel, 'row'>,
	{
		after,
		told,
		isMore = false,
	}: {
		readonly after: GroupSight;
		readonly told: Parameters<typeof learnDevices>[2];
		/** Somebody is new in it. */
		readonly isMore?: boolean;
	},
): Promise<void> {
	const { devices: list } = after.context;
	if (!list) return;
	const { tx, identity } = work;
	const before = (await tx.get('me', ONLY))?.devices?.sequence;
	await learnDevices(work, { account: identity.account, list }, told);
	// Who is new knows no way to this device yet; that there is somebody new may have been told elsewhere before.
	const isOther = (await tx.get('me', ONLY))?.devices?.sequence !== before;
	if (isOther || isMore) queueProfile(tx, row.conversation);
}

/** This device changed the list: it brings the device into everything, or takes it out of everything. */
export async function carryThrough(work: Work, intention: DeviceIntention): Promise<void> {
	const { tx, groups } = work;
	if (intention.kind !== 'link' && intention.kind !== 'unlink') return;
	if (intention.kind === 'link') {
		const { entrance } = intention;
		const owner = await groups.inspectKeyPackage(entrance.keyPackage);
		if (owner.ok) {
			tx.put('siblings', owner.value.device, { entrance, heard: work.relayTime() });
		}
	} else tx.delete('siblings', intention.device);
	for (const { value } of await tx.list('conversations', EVERYTHING)) {
		const conversation = await tx.get('conversations', value.id);
		const row = await tx.get('channels', conversation?.channels[0] ?? '');
		if (!conversation || conversation.hidden || row?.status !== 'open') continue;
		if (await hasWrongDevices(tx, conversation, row)) {
			await queueDevices(tx, conversation);
		}
	}
}

/** The conversation of the person's own devices; made, with nobody else in it yet, where there is none. */
export async function ownGroup(
	tx: Transaction,
	made: { readonly conversation: ConversationId; readonly group: GroupId; readonly now: number },
): Promise<ConversationRow | undefined> {
	const me = await tx.get('me', ONLY);
	if (!me) return undefined;
	const known = await tx.get('conversations', me.self ?? '');
	if (known) return known;
	const conversation: ConversationRow = {
		...newConversation(made.conversation, undefined, made.now),
		...{ group: made.group, hidden: true, state: { kind: 'inviting' } },
	};
	putOwnGroup(tx, conversation, me);
	tx.put('me', ONLY, { ...me, self: conversation.id });
	const key = outboxKey.change(conversation.id, made.now.toString(16).padStart(12, '0') + '0000');
	tx.put('outbox', key, { kind: 'change', intention: { kind: 'found', people: [] } });
	return conversation;
}

/** Rows of a conversation that nobody sees. */
export function putOwnGroup(
	tx: Transaction,
	conversation: ConversationRow,
	{ account }: { readonly account: GroupRow['members'][number]['account'] },
): void {
	const { id, group } = conversation;
	if (!group) return;
	tx.put('conversations', id, conversation);
	tx.put('groups', group, {
		...{ group, conversation: id, policy: DEFAULT_POLICY, mending: undefined, toldProfile: 0 },
		about: { name: NAME, description: '', picture: null },
		members: [{ account, role: 'owner' }],
	});
}
