// Backups, put together: rows to entries to sealed bytes, and back.
import { archiveLock, openArchive, sealArchive, type OpenArchive } from '../archive/container.ts';
import type { ArchiveEntry, ArchiveFailure } from '../archive-entries.ts';
import { gather } from '../archive-gather.ts';
import { Merge } from '../archive-merge.ts';
import type { ArchiveSummary, Files, Progress, Restored } from '../files.ts';
import { NoRoom } from '../histories.ts';
import type { ArchiveCrypto, Clock, Random, Result, SmallCrypto, Store } from '../ports.ts';
import { ONLY } from '../records.ts';

const SALT_BYTES = 16;
/** Entries between two looks at the screen. */
const BREATH = 500;

export interface ArchivePorts {
	readonly store: Store;
	readonly crypto: SmallCrypto;
	readonly archives: ArchiveCrypto;
	readonly clock: Clock;
	readonly random: Pick<Random, 'bytes'>;
}

type Archives = Pick<
	Files,
	'newRecoveryCode' | 'writeArchive' | 'archiveLock' | 'testArchive' | 'restoreArchive'
>;

export function createArchives(ports: ArchivePorts): Archives {
	const { store, archives: crypto, random } = ports;
	return {
		newRecoveryCode: () => crypto.newCode(),
		async writeArchive(secret, progress) {
			const entries = await gather(ports, progress);
			return entries && sealArchive(entries, { secret, crypto, salt: random.bytes(SALT_BYTES) });
		},
		archiveLock,
		async testArchive(file, secret, progress) {
			const archive = await openArchive(file, { secret, crypto });
			return archive.ok ? test(store, archive.value, progress) : archive;
		},
		async restoreArchive(file, secret, progress) {
			const archive = await openArchive(file, { secret, crypto });
			if (!archive.ok) return archive;
			const summary = await test(store, archive.value);
			if (!summary.ok) return summary;
			return restore(ports, archive.value, { summary: summary.value, progress });
		},
	};
}

async function test(
	store: Store,
	archive: OpenArchive,
	progress?: Progress,
): Promise<Result<ArchiveSummary, ArchiveFailure>> {
	const me = await store.get('me', ONLY);
	let summary: ArchiveSummary | undefined;
	let read = 0;
	const outcome = await archive.read((entry: ArchiveEntry) => {
		if (++read % BREATH === 0) progress?.(read, read);
		if (entry.type === 'about') {
			const { account, profile, written } = entry;
			const counts = { people: 0, conversations: 0, messages: 0 };
			summary = { ...counts, name: profile.name, written, sameSelf: account === me?.account };
		}
		if (entry.type !== 'end' || !summary) return;
		const { people, conversations, messages } = entry;
		summary = { ...summary, people, conversations, messages };
	});
	if (!outcome.ok) return outcome;
	return summary ? { ok: true, value: summary } : { ok: false, error: 'damaged' };
}

interface Restoring {
	readonly summary: ArchiveSummary;
	readonly progress: Progress | undefined;
}

async function restore(
	ports: ArchivePorts,
	archive: OpenArchive,
	{ summary, progress }: Restoring,
): Promise<Result<Restored, ArchiveFailure | 'storage-full'>> {
	const me = await ports.store.get('me', ONLY);
	if (!me) throw new Error('start first');
	const merge = new Merge(ports, me);
	try {
		const outcome = await archive.read(async (entry) => {
			await merge.take(entry);
			if (merge.read % BREATH === 0) progress?.(merge.read, summary.messages);
		});
		if (!outcome.ok) {
			// The file changed after it was checked: a card that was pulled, a share that went away.
			await merge.undo();
			return outcome;
		}
		const { messages, conversations } = await merge.finish();
		return { ok: true, value: { summary, messages, conversations } };
	} catch (error) {
		if (error instanceof NoRoom) return { ok: false, error: 'storage-full' };
		await merge.undo();
		throw error;
	}
}
