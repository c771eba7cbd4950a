// What a commit did to a group, as lines in the log: the same lines at the same place on every device (SPEC CO-2).
import type { CommitNote } from '../protocol/content.ts';
import { fromBase64Url, idFrom } from '../protocol/ids.ts';
import type { AccountId, ConversationId, EnvelopeId, MessageId } from '../protocol/ids.ts';
import type { Work } from './context.ts';
import { roleIn, rosterOf, sameBytes, type GroupSight } from './group-rights.ts';
import type { LogEvent } from './model.ts';
import { positionOf } from './positions.ts';
import type { GroupMember } from './ports.ts';
import type { MessageRow, StagedRow } from './records.ts';
import { addMessage } from './threads.ts';

/** Where and by whom something happened. `at`: relay's clock, ms. */
export interface Happening {
	readonly envelope: EnvelopeId;
	readonly at: number;
	readonly by: Pick<GroupMember, 'account' | 'device'>;
}

/** What changed from one epoch to the next, in the order it is told; `note`: what the commit says of who came. */
export function eventsBetween(
	before: GroupSight,
	after: GroupSight,
	note: CommitNote | undefined,
): LogEvent[] {
	const [old, next] = [before.context, after.context];
	const events: LogEvent[] = [];
	if (old.name !== next.name) events.push({ kind: 'renamed', name: next.name });
	if (old.description !== next.description) events.push({ kind: 'described' });
	const samePicture =
		old.picture && next.picture
			? sameBytes(old.picture, next.picture)
			: old.picture === next.picture;
	if (!samePicture) events.push({ kind: 'pictured' });
	const { policy } = next;
	for (const rule of ['write', 'change', 'invite'] as const) {
		if (old.policy[rule] !== policy[rule]) events.push({ kind: 'policy', policy, rule });
	}
	events.push(...rolesBetween(before, after));
	for (const who of next.leaving) {
		if (!old.leaving.includes(who)) events.push({ kind: 'left', who });
	}
	const removed = before.people.filter((account) => {
		return !after.people.includes(account) && !old.leaving.includes(account);
	});
	if (removed.length > 0) events.push({ kind: 'removed', who: removed });
	const added = after.people.filter((account) => !before.people.includes(account));
	if (added.length > 0) events.push(comingOf(added, note));
	return events;
}

/** How those come whom a commit adds. */
export type Coming = Pick<StagedRow, 'byLink' | 'history'>;

/** What a commit says of those whom it adds, in the clear to its members. */
export function noteOf({ byLink, history }: Coming): CommitNote | undefined {
	if (byLink) return { type: 'byLink' };
	return history && { type: 'sharing', history };
}

function comingOf(who: readonly AccountId[], note: CommitNote | undefined): LogEvent {
	if (note?.type === 'byLink') return { kind: 'joined-by-link', who };
	return { kind: 'added', who, ...(note?.type === 'sharing' && { shared: note.history }) };
}

/** That somebody is the owner says that another is it no more. */
function rolesBetween(before: GroupSight, after: GroupSight): LogEvent[] {
	const roster = rosterOf(before);
	return rosterOf(after).members.flatMap(({ account: who, role }) => {
		const was = roleIn(roster, who);
		if (was === undefined || was === role || was === 'owner') return [];
		return [{ kind: 'role', who, role } as const];
	});
}

/** Puts lines into the log, each with an id and an order that every device derives alike. */
export async function placeEvents(
	work: Work,
	conversation: ConversationId,
	{ happening, events }: { readonly happening: Happening; readonly events: readonly LogEvent[] },
): Promise<void> {
	for (const [index, event] of events.entries()) {
		await addMessage(work.tx, lineAt(work, conversation, { happening, event, index }));
	}
}

/** The line that says `event`, as the one of this `index` among those of what happened. */
export function lineAt(
	{ clock, identity }: Work,
	conversation: ConversationId,
	{
		happening: { envelope, at, by },
		event,
		index,
	}: { readonly happening: Happening; readonly event: LogEvent; readonly index: number },
): MessageRow {
	const id = lineId(envelope, index);
	const ms = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0');
	return {
		id,
		conversation,
		position: positionOf(ms + index.toString(16).padStart(4, '0'), id),
		author: by.account,
		device: by.device,
		mine: by.account === identity.account,
		body: { kind: 'event', event },
		sent: at,
		received: clock.now(),
		delivery: { kind: 'received' },
		carrier: undefined,
	};
}

function lineId(envelope: EnvelopeId, index: number): MessageId {
	const bytes = fromBase64Url(envelope) ?? new Uint8Array(16);
	const last = bytes.length - 1;
	bytes[last] = (bytes[last] ?? 0) ^ (index + 1);
	return idFrom<MessageId>(bytes);
}
