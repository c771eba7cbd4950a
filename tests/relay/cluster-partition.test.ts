// Three machines, each with a NATS server and a relay, in network namespaces: one is cut off from the other two while it
// runs and its devices still reach it, and healed. FAULTS=all cuts each off in turn, instead of the one that leads most.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelId } from '../../src/protocol/ids.ts';
import { ClusterTraffic, expectNothingLost } from '../support/cluster-traffic.ts';
import { NatsServer } from '../support/nats-server.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { SplitNetwork } from '../support/split-network.ts';

const FAULTS = process.env.FAULTS ?? 'relays';
/** Answers that each sender gets while a machine is cut off, and after it came back. */
const ANSWERS = 30;
/** Channels that are raced for: several, so that some stream of theirs is led by whoever is cut off. */
const CHANNELS = 4;
const MINUTE = 60_000;

/** A channel in which two devices commit at the same epoch, over and over, and a third sees what passed. */
class Race {
	/** The devices at each relay. */
	readonly #racers: readonly RelayClient[];
	readonly #channel: ChannelId;
	readonly #watcher: DeviceKeys;
	#epoch = 1;

	private constructor(racers: readonly RelayClient[], channel: ChannelId, watcher: DeviceKeys) {
		this.#racers = racers;
		this.#channel = channel;
		this.#watcher = watcher;
	}

	static async found(relays: readonly RelayProcess[]): Promise<Race> {
		const racers: RelayClient[] = [];
		for (const { socketUrl } of relays)
			racers.push(await RelayClient.login(socketUrl, await newDeviceKeys()));
		const watcher = await newDeviceKeys();
		const there = await RelayClient.login(relays[0]!.socketUrl, watcher);
		const [founder, ...others] = racers;
		const addresses = await Promise.all([...others, there].map((client) => client.putAddress()));
		const channel = await founder!.found(addresses);
		await there.close();
		return new Race(racers, channel, watcher);
	}

	/** All commit at once, each until its relay has decided. Resolves with what they were told. */
	async round(): Promise<string[]> {
		const epoch = this.#epoch++;
		const answers = await Promise.all(this.#racers.map((racer) => this.#commit(racer, epoch)));
		return answers.sort();
	}

	/** The epochs of the commits that came to who was away, in their order. */
	async seen({ socketUrl }: RelayProcess): Promise<number[]> {
		const client = await RelayClient.login(socketUrl, this.#watcher);
		await client.close();
		return client.deliveries.filter(({ kind }) => kind === 'commit').map(({ epoch }) => epoch);
	}

	async close(): Promise<void> {
		for (const racer of this.#racers) await racer.close();
	}

	async #commit(racer: RelayClient, epoch: number): Promise<string> {
		const commit = {
			type: 'commit',
			...{ channel: this.#channel, epoch, envelope: newEnvelope(), body: new Uint8Array(64) },
			...{ add: [], remove: [], welcome: null, snapshot: null },
		} as const;
		for (;;) {
			const answer = await racer.request(commit);
			if (answer.type !== 'refused') return answer.type;
			// Nobody could decide: the same commit is asked for again.
			if (answer.code !== 'busy') return answer.code;
		}
	}
}

const missing = NatsServer.isInstalled() ? SplitNetwork.missing() : 'needs nats-server';

describe.skipIf(missing !== undefined)(
	`a machine that is cut off from the other two${missing === undefined ? '' : ` (${missing})`}`,
	() => {
		let network: SplitNetwork | undefined;
		let nats: NatsServer[] = [];
		const relays: RelayProcess[] = [];
		beforeAll(async () => {
			network = SplitNetwork.make(3);
			nats = await NatsServer.start(network.machines);
			const settings = {
				KITH_CLUSTER: nats.map(({ url }) => url).join(','),
				...{ KITH_LIMITS: NO_LIMITS, KITH_MAILBOX_MESSAGES: '1000000' },
			};
			for (const machine of network.machines)
				relays.push(await RelayProcess.start(settings, machine));
		}, MINUTE);
		afterAll(async () => {
			for (const relay of relays) await relay.stop();
			for (const server of nats) await server.stop();
			network?.remove();
		});

		it(
			`MB-2 MB-5 CH-3 comes back with nothing lost, nothing doubled, and one commit for an epoch (${FAULTS})`,
			async () => {
				const races = await Promise.all(Array.from({ length: CHANNELS }, () => Race.found(relays)));
				const traffic = await ClusterTraffic.start(relays);
				const rounds: string[][] = [];
				const race = async () => {
					rounds.push(...(await Promise.all(races.map((one) => one.round()))));
				};
				const leads = await Promise.all(nats.map((server) => server.leads()));
				const cuts = FAULTS === 'all' ? [0, 1, 2] : [leads.indexOf(Math.max(...leads))];
				for (const cut of cuts) {
					await Promise.all(nats.map((server) => server.healthy()));
					await race();
					await traffic.progress(ANSWERS);
					traffic.trouble = `cut ${cut}`;
					network!.cut(cut);
					const raced = race();
					const others = nats.filter((_, at) => at !== cut);
					await Promise.all(others.map((server) => server.elected(nats[cut]!)));
					await traffic.progress(ANSWERS, relays[cut]);
					traffic.trouble = `after ${cut} was cut`;
					network!.heal(cut);
					await raced;
					await Promise.all(nats.map((server) => server.healthy()));
					await traffic.progress(ANSWERS);
				}
				await race();
				expectNothingLost(await traffic.end());
				const oneWins = ['accepted', 'epoch-conflict', 'epoch-conflict'];
				expect(rounds).toEqual(rounds.map(() => oneWins));
				const epochs = Array.from({ length: cuts.length * 2 + 1 }, (_, at) => at + 1);
				for (const one of races) {
					await one.close();
					expect(await one.seen(relays[0]!)).toEqual(epochs);
				}
			},
			4 * MINUTE,
		);
	},
);
