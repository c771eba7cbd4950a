// Sealing what waits in the outbox: in one transaction the new ratchet, the bytes, and how to find them again.
import { contents, type Content } from '../protocol/content.ts';
import { fromBase64Url } from '../protocol/ids.ts';
import type { ConversationId, DeviceId, EnvelopeId, MessageId } from '../protocol/ids.ts';
import { MAX_RECEIPT_IDS } from '../protocol/limits.ts';
import { loadChannel, saveChannel, type LoadedChannel } from './channels.ts';
import { newEnvelopeId, type EngineContext, type Work } from './context.ts';
import { isOneToEach } from './device-pins.ts';
import { isEntranceOpen, profileContent, rosterContents } from './contact-kit.ts';
import { agreementOf } from './agreement.ts';
import type { GroupState } from './ports.ts';
import {
	carriedKey,
	inConversation,
	outboxKey,
	type ChannelRow,
	type MessageRow,
	type OutboxRow,
	type SealedEnvelope,
	type SmallRow,
} from './records.ts';
import { mightWrite, sightOf } from './group-sight.ts';
import type { ShareRow } from './group-records.ts';
import { contentAgain, nextPart } from './history-sharing.ts';
import { forgetCarrier, writeDelivery } from './threads.ts';

/** Envelopes sealed in one transaction. */
const BATCH = 64;
/** Rows of one conversation that are on their way at once; the rest waits for them to settle. */
const WINDOW = 256;

export interface ReadyEnvelope {
	/** Outbox key under which the sealed bytes are stored. */
	readonly key: string;
	readonly sealed: SealedEnvelope;
}

interface Ready {
	readonly envelopes: readonly ReadyEnvelope[];
	/** The devices that they are for. */
	readonly others: readonly DeviceId[];
	readonly more: boolean;
	/** When something is due to be sealed again (own clock, ms). */
	readonly nextDue: number | undefined;
}

const NOTHING: Ready = { envelopes: [], others: [], more: false, nextDue: undefined };

/** What a sealing leaves alone. */
interface Held {
	/** Receipts wait for a later time. */
	readonly holdsReceipts: boolean;
	/** Keys that are with delivery: reading the whole window for each message that is written would cost more than sending it. */
	readonly underway: ReadonlySet<string>;
}

/** Seals up to a batch of the conversation's rows, oldest first; rows already sealed are returned as they are. */
export function sealQueued(
	context: EngineContext,
	conversation: ConversationId,
	{ holdsReceipts, underway }: Held,
): Promise<Ready> {
	return context.persist(async (tx) => {
		// Chosen in here: a channel that takes over meanwhile must not leave anything behind in the old one.
		const { channels, group } = (await tx.get('conversations', conversation)) ?? {};
		const channel = channels?.[0];
		const loaded = channel && (await loadChannel(tx, context.groups, channel));
		if (loaded?.row.status !== 'open') return NOTHING;
		const sealing = new Sealing({ ...context, tx }, loaded, {
			isGroup: group !== undefined,
			holdsReceipts,
		});
		const range = { prefix: inConversation(conversation), limit: WINDOW };
		const rows = (await tx.list('outbox', range)).filter(({ key }) => !underway.has(key));
		// Read through the transaction: the list alone would not notice that a row changed.
		const fresh = await Promise.all(rows.map(({ key }) => tx.get('outbox', key)));
		const texts = rows.filter(({ value }) => value.kind === 'text' && !value.sealed);
		await Promise.all(texts.map(({ key }) => tx.get('messages', key)));
		for (const [index, { key }] of rows.entries()) {
			if (sealing.count >= BATCH) break;
			const row = fresh[index];
			if (row) await sealing.take(key, row);
		}
		await sealing.finish();
		return {
			envelopes: sealing.ready,
			others: loaded.row.others,
			more: sealing.count >= BATCH,
			nextDue: sealing.nextDue,
		};
	});
}

class Sealing {
	readonly ready: ReadyEnvelope[] = [];
	/** How many had to be sealed. */
	count = 0;
	nextDue: number | undefined;
	readonly #work: Work;
	#row: ChannelRow;
	#state: GroupState;
	/** Receipts that wait as many small rows leave in few envelopes. */
	readonly #delivered = new Set<MessageId>();
	readonly #read = new Set<MessageId>();

	readonly #isGroup: boolean;
	/** Who leaves is still in the tree, and not on the screen any more: what is said waits until they are out. */
	readonly #isSomebodyGoing: boolean;
	readonly #holdsReceipts: boolean;
	/** Whose it is, for members that cannot open it; the relay knows that anyhow. */
	readonly #claim: Uint8Array;

	constructor(
		work: Work,
		{ row, state }: LoadedChannel,
		{ isGroup, holdsReceipts }: { readonly isGroup: boolean; readonly holdsReceipts: boolean },
	) {
		this.#isGroup = isGroup;
		const leaving = isGroup ? sightOf(work.groups, state)?.context.leaving : undefined;
		this.#isSomebodyGoing = (leaving?.length ?? 0) > 0;
		this.#holdsReceipts = holdsReceipts;
		const isOneOfMany = isGroup || row.others.length > 1;
		this.#claim = (isOneOfMany && fromBase64Url(work.identity.device)) || new Uint8Array();
		this.#work = work;
		this.#row = row;
		this.#state = state;
	}

	async take(key: string, row: OutboxRow): Promise<void> {
		const { tx } = this.#work;
		switch (row.kind) {
			case 'rotate':
			case 'devices':
			case 'sweep':
			case 'leave':
			case 'ask':
			case 'change':
				return;
			case 'text':
			case 'small':
				// Sealed for a channel that another has replaced: those bytes lead nowhere any more.
				if (row.sealed?.channel === this.#row.channel) {
					this.ready.push({ key, sealed: row.sealed });
				} else if (row.kind === 'text') await this.#text(key, row.replaces);
				else await this.#small(key, row.says);
				return;
			case 'profile':
				if (!(await isEntranceOpen(this.#work, this.#row.conversation))) return;
				tx.delete('outbox', key);
				await this.#small(undefined, row);
				return;
			case 'share':
				await this.#share(key, row);
				return;
			case 'receipt':
				if (this.#holdsReceipts) return;
				tx.delete('outbox', key);
				for (const id of row.delivered) this.#delivered.add(id);
				for (const id of row.read) this.#read.add(id);
				return;
			case 'chunk':
				// What hands on history is not there in every engine: then it waits for one that can.
				if (!this.#work.history) return;
				tx.delete('outbox', key);
				await this.#small(undefined, row);
				return;
			case 'roster':
				tx.delete('outbox', key);
				for (const content of await rosterContents(this.#work, this.#row.conversation)) {
					await this.#put(undefined, row, content);
				}
				return;
			default:
				tx.delete('outbox', key);
				await this.#small(undefined, row);
		}
	}

	/** Seals the receipts that were collected, and stores how far the ratchet went. */
	async finish(): Promise<void> {
		const delivered = [...this.#delivered];
		const read = [...this.#read];
		for (let at = 0; at < Math.max(delivered.length, read.length); at += MAX_RECEIPT_IDS) {
			const part = (ids: readonly MessageId[]) => ids.slice(at, at + MAX_RECEIPT_IDS);
			const says = { kind: 'receipt', delivered: part(delivered), read: part(read) } as const;
			await this.#small(undefined, says);
		}
		const { tx, groups } = this.#work;
		if (this.count > 0) saveChannel(tx, this.#row, groups.freeze(this.#state));
	}

	async #seal(content: Content): Promise<SealedEnvelope> {
		const plaintext = contents.encode(content);
		const sealed = await this.#work.groups.seal(this.#state, plaintext, this.#claim);
		this.#state = sealed.state;
		this.count++;
		return {
			channel: this.#row.channel,
			epoch: this.#state.epoch,
			envelope: newEnvelopeId(this.#work),
			body: sealed.bytes,
		};
	}

	async #text(key: string, replaces: EnvelopeId | undefined): Promise<void> {
		const { tx } = this.#work;
		const message = await tx.get('messages', key);
		if (message?.body.kind !== 'text' || (await this.#isEverywhere(message))) {
			tx.delete('outbox', key); // discarded, or confirmed after it was queued again
			return;
		}
		if (this.#isSomebodyGoing) return;
		const { identity, groups } = this.#work;
		if (!mightWrite(this.#row, this.#state.epoch, identity.account)) {
			tx.delete('outbox', key);
			await writeDelivery(tx, message, { kind: 'failed', reason: 'not-a-member' });
			return;
		}
		if (this.#isGroup) {
			const audience = groups.members(this.#state).map(({ account }) => account);
			const others = [...new Set(audience)].filter((account) => account !== identity.account);
			const known = await tx.get('receipts', message.id);
			tx.put('receipts', message.id, { delivered: [], read: [], ...known, audience: others });
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
			mentions: message.body.mentions && [...message.body.mentions],
		});
		if (message.carrier) forgetCarrier(tx, message.conversation, message.carrier);
		const carrier = { channel: this.#row.channel, envelope: sealed.envelope, count };
		tx.put('carried', carriedKey.envelope(sealed.envelope), key);
		tx.put('carried', carriedKey.count(message.conversation, carrier.channel, count), key);
		tx.put('messages', key, { ...message, carrier });
		tx.put('outbox', key, { kind: 'text', sealed, replaces });
		this.ready.push({ key, sealed });
	}

	/** One device of somebody confirms for all of them: where there are more, those may never have been sent it (SPEC DE-12). */
	async #isEverywhere({ delivery }: MessageRow): Promise<boolean> {
		if (delivery.kind !== 'delivered' && delivery.kind !== 'read') return false;
		const { tx } = this.#work;
		const { account } = (await tx.get('conversations', this.#row.conversation)) ?? {};
		return account !== undefined && (await isOneToEach(tx, account));
	}

	/** The next part of a history, or the same once more where nobody said that it came. */
	async #share(key: string, row: ShareRow): Promise<void> {
		const { tx, clock } = this.#work;
		let due = row.due;
		if (due <= clock.now()) {
			const part = await nextPart(this.#work, row);
			if (!part) {
				tx.delete('outbox', key);
				return;
			}
			tx.put('outbox', key, part.row);
			due = part.row.due;
			const { group, part: number } = part.content;
			await this.#put(undefined, { kind: 'history', group, part: number }, part.content);
		}
		this.nextDue = Math.min(due, this.nextDue ?? Infinity);
	}

	/** `key`: where it stands already, if it was sealed before. */
	async #small(key: string | undefined, says: SmallRow): Promise<void> {
		const { tx } = this.#work;
		const content = await this.#contentOf(says);
		if (content) await this.#put(key, says, content);
		else if (key !== undefined) tx.delete('outbox', key);
	}

	async #put(key: string | undefined, says: SmallRow, content: Content): Promise<void> {
		const { tx } = this.#work;
		const sealed = await this.#seal(content);
		const smallKey = key ?? outboxKey.small(this.#row.conversation, sealed.envelope);
		tx.put('outbox', smallKey, { kind: 'small', sealed, says });
		this.ready.push({ key: smallKey, sealed });
	}

	async #contentOf(says: SmallRow): Promise<Content | undefined> {
		switch (says.kind) {
			case 'receipt':
				return { type: 'receipt', delivered: [...says.delivered], read: [...says.read] };
			case 'roster':
				return (await rosterContents(this.#work, this.#row.conversation))[0];
			case 'profile':
				return profileContent(this.#work, this.#row.conversation);
			case 'repair': {
				const { device, envelopes, counts } = says;
				return { type: 'repair', device, envelopes: [...envelopes], counts: [...counts] };
			}
			case 'want':
				return { type: 'want', to: says.to, cursor: says.cursor };
			case 'chunk': {
				const { history, store, clock } = this.#work;
				const { to, cursor } = says;
				const chunk = await history?.chunkOf({ store, clock }, cursor);
				return (
					chunk && { type: 'chunk', to, cursor, entries: chunk.entries, more: [...chunk.more] }
				);
			}
			case 'agree':
				return agreementOf(this.#work.tx, says.subject);
			case 'note': {
				const row = await this.#work.tx.get('messages', says.key);
				if (row?.body.kind !== 'text') return undefined;
				const { id: message, sent, position, body } = row;
				const replyTo = body.replyTo ?? null;
				const order = position.slice(0, 16);
				return { type: 'note', message, order, sent, text: body.text, replyTo };
			}
			case 'settled':
				return { type: 'settled', envelopes: [...says.envelopes], counts: [...says.counts] };
			case 'history':
				// For another channel than it was sealed for; or the other side has it by now.
				return contentAgain(this.#work, this.#row.conversation, says);
			case 'historyTaken':
				return { type: 'historyTaken', group: says.group, part: says.part };
			default:
				return says satisfies never;
		}
	}
}
