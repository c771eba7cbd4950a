// Three relays on three NATS servers under load: each is killed in turn, then all are started anew one by one; what was
// accepted is there afterwards, and nothing is stored twice. FAULTS says how much of it is done: what was seen of NATS
// 2.9.10 when its servers are cut off stands in server/README.md.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelId, EnvelopeId } from '../../src/protocol/ids.ts';
import { NatsServer } from '../support/nats-server.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

/** `relays`: those alone. `kills`: the NATS servers, too. `all`: and these are cut off. */
const FAULTS = process.env.FAULTS ?? 'relays';
/** Messages that a sender has unanswered at any time. */
const WINDOW = 16;
/** Answers that each sender gets while something is broken, and after it was mended. */
const ANSWERS = 60;
const MINUTE = 60_000;

/** A device that comes back to the next relay whenever the one that it is at goes. */
class Wanderer {
	readonly keys: DeviceKeys;
	readonly #relays: readonly RelayProcess[];
	#at: number;
	client: RelayClient | undefined;
	/** How often each message came: a device shows it once, and knows the others by its id. */
	readonly shown = new Map<EnvelopeId, number>();
	stopped = false;
	#ended: Promise<void> = Promise.resolve();

	constructor(keys: DeviceKeys, relays: readonly RelayProcess[], at: number) {
		this.keys = keys;
		this.#relays = relays;
		this.#at = at;
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
			const relay = this.#relays[this.#at++ % this.#relays.length]!;
			const client = await RelayClient.connect(relay.socketUrl).catch(() => undefined);
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
	static trouble = 'none';
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
				this.accepted.set(envelope, Sender.trouble);
				this.#fill(client);
				const due = this.#watchers.filter(({ at }) => at <= this.accepted.size);
				this.#watchers = this.#watchers.filter(({ at }) => at > this.accepted.size);
				for (const { resolve } of due) resolve();
			},
			() => undefined, // the connection ended: the next one asks again
		);
	}
}

const nameOf = (server: RelayProcess | NatsServer) =>
	server instanceof NatsServer ? server.url : server.origin;

describe.skipIf(!NatsServer.isInstalled())('three relays on three NATS servers', () => {
	let nats: NatsServer[] = [];
	const relays: RelayProcess[] = [];
	beforeAll(async () => {
		nats = await NatsServer.start(3);
		const settings = {
			KITH_CLUSTER: nats.map(({ url }) => url).join(','),
			...{ KITH_LIMITS: NO_LIMITS, KITH_MAILBOX_MESSAGES: '1000000' },
		};
		for (const _ of nats) relays.push(await RelayProcess.start(settings));
	}, MINUTE);
	afterAll(async () => {
		for (const relay of relays) await relay.stop();
		for (const server of nats) await server.stop();
	});

	it(
		`MB-1 MB-2 MB-5 each killed and started anew in turn (${FAULTS}): what was accepted is there, once`,
		async () => {
			const [author, other] = [await newDeviceKeys(), await newDeviceKeys()];
			const [prompt, away] = [
				new Wanderer(await newDeviceKeys(), relays, 1),
				new Wanderer(await newDeviceKeys(), relays, 2),
			];
			const address = async ({ keys }: { keys: DeviceKeys }, at: number) => {
				const client = await RelayClient.login(relays[at]!.socketUrl, keys);
				const put = await client.putAddress();
				await client.close();
				return put;
			};
			const founded = async (keys: DeviceKeys, readers: readonly Wanderer[]) => {
				const addresses = await Promise.all(readers.map(address));
				const client = await RelayClient.login(relays[0]!.socketUrl, keys);
				const channel = await client.found(addresses);
				await client.close();
				return channel;
			};
			const senders = [
				new Sender(await founded(author, [prompt])),
				new Sender(await founded(other, [prompt, away])),
			] as const;
			const authors = [new Wanderer(author, relays, 0), new Wanderer(other, relays, 2)] as const;
			await prompt.start();
			for (const [at, wanderer] of authors.entries())
				await wanderer.start((client) => senders[at]!.online(client));

			const progress = () => Promise.all(senders.map((sender) => sender.answers(ANSWERS)));
			const broken = FAULTS === 'relays' ? relays : [...relays, ...nats];
			const whole = () => Promise.all(nats.map((server) => server.healthy()));
			for (const server of broken) {
				await whole();
				Sender.trouble = `kill ${nameOf(server)}`;
				await progress();
				await server.kill('SIGKILL');
				await progress();
				await server.restart();
			}
			for (const server of FAULTS === 'all' ? nats : []) {
				await whole();
				Sender.trouble = `freeze ${nameOf(server)}`;
				await progress();
				server.freeze();
				await progress();
				server.thaw();
			}
			for (const server of broken) {
				await whole();
				Sender.trouble = `rolling ${nameOf(server)}`;
				await server.kill('SIGTERM');
				await progress();
				await server.restart();
			}
			await whole();
			await progress();
			await Promise.all(senders.map((sender) => sender.rest()));
			await Promise.all(authors.map((wanderer) => wanderer.stop()));
			await prompt.stop();
			for (const reader of [prompt, away]) {
				reader.stopped = false;
				await reader.start();
				await reader.stop();
			}
			const lost = (reader: Wanderer, ...from: Sender[]) =>
				from.flatMap(({ accepted }) =>
					[...accepted].filter(([envelope]) => !reader.shown.has(envelope)),
				);
			const twice = (reader: Wanderer) => [...reader.shown.values()].filter((n) => n > 1).length;
			const [first, second] = senders.map(({ accepted }) => accepted.size) as [number, number];
			console.log(
				`${first} and ${second} messages accepted, all there; came twice: ${twice(prompt)} to who was there`,
			);
			expect(lost(prompt, ...senders)).toEqual([]);
			expect(lost(away, senders[1])).toEqual([]);
			expect(twice(away)).toBe(0);
			// Whatever else was shown would have been submitted by nobody.
			expect(prompt.shown.size).toBe(first + second);
			expect(away.shown.size).toBe(second);
		},
		6 * MINUTE,
	);
});
