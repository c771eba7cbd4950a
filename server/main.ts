// Composition root: reads the settings, puts the parts together, listens, and leaves in order when told to.
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { renderANSI } from 'uqr';
import { readConfig, type Config } from './config.ts';
import { createHttp } from './edge/http.ts';
import { createLog } from './edge/log.ts';
import { createPushSender } from './edge/push.ts';
import { loadApp } from './edge/static-app.ts';
import { iceServers } from './edge/turn.ts';
import { listen, type Edge } from './edge/uws.ts';
import { verifyDevice } from './edge/verify-device.ts';
import type { Clock, RelayLog } from './relay/ports.ts';
import { createRelay, type Relay } from './relay/relay.ts';
import { software } from './software.ts';
import { openSqliteStore, type SqliteStore } from './storage/sqlite-store.ts';

const DAY = 24 * 60 * 60 * 1000;
/** A stop that takes longer than this is cut short; what was accepted is safe by then. */
const STOP_TIMEOUT = 10_000;

const clock: Clock = {
	now: () => Date.now(),
	schedule: (ms, fn) => {
		const timer = setTimeout(fn, ms);
		return () => clearTimeout(timer);
	},
};

function prepareDirectory(path: string): string {
	const directory = resolve(path);
	process.umask(0o077); // what the relay writes is for its own user alone
	try {
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		accessSync(directory, constants.W_OK);
		return directory;
	} catch (error) {
		throw new Error(
			`The data directory ${directory} cannot be written. Set KITH_DATA to one that this user may write.`,
			{ cause: error },
		);
	}
}

function composeRelay(
	config: Config,
	directory: string,
	{ store, log }: { store: SqliteStore; log: RelayLog },
): Relay {
	const { pushContact, pushHosts, ice, turnSecret, registration, handoverWindow, limits } = config;
	const push = createPushSender({ directory, contact: pushContact, hosts: pushHosts });
	const random = { bytes: (count: number) => new Uint8Array(randomBytes(count)) };
	return createRelay(
		{ store, clock, random, verify: verifyDevice, push, log },
		{
			...{ software: software(), registration, handoverWindow, limits },
			retention: config.retentionDays * DAY,
			iceServers: (now) => iceServers(ice, turnSecret, now),
		},
	);
}

function announce(config: Config, port: number, directory: string): void {
	const own = config.host ?? 'localhost';
	const addresses = Object.values(networkInterfaces()).flat();
	const lan = addresses.find((address) => address?.family === 'IPv4' && !address.internal);
	console.log(`Kith is at http://${own}:${port}`);
	console.log(`Data lies in ${directory}`);
	if (config.host !== null || !lan) return;
	const url = `http://${lan.address}:${port}`;
	console.log(`In this network it is at ${url}\n`);
	if (process.stdout.isTTY) console.log(renderANSI(url));
}

function stopOnSignal(parts: {
	relay: Relay;
	store: SqliteStore;
	edge: Edge;
	log: RelayLog;
}): void {
	let stopping = false;
	const stop = async () => {
		if (stopping) return;
		stopping = true;
		setTimeout(() => process.exit(1), STOP_TIMEOUT).unref();
		parts.edge.stopListening();
		await parts.relay.drain();
		await parts.store.close();
		parts.edge.close();
		parts.log.info('stopped');
		process.exit(0);
	};
	process.on('SIGTERM', () => void stop());
	process.on('SIGINT', () => void stop());
}

async function start(config: Config): Promise<void> {
	const log = createLog(config.log);
	const directory = prepareDirectory(config.data);
	const { mailboxMessages, mailboxBytes, maxDiskBytes, trustProxy, metricsToken } = config;
	const store = await openSqliteStore(
		{
			path: join(directory, 'relay.db'),
			quota: { messages: mailboxMessages, bytes: mailboxBytes },
			maxBytes: maxDiskBytes,
		},
		(error) => {
			console.error(`The database failed, so the relay ends: ${error.message}`);
			process.exit(1);
		},
	);
	const relay = composeRelay(config, directory, { store, log });
	const app = loadApp(resolve(config.build));
	const handle = createHttp({
		...{ app, metricsToken, trustProxy },
		lookUp: (address, network) => relay.lookUp(address, network),
		fetchCapsule: (capsule, network) => relay.fetchCapsule(capsule, network),
		stats: () => relay.stats(),
		healthy: () => !relay.draining,
	});
	const { host, port, origins } = config;
	const open = relay.open.bind(relay);
	const edge = await listen({ host, port, origins, trustProxy, handle, open });
	stopOnSignal({ relay, store, edge, log });
	announce(config, edge.port, directory);
	if (app.size === 0) console.log('The app was not built yet: run npm run build.');
	if (config.pushContact === null)
		log.info('no push contact', { hint: 'set KITH_PUSH_CONTACT; some push services insist' });
}

const settings = readConfig(process.env);
if (!settings.ok) {
	for (const mistake of settings.mistakes) console.error(mistake);
	process.exit(1);
}
try {
	await start(settings.config);
} catch (error) {
	console.error(error instanceof Error ? error.message : error);
	process.exit(1);
}
