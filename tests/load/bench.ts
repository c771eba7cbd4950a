// npm run bench:relay [-- kith mosquitto ejabberd echo, pairs crowd]: the relay beside what people would pick, one after the other on
// one core, the generator on the other. Results gather in test-results/, so servers may be measured in several runs;
// what is known is printed as a table, and with --write put into server/README.md with a plot.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { installPeers } from '../../tools/install.mjs';
import { Generator } from './generator-process.ts';
import { writeReport, type Measured, type Sample } from './report.ts';
import {
	echoServer,
	ejabberdServer,
	kernelBytes,
	kithServer,
	machineCpuMs,
	mosquittoServer,
	usageOf,
	type Server,
} from './servers.ts';
import type { Devices, Result } from './tasks.ts';

const RESULTS = fileURLToPath(new URL('../../test-results/relay/', import.meta.url));

/** Of so many samples the half is kept in which other programs used the machine the least. */
const ROUNDS = Number(process.env.ROUNDS ?? 6);
const SECONDS = 3;
const PAIRS = 64;
const WINDOW = 8;
/** Devices that enter at one time where no storm is meant, and how often they then say that they are there. */
const HANDSHAKES = 256;
const PINGS = 3;
const LIGHT = 2_000;
const HEAVY = 10_000;
/** A process here may open 20,000 files; some are not sockets. */
const CROWD = Number(process.env.CROWD ?? 19_000);
const SENDERS: Devices = { from: 0, count: PAIRS };
const RECEIVERS: Devices = { from: 1000, count: PAIRS };
const EVERYONE: Devices = { from: 10_000, count: CROWD };
const POSTMAN: Devices = { from: 2000, count: 1 };

/** Takes figures, with the share of a core that other programs used meanwhile. */
type Note = (others: number, figures: Partial<Measured>) => void;

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function crowd(server: Server, note: Note): Promise<void> {
	const generator = new Generator(server.protocol, [server.port()]);
	await generator.do({ do: 'connect', atOnce: 1, ...POSTMAN });
	await generator.do({ do: 'connect', atOnce: HANDSHAKES, ...EVERYONE });
	await generator.do({ do: 'introduce', senders: POSTMAN, receivers: EVERYONE, together: true });
	await generator.do({ do: 'disconnect', ...EVERYONE });
	await generator.do({ do: 'disconnect', ...POSTMAN });
	await server.restart();
	await rest(1000);
	const [before, kernelBefore] = [usageOf(server.pid()), kernelBytes()];
	const entered = await costing(server, () =>
		generator.do({ do: 'connect', atOnce: HANDSHAKES, ...EVERYONE }),
	);
	for (let round = 0; round < PINGS; round++) {
		await generator.do({ do: 'ping' });
		await rest(1500);
	}
	note(entered.others, {
		idleUser: (usageOf(server.pid()).resident - before.resident) / CROWD,
		idleKernel: (kernelBytes() - kernelBefore) / 2 / CROWD,
		restingBytes: before.resident,
		loginCpu: (entered.cpuMs * 1000) / CROWD,
	});
	await generator.do({ do: 'disconnect', ...EVERYONE });
	await generator.do({ do: 'connect', atOnce: 1, ...POSTMAN });
	await generator.do({ do: 'post', window: 256, each: 1 });
	const back = await costing(server, () =>
		generator.do({ do: 'fetch', atOnce: CROWD, each: 1, ...EVERYONE }),
	);
	note(back.others, {
		...{ stormMs: back.ms, stormPeak: usageOf(server.pid()).peak, stormShare: back.share },
		stormCpu: (back.cpuMs * 1000) / CROWD,
	});
	generator.end();
}

/** Does something with the server, and says what CPU that cost it, ms, and which share of a core others took. */
async function costing(server: Server, load: () => Promise<Result>) {
	const [before, machine] = [usageOf(server.pid()).cpuMs, machineCpuMs()];
	const result = await load();
	const cpuMs = usageOf(server.pid()).cpuMs - before;
	const others = (machineCpuMs() - machine - cpuMs) / result.ms - result.share;
	return { ...result, cpuMs, others };
}

const perSecond = ({ delivered, ms }: Result) => (delivered / ms) * 1000;
const perMessage = (cost: Result & { cpuMs: number }) => (cost.cpuMs * 1000) / cost.delivered;

async function pairs(server: Server, note: Note): Promise<void> {
	const generator = new Generator(server.protocol, [server.port()]);
	await generator.do({ do: 'connect', atOnce: 8, ...SENDERS });
	await generator.do({ do: 'connect', atOnce: 8, ...RECEIVERS });
	await generator.do({ do: 'introduce', senders: SENDERS, receivers: RECEIVERS, together: false });
	const flood = { do: 'flood', window: WINDOW, seconds: SECONDS } as const;
	await generator.do(flood);
	for (let round = 0; round < ROUNDS; round++) {
		const online = await costing(server, () => generator.do(flood));
		note(online.others, {
			...{ online: perSecond(online), onlineCpu: perMessage(online), onlineShare: online.share },
		});
		for (const [rate, name] of [
			[LIGHT, 'light'],
			[HEAVY, 'heavy'],
		] as const) {
			const pace = { do: 'pace', perSecond: rate, seconds: SECONDS } as const;
			const paced = await costing(server, () => generator.do(pace));
			const { p50, p99, others } = paced;
			note(others, { [`${name}P50`]: p50, [`${name}P99`]: p99, [`${name}Cpu`]: perMessage(paced) });
		}
	}
	for (let round = 0; round < ROUNDS / 2; round++) {
		await generator.do({ do: 'disconnect', ...RECEIVERS });
		await rest(500);
		const each = server.backlog;
		const posted = await costing(server, () => generator.do({ do: 'post', window: 256, each }));
		const fetched = await costing(server, () =>
			generator.do({ do: 'fetch', atOnce: PAIRS, each, ...RECEIVERS }),
		);
		note(posted.others, {
			...{ offline: (posted.answered / posted.ms) * 1000, offlineShare: posted.share },
			offlineCpu: (posted.cpuMs * 1000) / posted.answered,
		});
		note(fetched.others, { drain: perSecond(fetched), drainShare: fetched.share });
	}
	generator.end();
}

/** How fast the generator is when nothing holds it up. */
async function ceiling(): Promise<void> {
	const server = echoServer();
	await server.start();
	const generator = new Generator(server.protocol, [server.port()]);
	await generator.do({ do: 'connect', atOnce: 8, ...SENDERS });
	await generator.do({ do: 'introduce', senders: SENDERS, receivers: SENDERS, together: false });
	const flood = { do: 'flood', window: WINDOW, seconds: SECONDS } as const;
	await generator.do(flood);
	const best = await costing(server, () => generator.do(flood));
	generator.end();
	await server.stop();
	console.log(
		`Against an echo the generator does ${Math.round(perSecond(best))} messages a second, with ${best.share.toFixed(2)} of its core.`,
	);
}

async function measure(server: Server, part: keyof typeof PARTS): Promise<void> {
	const { name, settings } = server;
	const figures: Record<string, Sample[]> = {};
	mkdirSync(RESULTS, { recursive: true });
	const note: Note = (others, measured) => {
		console.error(name, others.toFixed(2), JSON.stringify(measured));
		for (const [figure, value] of Object.entries(measured))
			(figures[figure] ??= []).push({ value, others });
		const text = JSON.stringify({ name, settings, figures }, null, '\t');
		writeFileSync(`${RESULTS}${name}-${part}.json`, text);
	};
	try {
		await server.start();
		await PARTS[part](server, note);
	} catch (error) {
		console.error(server.output());
		throw error;
	} finally {
		await server.stop();
	}
}

/** Those who talk, and those who are many: each on a server of its own. */
const PARTS = { pairs, crowd };
const SERVERS = { kith: kithServer, mosquitto: mosquittoServer, ejabberd: ejabberdServer };
installPeers();
const asked = process.argv.slice(2).filter((name) => !name.startsWith('--'));
const wanted = (name: string, among: object) =>
	asked.includes(name) || !Object.keys(among).some((other) => asked.includes(other));
for (const [name, make] of Object.entries(SERVERS)) {
	if (!wanted(name, { ...SERVERS, echo: ceiling })) continue;
	for (const part of ['pairs', 'crowd'] as const) {
		const server = wanted(part, PARTS) ? make() : undefined;
		if (server) await measure(server, part);
	}
	if (!make()) console.log(`${name} is not installed, so it is left out: apt-get install ${name}.`);
}
if (wanted('echo', { ...SERVERS, echo: ceiling })) await ceiling();
writeReport(RESULTS, process.argv.includes('--write'));
