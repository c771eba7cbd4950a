// queued -> sealed -> accepted -> delivered. Rows are sealed in order, in the conversation's lane, stored, and only then
// handed to delivery; a retry resends the stored bytes. Sealing anew is decided by the protocol, never by a retry.
import { REFUSALS } from '../protocol/errors.ts';
import type { ConversationId, DeviceId } from '../protocol/ids.ts';
import { isBlocked } from './blocking.ts';
import { createCommits, giveUpChannel, type Commits } from './commits.ts';
import type { EngineContext, Work } from './context.ts';
import type { DeliveryOutcome, DeliveryRoutes } from './delivery.ts';
import type { RelaySession } from './relay-session.ts';
import { sealQueued, type ReadyEnvelope } from './seal.ts';
import { loseChannel } from './channels.ts';
import { countReceipts } from './group-receipts.ts';
import { inConversation, outboxKey, type ChannelRow, type OutboxRow } from './records.ts';
import { raiseDelivery, writeDelivery } from './threads.ts';

/** Wait after a refusal that names none. */
const RETRY_AFTER = 5_000;
/** Conversations with something to send that one start looks at. */
const MOST_ROWS = 20_000;
/** Devices that are told at once what was read. */
const MOST_AT_ONCE = 31;
const RECEIPTS_EVERY = 10_000;

export interface Outbox {
	/** Something may be sendable in this conversation. */
	pump(conversation: ConversationId): void;
	/** The relay is there, and everything waiting has come in. */
	pumpAll(): Promise<void>;
}

/** What delivery said of one envelope. */
interface Settled {
	readonly key: string;
	readonly sealed: ReadyEnvelope['sealed'];
	readonly outcome: Exclude<DeliveryOutcome, { type: 'unknown' }>;
	/** Whether all mail from before it had come. */
	readonly caughtUp: boolean;
}

export function createOutbox(
	context: EngineContext,
	session: () => RelaySession,
	routes: DeliveryRoutes,
): Outbox {
	return new OutboxPump(context, session, routes);
}

class OutboxPump implements Outbox {
	readonly #context: EngineContext;
	readonly #session: () => RelaySession;
	readonly #routes: DeliveryRoutes;
	readonly #commits: Commits;
	/** Outbox keys whose envelope is with delivery right now. */
	readonly #underway = new Set<string>();
	readonly #planned = new Set<ConversationId>();
	readonly #settled = new Map<ConversationId, Settled[]>();
	readonly #receiptsDue = new Map<ConversationId, number>();
	readonly #receiptsPlanned = new Set<ConversationId>();
	readonly #wakes = new Map<ConversationId, number>();

	constructor(context: EngineContext, session: () => RelaySession, routes: DeliveryRoutes) {
		this.#context = context;
		this.#session = session;
		this.#routes = routes;
		this.#commits = createCommits(context, session, {
			settled: (conversation) => this.pump(conversation),
			later: (conversation, wait) => this.#later(conversation, wait),
		});
	}

	pump(conversation: ConversationId): void {
		if (this.#planned.has(conversation)) return;
		this.#planned.add(conversation);
		this.#context.lanes.run(`out/${conversation}`, async () => {
			this.#planned.delete(conversation);
			await this.#pumpNow(conversation);
		});
	}

	async pumpAll(): Promise<void> {
		const rows = await this.#context.store.list('outbox', { prefix: '', limit: MOST_ROWS });
		for (const id of new Set(rows.map(({ key }) => outboxKey.conversation(key)))) this.pump(id);
	}

	async #pumpNow(id: ConversationId): Promise<void> {
		const { store } = this.#context;
		const waiting = await store.list('outbox', { prefix: inConversation(id), limit: 1 });
		if (waiting.length === 0) return;
		const conversation = await store.get('conversations', id);
		if (!conversation || !(conversation.account ?? conversation.group)) return;
		// Nobody is reached until a link is exchanged, or somebody adds this person again.
		if (conversation.state.kind === 'refused' || conversation.state.kind === 'restored') return;
		if (conversation.state.kind === 'asking') {
			if (this.#session().caughtUp) await this.#commits.askToJoin(id);
			return;
		}
		if (conversation.state.kind === 'turned-away') return;
		if (conversation.state.kind === 'left' || conversation.state.kind === 'removed') {
			if (this.#session().caughtUp) await this.#commits.leave(id);
			return;
		}
		// It waits until they are unblocked, or accepted: nothing that was written is lost.
		if (conversation.state.kind === 'request') return;
		if (await isBlocked(store, conversation.account)) return;
		const channel = await this.#commits.usableChannel(conversation);
		if (!channel) return;
		const online = this.#session().caughtUp;
		if (online) await this.#commits.advance(conversation);
		// Without the relay the epoch cannot move, so what goes directly may be sealed with the one we have.
		if (!online && !this.#routes.reachesDirectly(channel.others)) return;
		const holdsReceipts = this.#holdsReceipts(id, channel);
		const underway = this.#underway;
		const { envelopes, others, more, nextDue } = await sealQueued(this.#context, id, {
			holdsReceipts,
			underway,
		});
		// Who never answered may be linked by a group, and their welcome comes by the relay: what is said must not overtake it.
		const person = await store.get('people', conversation.account ?? '');
		const direct = conversation.group || person?.entry ? others : [];
		for (const envelope of envelopes) this.#send(id, envelope, direct);
		if (more) this.pump(id);
		if (nextDue !== undefined) this.#wakeAt(id, nextDue);
	}

	/** One look at that time is enough, whoever asks for it. */
	#wakeAt(id: ConversationId, due: number): void {
		const now = this.#context.clock.now();
		const planned = this.#wakes.get(id) ?? 0;
		if (planned > now && planned <= due) return;
		this.#wakes.set(id, due);
		this.#later(id, due - now);
	}

	/** In larger groups what was read is told every now and then, all at once. */
	#holdsReceipts(id: ConversationId, { others }: ChannelRow): boolean {
		if (others.length <= MOST_AT_ONCE) return false;
		const now = this.#context.clock.now();
		const next = this.#receiptsDue.get(id) ?? 0;
		if (now >= next) {
			this.#receiptsDue.set(id, now + RECEIPTS_EVERY);
			this.#receiptsPlanned.delete(id);
			return false;
		}
		if (!this.#receiptsPlanned.has(id)) {
			this.#receiptsPlanned.add(id);
			this.#later(id, next - now);
		}
		return true;
	}

	#send(id: ConversationId, { key, sealed }: ReadyEnvelope, others: readonly DeviceId[]): void {
		if (this.#underway.has(key)) return;
		this.#underway.add(key);
		void this.#routes.deliver(sealed, others).then((outcome) => {
			this.#underway.delete(key);
			if (outcome.type === 'unknown') {
				// The same bytes go again with the next connection, or when a link that was busy is free.
				if (this.#routes.reachesDirectly(others)) this.#later(id, null);
				return;
			}
			const waiting = this.#settled.get(id);
			const answer = { key, sealed, outcome, caughtUp: this.#session().caughtUp };
			if (waiting) waiting.push(answer);
			else {
				this.#settled.set(id, [answer]);
				this.#context.lanes.run(`out/${id}`, () => this.#settle(id));
			}
		});
	}

	/** All answers that came since the last time, in one transaction. */
	async #settle(id: ConversationId): Promise<void> {
		const answers = this.#settled.get(id) ?? [];
		this.#settled.delete(id);
		const final = answers.filter(({ outcome }) => {
			if (outcome.type !== 'refused' || REFUSALS[outcome.code].retry !== 'later') return true;
			this.#later(id, outcome.retryAfter);
			return false;
		});
		if (final.length === 0) return;
		if (final.some(({ outcome }) => outcome.type === 'refused')) await this.#catchUp(final);
		await this.#context.persist(async (tx) => {
			const work = { ...this.#context, tx };
			// Asked for together: one look at the disk for all of them.
			await Promise.all(
				final.flatMap(({ key }) => [tx.get('outbox', key), tx.get('messages', key)]),
			);
			for (const answer of final) await settleOne(work, id, answer);
		});
		this.pump(id);
	}

	/** A refusal may be about an epoch that is on its way in: what is here already is looked at first. */
	async #catchUp(answers: readonly Settled[]): Promise<void> {
		const channels = new Set(answers.map(({ sealed }) => sealed.channel));
		await Promise.all([...channels].map((channel) => this.#context.lanes.after(channel)));
	}

	#later(conversation: ConversationId, retryAfter: number | null): void {
		this.#context.clock.schedule(retryAfter ?? RETRY_AFTER, () => this.pump(conversation));
	}
}

async function settleOne(work: Work, id: ConversationId, answer: Settled): Promise<void> {
	const { tx } = work;
	const { key, sealed, outcome } = answer;
	const row = await tx.get('outbox', key);
	if (!row || !('sealed' in row) || row.sealed?.envelope !== sealed.envelope) return;
	if (outcome.type === 'refused') {
		await settleRefused(work, answer, row);
		return;
	}
	const conversation = await tx.get('conversations', id);
	if (conversation?.channels[0] !== sealed.channel) {
		// Another channel took over meanwhile: the other side may not read this one any more.
		tx.put('outbox', key, { ...row, sealed: undefined });
		return;
	}
	tx.delete('outbox', key);
	const message = row.kind === 'text' ? await tx.get('messages', key) : undefined;
	if (message) await raiseDelivery(tx, message.id, { kind: 'sent' });
	if (message && conversation.group) await countReceipts(tx, message.id);
}

/** The protocol refuses these bytes: the same is sealed anew, or fails where that cannot help. */
async function settleRefused(
	work: Work,
	{ key, sealed, outcome, caughtUp }: Settled,
	row: Extract<OutboxRow, { sealed: unknown }>,
): Promise<void> {
	const { tx } = work;
	if (outcome.type !== 'refused') return;
	const { code } = outcome;
	const channel = await tx.get('channels', sealed.channel);
	if (code === 'epoch-too-old' || isGone(code)) {
		tx.put('outbox', key, { ...row, sealed: undefined });
		// Sealing again would give the same epoch, and the commits in between are not in our mail any more.
		const isStuck = caughtUp && channel && channel.epoch <= sealed.epoch;
		if (channel?.status === 'open' && (isGone(code) || isStuck)) {
			const conversation = await tx.get('conversations', channel.conversation);
			if (!conversation?.group) await giveUpChannel(work, channel, { code });
			else if (caughtUp && conversation.channels[0] === channel.channel) loseChannel(work, channel);
		}
		return;
	}
	tx.delete('outbox', key);
	const message = row.kind === 'text' ? await tx.get('messages', key) : undefined;
	if (message) await writeDelivery(tx, message, { kind: 'failed', reason: code });
}

/** The relay does not have this channel, or not as we know it (it may have been restored from an old copy). */
function isGone(code: string): boolean {
	return code === 'not-a-member' || code === 'channel-unknown' || code === 'epoch-conflict';
}
