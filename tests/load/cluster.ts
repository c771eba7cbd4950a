// npm run bench:cluster: one relay by itself, then one, two and three on one NATS server, every two people at different
// relays where there is more than one. Relays and NATS share a core, the generator has the other: what is measured is
// the work of a message, not what more machines would carry.
import { execFileSync } from 'node:child_process';
import { NatsServer } from '../support/nats-server.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { Generator } from './generator-process.ts';
import { SERVER_CORE, usageOf } from './servers.ts';
import type { Devices, Result } from './tasks.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const PAIRS = 64;
const FLOOD = { do: 'flood', window: 8, seconds: 3 } as const;
const EACH = 200;
const SENDERS: Devices = { from: 0, count: PAIRS };
const RECEIVERS: Devices = { from: 1000, count: PAIRS };

interface Processes {
	readonly relays: readonly RelayProcess[];
	readonly nats: readonly NatsServer[];
}

const cpuOf = (processes: readonly { pid: number }[]) =>
	processes.reduce((sum, { pid }) => sum + usageOf(pid).cpuMs, 0);

/** Messages a second, and the CPU of each at the relays and at NATS, µs. */
async function costing(
	{ relays, nats }: Processes,
	count: (result: Result) => number,
	load: () => Promise<Result>,
) {
	const before = [cpuOf(relays), cpuOf(nats)] as const;
	const result = await load();
	const messages = count(result);
	const each = (ms: number) => (ms * 1000) / messages;
	return [
		(messages / result.ms) * 1000,
		each(cpuOf(relays) - before[0]),
		each(cpuOf(nats) - before[1]),
	];
}

const median = (values: readonly number[]) =>
	values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function measure(name: string, processes: Processes): Promise<void> {
	for (const { pid } of [...processes.relays, ...processes.nats])
		execFileSync('taskset', ['-acp', SERVER_CORE, String(pid)]);
	const ports = processes.relays.map(({ origin }) => Number(new URL(origin).port));
	const generator = new Generator('kith', ports);
	await generator.do({ do: 'connect', atOnce: 8, ...SENDERS });
	await generator.do({ do: 'connect', atOnce: 8, ...RECEIVERS });
	await generator.do({ do: 'introduce', senders: SENDERS, receivers: RECEIVERS, together: false });
	await generator.do(FLOOD);
	const rounds: number[][] = [];
	for (let round = 0; round < ROUNDS; round++) {
		const online = await costing(
			processes,
			(r) => r.delivered,
			() => generator.do(FLOOD),
		);
		await generator.do({ do: 'disconnect', ...RECEIVERS });
		const away = await costing(
			processes,
			(r) => r.answered,
			() => generator.do({ do: 'post', window: 64, each: EACH }),
		);
		const fetched = await costing(
			processes,
			(r) => r.delivered,
			() => generator.do({ do: 'fetch', atOnce: PAIRS, each: EACH, ...RECEIVERS }),
		);
		rounds.push([...online, ...away, ...fetched]);
	}
	generator.end();
	const medians = rounds[0]?.map((_, at) => median(rounds.map((round) => round[at] ?? NaN)));
	console.log(`| ${[name, ...(medians ?? []).map((value) => Math.round(value))].join(' | ')} |`);
}

console.log(
	'| | online: a second | relays, µs | NATS, µs | away: a second | relays, µs | NATS, µs | fetched: a second | relays, µs | NATS, µs |',
);
console.log(`|${' --- |'.repeat(10)}`);
for (const count of [0, 1, 2, 3]) {
	const nats = count > 0 ? await NatsServer.start(1) : [];
	const relays: RelayProcess[] = [];
	const cluster = nats.map(({ url }) => url).join(',');
	for (let at = 0; at < Math.max(1, count); at++)
		relays.push(await RelayProcess.start({ KITH_LIMITS: NO_LIMITS, KITH_CLUSTER: cluster }));
	const name = count === 0 ? 'one, by itself' : `${count} on NATS`;
	try {
		await measure(name, { relays, nats });
	} finally {
		for (const server of [...relays, ...nats]) await server.stop();
	}
}
