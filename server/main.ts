// Composition root: reads the settings, puts the parts together, listens, and leaves in order when told to: for good, or
// for the version that is installed by then.
import { randomBytes } from 'node:crypto';
import {
	accessSync,
	constants,
	existsSync,
	mkdirSync,
	readFileSync,
	statfsSync,
	writeFileSync,
} from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { renderANSI } from 'uqr';
import { readConfig, type Config } from './config.ts';
import { createControl, hasControl, type ControlAnswer } from './control.ts';
import { checkCertificate, watchCertificate } from './edge/certificate.ts';
import { createHttp } from './edge/http.ts';
import { INVITATION_KEY, openInvitations } from './edge/invitations.ts';
import { createLog } from './edge/log.ts';
import { createPushSender, VAPID_KEYS } from './edge/push.ts';
import { loadApp } from './edge/static-app.ts';
import { iceServers } from './edge/turn.ts';
import { listen, type Edge } from './edge/uws.ts';
import { verifyDevice } from './edge/verify-device.ts';
import { handOver, predecessor, type Possessions, type Predecessor } from './handover.ts';
import type { Clock, RelayLog, RelayStore } from './relay/ports.ts';
import { createRelay, type Relay } from './relay/relay.ts';
import { software } from './software.ts';
import { announceProcess } from './supervisor.ts';
import type { NatsStore } from './storage/nats-store.ts';
import { boundByDisk } from './storage/sqlite-file.ts';
import { prepareSqliteStore, type SqliteStore } from './storage/sqlite-store.ts';

const DAY = 24 * 60 * 60 * 1000;
/** A stop that takes longer than this is cut short; what was accepted is safe by then. */
const STOP_TIMEOUT = 10_000;
/** What was said to devices and to the operator is on its way by then, after another process took over. */
const LAST_WORDS = 1000;

/**
 * Young objects get no more room than at the start. What a message makes is garbage within milliseconds, so more room
 * would save little; and the room that a rush of logins once took was two thirds of the memory of devices at rest.
 */
setFlagsFromString('--semi-space-growth-factor=1');

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
	{ store, log }: { store: OpenStore; log: RelayLog },
): Relay {
	const { pushContact, pushHosts, ice, turnSecret, registration, handoverWindow, limits } = config;
	const push = createPushSender({ directory, contact: pushContact, hosts: pushHosts });
	const random = { bytes: (count: number) => new Uint8Array(randomBytes(count)) };
	const { peers } = store;
	const relay = createRelay(
		{ store, clock, random, verify: verifyDevice, push, log, ...(peers && { peers }) },
		{
			...{ software: software(), registration, handoverWindow, limits },
			retention: config.retentionDays * DAY,
			iceServers: (now) => iceServers(ice, turnSecret, now),
		},
	);
	peers?.serve(relay);
	return relay;
}

function announce(config: Config, port: number, directory: string): void {
	const own = config.host ?? 'localhost';
	const addresses = Object.values(networkInterfaces()).flat();
	const lan = addresses.find((address) => address?.family === 'IPv4' && !address.internal);
	const scheme = config.tlsCert === null ? 'http' : 'https';
	console.log(`Kith is at ${scheme}://${own}:${port}`);
	console.log(`Data lies in ${config.cluster.length > 0 ? 'NATS' : directory}`);
	if (config.host !== null || !lan) return;
	const url = `${scheme}://${lan.address}:${port}`;
	console.log(`In this network it is at ${url}\n`);
	if (process.stdout.isTTY) console.log(renderANSI(url));
}

/** What a running relay consists of. */
interface Parts {
	readonly config: Config;
	readonly directory: string;
	readonly log: RelayLog;
	readonly store: OpenStore;
	readonly relay: Relay;
	readonly edge: Edge;
}

/** Moves to the version that is on the disk now, once at a time, until `stop`. */
function upgrader(
	{ directory, log, store, relay, edge }: Parts,
	stop: AbortSignal,
): { upgrade(): Promise<ControlAnswer>; settled(): Promise<unknown> } {
	let running: Promise<ControlAnswer> | undefined;
	const control = createControl(
		directory,
		{
			upgrade: () => begin(),
			pid: () => Promise.resolve({ ok: true, says: String(process.pid) }),
		},
		(why) => log.warn('no control socket', { why, hint: 'signals work all the same' }),
	);
	control.listen();
	const possessions: Possessions = {
		releaseStore: () => store.release(),
		takeStoreBack: () => store.reopen(),
		releasePort: () => {
			relay.freeze();
			control.close();
			edge.stopListening();
		},
		takePortBack: async () => {
			await edge.listenAgain();
			control.listen();
			relay.thaw();
		},
	};
	const upgrade = async (): Promise<ControlAnswer> => {
		if (process.pid === 1)
			return {
				ok: false,
				says: 'A container ends with its first process: start a new one instead.',
			};
		const outcome = await handOver(fileURLToPath(import.meta.url), possessions, stop);
		if (!outcome.ok) {
			log.warn('the upgrade failed', { why: outcome.why });
			return { ok: false, says: `The relay was not upgraded and goes on. ${outcome.why}` };
		}
		relay.sendAway();
		log.info('upgraded', { to: outcome.pid });
		setTimeout(() => process.exit(0), LAST_WORDS);
		return { ok: true, says: `Process ${outcome.pid} has taken over.` };
	};
	const begin = () => {
		running ??= upgrade().finally(() => (running = undefined));
		return running;
	};
	return { upgrade: begin, settled: () => Promise.resolve(running) };
}

function obeySignals(parts: Parts): void {
	const { relay, store, edge, log } = parts;
	const stopping = new AbortController();
	const { upgrade, settled } = upgrader(parts, stopping.signal);
	const stop = async () => {
		if (stopping.signal.aborted) return;
		stopping.abort();
		setTimeout(() => process.exit(1), STOP_TIMEOUT).unref();
		await settled();
		edge.stopListening();
		await relay.drain();
		await store.close();
		edge.close();
		log.info('stopped');
		process.exit(0);
	};
	process.on('SIGTERM', () => void stop());
	process.on('SIGINT', () => void stop());
	if (hasControl) process.on('SIGUSR2', () => void upgrade());
}

/** The store, and what a running relay and its successor do with it. */
type OpenStore = RelayStore & {
	readonly peers?: NatsStore['peers'];
	common?: NatsStore['common'];
	/** Gives it up to another process of this relay, and takes it from one. */
	release(): Promise<void>;
	reopen(): Promise<void>;
	open(): Promise<void>;
	figures(now: number): ReturnType<SqliteStore['figures'] | NatsStore['figures']>;
};

async function prepareStore(config: Config, directory: string): Promise<OpenStore> {
	const { mailboxMessages, mailboxBytes, maxDiskBytes, cluster } = config;
	const quota = { messages: mailboxMessages, bytes: mailboxBytes };
	if (cluster.length > 0) {
		const { openNatsStore } = await import('./storage/nats-store.ts');
		return openNatsStore({ servers: cluster, quota, maxBytes: maxDiskBytes });
	}
	const path = join(directory, 'relay.db');
	const options = { path, quota, maxBytes: maxDiskBytes ?? boundByDisk(path) };
	return prepareSqliteStore(options, (error) => {
		console.error(`The database failed, so the relay ends: ${error.message}`);
		process.exit(1);
	});
}

/** Relays of a cluster push, and let people in, with the keys of the first of them. */
async function shareKeys(config: Config, directory: string, store: OpenStore): Promise<void> {
	if (!store.common) return;
	const { pushContact, pushHosts, registration } = config;
	createPushSender({ directory, contact: pushContact, hosts: pushHosts });
	if (registration === 'invitation') openInvitations(directory);
	for (const [name, file] of Object.entries({ push: VAPID_KEYS, invitations: INVITATION_KEY })) {
		const path = join(directory, file);
		if (!existsSync(path)) continue;
		const own = readFileSync(path);
		const all = await store.common(name, own);
		if (!own.equals(all)) writeFileSync(path, all, { mode: 0o600 });
	}
}

/** The HTTP side: reads the certificate before the predecessor has to give up its port. */
async function openEdge(
	config: Config,
	parts: Omit<Parts, 'edge' | 'config'> & {
		readonly app: ReturnType<typeof loadApp>;
		readonly before: Predecessor | undefined;
	},
): Promise<Edge> {
	const { host, port, origins, trustProxy, metricsToken, tlsCert, tlsKey } = config;
	const { directory, log, store, relay, app, before } = parts;
	const certificate = tlsCert && tlsKey ? { cert: resolve(tlsCert), key: resolve(tlsKey) } : null;
	const since = Date.now();
	const invitations = config.registration === 'invitation' ? openInvitations(directory) : undefined;
	const handle = createHttp({
		...{ app, metricsToken, trustProxy, hasCertificate: certificate !== null },
		lookUp: (address, network) => relay.lookUp(address, network),
		fetchCapsule: (capsule, network) => relay.fetchCapsule(capsule, network),
		healthy: () => !relay.draining,
		invitation: (path) => invitations?.cookieFor(path, Date.now()),
		figures: async () => {
			const now = Date.now();
			const figures = await store.figures(now);
			const { bavail, bsize } = statfsSync(directory);
			const isOurs = figures && 'databaseBytes' in figures;
			const storage = isOurs ? { ...figures, freeBytes: bavail * bsize } : figures;
			return { software: software(), since, now, stats: relay.stats(), storage };
		},
	});
	if (certificate) checkCertificate(certificate);
	const open = relay.open.bind(relay);
	await before?.port();
	const isInvited = (cookies: string) => invitations?.isInvited(cookies, Date.now()) ?? false;
	const edge = await listen({
		...{ host, port, origins, trustProxy, certificate, handle, open, isInvited },
	});
	if (certificate) watchCertificate(certificate, log, () => edge.renewCertificate());
	return edge;
}

async function start(config: Config, before: Predecessor | undefined): Promise<void> {
	const log = createLog(config.log);
	const directory = prepareDirectory(config.data);
	const app = loadApp(resolve(config.build));
	const store = await prepareStore(config, directory);
	await before?.store();
	await (before ? store.reopen() : store.open());
	await shareKeys(config, directory, store);
	const relay = composeRelay(config, directory, { store, log });
	const edge = await openEdge(config, { directory, log, store, relay, app, before });
	obeySignals({ config, directory, log, store, relay, edge });
	await announceProcess(config.pidFile, log);
	before?.done();
	announce(config, edge.port, directory);
	if (app.size === 0) console.log('The app was not built yet: run npm run build.');
	if (config.pushContact === null)
		log.info('no push contact', { hint: 'set KITH_PUSH_CONTACT; some push services insist' });
}

const before = predecessor();
const settings = readConfig(process.env);
try {
	if (!settings.ok) throw new Error(settings.mistakes.join('\n'));
	await start(settings.config, before);
} catch (error) {
	const sentence = error instanceof Error ? error.message : String(error);
	console.error(sentence);
	await before?.failed(sentence);
	process.exit(1);
}
