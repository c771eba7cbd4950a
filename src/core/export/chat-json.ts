// One conversation as JSON (FORMAT.md).
import type { AccountId, LogEvent, Message } from '../model.ts';
import {
	authorsOf,
	isSystemLine,
	messagesOf,
	titleOf,
	type TranscriptSource,
} from './transcript.ts';

const VERSION = 1;

/** `exported`: ms since 1970. */
export async function* chatJson(
	source: TranscriptSource,
	{ exported, notes }: { readonly exported: number; readonly notes: string },
): AsyncGenerator<string> {
	const { id, subject, created } = source.conversation;
	const head = {
		format: 'kith-chat',
		version: VERSION,
		exported: timeOf(exported),
		conversation: {
			id,
			kind: subject.kind,
			title: titleOf(source.conversation) ?? notes,
			created: timeOf(created),
		},
		participants: authorsOf(source),
	};
	yield `${JSON.stringify(head, undefined, '\t').slice(0, -2)},\n\t"messages": [`;
	let count = 0;
	for await (const message of messagesOf(source)) {
		yield `${count === 0 ? '' : ','}\n\t\t${JSON.stringify(messageOf(message))}`;
		count++;
	}
	yield `\n\t],\n\t"count": ${count}\n}\n`;
}

function messageOf(message: Message): Record<string, unknown> {
	const { id, author, mine, sent, delivery } = message;
	return {
		id,
		author: isSystemLine(message) ? null : author,
		me: mine,
		sent: timeOf(sent),
		...bodyOf(message),
		delivery: delivery.kind,
	};
}

function bodyOf({ body, author }: Message): Record<string, unknown> {
	switch (body.kind) {
		case 'text':
			return {
				...{ kind: 'text', text: body.text, replyTo: body.replyTo ?? null },
				...(body.mentions && { mentions: body.mentions }),
				...(body.sharedBy && { sharedBy: body.sharedBy }),
			};
		case 'event':
			return eventOf(body.event, author);
		case 'unreadable':
		case 'newer':
			return { kind: body.kind };
		case 'foreign':
			if (body.what === 'deleted') return { kind: 'deleted' };
			if (body.what !== 'media') return { kind: body.what, text: body.text };
			return { kind: 'media', file: body.file ?? null, text: body.text };
	}
}

/** Nobody did these: they happened. */
const NOBODYS: ReadonlySet<LogEvent['kind']> = new Set([
	...(['joined', 'safety-number-changed', 'latecomer'] as const),
]);

/** `by`: who changed the group. */
function eventOf(
	{ kind: event, ...details }: LogEvent,
	author: AccountId,
): Record<string, unknown> {
	const isOfGroup = !NOBODYS.has(event);
	return { kind: 'event', event, ...(isOfGroup && { by: author }), ...details };
}

/** Times beyond what a calendar has are a sender's lie; they stand as 1970. */
function timeOf(ms: number): string {
	const date = new Date(ms);
	return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
}
