// A relay with its default limits, two people who talk all the time, and everybody who does not wish them well.
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { newDeviceKeys, RelayClient } from '../support/relay-client.ts';
import { RelayProcess } from '../support/relay-process.ts';
import { nothingYet, type Achieved } from './attacks.ts';
import type { Orders } from './besiegers.ts';

/** Two people may say fifty things a second; these say less. */
const MS_BETWEEN_MESSAGES = 30;

export interface Siege {
	readonly relay: RelayProcess;
	readonly achieved: Achieved;
	/** How long the two people's messages took to be answered since the last call, ms, sorted. */
	waits(): number[];
	/** Messages of theirs that were refused or that did not arrive. */
	lost(): number;
	begin(bots: Orders['bots']): void;
	/** Ends the attacks; resolves when each has hung up. */
	end(): Promise<void>;
	/** Ends everything. */
	stop(): Promise<void>;
}

/** Starts the relay and the two people's conversation. */
export async function besiege(): Promise<Siege> {
	const relay = await RelayProcess.start();
	const keys = [await newDeviceKeys(), await newDeviceKeys()] as const;
	const alice = await RelayClient.login(relay.socketUrl, keys[0]);
	const bob = await RelayClient.login(relay.socketUrl, keys[1]);
	const channel = await alice.found([await bob.putAddress()]);
	const achieved = nothingYet();
	let besiegers: Worker | undefined;
	let waits: number[] = [];
	let [accepted, refused, over] = [0, 0, false];
	const talk = async () => {
		while (!over) {
			const began = performance.now();
			const { type } = await alice.submit(channel, new Uint8Array(300));
			waits.push(performance.now() - began);
			if (type === 'accepted') accepted++;
			else refused++;
			await new Promise((resolve) => setTimeout(resolve, MS_BETWEEN_MESSAGES));
		}
	};
	const talking = talk();
	return {
		relay,
		achieved,
		waits: () => {
			const sorted = waits.sort((a, b) => a - b);
			waits = [];
			return sorted;
		},
		lost: () => {
			const came = new Set(bob.deliveries.map(({ envelope }) => envelope)).size - 1; // the welcome
			return refused + Math.max(0, accepted - came);
		},
		begin: (bots) => {
			const workerData: Orders = { port: Number(new URL(relay.origin).port), bots };
			besiegers = new Worker(new URL('./besiegers.ts', import.meta.url), { workerData });
			besiegers.on('message', (latest: Achieved) => Object.assign(achieved, latest));
		},
		end: async () => {
			besiegers?.postMessage('stop');
			if (besiegers) await once(besiegers, 'exit');
		},
		stop: async () => {
			over = true;
			await talking;
			await Promise.all([alice.close(), bob.close()]);
			await relay.stop();
		},
	};
}

/** Figures of the relay itself. */
export async function figures(relay: RelayProcess): Promise<(name: string) => number> {
	const text = await (await fetch(`${relay.origin}/metrics`)).text();
	return (name) => Number(new RegExp(`^kith_${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Files that the relay has open (Linux). */
export const openFiles = (relay: RelayProcess) => readdirSync(`/proc/${relay.pid}/fd`).length;
