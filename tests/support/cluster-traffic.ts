// What is asked of relays while the test breaks them: devices that come back wherever they can, and senders that do not
// stop, each of which counts what it was told and what it was shown.
import { expect } from 'vitest';
import type { Address, ChannelId, EnvelopeId } from '../../src/protocol/ids.ts';
import { newDeviceKeys, newEnvelope, RelayClient, type DeviceKeys } from './relay-client.ts';
import type { RelayProcess } from './relay-process.ts';

/** Messages that a sender has unanswered at any time. */
const WINDOW = 16;

/** A device that comes back to the next relay whenever the one that it is at goes. */
class Wanderer {
	readonly keys: DeviceKeys;
	readonly #relays: readonly RelayProcess[];
	#at: number;
	/** Where it is, or tries to be. */
	relay: RelayProcess;
	client: RelayClient | undefined;
	/** How often each message came: a device shows it once, and knows the others by its id. */
	readonly shown = new Map<EnvelopeId, number>();
	stopped = false;
	#ended: Promise<void> = Promise.resolve();

	constructor(keys: DeviceKeys, relays: readonly RelayProcess[], at: number) {
		this.keys = keys;
		this.#relays = relays;
		this.#at = at;
		this.relay = relays[at % relays.length]!;
	}

	/** Connects, and again after each end, until {@link stop}. */
	start(online: (client: RelayClient) => void = () => undefined): Promise<void> {
		const first = Promise.withResolvers<undefined>();
		this.#ended = this.#wander((client) => {
			online(client);
			first.resolve(undefined);
		});
		return first.promise;
	}

	async stop(): Promise<void> {
		this.stopped = true;
		await this.client?.close();
		await this.#ended;
	}

	async #wander(online: (client: RelayClient) => void): Promise<void> {
		while (!this.stopped) {
			this.relay = this.#relays[this.#at++ % this.#relays.length]!;
			const client = await RelayClient.connect(this.relay.socketUrl).catch(() => undefined);
			if (!client) continue;
			this.client = client;
			const entered = await client.login(this.keys).then(
				() => true,
				() => false,
			);
			if (entered) online(client);
			await client.closed;
			this.#take(client);
		}
	}

	#take({ deliveries }: RelayClient): void {
		const numbers = deliveries.map(({ seq }) => seq);
		expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
		for (const { kind, envelope } of deliveries)
			if (kind === 'message') this.shown.set(envelope, (this.shown.get(envelope) ?? 0) + 1);
	}
}

/** Submits without an end; what was not answered is submitted again on the next connection. */
class Sender {
	/** With what went on when the answer came. */
	readonly accepted = new Map<EnvelopeId, string>();
	/** What is going on. */
	trouble = 'none';
	readonly #waiting = new Set<EnvelopeId>();
	readonly #channel: ChannelId;
	#watchers: { at: number; resolve: () => void }[] = [];
	#client: RelayClient | undefined;
	resting = false;

	constructor(channel: ChannelId) {
		this.#channel = channel;
	}

	online(client: RelayClient): void {
		this.#client = client;
		for (const envelope of this.#waiting) this.#submit(client, envelope);
		this.#fill(client);
	}

	/** Resolves after so many more answers. */
	answers(count: number): Promise<void> {
		return new Promise((resolve) =>
			this.#watchers.push({ at: this.accepted.size + count, resolve }),
		);
	}

	/** No new messages; resolves when all are answered. */
	rest(): Promise<void> {
		this.resting = true;
		return this.answers(this.#waiting.size);
	}

	#fill(client: RelayClient): void {
		while (!this.resting && this.#waiting.size < WINDOW) {
			const envelope = newEnvelope();
			this.#waiting.add(envelope);
			this.#submit(client, envelope);
		}
	}

	#submit(client: RelayClient, envelope: EnvelopeId): void {
		client.submit(this.#channel, new Uint8Array(300), envelope).then(
			({ type }) => {
				if (client !== this.#client) return;
				// `busy`: nobody answers for it, so it is asked again.
				if (type !== 'accepted') return this.#submit(client, envelope);
				this.#waiting.delete(envelope);
				this.accepted.set(envelope, this.trouble);
				this.#fill(client);
				const due = this.#watchers.filter(({ at }) => at <= this.accepted.size);
				this.#watchers = this.#watchers.filter(({ at }) => at > this.accepted.size);
				for (const { resolve } of due) resolve();
			},
			() => undefined, // the connection ended: the next one asks again
		);
	}
}

/** What came of it all. */
interface Tally {
	/** Messages that were accepted of either sender. */
	readonly accepted: readonly [first: number, second: number];
	/** What was accepted and shown to nobody, with what went on when it was accepted. */
	readonly lost: readonly (readonly [EnvelopeId, trouble: string])[];
	/** How many messages each reader was shown. */
	readonly shown: { readonly prompt: number; readonly away: number };
	/** How many of them more than once, under numbers of their own. */
	readonly twice: { readonly prompt: number; readonly away: number };
}

/** Two senders: what the first sends is for a reader who is there, what the second sends also for one who is away. */
export class ClusterTraffic {
	readonly #senders: readonly [Sender, Sender];
	readonly #authors: readonly [Wanderer, Wanderer];
	readonly #prompt: Wanderer;
	readonly #away: Wanderer;

	private constructor(
		senders: readonly [Sender, Sender],
		authors: readonly [Wanderer, Wanderer],
		readers: { prompt: Wanderer; away: Wanderer },
	) {
		this.#senders = senders;
		this.#authors = authors;
		this.#prompt = readers.prompt;
		this.#away = readers.away;
	}

	/** Starts at three relays: senders at the first and the third, who is there at the second. */
	static async start(relays: readonly RelayProcess[]): Promise<ClusterTraffic> {
		const devices = await Promise.all(Array.from({ length: 4 }, newDeviceKeys));
		const wanderer = (device: number, at: number) => new Wanderer(devices[device]!, relays, at);
		const authors = [wanderer(0, 0), wanderer(1, 2)] as const;
		const [prompt, away] = [wanderer(2, 1), wanderer(3, 2)];
		const founded = async ({ keys }: Wanderer, readers: readonly Wanderer[]) => {
			const addresses = await Promise.all(
				readers.map((reader, at) => addressOf(reader.keys, relays[at]!)),
			);
			const client = await RelayClient.login(relays[0]!.socketUrl, keys);
			const channel = await client.found(addresses);
			await client.close();
			return channel;
		};
		const senders = [
			new Sender(await founded(authors[0], [prompt])),
			new Sender(await founded(authors[1], [prompt, away])),
		] as const;
		await prompt.start();
		for (const [at, author] of authors.entries())
			await author.start((client) => senders[at]!.online(client));
		return new ClusterTraffic(senders, authors, { prompt, away });
	}

	/** What goes on from now on. */
	set trouble(trouble: string) {
		for (const sender of this.#senders) sender.trouble = trouble;
	}

	/** Resolves when each sender, but for those at `except`, has got so many more answers. */
	async progress(answers: number, except?: RelayProcess): Promise<void> {
		const those = this.#senders.filter((_, at) => this.#authors[at]!.relay !== except);
		await Promise.all(those.map((sender) => sender.answers(answers)));
	}

	/** Sends no more, lets both readers fetch what is left, and counts. */
	async end(): Promise<Tally> {
		await Promise.all(this.#senders.map((sender) => sender.rest()));
		await Promise.all(this.#authors.map((author) => author.stop()));
		await this.#prompt.stop();
		const readers = [this.#prompt, this.#away] as const;
		for (const reader of readers) {
			reader.stopped = false;
			await reader.start();
			await reader.stop();
		}
		const lost = (reader: Wanderer, from: readonly Sender[]) =>
			from.flatMap(({ accepted }) =>
				[...accepted].filter(([envelope]) => !reader.shown.has(envelope)),
			);
		const twice = ({ shown }: Wanderer) => [...shown.values()].filter((n) => n > 1).length;
		const [first, second] = this.#senders;
		const [prompt, away] = readers;
		return {
			accepted: [first.accepted.size, second.accepted.size],
			lost: [...lost(prompt, this.#senders), ...lost(away, [second])],
			shown: { prompt: prompt.shown.size, away: away.shown.size },
			twice: { prompt: twice(prompt), away: twice(away) },
		};
	}
}

async function addressOf(keys: DeviceKeys, { socketUrl }: RelayProcess): Promise<Address> {
	const client = await RelayClient.login(socketUrl, keys);
	const address = await client.putAddress();
	await client.close();
	return address;
}

/** Nothing that was accepted is missing, and nothing is there that nobody sent or that was stored twice. */
export function expectNothingLost({ accepted: [first, second], lost, shown, twice }: Tally): void {
	console.log(
		`${first} and ${second} messages accepted, ${lost.length} lost; came twice: ${twice.prompt} to who was there`,
	);
	expect(lost).toEqual([]);
	expect(shown).toEqual({ prompt: first + second, away: second });
	expect(twice.away).toBe(0);
}
