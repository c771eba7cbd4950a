// kill -9 of the real relay under load, at moments that a seed picks: everything that it accepted is there afterwards,
// and nothing is there twice. The seed is printed; SEED repeats a run, KILLS changes its length (`npm run kill:relay`:
// a hundred).
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Delivery } from '../../src/protocol/frames.ts';
import type { ChannelId, EnvelopeId, MailboxSeq } from '../../src/protocol/ids.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { Seeded } from '../support/world/seeded.ts';

const SEED = Number(process.env.SEED ?? 20_260_102);
const KILLS = Number(process.env.KILLS ?? 8);
/** Answers after which the relay is killed, at most; the fewest are none at all. */
const MOST_ANSWERS = 300;
/** Messages that the sender has unanswered at any time. */
const WINDOW = 64;
const MS_PER_KILL = 10_000;

/** What one device has read, over all its connections: what it keeps on its own disk. */
class Reader {
	readonly keys: DeviceKeys;
	readonly shown = new Set<EnvelopeId>();
	/** Deliveries of what was shown already, which a device leaves out. */
	repeated = 0;
	readonly #numbers = new Map<MailboxSeq, EnvelopeId>();

	constructor(keys: DeviceKeys) {
		this.keys = keys;
	}

	/**
	 * Takes what came on one connection: in order, no number that meant something else before, and twice only what its
	 * sender submitted twice: the relay that had taken it the first time is dead. Devices know an envelope by its id.
	 */
	take(deliveries: readonly Delivery[], resubmitted: ReadonlySet<EnvelopeId>): void {
		const numbers = deliveries.map(({ seq }) => seq);
		expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
		for (const { seq, envelope } of deliveries) {
			expect(this.#numbers.get(seq) ?? envelope).toBe(envelope);
			this.#numbers.set(seq, envelope);
		}
		const messages = deliveries.filter(({ kind }) => kind === 'message');
		const here = new Set<EnvelopeId>();
		for (const { envelope } of messages) {
			if (here.has(envelope)) expect(resubmitted).toContain(envelope);
			if (this.shown.has(envelope)) this.repeated++;
			here.add(envelope);
			this.shown.add(envelope);
		}
	}
}

/** The sender's side: what waits for an answer is submitted again after each crash, as devices do (SPEC MB-2). */
class Outbox {
	readonly accepted = new Map<EnvelopeId, ChannelId>();
	readonly resubmitted = new Set<EnvelopeId>();
	readonly #waiting = new Map<EnvelopeId, ChannelId>();
	readonly #channels: readonly ChannelId[];

	constructor(channels: readonly ChannelId[]) {
		this.#channels = channels;
	}

	/** Keeps the window full until `answers` have come, then calls `enough` once; with 0 at once. */
	load(client: RelayClient, answers: number, enough: () => void): void {
		let left = answers;
		const submit = (envelope: EnvelopeId, channel: ChannelId) => {
			this.#waiting.set(envelope, channel);
			client.submit(channel, new Uint8Array(300), envelope).then(
				({ type }) => {
					expect(type).toBe('accepted');
					this.#waiting.delete(envelope);
					this.accepted.set(envelope, channel);
					if (--left === 0) enough();
					if (left > 0) next();
				},
				() => undefined, // the relay died before it answered
			);
		};
		const next = () => {
			const channel = this.#channels[this.accepted.size % this.#channels.length];
			if (channel) submit(newEnvelope(), channel);
		};
		for (const [envelope, channel] of this.#waiting) {
			this.resubmitted.add(envelope);
			submit(envelope, channel);
		}
		while (this.#waiting.size < WINDOW) next();
		if (answers === 0) enough();
	}

	/** Submits what is left, on a relay that lives. */
	async finish(client: RelayClient): Promise<void> {
		for (const [envelope, channel] of this.#waiting) {
			this.resubmitted.add(envelope);
			expect((await client.submit(channel, new Uint8Array(300), envelope)).type).toBe('accepted');
			this.accepted.set(envelope, channel);
		}
	}
}

let relay: RelayProcess;
beforeAll(async () => {
	// Everything lands in one mailbox that is not read until the end.
	const room = { KITH_MAILBOX_MESSAGES: '1000000', KITH_MAILBOX_BYTES: '1000000000' };
	relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS, ...room });
});
afterAll(() => relay.stop());

it(
	`MB-1 MB-2 MB-5 ${KILLS} times kill -9 under load (seed ${SEED}): what was accepted is there, once`,
	async () => {
		console.log(`kill -9: seed ${SEED}`);
		const random = new Seeded(SEED);
		const login = (keys: DeviceKeys) => RelayClient.login(relay.socketUrl, keys);
		const sender = await newDeviceKeys();
		// One reads and acknowledges, one reads and never acknowledges, one is away all the time.
		const [prompt, silent, away] = [
			new Reader(await newDeviceKeys()),
			new Reader(await newDeviceKeys()),
			new Reader(await newDeviceKeys()),
		];
		const readers = [prompt, silent, away];
		const first = await login(sender);
		const address = async ({ keys }: Reader) => {
			const client = await login(keys);
			const put = await client.putAddress();
			await client.close();
			return put;
		};
		const addresses = await Promise.all(readers.map(address));
		const channels = await Promise.all(addresses.map((one) => first.found([one])));
		const group = await first.found(await Promise.all(readers.map(address)));
		const membersOf = new Map([...channels, group].map((channel, at) => [channel, at]));
		await first.close();

		const outbox = new Outbox([...channels, group]);
		for (let kill = 0; kill < KILLS; kill++) {
			const client = await login(sender);
			const online = await Promise.all([prompt, silent].map(({ keys }) => login(keys)));
			online[1]!.acknowledges = false;
			const moment = Promise.withResolvers<undefined>();
			outbox.load(client, random.below(MOST_ANSWERS), () => moment.resolve(undefined));
			await moment.promise;
			await relay.kill('SIGKILL');
			await Promise.all([client.closed, ...online.map(({ closed }) => closed)]);
			for (const [at, reader] of [prompt, silent].entries())
				reader.take(online[at]!.deliveries, outbox.resubmitted);
			await relay.restart();
		}
		const last = await login(sender);
		await outbox.finish(last);
		for (const reader of readers) {
			const client = await login(reader.keys);
			reader.take(client.deliveries, outbox.resubmitted);
			await client.close();
		}
		for (const [at, reader] of readers.entries()) {
			const owed = [...outbox.accepted].filter(([, channel]) => {
				const index = membersOf.get(channel);
				return index === at || index === channels.length;
			});
			expect(owed.length).toBeGreaterThan(KILLS);
			expect(owed.filter(([envelope]) => !reader.shown.has(envelope))).toEqual([]);
			// Whatever else was shown would have been submitted by nobody.
			expect([...reader.shown].filter((envelope) => !outbox.accepted.has(envelope))).toEqual([]);
		}
		expect(away.repeated).toBe(0);
		console.log(
			`${outbox.accepted.size} messages accepted over ${KILLS} kills, all there; delivered again after a crash: ${prompt.repeated} to who acknowledges, ${silent.repeated} to who does not, ${away.repeated} to who was away`,
		);
		await last.close();
	},
	60_000 + KILLS * MS_PER_KILL,
);
