// How the relays of one cluster reach each other: the relay that holds a device's socket subscribes to the device's
// subject, so NATS' own knowledge of who listens is the presence. What must not be missed (rows, logins, changed
// channels) is read from the streams themselves.
import { randomUUID } from 'node:crypto';
import { jetstream, type JsMsg } from '@nats-io/jetstream';
import type { Msg, Subscription } from '@nats-io/transport-node';
import * as cborg from 'cborg';
import type { ChannelId, DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import type { Message, Outcome, PeerHost, Peers, StoreResult } from '../relay/ports.ts';
import { NUMBERS_PER_ROW, TALLY } from './nats-mail.ts';
import { State } from './nats-state.ts';
import { allShards, shardOf, Unavailable, type Streams } from './nats-streams.ts';

/** Longer than the store of the other relay is tried; after it the message is stored here, and once all the same. */
const ANSWER_TIMEOUT = 7000;
const PRESENCE_TIMEOUT = 1000;
const FOLLOW_AGAIN = 500;
const RELAY = 'Kith-Relay';

type Letter =
	| readonly [is: 'post', message: Message]
	| readonly [is: 'whisper', channel: ChannelId, body: Uint8Array]
	| readonly [is: 'here'];

interface Served {
	readonly subscription: Subscription;
	/** Connections of the device here: for a moment two, while one replaces the other. */
	connections: number;
}

export class NatsPeers implements Peers {
	readonly numbersPerRow = NUMBERS_PER_ROW;
	readonly #streams: Streams;
	readonly #woken: State<true>;
	readonly #name = randomUUID();
	readonly #served = new Map<DeviceId, Served>();
	/** Told of every row of any relay. */
	readonly #rowSeen: (mailbox: DeviceId, tally: string) => void;
	#host: PeerHost | undefined;

	constructor(streams: Streams, rowSeen: (mailbox: DeviceId, tally: string) => void) {
		this.#streams = streams;
		this.#woken = new State(streams, 'woken');
		this.#rowSeen = rowSeen;
	}

	serve(host: PeerHost): void {
		this.#host = host;
	}

	/** Hears from now on what is stored in the streams. Rejects where NATS does not answer. */
	async follow(): Promise<void> {
		for (const shard of allShards) {
			await this.#follow(`KITH_MAIL_${shard}`, '>');
			await this.#follow(`KITH_STATE_${shard}`, `kith.state.${shard}.channel.*`);
		}
	}

	/** The login itself is a row of the mailbox' stream: it comes before or after each row, and all relays see it. */
	async claim(mailbox: DeviceId): Promise<StoreResult<MailboxSeq>> {
		this.#listen(mailbox);
		const shard = shardOf(mailbox);
		const [stream, subject] = [`KITH_MAIL_${shard}`, `kith.box.${shard}.${mailbox}`];
		try {
			const before = await this.#streams.last(stream, subject);
			const notes = [[RELAY, this.#name]] as const;
			const seq = await this.#streams.publish(subject, new Uint8Array(0), notes);
			// Left behind it takes some room, and means nothing.
			if (before) this.#streams.remove(stream, before.seq).catch(() => undefined);
			return { ok: true, value: seq * NUMBERS_PER_ROW };
		} catch (error) {
			if (error instanceof Unavailable) return { ok: false, error: 'busy' };
			throw error;
		}
	}

	release(mailbox: DeviceId): void {
		const served = this.#served.get(mailbox);
		if (!served || --served.connections > 0) return;
		this.#served.delete(mailbox);
		if (!this.#streams.connection.isClosed()) served.subscription.unsubscribe();
	}

	async post(message: Message, mailbox: DeviceId): Promise<Outcome | 'away'> {
		const answer = await this.#ask(mailbox, ['post', message], ANSWER_TIMEOUT);
		return (answer ?? 'away') as Outcome | 'away';
	}

	whisper(mailbox: DeviceId, channel: ChannelId, body: Uint8Array): void {
		const { connection } = this.#streams;
		if (!connection.isClosed())
			connection.publish(subjectOf(mailbox), cborg.encode(['whisper', channel, body]));
	}

	async mayWake(mailbox: DeviceId, quiet: number): Promise<boolean> {
		const elsewhere = !this.#served.has(mailbox);
		if (elsewhere && (await this.#ask(mailbox, ['here'], PRESENCE_TIMEOUT)) === 'here')
			return false;
		try {
			const shard = shardOf(mailbox);
			const login = await this.#streams.last(`KITH_MAIL_${shard}`, `kith.box.${shard}.${mailbox}`);
			const woken = await this.#woken.read(mailbox);
			const sinceLogin = woken && woken.at > (login?.at ?? 0);
			if (sinceLogin && Date.now() - woken.at < quiet) return false;
			return (await this.#woken.write(mailbox, true, woken?.revision ?? 0)) !== undefined;
		} catch {
			return true; // rather twice than not at all
		}
	}

	#listen(mailbox: DeviceId): void {
		const served = this.#served.get(mailbox);
		if (served) {
			served.connections++;
			return;
		}
		const subscription = this.#streams.connection.subscribe(subjectOf(mailbox), {
			callback: (error, letter) => {
				if (!error) this.#take(mailbox, letter);
			},
		});
		this.#served.set(mailbox, { subscription, connections: 1 });
	}

	#take(mailbox: DeviceId, letter: Msg): void {
		const said = cborg.decode(letter.data) as Letter;
		if (said[0] === 'here') letter.respond('here');
		else if (said[0] === 'whisper') this.#host?.whispered(mailbox, said[1], said[2]);
		else this.#host?.post(said[1], mailbox, (outcome) => letter.respond(outcome));
	}

	/** What the relay that serves the mailbox answers; undefined where there is none, or it died over it. */
	async #ask(mailbox: DeviceId, letter: Letter, timeout: number): Promise<string | undefined> {
		try {
			const { connection } = this.#streams;
			const answer = await connection.request(subjectOf(mailbox), cborg.encode(letter), {
				timeout,
			});
			return answer.string();
		} catch {
			return undefined;
		}
	}

	async #follow(stream: string, subjects: string, from?: number): Promise<void> {
		const consumer = await jetstream(this.#streams.connection).consumers.get(stream, {
			...{ headers_only: true, filter_subjects: subjects },
			...(from === undefined ? { deliver_policy: 'new' } : { opt_start_seq: from }),
		});
		let last = from ?? 0;
		const messages = await consumer.consume({
			callback: (row) => {
				last = row.seq + 1;
				this.#see(row);
			},
		});
		void messages.closed().then(() => this.#followAgain(stream, subjects, last));
	}

	async #followAgain(stream: string, subjects: string, from: number): Promise<void> {
		while (!this.#streams.connection.isClosed()) {
			try {
				return await this.#follow(stream, subjects, from || undefined);
			} catch {
				await new Promise((resolve) => setTimeout(resolve, FOLLOW_AGAIN));
			}
		}
	}

	#see({ subject, headers, seq }: JsMsg): void {
		const [, kind, , ...rest] = subject.split('.');
		const key = rest.at(-1) ?? '';
		if (kind === 'state') this.#host?.changed(key as ChannelId);
		else if (kind === 'mail') {
			this.#rowSeen(key as DeviceId, headers?.get(TALLY) ?? '');
			this.#host?.stored(key as DeviceId, seq * NUMBERS_PER_ROW);
		} else if (headers && headers.get(RELAY) !== this.#name) this.#host?.claimed(key as DeviceId);
	}
}

const subjectOf = (mailbox: DeviceId) => `kith.to.${mailbox}`;
