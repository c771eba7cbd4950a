// What it takes to send to a group through a real relay: node tests/bench/groups.ts [people...]. A message is sealed for all
// of them, uploaded once, and answered when everybody has it or it lies on the relay's disk for them. Target: 100 ms
// from the press to the relay's answer in a group of 256.
import {
	newDeviceKeys,
	RelayClient,
	type Answer,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { idFrom, type ChannelId } from '../../src/protocol/ids.ts';
import { makeDevices } from '../vectors/mls/evolution.ts';

const MESSAGES = 60;
const TEXT = new Uint8Array(100);

interface Member {
	readonly keys: DeviceKeys;
	readonly client: RelayClient;
}

async function connect(relay: RelayProcess, count: number): Promise<readonly Member[]> {
	const members: Member[] = [];
	for (let n = 0; n < count; n++) {
		const keys = await newDeviceKeys();
		members.push({ keys, client: await RelayClient.login(relay.socketUrl, keys) });
	}
	return members;
}

/** Sealing as a member of a group of that size does it. */
async function sealer(people: number): Promise<() => Promise<Uint8Array>> {
	const devices = await makeDevices(people);
	const [founder, ...others] = devices;
	if (!founder) throw new Error('nobody');
	const channel = idFrom<ChannelId>(crypto.getRandomValues(new Uint8Array(16)));
	const packages = await Promise.all(
		others.map(({ crypto: theirs }) => theirs.newKeyPackage({ reusable: false })),
	);
	const add = packages.map(({ publicPart }) => publicPart);
	const staged = await founder.crypto.stage(await founder.crypto.found(channel, TEXT), { add });
	if (!staged.ok) throw new Error(staged.error);
	let state = staged.value.next;
	return async () => {
		const sealed = await founder.crypto.seal(state, TEXT, new Uint8Array());
		({ state } = sealed);
		// What is stored before the bytes leave.
		founder.crypto.freeze(state);
		return sealed.bytes;
	};
}

function mustAccept(answer: Answer): void {
	if (answer.type !== 'accepted') throw new Error(JSON.stringify(answer));
}

const at = (sorted: readonly number[], part: number): number =>
	Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 10) /
	10;

async function send(
	sender: RelayClient,
	channel: ChannelId,
	seal: () => Promise<Uint8Array>,
): Promise<{ readonly p50: number; readonly p95: number }> {
	const times: number[] = [];
	for (let n = 0; n < MESSAGES; n++) {
		const from = performance.now();
		mustAccept(await sender.submit(channel, await seal()));
		times.push(performance.now() - from);
	}
	times.sort((a, b) => a - b);
	return { p50: at(times, 0.5), p95: at(times, 0.95) };
}

async function measure(people: number): Promise<Record<string, number>> {
	const relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS, KITH_LOG: 'silent' });
	try {
		const [sender, ...others] = await connect(relay, people);
		if (!sender) throw new Error('nobody');
		const addresses = [];
		for (const { client } of others) addresses.push(await client.putAddress());
		const channel = await sender.client.found(addresses);
		const seal = await sealer(people);
		const live = await send(sender.client, channel, seal);
		for (const { client } of others) await client.close();
		const away = await send(sender.client, channel, seal);
		await sender.client.close();
		return {
			people,
			'all connected, p50 ms': live.p50,
			'all connected, p95 ms': live.p95,
			'all away, p50 ms': away.p50,
			'all away, p95 ms': away.p95,
		};
	} finally {
		await relay.stop();
	}
}

const sizes = process.argv.slice(2).map(Number);
const table: Record<string, number>[] = [];
for (const people of sizes.length > 0 ? sizes : [16, 256, 1024]) table.push(await measure(people));
console.table(table);
