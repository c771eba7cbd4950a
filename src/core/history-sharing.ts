// Sharing what was said in a group before with somebody who was just added to it: part by part, between the two alone, the
// newest first. A part is sent again until the other side says that it is stored (SPEC HI).
import type { HistoryContent, HistoryShare } from '../protocol/content.ts';
import type { AccountId, ConversationId, GroupId } from '../protocol/ids.ts';
import { DEFAULT_RETENTION, MAX_HISTORY_MESSAGES, MAX_HISTORY_PART } from '../protocol/limits.ts';
import type { Work } from './context.ts';
import type { GroupRow, ShareRow } from './group-records.ts';
import { BEGINNING, lastOrderOf } from './positions.ts';
import { inConversation, messageKey, outboxKey, type MessageRow } from './records.ts';

const DAY = 24 * 60 * 60_000;
/** UTF-16 units of the texts of one part, of which there is at least one. */
const PART_UNITS = 32 * 1024;
const PAGE = 256;
/** Until a part that nobody confirmed goes again, ms; twice as long each time, for it may only wait at the relay. */
const FIRST_WAIT = 30_000;
/** Whoever was not there by then, as long as a relay keeps mail, gets no more. */
const SHARED_WITHIN = DEFAULT_RETENTION;

const REACH: Record<HistoryShare, { readonly messages: number; readonly days: number }> = {
	'last-25': { messages: 25, days: Infinity },
	'last-100': { messages: 100, days: Infinity },
	'days-14': { messages: MAX_HISTORY_MESSAGES, days: 14 },
	all: { messages: MAX_HISTORY_MESSAGES, days: Infinity },
};

interface Sharing {
	readonly history: HistoryShare;
	/** Who was added, and when: relay time, ms. */
	readonly people: readonly AccountId[];
	readonly at: number;
}

/** Queues what those who were added get. It goes through the conversation with each of them alone. */
export async function queueShares(
	{ tx }: Work,
	group: GroupId,
	{ history, people, at }: Sharing,
): Promise<void> {
	const { messages: left, days } = REACH[history];
	const from = days === Infinity ? BEGINNING : lastOrderOf(at - days * DAY);
	for (const account of people) {
		const conversation = (await tx.get('people', account))?.conversation;
		if (!conversation) continue;
		tx.put('outbox', outboxKey.share(conversation, group), {
			...{ kind: 'share', group, account, since: at, part: 0, tries: 0, due: 0 },
			...{ before: `${lastOrderOf(at)}~`, from, left, next: undefined },
		});
	}
}

interface PartName {
	readonly group: GroupId;
	readonly part: number;
}

/** The part that comes next, and the row as it stands while it is on its way. */
interface Part {
	readonly content: HistoryContent;
	readonly row: ShareRow;
}

/** Undefined where nothing is to be shared, or the two are not together in the group any more. */
export async function nextPart(work: Work, row: ShareRow): Promise<Part | undefined> {
	const { tx, clock } = work;
	const group = await tx.get('groups', row.group);
	const conversation = await tx.get('conversations', group?.conversation ?? '');
	const isWithin = work.relayTime() < row.since + SHARED_WITHIN;
	const isThere = group?.members.some(({ account }) => account === row.account);
	if (!group || conversation?.state.kind !== 'open' || !isThere || !isWithin) return undefined;
	const { messages, isLast } = await messagesOf(work, group, row);
	const oldest = messages.at(-1);
	if (!oldest && row.part === 0) return undefined;
	const before = oldest?.position ?? row.before;
	return {
		content: {
			...{ type: 'history', group: row.group, part: row.part, last: isLast },
			messages: messages.map(contentOf),
		},
		row: {
			...row,
			next: { before, left: row.left - messages.length, isLast },
			tries: row.tries + 1,
			due: clock.now() + FIRST_WAIT * 2 ** row.tries,
		},
	};
}

/** The part that is on its way, for another channel; undefined where it came, or is not to be shared any more. */
export async function contentAgain(
	work: Work,
	conversation: ConversationId,
	{ group, part: number }: PartName,
): Promise<HistoryContent | undefined> {
	const key = outboxKey.share(conversation, group);
	const row = await work.tx.get('outbox', key);
	const part = row?.kind === 'share' && row.part === number && (await nextPart(work, row));
	if (!part) return undefined;
	work.tx.put('outbox', key, part.row);
	return part.content;
}

/** The newest messages below where the last part ended, as many as one part holds. */
async function messagesOf(
	{ tx }: Work,
	group: GroupRow,
	row: ShareRow,
): Promise<{ readonly messages: readonly MessageRow[]; readonly isLast: boolean }> {
	const { conversation: id } = group;
	const most = Math.min(row.left, MAX_HISTORY_PART);
	const messages: MessageRow[] = [];
	let units = 0;
	for (let before = row.before; ;) {
		const page = await tx.list('messages', {
			...{ prefix: inConversation(id), limit: PAGE, newestFirst: true },
			...{ after: messageKey(id, row.from), before: messageKey(id, before) },
		});
		for (const { value } of page) {
			if (value.body.kind !== 'text' || !isShareable(value, group, row.account)) continue;
			units += value.body.text.length;
			const isFull = messages.length > 0 && units > PART_UNITS;
			if (isFull || messages.length >= most)
				return { messages, isLast: row.left <= messages.length };
			messages.push(value);
		}
		before = page.at(-1)?.value.position ?? before;
		if (page.length < PAGE) return { messages, isLast: true };
	}
}

/** What the group has from somebody who is in it. To nobody is said what they said themselves. */
function isShareable(
	{ author, mine, delivery }: MessageRow,
	{ members }: GroupRow,
	newcomer: AccountId,
): boolean {
	const isKept = !mine || (delivery.kind !== 'queued' && delivery.kind !== 'failed');
	return isKept && author !== newcomer && members.some(({ account }) => account === author);
}

function contentOf({ id, position, author, sent, body }: MessageRow) {
	const { text, replyTo, mentions } = body.kind === 'text' ? body : { text: '' };
	return {
		...{ message: id, order: position.slice(0, 16), author, text },
		...{ sent: Math.max(0, Math.floor(sent)), replyTo: replyTo ?? null },
		...(mentions && { mentions: [...mentions] }),
	};
}

/** Their device has this part: the next one follows. */
export async function partTaken(
	{ tx }: Work,
	conversation: ConversationId,
	{ group, part, by }: PartName & { readonly by: AccountId },
): Promise<void> {
	const key = outboxKey.share(conversation, group);
	const row = await tx.get('outbox', key);
	if (row?.kind !== 'share' || row.account !== by || row.part !== part || !row.next) return;
	if (row.next.isLast) tx.delete('outbox', key);
	else {
		const { before, left } = row.next;
		tx.put('outbox', key, {
			...row,
			part: part + 1,
			before,
			left,
			next: undefined,
			tries: 0,
			due: 0,
		});
	}
}
