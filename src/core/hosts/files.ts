// The rooms behind {@link Files}, put together for a page.
import { forgetImported, importChat } from '../chat-import.ts';
import { createQueries } from '../client-queries.ts';
import { archiveCrypto } from '../crypto/archive-keys.ts';
import { chatHtml } from '../export/chat-html.ts';
import { chatJson } from '../export/chat-json.ts';
import { messagesOf, toChunks, type TranscriptSource } from '../export/transcript.ts';
import { createArchives, type ArchivePorts } from './archives.ts';
import type { Files } from '../files.ts';
import { readWhatsApp } from '../import/whatsapp.ts';
import { namedIn, type AccountId, type ConversationId, type MessageBody } from '../model.ts';
import type { Store } from '../ports.ts';
import { NO_NAME } from '../../protocol/names.ts';

export function createFiles(world: Omit<ArchivePorts, 'archives'>): Files {
	const ports = { ...world, archives: archiveCrypto };
	const { store, clock } = ports;
	/** The next task: the screen is drawn in between. */
	const pause = () => new Promise<void>((resolve) => clock.schedule(0, resolve));
	return {
		...createArchives(ports),
		readChat: (file, options) => readWhatsApp(file, { ...options, now: clock.now(), pause }),
		importChat: (chat, choice, progress) =>
			importChat(ports, { chat, choice, ...(progress && { progress }) }),
		async exportChat(id, format, words) {
			const source = await transcriptOf(store, id);
			if (!source) return undefined;
			const options = { exported: clock.now(), notes: words.notes };
			return toChunks(format === 'html' ? chatHtml(source, words) : chatJson(source, options));
		},
		forgetImported: (id) => forgetImported(store, id),
	};
}

const PAGE = 200;

async function transcriptOf(
	store: Store,
	id: ConversationId,
): Promise<TranscriptSource | undefined> {
	const queries = createQueries(store);
	const [conversation, me] = await Promise.all([queries.conversation(id), queries.me()]);
	if (!conversation || !me) return undefined;
	const after: TranscriptSource['after'] = async (position = '') => {
		const page = await queries.messages(id, { at: 'after', position, limit: PAGE });
		return page.messages;
	};
	const source = {
		...{ conversation, after, others: [] },
		me: { account: me.account, name: me.profile.name },
	};
	const others = conversation.subject.kind === 'group' ? await othersOf(store, source) : [];
	return { ...source, others };
}

/** Whom a message speaks of. */
function peopleIn(body: MessageBody): readonly AccountId[] {
	if (body.kind === 'event') return namedIn(body.event);
	return body.kind === 'text' ? (body.mentions ?? []).map(({ account }) => account) : [];
}

/** Everybody of a group, also who is gone: who wrote there and who was named is known only by reading all of it. */
async function othersOf(
	store: Store,
	source: TranscriptSource,
): Promise<TranscriptSource['others']> {
	const { conversation, me } = source;
	const row = await store.get('conversations', conversation.id);
	const group = await store.get('groups', row?.group ?? '');
	const accounts = new Set((group?.members ?? []).map(({ account }) => account));
	for await (const { author, body } of messagesOf(source)) {
		for (const account of [author, ...peopleIn(body)]) accounts.add(account);
	}
	accounts.delete(me.account);
	return Promise.all(
		[...accounts].map(async (account) => {
			const person = await store.get('people', account);
			return { account, name: person?.profile.name ?? NO_NAME };
		}),
	);
}
