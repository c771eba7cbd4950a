// By what all devices of a person know a conversation: its own id is of one device alone.
import type { Store } from './ports.ts';
import type { ConversationRow } from './records.ts';

const EVERYTHING = { prefix: '', limit: 20_000 };

/** `p/` and an account, `g/` and a group, `i/` and an imported history, or `n/`; undefined for the hidden one. */
export function subjectOf(row: ConversationRow): string | undefined {
	if (row.hidden) return undefined;
	if (row.imported) return `i/${row.id}`;
	if (row.group) return `g/${row.group}`;
	return row.account ? `p/${row.account}` : 'n/';
}

/** Inverse of {@link subjectOf}, on this device. */
export async function conversationOf(
	store: Pick<Store, 'get' | 'list'>,
	subject: string,
): Promise<ConversationRow | undefined> {
	const id = subject.slice(2);
	switch (subject.slice(0, 2)) {
		case 'p/': {
			const person = await store.get('people', id);
			return store.get('conversations', person?.conversation ?? '');
		}
		case 'g/': {
			const group = await store.get('groups', id);
			return store.get('conversations', group?.conversation ?? '');
		}
		case 'i/':
			return store.get('conversations', id);
		default: {
			const all = await store.list('conversations', EVERYTHING);
			return all.find(({ value }) => subjectOf(value) === subject)?.value;
		}
	}
}
