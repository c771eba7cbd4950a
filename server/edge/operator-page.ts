// The operator's page: how the relay is doing, in plain HTML without scripts. Figures only; it knows no content, no
// address and no device.
import { createHash } from 'node:crypto';
import type { ClusterFigures, DatabaseFigures } from '../relay/figures.ts';
import type { RelayStats } from '../relay/relay.ts';

/** What is kept on the disk. */
interface DiskFigures extends DatabaseFigures {
	/** Free on the file system of the data directory. */
	readonly freeBytes: number;
}

export type StorageFigures = DiskFigures | ClusterFigures;

export interface OperatorFigures {
	readonly software: string;
	/** When this process began, ms. */
	readonly since: number;
	readonly now: number;
	readonly stats: RelayStats;
	/** Undefined while the store does not answer. */
	readonly storage: StorageFigures | undefined;
}

const STYLE =
	':root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%;margin-bottom:1.5rem}th{text-align:start;font-weight:400}td{text-align:end;white-space:nowrap;font-variant-numeric:tabular-nums}tr{border-bottom:1px solid #8884}caption{text-align:start;font-weight:600}';

/** Nothing but its own style. */
export const OPERATOR_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The whole page. */
export function operatorPage({ software, since, now, stats, storage }: OperatorFigures): string {
	const memory = process.memoryUsage();
	const tables = [
		table('Now', [
			['Connections', stats.connections],
			['Devices logged in', stats.devices],
			['Waits for the disk or an acknowledgement', size(stats.pendingBytes)],
			['Memory', size(memory.rss)],
			['Processor time since the start, s', Math.round(process.cpuUsage().user / 1e6)],
		]),
		table(
			'Queues and storage',
			storage ? storageRows(storage) : [['The store', 'does not answer']],
		),
		table('Since the start', [
			['Messages and other requests', stats.frames],
			['Submitted', stats.submits],
			['Handed over without the disk', stats.handedOver],
			['Written to the disk', stats.appended],
			['Delivered', stats.delivered],
			['Acknowledged', stats.acknowledged],
			['Expired unread', stats.expired],
			['Dropped for want of room', stats.dropped],
			['Refused', stats.refusals],
			['Pushes sent', stats.pushesSent],
			['Pushes that failed', stats.pushesFailed],
		]),
		table('Versions', [
			['Relay', software],
			['Node', process.versions.node],
			['SQLite', process.versions.sqlite ?? 'unknown'],
			['Runs for', duration(now - since)],
		]),
	];
	return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Kith relay</title><style>${STYLE}</style><h1>Kith relay</h1>${tables.join('')}</html>\n`;
}

function storageRows(storage: StorageFigures): [string, string | number][] {
	if ('streams' in storage) return clusterRows(storage);
	return [
		['Mailboxes', storage.mailboxes],
		['Messages that wait', storage.waitingMessages],
		['Their size', size(storage.waitingBytes)],
		['Channels', storage.channels],
		[
			'Database, of it at most',
			`${size(storage.databaseBytes)} / ${storage.maxBytes === null ? 'the disk' : size(storage.maxBytes)}`,
		],
		['Free on that disk', size(storage.freeBytes)],
	];
}

function clusterRows(storage: ClusterFigures): [string, string | number][] {
	const { mail, state, streams, replicas, streamsNotWhole } = storage;
	const limit = mail.maxBytes === null ? 'the disks of NATS' : size(mail.maxBytes);
	return [
		['Rows of mail in NATS', mail.rows],
		['Their size, of it at most', `${size(mail.bytes)} / ${limit}`],
		['Channels, addresses and the like in NATS', state.rows],
		['Their size', size(state.bytes)],
		['Copies of each', replicas],
		['Streams without all their copies', `${streamsNotWhole} of ${streams}`],
	];
}

function table(caption: string, rows: readonly [string, string | number][]): string {
	const lines = rows.map(
		([name, value]) => `<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
	);
	return `<table><caption>${caption}</caption>${lines.join('')}</table>`;
}

function size(bytes: number): string {
	const megabytes = bytes / 1024 / 1024;
	return megabytes < 1024 ? `${megabytes.toFixed(1)} MiB` : `${(megabytes / 1024).toFixed(1)} GiB`;
}

function duration(ms: number): string {
	const minutes = Math.floor(ms / 60_000);
	const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
	return `${days} d ${hours} h ${minutes % 60} min`;
}
