// A device that comes back when the relay sends it away, at the moment it was told, and submits again what was not
// answered: what the app does, without what is in the messages.
import type { ChannelId, EnvelopeId, MailboxSeq } from '../../src/protocol/ids.ts';
import { newEnvelope, RelayClient, type DeviceKeys } from './relay-client.ts';

const BODY = new Uint8Array(300).fill(120);
/** Where the relay said nothing, ms. */
const RETRY_AFTER = 20;
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class Reconnecting {
	readonly #url: string;
	readonly #keys: DeviceKeys;
	#client: RelayClient | undefined;
	#connecting: Promise<RelayClient> | undefined;
	#before: readonly RelayClient[] = [];
	/** What the relay said at each farewell: after how many ms to come back. */
	readonly returns: number[] = [];

	constructor(url: string, keys: DeviceKeys) {
		this.#url = url;
		this.#keys = keys;
	}

	/** The connection, made anew where it has ended. */
	connected(): Promise<RelayClient> {
		if (this.#client) return Promise.resolve(this.#client);
		this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
		return this.#connecting;
	}

	/** Resolves with the ms it took until the relay had accepted the envelope, over as many connections as that takes. */
	async submit(channel: ChannelId, envelope: EnvelopeId = newEnvelope()): Promise<number> {
		const begun = performance.now();
		for (;;) {
			const client = await this.connected();
			const answer = await client.submit(channel, BODY, envelope).catch(() => undefined);
			if (answer?.type === 'accepted') return performance.now() - begun;
			if (answer) throw new Error(JSON.stringify(answer));
			await client.closed;
		}
	}

	/** Envelopes in the order of their first delivery, over all connections, with their numbers. */
	get received(): readonly { readonly envelope: EnvelopeId; readonly seq: MailboxSeq }[] {
		return [...this.#before, ...(this.#client ? [this.#client] : [])].flatMap(
			({ deliveries }) => deliveries,
		);
	}

	async close(): Promise<void> {
		const client = await this.connected();
		await client.close();
	}

	async #connect(): Promise<RelayClient> {
		for (;;) {
			const client = await RelayClient.login(this.#url, this.#keys).catch(() => undefined);
			if (!client) {
				await wait(RETRY_AFTER);
				continue;
			}
			this.#client = client;
			void client.closed.then(() => this.#ended(client));
			return client;
		}
	}

	#ended(client: RelayClient): void {
		this.#before = [...this.#before, client];
		this.#client = undefined;
		const after = client.bye?.retryAfter ?? RETRY_AFTER;
		if (client.bye) this.returns.push(after);
		if (client.bye) this.#connecting = wait(after).then(() => this.#connect());
		void this.#connecting?.finally(() => (this.#connecting = undefined));
	}
}
