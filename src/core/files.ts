// Files that come in and go out: chats of other messengers, exports to read elsewhere, the backup. All of its code is
// loaded when it is first asked for.
import type { ConversationId } from '../protocol/ids.ts';
import type { ForeignChat, ForeignFailure, ReadOptions } from './foreign.ts';
import type { AccountId, PageWords } from './model.ts';
import type { Result } from './ports.ts';

/** So much of `total` is done; the unit is the caller's. */
export type Progress = (done: number, total: number) => void;

export interface ImportChoice {
	/** What the conversation is called. */
	readonly title: string;
	/** Who each participant of the file is, by index; undefined for somebody unknown here. */
	readonly people: readonly (AccountId | 'me' | undefined)[];
}

export interface ImportOutcome {
	readonly conversation: ConversationId;
	/** Messages that were new, and those that were here already. */
	readonly added: number;
	readonly known: number;
}

export interface Files {
	/** Looks into another messenger's export; nothing is written. */
	readChat(
		file: Blob & { readonly name?: string },
		options: Omit<ReadOptions, 'now' | 'pause'>,
	): Promise<Result<ForeignChat, ForeignFailure>>;
	/** Writes what `readChat` found as a conversation to read. Twice is once. */
	importChat(
		chat: ForeignChat,
		choice: ImportChoice,
		progress?: Progress,
	): Promise<Result<ImportOutcome, 'storage-full'>>;
	/** One conversation as a file to read elsewhere, in chunks of UTF-8; undefined if there is none. */
	exportChat(
		id: ConversationId,
		format: 'html' | 'json',
		words: PageWords,
	): Promise<AsyncIterable<Uint8Array<ArrayBuffer>> | undefined>;
	/** Removes an imported conversation; others stay. */
	forgetImported(id: ConversationId): Promise<void>;
}
