// The door of a group at the device of whoever made its link: a request comes as a channel of its own, is judged here,
// and is let in, kept for a person to decide, or turned away (SPEC JO-3, JO-4, JO-7).
import {
	channelContexts,
	contents,
	MAX_CONTEXT_BYTES,
	type AskingContext,
} from '../protocol/content.ts';
import { REFUSALS } from '../protocol/errors.ts';
import { DEFAULT_GROUP_MEMBERS } from '../protocol/limits.ts';
import { isBlocked } from './blocking.ts';
import { newEnvelopeId, type EngineContext, type Work } from './context.ts';
import { letIn, MOST_WAITING, over, putRequest, requestsOf } from './group-requests.ts';
import { mayInvite, roleIn } from './group-rights.ts';
import type { Incoming } from './incoming.ts';
import type { AccountId } from './model.ts';
import type { GroupState } from './ports.ts';
import type { RelaySession } from './relay-session.ts';
import type { GroupRow } from './group-records.ts';
import { requestKey, type GroupLinkRow, type InviteRow, type SealedEnvelope } from './records.ts';
import type { WaitingRow } from './request-records.ts';

/** Channels of requests that are left in one go. */
const MOST_LEFT = 1_000;

type Verdict = 'ignore' | 'wait' | 'let-in' | 'full' | 'closed';

interface GroupInvite extends InviteRow {
	readonly group: GroupLinkRow;
}

/** Undefined for a personal link. */
export function asGroupInvite(row: InviteRow | undefined): GroupInvite | undefined {
	return row?.group && { ...row, group: row.group };
}

/** Somebody founded a channel through a group's link; `state` is that of the channel. */
export async function receiveRequest(
	work: Work,
	{
		incoming,
		state,
		link,
	}: { readonly incoming: Incoming; readonly state: GroupState; readonly link: GroupInvite },
): Promise<void> {
	const { tx, log } = work;
	const asker = await askerOf(work, state);
	const group = await tx.get('groups', link.group.group);
	if (!asker || !group || asker.asked.group !== group.group) {
		log.warn('a request that does not hold');
		const { channel } = incoming;
		tx.put('requests', requestKey.of(link.group.group, channel), over(channel, undefined));
		return;
	}
	const { account, asked } = asker;
	const { profile, address, keyPackage } = asked;
	const { verdict, known } = await judge(work, { account, group, link });
	for (const earlier of known) await putRequest(tx, group, over(earlier.channel, undefined));
	const { channel } = incoming;
	if (verdict === 'ignore') {
		await putRequest(tx, group, over(channel, undefined));
		return;
	}
	noteUse(work, link);
	const isRefused = verdict === 'full' || verdict === 'closed';
	const answer = await sealAnswer(work, state, isRefused ? verdict : 'declined');
	const entrance = { address, keyPackage };
	const row: WaitingRow = {
		...{ kind: 'waiting', channel, answer, account, profile, entrance, at: incoming.at },
	};
	if (isRefused) await putRequest(tx, group, over(channel, answer));
	else if (verdict === 'let-in') await letIn(tx, group, row);
	else await putRequest(tx, group, row);
}

/** Who asks, and what for; undefined for a channel that is no request, or whose key package is another's. */
async function askerOf(
	{ groups, identity }: Work,
	state: GroupState,
): Promise<{ readonly account: AccountId; readonly asked: AskingContext } | undefined> {
	const decoded = channelContexts.decode(groups.context(state), MAX_CONTEXT_BYTES);
	const [other, ...more] = groups
		.members(state)
		.filter(({ account }) => account !== identity.account);
	if (!decoded.ok || decoded.value.type !== 'asking' || !other || more.length > 0) return undefined;
	const owner = await groups.inspectKeyPackage(decoded.value.keyPackage);
	const isTheirs = owner.ok && owner.value.account === other.account;
	return isTheirs ? { account: other.account, asked: decoded.value } : undefined;
}

async function judge(
	{ tx, identity }: Work,
	{
		account,
		group,
		link,
	}: { readonly account: AccountId; readonly group: GroupRow; readonly link: GroupInvite },
): Promise<{ readonly verdict: Verdict; readonly known: readonly WaitingRow[] }> {
	const all = (await requestsOf(tx, group.group)).map(({ row }) => row);
	const known = all.filter((row) => row.account === account && row.kind === 'waiting');
	const adding = all.filter((row) => row.kind === 'adding');
	const waiting = all.filter((row) => row.kind === 'waiting' && row.account !== account);
	const is = (verdict: Verdict) => ({ verdict, known });
	const isComing = adding.some((row) => row.account === account);
	if (isComing || (await isBlocked(tx, account)) || roleIn(group, account) !== undefined)
		return is('ignore');
	const here = await tx.get('conversations', group.conversation);
	const isOpen = link.invite.state === 'open' && here?.state.kind === 'open';
	if (!isOpen || !mayInvite(group, identity.account)) return is('closed');
	if (group.members.length + adding.length >= DEFAULT_GROUP_MEMBERS) return is('full');
	const needsApproval = link.group.approval || group.expelled?.includes(account);
	if (!needsApproval) return is('let-in');
	return is(waiting.length >= MOST_WAITING ? 'full' : 'wait');
}

function noteUse({ tx }: Work, link: GroupInvite): void {
	const used = link.group.used + 1;
	const isUsedUp = used >= (link.group.uses ?? Infinity) && link.invite.state === 'open';
	const invite = isUsedUp ? { ...link.invite, state: 'used' as const } : link.invite;
	tx.put('invites', link.invite.address, { ...link, invite, group: { ...link.group, used } });
}

/** Sealed once and sent at most once; the state that it was sealed with is not kept. */
async function sealAnswer(
	work: Work,
	state: GroupState,
	reason: 'declined' | 'full' | 'closed',
): Promise<SealedEnvelope> {
	const { channel, epoch } = state;
	const plaintext = contents.encode({ type: 'turnedAway', reason });
	const { bytes: body } = await work.groups.seal(state, plaintext, new Uint8Array());
	return { channel, epoch, envelope: newEnvelopeId(work), body };
}

/** Sends the answers that wait, and leaves the channels of what is decided. */
export async function syncRequests(context: EngineContext, session: RelaySession): Promise<void> {
	const rows = await context.store.list('requests', { prefix: '', limit: MOST_LEFT });
	for (const { key, value } of rows) {
		if (value.kind !== 'over') continue;
		const { channel, answer } = value;
		if (answer && !(await isThrough(session.ask({ type: 'submit', ...answer })))) return;
		if (!(await isThrough(session.ask({ type: 'leave', channel })))) return;
		await context.persist((tx) => Promise.resolve(tx.delete('requests', key)));
	}
}

/** Taken, or refused for good: either way there is nothing more to do. The next connection asks again otherwise. */
async function isThrough(asked: ReturnType<RelaySession['ask']>): Promise<boolean> {
	const answer = await asked;
	if (answer.type === 'unknown') return false;
	return answer.type !== 'refused' || REFUSALS[answer.code].retry !== 'later';
}
