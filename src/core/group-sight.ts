// A group as its channel's MLS state says, and the row that keeps what screens and later repairs need of it.
import { channelContexts, MAX_CONTEXT_BYTES, type GroupContext } from '../protocol/content.ts';
import { idFrom } from '../protocol/ids.ts';
import type { AccountId, ConversationId, DeviceId, GroupId } from '../protocol/ids.ts';
import type { LoadedChannel } from './channels.ts';
import type { Work } from './context.ts';
import { mayWrite, rosterOf, type GroupSight } from './group-rights.ts';
import type { Profile } from './model.ts';
import type { GroupCrypto, GroupState, Transaction } from './ports.ts';
import type { GroupRow } from './group-records.ts';
import type { ChannelRow, WritersRow } from './records.ts';
import { putPerson } from './threads.ts';

/** Epochs whose rules are remembered: messages of older ones cannot be opened any more. */
const MOST_WRITERS = 8;
/** People removed from one group who are remembered; the last ones. */
const MOST_EXPELLED = 256;
/** Until their profile arrives, moments later, somebody who joined has no name. */
const UNNAMED: Profile = { name: '…', picture: null };

/** Undefined for a channel that is not a group's. */
export function sightOf(groups: GroupCrypto, state: GroupState): GroupSight | undefined {
	const decoded = channelContexts.decode(groups.context(state), MAX_CONTEXT_BYTES);
	if (!decoded.ok || decoded.value.type !== 'group') return undefined;
	const people = new Set(groups.members(state).map(({ account }) => account));
	return { context: decoded.value, people: [...people] };
}

export function encodeContext(context: GroupContext): Uint8Array {
	return channelContexts.encode(context);
}

/** The group's row as the state says it is now. */
export function groupRowOf(
	groups: GroupCrypto,
	state: GroupState,
	{
		before,
		conversation,
	}: { readonly before: GroupRow | undefined; readonly conversation: ConversationId },
): GroupRow | undefined {
	const sight = sightOf(groups, state);
	if (!sight) return undefined;
	const { context } = sight;
	const { group, name, description, picture, policy, leaving, generation, secret } = context;
	const members = rosterOf(sight).members.filter(({ account }) => !leaving.includes(account));
	const devices: Record<DeviceId, AccountId> = {};
	for (const { device, account } of groups.members(state)) devices[device] = account;
	return {
		...{ group, conversation, about: { name, description, picture }, policy, members },
		mending: { generation, epoch: state.epoch, secret, devices, own: groups.leafKey(state) },
		toldProfile: before?.toldProfile ?? 0,
		expelled: expelledBy(before, sight.people),
		link: before?.link,
		joined: before?.joined,
	};
}

/** Who was here, did not go by themselves, and is here no more; with those of before (SPEC JO-4). */
function expelledBy(before: GroupRow | undefined, people: readonly AccountId[]): AccountId[] {
	const known = [
		...(before?.expelled ?? []),
		...(before?.members ?? []).map((each) => each.account),
	];
	const gone = known.filter((account) => !people.includes(account));
	return [...new Set(gone)].slice(-MOST_EXPELLED);
}

/** Brings the group's row up to date, and makes a row for everybody who is not known yet. Undefined if nothing did. */
export async function putGroup(
	{ tx, groups, identity }: Work,
	{ row, state }: LoadedChannel,
): Promise<{ readonly before: GroupRow | undefined; readonly next: GroupRow } | undefined> {
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation?.group || conversation.channels[0] !== row.channel) return undefined;
	const before = await tx.get('groups', conversation.group);
	const next = groupRowOf(groups, state, { before, conversation: row.conversation });
	if (!next) return undefined;
	tx.put('groups', next.group, next);
	// The list shows the name: whoever watches the conversation must hear of it.
	tx.put('conversations', conversation.id, { ...conversation });
	for (const { account } of next.members) {
		if (account === identity.account || (await tx.get('people', account))) continue;
		putPerson(tx, account, { conversation: undefined, profile: UNNAMED, lastSeen: undefined });
	}
	return { before, next };
}

/** Who may write from this epoch on, added to what was so before. */
export function withWriters(row: ChannelRow, sight: GroupSight): ChannelRow {
	const { policy } = sight.context;
	const roster = rosterOf(sight);
	const admins = sight.people.filter((account) => mayWrite(roster, account));
	const accounts = policy.write === 'everyone' ? null : admins;
	const before = row.writers ?? [];
	const last = before.at(-1);
	if (last && String(last.accounts) === String(accounts)) return row;
	const writers = [...before, { from: row.epoch, accounts }].slice(-MOST_WRITERS);
	return { ...row, writers };
}

/** Whether `account` might write in `epoch` (SPEC GR-8). */
export function mightWrite(
	{ writers = [] }: ChannelRow,
	epoch: number,
	account: AccountId,
): boolean {
	const rule = writers.findLast(({ from }: WritersRow) => from <= epoch) ?? writers[0];
	return !rule?.accounts || rule.accounts.includes(account);
}

/** How to add somebody to this group, or to found it with them. */
export async function entranceOf(tx: Transaction, group: GroupId, account: AccountId) {
	const person = await tx.get('people', account);
	return person?.entry ?? (await tx.get('entrances', `${group}/${account}`));
}

/** Who a message that cannot be opened claims to be from, as far as the group knows that device. */
export async function claimedAuthor({ tx, groups }: Work, id: ConversationId, body: Uint8Array) {
	const conversation = await tx.get('conversations', id);
	const group = await tx.get('groups', conversation?.group ?? '');
	const claim = groups.claimOf(body);
	if (claim?.length !== 16) return undefined;
	const device = idFrom<DeviceId>(claim);
	const account = group?.mending?.devices[device];
	return account && { account, device };
}
