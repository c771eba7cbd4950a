// queued -> sealed -> accepted -> delivered. Rows are sealed in order, in the conversation's lane, stored, and only then
// handed to delivery; a retry resends the stored bytes. Sealing anew is decided by the protocol, never by a retry.
import type { RefusalCode } from '../protocol/errors.ts';
import { REFUSALS } from '../protocol/errors.ts';
import type { ChannelId, ConversationId } from '../protocol/ids.ts';
import { adoptStaged, rankChannel } from './channels.ts';
import type { EngineContext } from './context.ts';
import type { DeliveryOutcome, DeliveryRoutes } from './delivery.ts';
import { commitSettled, stageFounding, stageRotation } from './groups.ts';
import type { ConversationState } from './model.ts';
import type { RelaySession } from './relay-session.ts';
import type { Transaction } from './ports.ts';
import { sealQueued, type ReadyEnvelope } from './seal.ts';
import {
	inConversation,
	type ChannelRow,
	type ConversationRow,
	type SealedEnvelope,
} from './records.ts';
import { raiseDelivery, writeDelivery } from './threads.ts';

/** Wait after a refusal that names none. */
const RETRY_AFTER = 5_000;
/** Conversations with something to send that one start looks at. */
const MOST_ROWS = 20_000;

export interface Outbox {
	/** Something may be sendable in this conversation. */
	pump(conversation: ConversationId): void;
	/** The relay is there, and everything waiting has come in. */
	pumpAll(): Promise<void>;
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
	/** Outbox keys whose envelope is with delivery right now. */
	readonly #underway = new Set<string>();
	readonly #committing = new Set<ChannelId>();
	readonly #planned = new Set<ConversationId>();

	constructor(context: EngineContext, session: () => RelaySession, routes: DeliveryRoutes) {
		this.#context = context;
		this.#session = session;
		this.#routes = routes;
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
		for (const id of new Set(rows.map(({ key }) => key.slice(0, key.indexOf('/'))))) {
			this.pump(id as ConversationId);
		}
	}

	async #pumpNow(id: ConversationId): Promise<void> {
		const { store } = this.#context;
		const waiting = await store.list('outbox', { prefix: inConversation(id), limit: 1 });
		if (waiting.length === 0) return;
		const conversation = await store.get('conversations', id);
		if (!conversation?.account || conversation.state.kind === 'refused') return;
		const channel = await this.#usableChannel(conversation);
		if (!channel) return;
		const online = this.#session().caughtUp;
		if (online) await this.#rotations(id);
		// Without the relay the epoch cannot move, so what goes directly may be sealed with the one we have.
		if (!online && !this.#routes.reachesDirectly(channel.others)) return;
		const ready = await sealQueued(this.#context, id, channel.channel);
		for (const envelope of ready.envelopes) this.#send(envelope, channel);
		if (ready.more) this.pump(id);
	}

	/** The channel to send on; founds one where there is none, and then comes back when it is accepted. */
	async #usableChannel(conversation: ConversationRow): Promise<ChannelRow | undefined> {
		const { store } = this.#context;
		const [first] = conversation.channels;
		const row = first === undefined ? undefined : await store.get('channels', first);
		if (row?.status === 'open') return row;
		if (!this.#session().caughtUp) return undefined;
		const founding = row?.status === 'founding' ? row : await this.#found(conversation);
		if (founding) this.#commit(founding);
		return undefined;
	}

	async #found(conversation: ConversationRow): Promise<ChannelRow | undefined> {
		return this.#context.persist(async (tx) => {
			const fresh = await tx.get('conversations', conversation.id);
			if (!fresh?.account) return undefined;
			const person = await tx.get('people', fresh.account);
			const entry = person?.entry ?? fresh.entry;
			const row = entry && (await stageFounding(this.#context, tx, fresh, entry));
			if (!row) await this.#refuse(tx, fresh, { kind: 'refused', reason: 'unknown' });
			return row;
		});
	}

	async #rotations(id: ConversationId): Promise<void> {
		const { store } = this.#context;
		const prefix = `${inConversation(id)}!5rotate/`;
		for (const { key, value } of await store.list('outbox', { prefix, limit: 16 })) {
			if (value.kind !== 'rotate') continue;
			const row = await this.#context.persist(async (tx) => {
				const staged = await stageRotation(this.#context, tx, value.channel);
				if (!staged) tx.delete('outbox', key);
				return staged;
			});
			if (row) this.#commit(row);
		}
	}

	#commit(row: ChannelRow): void {
		const { staged } = row;
		if (!staged || this.#committing.has(row.channel)) return;
		this.#committing.add(row.channel);
		void this.#session()
			.ask({
				type: 'commit',
				envelope: staged.envelope,
				channel: row.channel,
				epoch: staged.expected,
				body: staged.commit,
				add: [...staged.add],
				remove: [],
				welcome: staged.welcome ?? null,
			})
			.then((answer) => {
				this.#committing.delete(row.channel);
				if (answer.type === 'unknown') return;
				this.#context.lanes.run(row.channel, () =>
					answer.type === 'accepted'
						? this.#committed(row)
						: this.#commitRefused(row, answer.code, answer.retryAfter),
				);
			});
	}

	async #committed(row: ChannelRow): Promise<void> {
		await this.#context.persist(async (tx) => {
			const fresh = await tx.get('channels', row.channel);
			if (!fresh?.staged || fresh.staged.envelope !== row.staged?.envelope) return; // its echo was faster
			await commitSettled(tx, adoptStaged(tx, fresh, fresh.staged));
		});
		this.pump(row.conversation);
	}

	async #commitRefused(
		row: ChannelRow,
		code: RefusalCode,
		retryAfter: number | null,
	): Promise<void> {
		if (REFUSALS[code].retry === 'later') {
			this.#later(row.conversation, retryAfter);
			return;
		}
		const again = await this.#context.persist(async (tx) => {
			const fresh = await tx.get('channels', row.channel);
			if (!fresh?.staged || fresh.staged.envelope !== row.staged?.envelope) return false;
			// A lost race: the winner is in the mail; the intention is planned again from its epoch.
			if (fresh.status === 'open' && code === 'epoch-conflict') {
				tx.put('channels', fresh.channel, { ...fresh, staged: undefined });
				return false;
			}
			return this.#giveUpChannel(tx, fresh, code);
		});
		if (again) this.pump(row.conversation);
	}

	/** This channel will not work; true if another may be founded right away. */
	async #giveUpChannel(tx: Transaction, row: ChannelRow, code: RefusalCode): Promise<boolean> {
		const conversation = await tx.get('conversations', row.conversation);
		if (!conversation?.account) return false;
		const broken: ChannelRow = { ...row, status: 'broken', staged: undefined };
		tx.put('channels', row.channel, broken);
		const ranked = await rankChannel(tx, conversation, broken);
		const person = await tx.get('people', conversation.account);
		if (row.status === 'founding' && code.startsWith('address-')) {
			const reason = code.slice('address-'.length);
			const known = ['used', 'expired', 'revoked', 'limit', 'unknown'] as const;
			const state = known.find((each) => each === reason) ?? 'unknown';
			await this.#refuse(tx, ranked, { kind: 'refused', reason: state });
			return false;
		}
		return person?.entry !== undefined || conversation.entry !== undefined;
	}

	/** Nobody can be reached this way: everything that waits here is shown as failed. */
	async #refuse(
		tx: Transaction,
		conversation: ConversationRow,
		state: Extract<ConversationState, { kind: 'refused' }>,
	): Promise<void> {
		tx.put('conversations', conversation.id, { ...conversation, state });
		const code = `address-${state.reason === 'open' ? 'unknown' : state.reason}` as const;
		const prefix = inConversation(conversation.id);
		for (const { key } of await tx.list('outbox', { prefix, limit: MOST_ROWS })) {
			tx.delete('outbox', key);
			const message = await tx.get('messages', key);
			if (message) await writeDelivery(tx, message, { kind: 'failed', reason: code });
		}
	}

	#send(envelope: ReadyEnvelope, channel: ChannelRow): void {
		if (this.#underway.has(envelope.key)) return;
		this.#underway.add(envelope.key);
		void this.#routes.deliver(envelope.sealed, channel.others).then((outcome) => {
			this.#underway.delete(envelope.key);
			if (outcome.type === 'unknown') return;
			this.#context.lanes.run(`out/${channel.conversation}`, () =>
				this.#settle(envelope, channel, outcome),
			);
		});
	}

	async #settle(
		{ key, sealed }: ReadyEnvelope,
		channel: ChannelRow,
		outcome: Exclude<DeliveryOutcome, { type: 'unknown' }>,
	): Promise<void> {
		if (outcome.type === 'refused' && REFUSALS[outcome.code].retry === 'later') {
			this.#later(channel.conversation, outcome.retryAfter);
			return;
		}
		await this.#context.persist(async (tx) => {
			const row = await tx.get('outbox', key);
			if (!row || !('sealed' in row) || row.sealed?.envelope !== sealed.envelope) return;
			if (outcome.type !== 'refused') {
				const message = await tx.get('messages', key);
				const conversation = await tx.get('conversations', channel.conversation);
				if (message && conversation?.channels[0] !== sealed.channel) {
					// Another channel took over meanwhile: the other side may not read this one any more.
					tx.put('outbox', key, { kind: 'text', sealed: undefined, replaces: undefined });
					return;
				}
				tx.delete('outbox', key);
				const kind = outcome.type === 'accepted' ? 'sent' : 'delivered';
				if (message) await raiseDelivery(tx, message.id, { kind });
				return;
			}
			await this.#sealAgain(tx, key, sealed, outcome.code);
		});
		this.pump(channel.conversation);
	}

	/** The protocol refuses these bytes: the same message is sealed anew, or fails where that cannot help. */
	async #sealAgain(
		tx: Transaction,
		key: string,
		sealed: SealedEnvelope,
		code: RefusalCode,
	): Promise<void> {
		const message = await tx.get('messages', key);
		if (message) tx.put('outbox', key, { kind: 'text', sealed: undefined, replaces: undefined });
		else tx.delete('outbox', key); // receipts and the like: the next one says the same
		if (code === 'epoch-too-old' || code === 'epoch-conflict') return;
		if (code === 'not-a-member' || code === 'channel-unknown') {
			const row = await tx.get('channels', sealed.channel);
			if (row?.status === 'open') await this.#giveUpChannel(tx, row, code);
			return;
		}
		tx.delete('outbox', key);
		if (message) await writeDelivery(tx, message, { kind: 'failed', reason: code });
	}

	#later(conversation: ConversationId, retryAfter: number | null): void {
		this.#context.clock.schedule(retryAfter ?? RETRY_AFTER, () => this.pump(conversation));
	}
}
