// Files that come in and go out: chats of other messengers, exports to read elsewhere, the backup. All of its code is
// loaded when it is first asked for.
import type { ConversationId } from '../protocol/ids.ts';
import type { ArchiveCounts, ArchiveFailure } from './archive-entries.ts';
import type { ForeignChat, ForeignFailure, ReadOptions } from './foreign.ts';
import type { AccountId, PageWords } from './model.ts';
import type { ArchiveSecret, Result } from './ports.ts';

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

/** What a backup holds. */
export interface ArchiveSummary extends ArchiveCounts {
	readonly name: string;
	/** When it was written, ms. */
	readonly written: number;
	/** It is of this device's own account; false before `start`. */
	readonly sameSelf: boolean;
}

export interface Restored {
	readonly summary: ArchiveSummary;
	/** What was missing here. */
	readonly messages: number;
	readonly conversations: number;
}

/** What does the work went away in the middle of it. What was written stays unseen or whole; doing it again completes it. */
export class FilesInterrupted extends Error {
	override readonly name = 'FilesInterrupted';
}

/** Every call may reject with {@link FilesInterrupted}. */
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
	/** 32 letters that open a backup, in groups of four. */
	newRecoveryCode(): string;
	/** Everything but keys as one locked file, in chunks; undefined before `start`. Its key may take seconds. */
	writeArchive(
		secret: ArchiveSecret,
		progress: Progress,
	): Promise<AsyncIterable<Uint8Array<ArrayBuffer>> | undefined>;
	/** Which kind of secret opens a backup. */
	archiveLock(file: Blob): Promise<Result<ArchiveSecret['kind'], ArchiveFailure>>;
	/** Opens a backup and checks all of it; nothing is written. */
	testArchive(
		file: Blob,
		secret: ArchiveSecret,
		progress?: Progress,
	): Promise<Result<ArchiveSummary, ArchiveFailure>>;
	/** Adds what is missing here, after all of the file was checked. Twice is once. */
	restoreArchive(
		file: Blob,
		secret: ArchiveSecret,
		progress?: Progress,
	): Promise<Result<Restored, ArchiveFailure | 'storage-full'>>;
	/** Removes an imported conversation; others stay. */
	forgetImported(id: ConversationId): Promise<void>;
}
