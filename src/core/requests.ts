// Strangers: whoever is in a group with this person may found a channel with them alone, by the address given to the group.
// It lands as a request, of which nobody is told anything until it is accepted (SPEC RQ).
import type { AccountId, ConversationId, GroupId } from '../protocol/ids.ts';
import type { Work } from './context.ts';
import { isOutOfGroup } from './model.ts';
import type { Transaction } from './ports.ts';
import { inConversation, ONLY, type ConversationRow } from './records.ts';

/** Requests that wait; whoever comes later is not heard until some are answered. */
const MOST_REQUESTS = 50;
/** Messages and placeholders of one request; the rest is asked for once it is accepted. */
const MOST_IN_REQUEST = 20;
const EVERYTHING = { prefix: '', limit: 20_000 };

type Standing = Extract<ConversationRow['state'], { kind: 'open' | 'request' }>;

/** What a channel with `account` alone begins, founded by the address given to `group`; undefined: nothing. */
export async function standingOf(
	{ tx }: Work,
	{ account, group: id }: { readonly account: AccountId; readonly group: GroupId },
): Promise<Standing | undefined> {
	const group = await tx.get('groups', id);
	if (!group?.members.some((member) => member.account === account)) return undefined;
	const person = await tx.get('people', account);
	const alone = await tx.get('conversations', person?.conversation ?? '');
	if (alone && alone.state.kind !== 'request') return { kind: 'open' };
	if ((await tx.get('settings', ONLY))?.onlyMyLink) return undefined;
	// Whoever asks to join it gave their address to one person only, and is with nobody there yet.
	const here = await tx.get('conversations', group.conversation);
	if (!here || isOutOfGroup(here.state)) return undefined;
	if (!alone && (await countRequests(tx)) >= MOST_REQUESTS) return undefined;
	return { kind: 'request', from: group.conversation };
}

async function countRequests(tx: Transaction): Promise<number> {
	const rows = await tx.list('conversations', EVERYTHING);
	return rows.filter(({ value }) => value.state.kind === 'request').length;
}

/** Whether this is a request that holds as much as a request may. */
export async function isFullRequest(tx: Transaction, id: ConversationId): Promise<boolean> {
	if ((await tx.get('conversations', id))?.state.kind !== 'request') return false;
	const range = { prefix: inConversation(id), limit: MOST_IN_REQUEST };
	return (await tx.list('messages', range)).length >= MOST_IN_REQUEST;
}
