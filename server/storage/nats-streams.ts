// The connection to NATS, and the few calls of JetStream that the store is made of. Reads go to the leader of a
// stream, never to any replica: a read has to see every write that was confirmed before it.
import { createHash } from 'node:crypto';
import type { headers, MsgHdrs, NatsConnection } from '@nats-io/transport-node';

/** Streams of each kind; what belongs together lies in one. Never changed once there is data. */
const SHARDS = 8;
/** How long one request may take, and how long it is tried again over the election of a new leader, ms. */
const REQUEST_TIMEOUT = 2000;
const GIVE_UP_AFTER = 6000;
const RETRY_FIRST = 25;
const RETRY_MOST = 400;
/** A row of a mailbox is a frame at most, a commit in progress up to three of them. */
const LEAST_PAYLOAD = 4 * 1024 * 1024;
const FIRST_CONNECTION = 10_000;
/** Servers that start together find each other one by one; how long a stream waits for enough of them, ms. */
const ENOUGH_SERVERS_WITHIN = 30_000;
const TOO_FEW_SERVERS = 10_005;
const NOT_FOUND = 10_037;
const SEQUENCE_NOT_FOUND = 10_043;
const STREAM_NOT_FOUND = 10_059;

export interface StreamMessage {
	readonly subject: string;
	readonly seq: number;
	readonly headers: ReadonlyMap<string, string>;
	readonly data: Uint8Array;
	/** When the server stored it, ms. */
	readonly at: number;
}

interface ApiAnswer {
	readonly error?: {
		readonly err_code?: number;
		readonly code: number;
		readonly description: string;
	};
	readonly message?: {
		readonly subject: string;
		readonly seq: number;
		readonly hdrs?: string;
		readonly data?: string;
		readonly time: string;
	};
	readonly seq?: number;
}

/** What NATS tells of a stream, as far as we ask. */
interface StreamAnswer extends ApiAnswer {
	readonly config?: { readonly num_replicas: number; readonly max_bytes: number };
	readonly state?: { readonly messages: number; readonly bytes: number };
	/** Absent with a single server. */
	readonly cluster?: {
		readonly leader?: string;
		readonly replicas?: readonly { readonly current: boolean; readonly offline?: boolean }[];
	};
}

/** One stream, as it is. */
export interface StreamFigures {
	readonly rows: number;
	readonly bytes: number;
	/** Null: as far as the servers' disks go. */
	readonly maxBytes: number | null;
	/** Servers that are to hold it. */
	readonly replicas: number;
	/** Whether all of them do, and one of them leads. */
	readonly isWhole: boolean;
}

/** NATS did not take it: no leader in time, or no room. `refused`: it said so, and nothing was stored. */
export class Unavailable extends Error {
	readonly refused: boolean;
	constructor(why: string, refused: boolean) {
		super(why);
		this.refused = refused;
	}
}

export interface StreamOptions {
	/** As `nats://host:port`, each of them a way in. */
	readonly servers: readonly string[];
	/** Over all streams of mail together; null: as far as the servers' disks go. */
	readonly maxBytes: number | null;
}

/** The shard of a key. */
export function shardOf(key: string): number {
	return (createHash('sha256').update(key).digest()[0] ?? 0) % SHARDS;
}

export const allShards: readonly number[] = Array.from({ length: SHARDS }, (_, shard) => shard);

/** Connects and makes the streams that are missing. Rejects with a sentence for the operator. */
export async function openStreams({ servers, maxBytes }: StreamOptions): Promise<Streams> {
	const streams = await connectStreams(servers);
	try {
		await streams.prepare(maxBytes);
		return streams;
	} catch (error) {
		await streams.connection.close();
		throw error;
	}
}

/**
 * Connects to whichever server answers, for as long as it takes; with `only`, to that one of them, once. The first
 * address says who we are. Rejects with a sentence for the operator.
 */
export async function connectStreams(servers: readonly string[], only?: string): Promise<Streams> {
	const { connect, headers: newHeaders } = await import('@nats-io/transport-node');
	const all = servers.map((server) => new URL(server));
	const hosts = (only === undefined ? all : [new URL(only)]).map(({ host }) => host);
	const [{ username, password } = { username: '', password: '' }] = all;
	const lasting = { maxReconnectAttempts: -1, reconnectTimeWait: 250 };
	const connection = await connect({
		servers: hosts,
		...(password ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {}),
		...(username && !password ? { token: decodeURIComponent(username) } : {}),
		...(all.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
		...(only === undefined ? lasting : { reconnect: false, ignoreClusterUpdates: true }),
		...{ name: 'kith', pingInterval: 5000, maxPingOut: 2, timeout: FIRST_CONNECTION },
	}).catch((error: unknown) => {
		const why = error instanceof Error ? error.message : String(error);
		throw new Error(
			`No NATS server of KITH_CLUSTER (${hosts.join(', ')}) can be reached: ${why}.`,
			{
				cause: error,
			},
		);
	});
	return new Streams(connection, newHeaders);
}

export class Streams {
	readonly connection: NatsConnection;
	readonly #newHeaders: typeof headers;

	constructor(connection: NatsConnection, newHeaders: typeof headers) {
		this.connection = connection;
		this.#newHeaders = newHeaders;
	}

	/** Why this server is not one for us, and what to do, in a sentence; undefined where it is. */
	get fault(): string | undefined {
		const { info } = this.connection;
		const [major = 0, minor = 0] = (info?.version ?? '').split('.').map(Number);
		if (major < 2 || (major === 2 && minor < 9))
			return `NATS is ${info?.version ?? 'of no version'}: install 2.9 or newer.`;
		if (!info?.jetstream)
			return 'KITH_CLUSTER names NATS servers without JetStream: start them with it.';
		if (info.max_payload < LEAST_PAYLOAD)
			return `The NATS servers take messages of ${info.max_payload} bytes at most: set max_payload to 8MB in their configuration.`;
		return undefined;
	}

	async prepare(maxBytes: number | null): Promise<void> {
		const { info } = this.connection;
		if (this.fault !== undefined) throw new Error(this.fault);
		// Three copies where there are three servers; a single server keeps the only one.
		const replicas = info?.cluster ? 3 : 1;
		const common = { storage: 'file', retention: 'limits', discard: 'new', num_replicas: replicas };
		for (const shard of allShards) {
			const limits = { max_consumers: -1, max_msgs: -1, max_age: 0, max_msg_size: -1 };
			await this.#create(`KITH_MAIL_${shard}`, {
				...{ subjects: [`kith.mail.${shard}.>`, `kith.box.${shard}.>`], max_msgs_per_subject: -1 },
				max_bytes: maxBytes === null ? -1 : Math.floor(maxBytes / SHARDS),
				...{ ...common, ...limits },
			});
			await this.#create(`KITH_STATE_${shard}`, {
				...{ subjects: [`kith.state.${shard}.>`], max_msgs_per_subject: -1, max_bytes: -1 },
				...{ ...common, ...limits },
			});
		}
	}

	/**
	 * Stores one message, with headers of ours, and returns its number. Where an answer was lost it may be stored twice.
	 * Nothing is left for NATS to decide: before 2.9.21 a cluster checks an expected number only before it proposes a
	 * message, so that two writers may both succeed (nats-server #4320), and whatever replicas refuse when they apply it
	 * can make them differ (#5794).
	 */
	async publish(
		subject: string,
		data: Uint8Array,
		notes: readonly (readonly [name: string, value: string])[] = [],
	): Promise<number> {
		const noted = this.#newHeaders();
		for (const [name, value] of notes) noted.set(name, value);
		const answer = await this.#ask(subject, data, noted);
		if (answer.error) throw new Unavailable(answer.error.description, true);
		return answer.seq ?? 0;
	}

	/** The newest message of a subject. */
	last(stream: string, subject: string): Promise<StreamMessage | undefined> {
		return this.#get(stream, { last_by_subj: subject });
	}

	/** The first message at or after `seq` whose subject matches. */
	next(stream: string, seq: number, subject: string): Promise<StreamMessage | undefined> {
		return this.#get(stream, { seq, next_by_subj: subject });
	}

	/** False when it is gone already. */
	async remove(stream: string, seq: number): Promise<boolean> {
		const answer = await this.#api(`STREAM.MSG.DELETE.${stream}`, { seq, no_erase: true });
		if (answer.error?.err_code === SEQUENCE_NOT_FOUND || answer.error?.err_code === NOT_FOUND)
			return false;
		if (answer.error) throw new Unavailable(answer.error.description, true);
		return true;
	}

	/** Deletes what a subject has with numbers below `seq`. */
	async purge(stream: string, subject: string, seq: number): Promise<void> {
		const answer = await this.#api(`STREAM.PURGE.${stream}`, { filter: subject, seq });
		if (answer.error) throw new Unavailable(answer.error.description, true);
	}

	async #get(stream: string, query: object): Promise<StreamMessage | undefined> {
		const { error, message } = await this.#api(`STREAM.MSG.GET.${stream}`, query);
		if (error?.err_code === NOT_FOUND) return undefined;
		if (error || !message) throw new Unavailable(error?.description ?? 'no message', true);
		const { subject, seq, hdrs, data, time } = message;
		const bytes = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? '', 'base64'));
		return {
			...{ subject, seq, data: bytes(data), at: Date.parse(time) },
			headers: headersOf(Buffer.from(hdrs ?? '', 'base64').toString()),
		};
	}

	/** All streams of a kind that are there; rejects with {@link Unavailable}. */
	async figures(kind: 'MAIL' | 'STATE'): Promise<StreamFigures[]> {
		const ask = (shard: number) => this.#api(`STREAM.INFO.KITH_${kind}_${shard}`, {});
		const answers: StreamAnswer[] = await Promise.all(allShards.map(ask));
		return answers.flatMap(({ error, config, state, cluster }) => {
			if (error?.err_code === STREAM_NOT_FOUND) return [];
			if (!config || !state) throw new Unavailable(error?.description ?? 'no answer', true);
			const others = (cluster?.replicas ?? []).filter((one) => one.current && !one.offline);
			const isLed = cluster === undefined || Boolean(cluster.leader);
			return {
				...{ rows: state.messages, bytes: state.bytes, replicas: config.num_replicas },
				maxBytes: config.max_bytes < 0 ? null : config.max_bytes,
				isWhole: isLed && others.length === config.num_replicas - 1,
			};
		});
	}

	async #create(name: string, config: object): Promise<void> {
		const found = await this.#api(`STREAM.INFO.${name}`, {});
		if (!found.error) return;
		const until = performance.now() + ENOUGH_SERVERS_WITHIN;
		for (;;) {
			const { error } = await this.#api(`STREAM.CREATE.${name}`, { name, ...config });
			if (!error) return;
			if (error.err_code !== TOO_FEW_SERVERS || performance.now() > until)
				throw new Error(`NATS does not make the stream ${name}: ${error.description}.`);
			await new Promise((resolve) => setTimeout(resolve, RETRY_MOST));
		}
	}

	#api(call: string, query: object): Promise<ApiAnswer> {
		return this.#ask(`$JS.API.${call}`, JSON.stringify(query));
	}

	/** Asks until there is an answer: every question here may be asked twice. */
	async #ask(subject: string, payload: Uint8Array | string, headers?: MsgHdrs): Promise<ApiAnswer> {
		const until = performance.now() + GIVE_UP_AFTER;
		for (let wait = RETRY_FIRST; ; wait = Math.min(RETRY_MOST, wait * 2)) {
			try {
				const options = { timeout: REQUEST_TIMEOUT, ...(headers && { headers }) };
				const answer = await this.connection.request(subject, payload, options);
				const said = answer.json<ApiAnswer>();
				if (!isPassing(said)) return said;
			} catch (error) {
				if (this.connection.isClosed()) throw new Unavailable('the connection is closed', false);
				if (performance.now() + wait > until)
					throw new Unavailable((error as Error).message, false);
			}
			if (performance.now() + wait > until) throw new Unavailable('no leader', false);
			await new Promise((resolve) => setTimeout(resolve, wait));
		}
	}
}

/** An election is under way: the same question gets another answer soon. */
function isPassing({ error }: ApiAnswer): boolean {
	return error?.code === 503 && error.err_code !== 10_077 && error.err_code !== 10_047;
}

function headersOf(text: string): Map<string, string> {
	const found = new Map<string, string>();
	for (const line of text.split('\r\n').slice(1)) {
		const colon = line.indexOf(':');
		if (colon > 0) found.set(line.slice(0, colon), line.slice(colon + 1).trim());
	}
	return found;
}
