// Reports from the person's side. Nobody but them gets one: there is nobody who may read what was said, so a report is kept
// here, with the words that it is about, until the person shows it to whoever should see it.
import { toBase64Url } from '../protocol/ids.ts';
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import {
	MAX_REPORT_NOTE,
	MAX_REPORT_QUOTE,
	MAX_REPORT_QUOTES,
	type AccountId,
	type ConversationId,
	type Report,
} from './model.ts';
import type { Transaction } from './ports.ts';
import { inConversation } from './records.ts';
import { keepReport, MOST_REPORTS } from './reports.ts';

/** How far back their words are looked for: in a busy group the last thing that somebody said may be far up. */
const MOST_LOOKED_AT = 200;

export type ReportDoor = Pick<Client, 'report' | 'reports' | 'forgetReport'>;

export function createReportDoor({ store, clock, random }: ClientPorts): ReportDoor {
	return {
		report: (about, conversation, { reason, note }) => {
			const at = clock.now();
			const id = `${at.toString(16).padStart(12, '0')}-${toBase64Url(random.bytes(9))}`;
			return must(store, async (tx) => {
				const person = await tx.get('people', about);
				if (!person) return;
				await keepReport(tx, {
					...{ id, account: about, name: person.profile.name, at, reason },
					note: note.trim().slice(0, MAX_REPORT_NOTE).toWellFormed(),
					quotes: await lastWords(tx, about, conversation),
				});
			});
		},
		async reports() {
			const range = { prefix: '', limit: MOST_REPORTS, newestFirst: true };
			return (await store.list('reports', range)).map(({ value }) => value);
		},
		forgetReport: (id) =>
			must(store, (tx) => {
				tx.delete('reports', id);
				return Promise.resolve();
			}),
	};
}

/** What somebody said last in a conversation, oldest first. */
async function lastWords(
	tx: Transaction,
	account: AccountId,
	conversation: ConversationId,
): Promise<Report['quotes']> {
	const newest = await tx.list('messages', {
		prefix: inConversation(conversation),
		limit: MOST_LOOKED_AT,
		newestFirst: true,
	});
	return newest
		.flatMap(({ value: { author, mine, body, sent, id } }) => {
			if (author !== account || mine || body.kind !== 'text') return [];
			return [{ id, sent, text: body.text.slice(0, MAX_REPORT_QUOTE).toWellFormed() }];
		})
		.slice(0, MAX_REPORT_QUOTES)
		.reverse();
}
