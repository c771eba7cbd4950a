// Sealing what waits in the outbox: in one transaction the new ratchet, the bytes, and how to find them again.
import { contents, type Content } from '../protocol/content.ts';
import type { ChannelId, ConversationId, EnvelopeId } from '../protocol/ids.ts';
import { loadChannel, saveChannel } from './channels.ts';
import { newEnvelopeId, type EngineContext } from './context.ts';
import { profileContent } from './contact-kit.ts';
import type { GroupState, Transaction } from './ports.ts';
import {
	carriedKey,
	inConversation,
	outboxKey,
	type ChannelRow,
	type OutboxRow,
	type SealedEnvelope,
} from './records.ts';
import { forgetCarrier, splitReceipt } from './threads.ts';

/** Envelopes sealed in one transaction. */
const BATCH = 64;

export interface ReadyEnvelope {
	/** Outbox key under which the sealed bytes are stored. */
	readonly key: string;
	readonly sealed: SealedEnvelope;
}

export interface Ready {
	readonly envelopes: readonly ReadyEnvelope[];
	readonly more: boolean;
}

/** Seals up to a batch of the conversation's rows, oldest first; rows already sealed are returned as they are. */
export function sealQueued(
	context: EngineContext,
	conversation: ConversationId,
	channel: ChannelId,
): Promise<Ready> {
	return context.persist(async (tx) => {
		const loaded = await loadChannel(tx, context.groups, channel);
		if (loaded?.row.status !== 'open') return { envelopes: [], more: false };
		const sealing = new Sealing(context, tx, loaded.row, loaded.state);
		const prefix = inConversation(conversation);
		const rows = await tx.list('outbox', { prefix, limit: 100_000 });
		let sealedNow = 0;
		for (const { key } of rows) {
			if (sealedNow === BATCH) break;
			// Read through the transaction: the list alone would not notice that a row changed.
			const row = await tx.get('outbox', key);
			if (row && (await sealing.take(key, row))) sealedNow++;
		}
		sealing.save();
		return { envelopes: sealing.ready, more: sealedNow === BATCH };
	});
}

class Sealing {
	readonly ready: ReadyEnvelope[] = [];
	readonly #context: EngineContext;
	readonly #tx: Transaction;
	#row: ChannelRow;
	#state: GroupState;
	#changed = false;

	constructor(context: EngineContext, tx: Transaction, row: ChannelRow, state: GroupState) {
		this.#context = context;
		this.#tx = tx;
		this.#row = row;
		this.#state = state;
	}

	/** True if something had to be sealed. */
	async take(key: string, row: OutboxRow): Promise<boolean> {
		switch (row.kind) {
			case 'rotate':
				return false;
			case 'sealed':
				this.ready.push({ key, sealed: row.sealed });
				return false;
			case 'text':
				// Sealed for a channel that another has replaced: those bytes lead nowhere any more.
				if (row.sealed?.channel === this.#row.channel) {
					this.ready.push({ key, sealed: row.sealed });
					return false;
				}
				return this.#text(key, row.replaces);
			default:
				return this.#small(key, row);
		}
	}

	save(): void {
		if (this.#changed) saveChannel(this.#tx, this.#row, this.#context.groups.freeze(this.#state));
	}

	async #seal(content: Content): Promise<SealedEnvelope> {
		const plaintext = contents.encode(content);
		const sealed = await this.#context.groups.seal(this.#state, plaintext, new Uint8Array());
		this.#state = sealed.state;
		this.#changed = true;
		return {
			channel: this.#row.channel,
			epoch: this.#state.epoch,
			envelope: newEnvelopeId(this.#context),
			body: sealed.bytes,
		};
	}

	async #text(key: string, replaces: EnvelopeId | undefined): Promise<boolean> {
		const tx = this.#tx;
		const message = await tx.get('messages', key);
		if (message?.body.kind !== 'text') {
			tx.delete('outbox', key); // discarded before it was sealed
			return false;
		}
		// A count belongs to its channel: in another one the message is counted anew.
		const kept = message.carrier?.channel === this.#row.channel ? message.carrier.count : undefined;
		const count = kept ?? this.#row.sentCount + 1;
		if (kept === undefined) this.#row = { ...this.#row, sentCount: count };
		const sealed = await this.#seal({
			type: 'text',
			message: message.id,
			order: message.position.slice(0, 16),
			count,
			sent: Math.max(0, Math.floor(message.sent)),
			text: message.body.text,
			replyTo: message.body.replyTo ?? null,
			replaces: replaces ?? null,
		});
		if (message.carrier) forgetCarrier(tx, message.conversation, message.carrier);
		const carrier = { channel: this.#row.channel, envelope: sealed.envelope, count };
		tx.put('carried', carriedKey.envelope(sealed.envelope), key);
		tx.put('carried', carriedKey.count(message.conversation, carrier.channel, count), key);
		tx.put('messages', key, { ...message, carrier });
		tx.put('outbox', key, { kind: 'text', sealed, replaces });
		this.ready.push({ key, sealed });
		return true;
	}

	async #small(key: string, row: Exclude<OutboxRow, { kind: 'text' | 'rotate' | 'sealed' }>) {
		const content = await this.#contentOf(key, row);
		if (!content) return false;
		const sealed = await this.#seal(content);
		const sealedKey = outboxKey.sealed(this.#row.conversation, sealed.envelope);
		this.#tx.put('outbox', sealedKey, { kind: 'sealed', sealed });
		this.ready.push({ key: sealedKey, sealed });
		return true;
	}

	/** Takes the row out of the outbox (or leaves what does not fit one frame) and returns what it says. */
	async #contentOf(
		key: string,
		row: Exclude<OutboxRow, { kind: 'text' | 'rotate' | 'sealed' }>,
	): Promise<Content | undefined> {
		const tx = this.#tx;
		tx.delete('outbox', key);
		switch (row.kind) {
			case 'receipt': {
				const { now, later } = splitReceipt(row);
				if (later.delivered.length + later.read.length > 0) {
					tx.put('outbox', key, { kind: 'receipt', ...later });
				}
				return { type: 'receipt', ...now };
			}
			case 'profile':
				return profileContent(this.#context, tx, this.#row.conversation);
			case 'repair':
				return {
					type: 'repair',
					device: row.device,
					envelopes: [...row.envelopes],
					counts: [...row.counts],
				};
			case 'settled':
				return { type: 'settled', envelopes: [...row.envelopes], counts: [...row.counts] };
			default:
				return row satisfies never;
		}
	}
}
