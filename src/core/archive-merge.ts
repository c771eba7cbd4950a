// A backup joins what is on this device. The rules are in archive/FORMAT.md, "Restoring"; nothing is doubled, nothing
// newer is overwritten, and this device stays the device that it is.
import {
	toBase64Url,
	type AccountId,
	type ConversationId,
	type DeviceId,
	type EnvelopeId,
} from '../protocol/ids.ts';
import type {
	AboutEntry,
	ArchivedGroup,
	ArchiveEntry,
	BlockEntry,
	ConversationEntry,
	LinkEntry,
	MessageEntry,
	PersonEntry,
} from './archive-entries.ts';
import { keepBlock } from './blocking.ts';
import { heardIn } from './heard.ts';
import { BATCH, endOf, History, newestIn, unreadIn } from './histories.ts';
import { DEFAULT_SETTINGS, type Delivery, type Report, type Settings } from './model.ts';
import { highestOf } from './positions.ts';
import type { SmallCrypto, Store, Transaction } from './ports.ts';
import {
	ONLY,
	type ConversationRow,
	type InviteRow,
	type MeRow,
	type MessageRow,
	type PersonRow,
} from './records.ts';
import { keepReport, MOST_REPORTS } from './reports.ts';
import { newConversation, RANK, MOST_CONVERSATIONS } from './threads.ts';

/** What restoring changed. */
export interface Merged {
	readonly messages: number;
	readonly conversations: number;
	/** The backup is of this device's own account. */
	readonly sameSelf: boolean;
}

/** A conversation of the backup, and the one here that it joins. */
interface Joined {
	readonly entry: ConversationEntry;
	readonly id: ConversationId;
	failed: number;
}

/** Takes the entries of one backup, in order, then `finish`. Throws NoRoom, with nothing of it left, where it does not fit. */
export class Merge {
	readonly #store: Store;
	readonly #crypto: Pick<SmallCrypto, 'inviteKeys'>;
	#history: History;
	readonly #me: MeRow;
	readonly #people = new Map<string, PersonEntry>();
	readonly #joined = new Map<ConversationId, Joined>();
	/** The conversations with one person alone. */
	readonly #alone = new Map<AccountId, ConversationId>();
	readonly #blocks: BlockEntry[] = [];
	readonly #reports: Report[] = [];
	readonly #links: InviteRow[] = [];
	#notes: ConversationId | undefined;
	#settings: Partial<Settings> | undefined;
	/** What is said of conversations and people stands here too, as it does on the other device of this person. */
	readonly #isMirror: boolean;
	#sameSelf = false;
	#batch: MessageRow[] = [];
	/** Envelopes that came here; read for the first gap. */
	#heard: Promise<ReadonlySet<EnvelopeId>> | undefined;
	#read = 0;

	constructor(
		{ store, crypto }: { readonly store: Store; readonly crypto: Pick<SmallCrypto, 'inviteKeys'> },
		me: MeRow,
		kind: 'join' | 'mirror' = 'join',
	) {
		this.#isMirror = kind === 'mirror';
		this.#store = store;
		this.#crypto = crypto;
		this.#history = new History(store, { nothingKnown: false });
		this.#me = me;
		this.#sameSelf = this.#isMirror;
	}

	/** Messages taken so far. */
	get read(): number {
		return this.#read;
	}

	async take(entry: ArchiveEntry): Promise<void> {
		switch (entry.type) {
			case 'about':
				return this.#about(entry);
			case 'settings':
				this.#settings = entry.settings;
				return;
			case 'person':
				this.#people.set(entry.account, entry);
				return;
			case 'block':
				this.#blocks.push(entry);
				return;
			case 'conversation':
				return this.#conversation(entry);
			case 'message':
				return this.#message(entry);
			case 'report': {
				const { type: _, ...report } = entry;
				if (this.#reports.length < MOST_REPORTS) this.#reports.push(report);
				return;
			}
			case 'link':
				return this.#link(entry);
			case 'end':
				return this.#flush();
		}
	}

	/** Completes it in one step: only now conversations that are new here are seen. */
	async finish(): Promise<Merged> {
		let conversations = 0;
		await this.#history.finish(async (tx) => {
			conversations = 0;
			for (const joined of this.#joined.values()) {
				const known = await tx.get('conversations', joined.id);
				if (!known) conversations++;
				tx.put('conversations', joined.id, await this.#row(tx, joined, known));
				const { draft } = joined.entry;
				if (draft !== '' && (await tx.get('drafts', joined.id)) === undefined) {
					tx.put('drafts', joined.id, draft);
				}
				if (joined.entry.group) await putGroup(tx, joined.entry.group, joined.id);
			}
			for (const person of this.#people.values()) await this.#person(tx, person);
			for (const block of this.#blocks) await keepBlock(tx, block);
			for (const report of this.#reports) await keepReport(tx, report);
			for (const link of this.#links) {
				const { address } = link.invite;
				if (!(await tx.get('invites', address))) tx.put('invites', address, link);
			}
			if (this.#settings && !(await tx.get('settings', ONLY))) {
				tx.put('settings', ONLY, { ...DEFAULT_SETTINGS, ...this.#settings });
			}
		});
		return { messages: this.#history.added, conversations, sameSelf: this.#sameSelf };
	}

	/** Takes back what was added, for a backup that turns out not to be whole. */
	undo(): Promise<void> {
		return this.#history.undo();
	}

	async #about({ account }: AboutEntry): Promise<void> {
		this.#sameSelf = account === this.#me.account;
		const range = { prefix: '', limit: MOST_CONVERSATIONS };
		const rows = await this.#store.list('conversations', range);
		// On an empty device nothing has to be looked up.
		const known = await this.#store.list('messages', { prefix: '', limit: 1 });
		if (known.length === 0) this.#history = new History(this.#store, { nothingKnown: true });
		const notes = rows.find(({ value }) => !value.account && !value.group && !value.imported);
		this.#notes = notes?.value.id;
	}

	async #conversation(entry: ConversationEntry): Promise<void> {
		// Nobody talks to themselves, but for notes.
		if (entry.account === this.#me.account) return;
		const id = await this.#idFor(entry);
		if (!id) return;
		this.#joined.set(entry.id, { entry, id, failed: 0 });
		if (entry.account) this.#alone.set(entry.account, id);
		// As backups said it before blocking stood with the person.
		if (entry.account && entry.state === 'blocked') {
			this.#blocks.push({ type: 'block', account: entry.account, on: true, at: 0 });
		}
	}

	/** Undefined where the id stands for something else here, which an honest backup does not bring. */
	async #idFor(entry: ConversationEntry): Promise<ConversationId | undefined> {
		const { id, subject, account, group } = entry;
		if (subject === 'notes') return (this.#notes ??= id);
		const person = account && (await this.#store.get('people', account));
		if (person && person.conversation) return person.conversation;
		const same = group && (await this.#store.get('groups', group.id));
		if (same) return same.conversation;
		const known = await this.#store.get('conversations', id);
		if (!known) return id;
		return subject === 'imported' && known.imported ? id : undefined;
	}

	async #message(entry: MessageEntry): Promise<void> {
		this.#read++;
		const joined = this.#joined.get(entry.conversation);
		if (!joined || (await this.#wasHeard(entry))) return;
		const { type: _type, delivery, ...rest } = entry;
		this.#batch.push({
			...rest,
			conversation: joined.id,
			// Which device wrote it matters only while it is on its way.
			device: '' as DeviceId,
			delivery: deliveryOf(delivery, joined.entry.subject),
			carrier: undefined,
		});
		if (this.#batch.length >= BATCH) await this.#flush();
	}

	/** A gap elsewhere, which is the envelope's that was never opened there: here it was, or it is of an own device. */
	async #wasHeard({ id, body, mine }: MessageEntry): Promise<boolean> {
		if (body.kind !== 'unreadable') return false;
		if (mine) return true;
		this.#heard ??= heardIn(this.#store, '');
		// A gap has the id of its envelope; before there were pages each had a row.
		const isHeard = (await this.#heard).has(id as string as EnvelopeId);
		return isHeard || (await this.#store.get('seen', id)) !== undefined;
	}

	async #flush(): Promise<void> {
		const batch = this.#batch;
		this.#batch = [];
		const added = await this.#history.add(batch, risen);
		const byId = new Map([...this.#joined.values()].map((joined) => [joined.id, joined]));
		for (const row of batch) {
			const joined = byId.get(row.conversation);
			if (joined && row.delivery.kind === 'failed' && added.has(row.id)) joined.failed++;
		}
	}

	/** Only one's own: another account's link would answer in its name. */
	async #link({ secret, kind, welcome, created, expires }: LinkEntry): Promise<void> {
		if (!this.#sameSelf) return;
		const { address } = await this.#crypto.inviteKeys(secret);
		this.#links.push({
			invite: {
				address,
				fragment: toBase64Url(secret),
				kind,
				created,
				expires,
				state: 'pending',
			},
			secret,
			welcome,
			keyPackageRef: undefined,
			todo: 'put',
		});
	}

	async #row(
		tx: Transaction,
		{ entry, id, failed }: Joined,
		known: ConversationRow | undefined,
	): Promise<ConversationRow> {
		const { pinned, muted, archived, created, generation, imported } = entry;
		const mirrored = this.#isMirror ? { pinned, muted, archived, created } : {};
		const base: ConversationRow = (known && { ...known, ...mirrored }) ?? {
			...newConversation(id, entry.account, created),
			...{ pinned, muted, archived, group: entry.group?.id },
			...(imported && { imported }),
			...this.#way(entry, generation),
		};
		const readTo = base.readTo > entry.readTo ? base.readTo : entry.readTo;
		const last = await newestIn(tx, id);
		return {
			...base,
			readTo,
			last,
			...(await unreadIn(tx, id, readTo)),
			failed: base.failed + failed,
			highest: highestOf(base.highest, (await endOf(tx, id)).slice(0, 16)),
		};
	}

	/** How somebody is reached from here: as before, or not until a link is exchanged. */
	#way(
		entry: ConversationEntry,
		generation: number,
	): Pick<ConversationRow, 'state' | 'entry' | 'generation'> {
		const none = { entry: undefined, generation: -1 };
		if (entry.subject === 'group') return { ...none, state: groupState(entry) };
		if (entry.subject !== 'person') return { ...none, state: { kind: 'open' } };
		const reachable = entry.entry ?? this.#people.get(entry.account ?? '')?.entry;
		if (!this.#sameSelf || !reachable) return { ...none, state: { kind: 'restored' } };
		return {
			entry: entry.entry,
			generation,
			state: { kind: entry.state === 'inviting' ? 'inviting' : 'open' },
		};
	}

	/** What was decided last counts. */
	/** Also who is known from groups only. */
	async #person(tx: Transaction, found: PersonEntry): Promise<void> {
		const { account, profile, profileVersion } = found;
		if (account === this.#me.account) return;
		const conversation = this.#alone.get(account);
		const known = await tx.get('people', account);
		const way = this.#sameSelf ? found.entry : undefined;
		const fresh: PersonRow = {
			account,
			conversation,
			profile,
			profileVersion,
			lastSeen: found.lastSeen,
			verification: this.#sameSelf ? found.verification : { kind: 'unverified' },
			entry: way,
			toldProfile: 0,
		};
		if (!known) {
			tx.put('people', account, fresh);
			return;
		}
		const { verification } = this.#isMirror ? found : known;
		const newer = profileVersion > known.profileVersion ? { profile, profileVersion } : {};
		const seen = Math.max(known.lastSeen ?? 0, found.lastSeen ?? 0);
		const lastSeen = seen === 0 ? undefined : seen;
		tx.put('people', account, {
			...{ ...known, ...newer, verification, lastSeen, entry: known.entry ?? way },
			conversation: known.conversation ?? conversation,
		});
	}
}

/** Who left or was taken out stays out; else this device is not in the group until somebody brings it in. */
function groupState({
	state,
	stateBy: by,
	stateAt: at = 0,
}: ConversationEntry): ConversationRow['state'] {
	if (state === 'left') return { kind: 'left', at };
	return state === 'removed' && by ? { kind: 'removed', by, at } : { kind: 'restored' };
}

/** What is known here of a group is newer, or as old. */
async function putGroup(
	tx: Transaction,
	{ id, ...told }: ArchivedGroup,
	conversation: ConversationId,
): Promise<void> {
	if (await tx.get('groups', id)) return;
	tx.put('groups', id, { ...told, group: id, conversation, mending: undefined, toldProfile: 0 });
}

/** What had not left comes back as not sent: another copy of the backup may have sent it. */
function deliveryOf(kind: Delivery['kind'], subject: ConversationEntry['subject']): Delivery {
	if (subject !== 'person' && subject !== 'group') return { kind: 'received' };
	if (kind === 'queued' || kind === 'failed') return { kind: 'failed', reason: 'not-a-member' };
	return { kind };
}

/** Of a message that is here already, only the delivery may be known better by the backup. */
function risen(before: MessageRow, now: MessageRow): MessageRow | undefined {
	const rises =
		before.mine && before.delivery.kind === 'sent' && RANK[now.delivery.kind] > RANK.sent;
	return rises && now.delivery.kind !== 'received'
		? { ...before, delivery: now.delivery }
		: undefined;
}
