// What a newcomer is given of a group's history: judged, and kept as the word of who shared it (SPEC HI).
import type { HistoryContent } from '../protocol/content.ts';
import type { AccountId } from '../protocol/ids.ts';
import { DEFAULT_RETENTION, MAX_HISTORY_MESSAGES } from '../protocol/limits.ts';
import { soundMentions } from '../protocol/mentions.ts';
import { isBlocked } from './blocking.ts';
import type { Work } from './context.ts';
import { lineAt } from './group-log.ts';
import type { GroupRow, JoinedRow } from './group-records.ts';
import { lastOrderOf, positionOf } from './positions.ts';
import type { GroupMember } from './ports.ts';
import { outboxKey, type ChannelRow, type MessageRow } from './records.ts';
import { addMessage } from './threads.ts';

/** After that a history that was begun is over. */
const TAKEN_WITHIN = DEFAULT_RETENTION;
/** Among the lines of the welcome, which has one. */
const LINE = 1;

type Sharer = Pick<GroupMember, 'account' | 'device'>;

/** Takes a part of it, if it is from who added this person to the group, and tells them so. */
export async function takeHistory(
	work: Work,
	row: ChannelRow,
	{ by, part }: { readonly by: Sharer; readonly part: HistoryContent },
): Promise<void> {
	const { tx, relayTime } = work;
	const alone = await tx.get('conversations', row.conversation);
	const group = await tx.get('groups', part.group);
	const chat = await tx.get('conversations', group?.conversation ?? '');
	if (alone?.account !== by.account || chat?.state.kind !== 'open') return;
	if (group?.joined?.by !== by.account) return;
	const { joined } = group;
	tx.put('outbox', outboxKey.historyTaken(alone.id, part.group), {
		...{ kind: 'historyTaken', group: part.group, part: part.part },
	});
	if (joined.isComplete || relayTime() > joined.at + TAKEN_WITHIN) return;
	// Asked for together: one look at the disk for all of them.
	await Promise.all(part.messages.map(({ message }) => tx.locate(message)));
	let { shared } = joined;
	for (const each of part.messages) {
		if (shared >= MAX_HISTORY_MESSAGES || !isCredible(work, each, { ...group, joined })) continue;
		const quiet = await isBlocked(tx, each.author);
		const message = messageOf(work, each, { group, by });
		if (await addMessage(tx, { ...message, ...(quiet && { quiet }) })) shared++;
	}
	const isComplete = part.last || shared >= MAX_HISTORY_MESSAGES;
	tx.put('groups', group.group, { ...group, joined: { ...joined, shared, isComplete } });
	if (shared > joined.shared) await tellShared(work, group, { ...joined, by, shared });
}

/** Said by another member, before this person came; never in the own name. */
function isCredible(
	{ identity }: Work,
	{ author, order }: HistoryContent['messages'][number],
	{ members, joined }: Pick<GroupRow, 'members'> & { readonly joined: JoinedRow },
): boolean {
	if (author === identity.account || order > lastOrderOf(joined.at)) return false;
	return members.some(({ account }) => account === author);
}

function messageOf(
	{ clock }: Work,
	told: HistoryContent['messages'][number],
	{ group, by }: { readonly group: GroupRow; readonly by: Sharer },
): MessageRow {
	const { message: id, order, author, sent, text, replyTo } = told;
	const isMember = (account: AccountId) => group.members.some((each) => each.account === account);
	const mentions = soundMentions(text, told.mentions).filter(({ account }) => isMember(account));
	return {
		...{ id, conversation: group.conversation, position: positionOf(order, id) },
		...{ author, device: by.device, mine: false, sent, received: clock.now() },
		body: {
			...{ kind: 'text', text, replyTo: replyTo ?? undefined, sharedBy: by.account },
			...(mentions.length > 0 && { mentions }),
		},
		delivery: { kind: 'received' },
		carrier: undefined,
	};
}

/** One line below what was shared, whose number grows as parts come. */
async function tellShared(
	work: Work,
	{ conversation }: GroupRow,
	{ envelope, at, by, shared }: Omit<JoinedRow, 'by'> & { readonly by: Sharer },
): Promise<void> {
	const { tx } = work;
	const event = { kind: 'history', count: shared } as const;
	const line = lineAt(work, conversation, { happening: { envelope, at, by }, event, index: LINE });
	const known = await tx.locate(line.id);
	if (known === undefined) await addMessage(tx, line);
	else tx.put('messages', known, line);
	// Nobody has to read their way through it: where nothing is unread yet, reading goes on below it.
	const row = await tx.get('conversations', conversation);
	if (!row || row.unread > 0 || row.readTo >= line.position) return;
	tx.put('conversations', conversation, { ...row, readTo: line.position });
}
