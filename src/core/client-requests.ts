// Writing to somebody who is known from a group only, and answering who did so.
import { idFrom, type ConversationId } from '../protocol/ids.ts';
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import { BEGINNING } from './positions.ts';
import type { AccountId } from './model.ts';
import type { Transaction } from './ports.ts';
import {
	entranceKey,
	inConversation,
	ONLY,
	outboxKey,
	type ConversationRow,
	type Entrance,
} from './records.ts';
import { isNews, newConversation, queueReceipt } from './threads.ts';

/** More than any request holds. */
const MOST_ROWS = 200;
const MOST_GROUPS = 10_000;

type RequestDoor = Pick<Client, 'writeTo' | 'answerStranger'>;

export function createRequestDoor({ store, clock, random }: ClientPorts): RequestDoor {
	return {
		writeTo(account) {
			const fresh = idFrom<ConversationId>(random.bytes(16));
			return must(store, async (tx) => {
				const person = await tx.get('people', account);
				if (!person || person.conversation) return person?.conversation;
				const entry = await entranceTo(tx, account);
				if (!entry) return undefined;
				const conversation = newConversation(fresh, account, clock.now());
				tx.put('conversations', fresh, { ...conversation, state: { kind: 'inviting' }, entry });
				tx.put('people', account, { ...person, conversation: fresh });
				return fresh;
			});
		},
		answerStranger: (id, answer) =>
			must(store, async (tx) => {
				const request = await tx.get('conversations', id);
				if (request?.state.kind !== 'request') return;
				if (answer === 'accept') await accept(tx, request);
				else await empty(tx, request, clock.now());
			}),
	};
}

/** What they gave to a group that both are in. */
async function entranceTo(tx: Transaction, account: AccountId): Promise<Entrance | undefined> {
	for (const { value } of await tx.list('groups', { prefix: '', limit: MOST_GROUPS })) {
		const { kind } = (await tx.get('conversations', value.conversation))?.state ?? {};
		const isCommon = value.members.some((member) => member.account === account);
		if (kind !== 'open' || !isCommon) continue;
		const entrance = await tx.get('entrances', entranceKey.of(value.group, account));
		if (entrance) return entrance;
	}
	return undefined;
}

/** What waited to be told goes now: the own profile, what arrived, and what was read meanwhile. */
async function accept(tx: Transaction, request: ConversationRow): Promise<void> {
	const { id, readTo } = request;
	tx.put('conversations', id, { ...request, state: { kind: 'open' } });
	tx.put('outbox', outboxKey.profile(id), { kind: 'profile' });
	if ((await tx.get('settings', ONLY))?.readReceipts === false) return;
	const rows = await tx.list('messages', { prefix: inConversation(id), limit: MOST_ROWS });
	const read = rows.filter(({ value }) => {
		return isNews(value) && value.body.kind === 'text' && value.position <= readTo;
	});
	await queueReceipt(tx, id, { read: read.map(({ value }) => value.id) });
}

/** Nothing of it is left but the way to hear of them again; what was deleted stays so when it is said again. */
async function empty(tx: Transaction, request: ConversationRow, now: number): Promise<void> {
	const range = { prefix: inConversation(request.id), limit: MOST_ROWS };
	for (const { key, value } of await tx.list('messages', range)) {
		tx.delete('messages', key);
		tx.put('seen', value.id, now);
	}
	for (const { key } of await tx.list('outbox', range)) tx.delete('outbox', key);
	tx.put('conversations', request.id, {
		...request,
		...{ last: undefined, unread: 0, readTo: BEGINNING, late: [], unreadable: [] },
	});
}
