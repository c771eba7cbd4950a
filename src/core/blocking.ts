// Who is blocked, and who may be told what is not stored. The truth is a row per person beside all conversations: also
// somebody who is known from groups only can be blocked, and whatever becomes of a conversation, that stays (SPEC BL).
import type { AccountId, ChannelId } from '../protocol/ids.ts';
import type { HeardWhisper } from './whispers.ts';
import type { Store, Transaction } from './ports.ts';
import { ONLY, type BlockRow } from './records.ts';

const MOST_BLOCKED = 10_000;

/** Whether this person wants to hear nothing of `account`. */
export async function isBlocked(
	tx: Pick<Transaction, 'get'>,
	account: AccountId | undefined,
): Promise<boolean> {
	return (await tx.get('blocks', account ?? ''))?.on === true;
}

/** What was decided about a person, and when (ms). */
export interface BlockWord extends BlockRow {
	readonly account: AccountId;
}

/** Keeps the word, unless a later one is known; of several devices the last word counts. False where nothing follows. */
export async function keepBlock(tx: Transaction, { account, on, at }: BlockWord): Promise<boolean> {
	const known = await tx.get('blocks', account);
	const me = await tx.get('me', ONLY);
	if (account === me?.account || (known && known.at >= at)) return false;
	tx.put('blocks', account, { on, at });
	// The list shows it: whoever watches the conversation must hear of it.
	const person = await tx.get('people', account);
	const alone = await tx.get('conversations', person?.conversation ?? '');
	if (alone) tx.put('conversations', alone.id, { ...alone });
	return true;
}

/** Everybody who is blocked, and since when (ms). */
export async function blockedPeople(
	store: Pick<Store, 'list'>,
): Promise<ReadonlyMap<AccountId, number>> {
	const rows = await store.list('blocks', { prefix: '', limit: MOST_BLOCKED });
	const blocked = rows.filter(({ value }) => value.on);
	return new Map(blocked.map(({ key, value }) => [key as AccountId, value.at]));
}

/**
 * Whether presence and typing may be said in this channel. In a group where somebody is blocked they may not: what is
 * sealed for the group is sealed for all of it.
 */
export async function mayBeTold(store: Store, channel: ChannelId): Promise<boolean> {
	const row = await store.get('channels', channel);
	const conversation = await store.get('conversations', row?.conversation ?? '');
	if (conversation?.state.kind === 'request') return false;
	const blocked = await blockedPeople(store);
	if (blocked.size === 0) return true;
	if (conversation?.account) return !blocked.has(conversation.account);
	const group = await store.get('groups', conversation?.group ?? '');
	return group?.members.every(({ account }) => !blocked.has(account)) ?? true;
}

/** Whether anything follows from what somebody says of themselves right now. */
export async function isListenedTo(
	store: Store,
	{ account, conversation }: Pick<HeardWhisper, 'account' | 'conversation'>,
): Promise<boolean> {
	if ((await store.get('conversations', conversation))?.state.kind === 'request') return false;
	return !(await isBlocked(store, account));
}
