// What a recovery code brings back, cut to what a relay keeps: who the person is, whom they know and how to reach them.
import { MAX_CAPSULE_BYTES } from '../protocol/limits.ts';
import type { ArchiveEntry, ConversationEntry } from './archive-entries.ts';
import { gather } from './archive-gather.ts';
import type { Clock, RecoveryPorts, Store } from './ports.ts';
import { BEGINNING } from './positions.ts';
import { ONLY } from './records.ts';

/** What sealing adds, generously. */
const MOST_PLAIN_BYTES = MAX_CAPSULE_BYTES - 64;

export interface CapsuleBytes {
	readonly bytes: Uint8Array;
	/** People for whom there was no room. */
	readonly leftOut: number;
}

/** Undefined before `start`. The same store gives the same bytes. */
export async function capsuleBytes(
	ports: { readonly store: Store; readonly clock: Clock },
	recovery: RecoveryPorts,
): Promise<CapsuleBytes | undefined> {
	const me = await ports.store.get('me', ONLY);
	const rows = me && (await gather(ports));
	if (!rows) return undefined;
	const all: ArchiveEntry[] = [];
	for await (const entry of rows) if (isKept(entry)) all.push(quiet(entry));
	const exported = await recovery.exportAccount();
	const secret = { ...exported, deviceList: me.deviceList ?? exported.deviceList };
	const { profileVersion } = me;
	const passkey = (await ports.store.get('recovery', ONLY))?.passkey;
	for (const entries of everSmaller(all)) {
		const bytes = await recovery.encode({ ...secret, profileVersion, passkey, entries });
		if (bytes.length > MOST_PLAIN_BYTES) continue;
		return { bytes, leftOut: contactsIn(all) - contactsIn(entries) };
	}
	return undefined;
}

/** What was imported is nothing without its messages, and reports quote some. */
function isKept(entry: ArchiveEntry): boolean {
	if (entry.type === 'report') return false;
	return entry.type !== 'conversation' || entry.subject !== 'imported';
}

/** Without what changes all the time: a capsule is put anew for what is worth it. */
function quiet(entry: ArchiveEntry): ArchiveEntry {
	if (entry.type === 'about') return { ...entry, written: 0 };
	if (entry.type === 'person') return { ...entry, lastSeen: undefined };
	if (entry.type === 'conversation') return { ...entry, draft: '', readTo: BEGINNING };
	return entry;
}

function contactsIn(entries: readonly ArchiveEntry[]): number {
	return entries.filter((entry) => entry.type === 'conversation' && entry.account).length;
}

function* everSmaller(all: readonly ArchiveEntry[]): Generator<readonly ArchiveEntry[]> {
	yield all;
	const plain = all.map(withoutPicture);
	yield plain;
	const contacts = new Set(
		plain.flatMap((entry) => (entry.type === 'conversation' ? [entry.account] : [])),
	);
	let left = plain.filter((entry) => entry.type !== 'person' || contacts.has(entry.account));
	yield left;
	while (left.some(isConversation)) yield (left = withoutOldest(left));
}

function withoutPicture(entry: ArchiveEntry): ArchiveEntry {
	if (entry.type === 'person' || entry.type === 'about') {
		return { ...entry, profile: { ...entry.profile, picture: null } };
	}
	if (entry.type !== 'conversation' || !entry.group) return entry;
	const { about, ...group } = entry.group;
	return { ...entry, group: { ...group, about: { ...about, picture: null } } };
}

function isConversation(entry: ArchiveEntry): entry is ConversationEntry {
	return entry.type === 'conversation';
}

/** A tenth of the conversations fewer, with the people they were with. */
function withoutOldest(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
	const byAge = entries.filter(isConversation).sort((a, b) => a.created - b.created);
	const gone = new Set(byAge.slice(0, Math.ceil(byAge.length / 10)));
	const people = new Set([...gone].map(({ account }) => account));
	return entries.filter((entry) => {
		if (entry.type === 'person') return !people.has(entry.account);
		return !isConversation(entry) || !gone.has(entry);
	});
}
