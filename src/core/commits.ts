// Commits on their way to the relay, which orders them: founding channels and renewing keys. What is staged is stored;
// here it is submitted, and the answer adopted or the intention planned anew (encryption.md 7, 8).
import { REFUSALS, type RefusalCode } from '../protocol/errors.ts';
import type { Address, ChannelId, ConversationId, EnvelopeId, GroupId } from '../protocol/ids.ts';
import { adoptStaged, forgetChannel, loseChannel, rankChannel } from './channels.ts';
import type { EngineContext, Work } from './context.ts';
import { askingArrived, dropAsking, stageAsking } from './group-asking.ts';
import { stopAsking } from './group-requests.ts';
import { stageGroupFounding, stageNext, tellNotDone } from './group-changes.ts';
import { contactEntrances, forgetAddresses, hasWrongDevices } from './own-devices.ts';
import { stageResync } from './group-mending.ts';
import { commitSettled, stageFounding, stageRotation } from './groups.ts';
import type { ConversationState } from './model.ts';
import type { Question, RelaySession } from './relay-session.ts';
import { isDeviceIntention } from './device-records.ts';
import {
	entranceKey,
	inConversation,
	outboxKey,
	type ChannelRow,
	type ConversationRow,
} from './records.ts';
import { writeDelivery } from './threads.ts';

/** Rows that fail at once with their conversation; those beyond fail with the next attempt. */
const MOST_ROWS = 20_000;
const MOST_ROTATIONS = 16;
const EVERYBODY = { prefix: '', limit: 10_000 };
/** After a lost race, ms. */
const FIRST_RETRY = 500;
const RETRY_SPREAD = 2_000;

interface CommitEvents {
	/** The conversation may go on. */
	readonly settled: (conversation: ConversationId) => void;
	/** Ask again after `wait` ms; null where the relay names no time. */
	readonly later: (conversation: ConversationId, wait: number | null) => void;
}

export interface Commits {
	/** The channel to send on. Undefined while there is none: one is founded, and `settled` follows. */
	usableChannel(conversation: ConversationRow): Promise<ChannelRow | undefined>;
	/** Submits what should change in this conversation: a group, or own keys. */
	advance(conversation: ConversationRow): Promise<void>;
	/** Sends the request to be let into a group. */
	askToJoin(conversation: ConversationId): Promise<void>;
	/** Tells the relay that this device is out of a group. */
	leave(conversation: ConversationId): Promise<void>;
}

export function createCommits(
	context: EngineContext,
	session: () => RelaySession,
	events: CommitEvents,
): Commits {
	return new CommitDesk(context, session, events);
}

class CommitDesk implements Commits {
	readonly #context: EngineContext;
	readonly #session: () => RelaySession;
	readonly #events: CommitEvents;
	readonly #asked = new Set<ChannelId>();
	/** Staged commits that met an epoch conflict once. */
	readonly #doubted = new Map<ChannelId, EnvelopeId>();
	/** When a conversation is looked at again by itself (ms). */
	readonly #turns = new Map<ConversationId, number>();

	constructor(context: EngineContext, session: () => RelaySession, events: CommitEvents) {
		this.#context = context;
		this.#session = session;
		this.#events = events;
	}

	async usableChannel(conversation: ConversationRow): Promise<ChannelRow | undefined> {
		const { store } = this.#context;
		const [first] = conversation.channels;
		const row = first === undefined ? undefined : await store.get('channels', first);
		if (row?.status === 'open') return row;
		if (!this.#session().caughtUp) return undefined;
		if (conversation.group) {
			await this.#bringBack(conversation, row);
			return undefined;
		}
		const founding = row?.status === 'founding' ? row : await this.#found(conversation.id);
		if (founding) this.#ask(founding);
		return undefined;
	}

	/** A group's channel that is not there yet, or not any more. */
	async #bringBack(conversation: ConversationRow, row: ChannelRow | undefined): Promise<void> {
		if (row?.status === 'founding') this.#ask(row);
		else if (row?.status === 'lost') {
			const mended = await stageResync(this.#context, row, this.#session());
			if (mended === 'later') this.#later(conversation.id);
			else if (mended) this.#ask(mended);
		} else {
			const founding = await this.#context.persist(async (tx) => {
				const fresh = await tx.get('conversations', conversation.id);
				return fresh && stageGroupFounding({ ...this.#context, tx }, fresh);
			});
			if (founding) this.#ask(founding);
		}
	}

	async askToJoin(conversation: ConversationId): Promise<void> {
		const { persist } = this.#context;
		const row = await persist((tx) => stageAsking({ ...this.#context, tx }, conversation));
		if (row) this.#ask(row);
	}

	async advance({ id, group }: ConversationRow): Promise<void> {
		if (!group) return (await this.#takeOver(id)) ? undefined : this.#rotate(id);
		const row = await this.#context.persist((tx) => stageNext({ ...this.#context, tx }, id));
		if (row) this.#ask(row);
		else await this.#awaitTurn(id);
	}

	/** What waits for its time is looked at again then. */
	async #awaitTurn(id: ConversationId): Promise<void> {
		const { store, clock } = this.#context;
		const channel = (await store.get('conversations', id))?.channels[0];
		const sweep = await store.get('outbox', outboxKey.sweep(id));
		const rotate = channel && (await store.get('outbox', outboxKey.rotate(id, channel)));
		for (const row of [sweep, rotate]) {
			const due = row && 'due' in row ? row.due : undefined;
			if (due === undefined || due <= clock.now()) continue;
			const wait = due - clock.now();
			const planned = this.#turns.get(id) ?? Infinity;
			if (planned <= due && planned > clock.now()) continue;
			this.#turns.set(id, due);
			this.#events.later(id, wait);
		}
	}

	async leave(conversation: ConversationId): Promise<void> {
		const { store, persist } = this.#context;
		const prefix = inConversation(conversation);
		for (const { key, value } of await store.list('outbox', { prefix, limit: MOST_ROTATIONS })) {
			if (value.kind !== 'leave') {
				await persist((tx) => Promise.resolve(tx.delete('outbox', key)));
				continue;
			}
			const answer = await this.#session().ask({ type: 'leave', channel: value.channel });
			if (answer.type === 'unknown') return; // asked again with the next connection
			if (answer.type === 'refused' && REFUSALS[answer.code].retry === 'later') {
				this.#events.later(conversation, answer.retryAfter);
				return;
			}
			await persist((tx) => Promise.resolve(tx.delete('outbox', key)));
		}
	}

	/** Whoever lost a race tries again at another moment than the others who did. */
	#later(conversation: ConversationId): void {
		const wait = FIRST_RETRY + this.#context.random.fraction() * RETRY_SPREAD;
		this.#events.later(conversation, wait);
	}

	/** Founds a newer channel where the one in use has not the devices that it should; true if it did. */
	async #takeOver(id: ConversationId): Promise<boolean> {
		const key = outboxKey.devices(id);
		if (!(await this.#context.store.get('outbox', key))) return false;
		const row = await this.#context.persist(async (tx) => {
			const work = { ...this.#context, tx };
			const conversation = await tx.get('conversations', id);
			const used = await tx.get('channels', conversation?.channels[0] ?? '');
			if (!conversation || !used || !(await hasWrongDevices(tx, conversation, used))) {
				tx.delete('outbox', key);
				return undefined;
			}
			// Without a way to the other side it waits for their profile, which wakes this again.
			return stageFounding(work, conversation);
		});
		if (row) this.#ask(row);
		return row !== undefined;
	}

	async #rotate(conversation: ConversationId): Promise<void> {
		const { store } = this.#context;
		const prefix = outboxKey.rotations(conversation);
		for (const { key, value } of await store.list('outbox', { prefix, limit: MOST_ROTATIONS })) {
			if (value.kind !== 'rotate') continue;
			const row = await this.#context.persist(async (tx) => {
				const staged = await stageRotation({ ...this.#context, tx }, value.channel);
				if (!staged) tx.delete('outbox', key);
				return staged;
			});
			if (row) this.#ask(row);
		}
	}

	#found(id: ConversationId): Promise<ChannelRow | undefined> {
		return this.#context.persist(async (tx) => {
			const work = { ...this.#context, tx };
			const conversation = await tx.get('conversations', id);
			if (!conversation) return undefined;
			const row = await stageFounding(work, conversation);
			if (row) return row;
			await refuse(work, conversation, { kind: 'refused', reason: 'unknown' });
			return undefined;
		});
	}

	#ask(row: ChannelRow): void {
		const { staged } = row;
		if (!staged || this.#asked.has(row.channel)) return;
		this.#asked.add(row.channel);
		const question: Question = {
			type: 'commit',
			envelope: staged.envelope,
			channel: row.channel,
			epoch: staged.expected,
			body: staged.commit,
			add: [...staged.add],
			remove: [...(staged.remove ?? [])],
			welcome: staged.welcome ?? null,
			snapshot: staged.snapshot ?? null,
		};
		void this.#session()
			.ask(question)
			.then((answer) => {
				this.#asked.delete(row.channel);
				if (answer.type === 'unknown') return; // asked again with the next connection
				this.#context.lanes.run(row.channel, () =>
					answer.type === 'accepted'
						? this.#accepted(row)
						: this.#refused(row, answer.code, answer.retryAfter),
				);
			});
	}

	async #accepted(row: ChannelRow): Promise<void> {
		if (row.asks) {
			await this.#context.persist((tx) =>
				askingArrived({ ...this.#context, tx }, row.channel, row.staged?.envelope),
			);
			return;
		}
		// A group's log has the commit at the relay's time, which only its echo tells: it is in the mail already.
		if ((await this.#context.store.get('conversations', row.conversation))?.group) return;
		await this.#context.persist(async (tx) => {
			const fresh = await tx.get('channels', row.channel);
			if (!fresh?.staged || fresh.staged.envelope !== row.staged?.envelope) return; // its echo was faster
			await commitSettled(tx, adoptStaged(tx, fresh, fresh.staged));
		});
		this.#events.settled(row.conversation);
	}

	async #refused(row: ChannelRow, code: RefusalCode, wait: number | null): Promise<void> {
		if (REFUSALS[code].retry === 'later') {
			this.#events.later(row.conversation, wait);
			return;
		}
		if (row.asks) {
			await this.#context.persist((tx) => askingRefused({ ...this.#context, tx }, row, code));
			this.#later(row.conversation);
			return;
		}
		if ((await this.#context.store.get('conversations', row.conversation))?.group) {
			await this.#refusedInGroup(row, code);
			return;
		}
		// A lost race, or an earlier sending of this very commit that won: whichever commit it was, it is in the mail, and
		// only the mail can tell. It stays staged until then, unless the relay says the same again later.
		if (code === 'epoch-conflict' && this.#doubted.get(row.channel) !== row.staged?.envelope) {
			if (row.staged) this.#doubted.set(row.channel, row.staged.envelope);
			this.#events.later(row.conversation, null);
			return;
		}
		this.#doubted.delete(row.channel);
		// Of several addresses the refusal does not say which.
		const isOne = (row.staged?.add.length ?? 0) < 2 || !code.startsWith('address-');
		const closed = isOne ? undefined : await closedAmong(this.#context, row);
		if (closed?.length === 0) {
			this.#events.later(row.conversation, wait);
			return;
		}
		await this.#context.persist(async (tx) => {
			const fresh = await tx.get('channels', row.channel);
			if (!fresh?.staged || fresh.staged.envelope !== row.staged?.envelope) return;
			await giveUpChannel({ ...this.#context, tx }, fresh, { code, closed });
		});
		this.#events.settled(row.conversation);
	}

	async #refusedInGroup(row: ChannelRow, code: RefusalCode): Promise<void> {
		const closed = code.startsWith('address-') ? await closedAmong(this.#context, row) : [];
		await this.#context.persist(async (tx) => {
			const fresh = await tx.get('channels', row.channel);
			if (!fresh?.staged || fresh.staged.envelope !== row.staged?.envelope) return;
			const work = { ...this.#context, tx };
			if (code === 'epoch-conflict' && fresh.status === 'open') {
				// The winner is in the mail, or it was an earlier sending of this one; only if neither comes we are behind.
				if (this.#doubted.get(row.channel) === row.staged.envelope) loseChannel(work, fresh);
				else this.#doubted.set(row.channel, row.staged.envelope);
			} else await dropStaged(work, fresh, { code, closed });
		});
		this.#later(row.conversation);
	}
}

/** The link does not work, or something of this one sending did not: then it is sent anew. */
async function askingRefused(work: Work, row: ChannelRow, code: RefusalCode): Promise<void> {
	const { tx } = work;
	const fresh = await tx.get('channels', row.channel);
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation || !fresh?.staged || fresh.staged.envelope !== row.staged?.envelope) return;
	const reason = ADDRESS_CODES.find((each) => code === `address-${each}`);
	if (reason) await stopAsking(tx, conversation, { kind: 'refused', reason });
	else await dropAsking(work, fresh);
}

/** Addresses of this commit that do not work any more: the refusal does not say which. */
async function closedAmong({ relay }: EngineContext, { staged }: ChannelRow): Promise<Address[]> {
	const closed: Address[] = [];
	for (const { address } of staged?.add ?? []) {
		const looked = await relay.look(address);
		if (looked && looked.state !== 'open') closed.push(address);
	}
	return closed;
}

/** What was staged for a group does not pass; what asked for it is planned anew, without those who cannot be reached. */
async function dropStaged(
	work: Work,
	row: ChannelRow,
	{ code, closed }: { readonly code: RefusalCode; readonly closed: readonly Address[] },
): Promise<void> {
	const { tx } = work;
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation?.group) return;
	await forgetEntrances(work, { ...conversation, group: conversation.group }, closed);
	if (row.status === 'founding') {
		await forgetChannel(tx, row.channel);
		const channels = conversation.channels.filter((channel) => channel !== row.channel);
		tx.put('conversations', conversation.id, { ...conversation, channels });
		return;
	}
	if (isGone(code) && row.status === 'open') {
		loseChannel(work, row);
		return;
	}
	tx.put('channels', row.channel, { ...row, staged: undefined });
	const change = row.staged?.change;
	const isFinal = REFUSALS[code].retry === 'never' && closed.length === 0;
	if (change === undefined || !isFinal) return;
	const asked = await tx.get('outbox', change);
	tx.delete('outbox', change);
	if (asked?.kind !== 'change' || asked.intention.kind === 'found') return;
	if (isDeviceIntention(asked.intention)) return;
	await tellNotDone(work, row.conversation, asked.intention);
}

function isGone(code: RefusalCode): boolean {
	return code === 'not-a-member' || code === 'channel-unknown';
}

async function forgetEntrances(
	{ tx }: Work,
	{ group: id }: { readonly group: GroupId },
	closed: readonly Address[],
): Promise<void> {
	if (closed.length === 0) return;
	for (const { value: person } of await tx.list('people', EVERYBODY)) {
		const known = [person.entry, ...Object.values(person.entrances ?? {})];
		if (known.some((entrance) => entrance && closed.includes(entrance.address))) {
			await forgetAddresses(tx, closed, person.account);
		}
	}
	await forgetAddresses(tx, closed, undefined);
	const range = { prefix: entranceKey.group(id), limit: EVERYBODY.limit };
	for (const { key, value } of await tx.list('entrances', range)) {
		if (closed.includes(value.address)) tx.delete('entrances', key);
	}
}

/** This channel will not work. The next pump founds another, unless nobody can be reached that way any more. */
export async function giveUpChannel(
	work: Work,
	row: ChannelRow,
	{
		code,
		closed = row.staged?.add.map(({ address }) => address) ?? [],
	}: { readonly code: RefusalCode; readonly closed?: readonly Address[] | undefined },
): Promise<void> {
	const { tx } = work;
	const conversation = await tx.get('conversations', row.conversation);
	if (!conversation) return;
	const broken: ChannelRow = { ...row, status: 'broken', staged: undefined };
	tx.put('channels', row.channel, broken);
	tx.delete('outbox', outboxKey.rotate(row.conversation, row.channel));
	const ranked = await rankChannel(tx, conversation, broken);
	const reason = ADDRESS_CODES.find((each) => code === `address-${each}`);
	if (row.status !== 'founding' || !reason) return;
	// They withdrew what they gave us; a newer link of theirs may still be open.
	await forgetAddresses(tx, closed, conversation.account);
	const invite = ranked.entry && !closed.includes(ranked.entry.address) ? ranked.entry : undefined;
	const account = conversation.account;
	if (account && (await contactEntrances(work, account, invite)).size > 0) return;
	await refuse(work, ranked, { kind: 'refused', reason });
}

const ADDRESS_CODES = ['used', 'expired', 'revoked', 'unknown'] as const;

/** Nobody can be reached this way: everything that waits here is shown as failed. */
async function refuse(
	{ tx }: Work,
	conversation: ConversationRow,
	state: Extract<ConversationState, { kind: 'refused' }>,
): Promise<void> {
	const reason = `address-${state.reason === 'open' ? 'unknown' : state.reason}` as const;
	tx.put('conversations', conversation.id, { ...conversation, state });
	const prefix = inConversation(conversation.id);
	for (const { key } of await tx.list('outbox', { prefix, limit: MOST_ROWS })) {
		tx.delete('outbox', key);
		const message = await tx.get('messages', key);
		if (message) await writeDelivery(tx, message, { kind: 'failed', reason });
	}
}
