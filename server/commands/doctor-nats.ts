// What the doctor sees of NATS: whether each server that KITH_CLUSTER names is there and fit for us, and whether every
// stream has a copy on each.
import { clusterFigures } from '../storage/nats-figures.ts';
import { connectStreams, type Streams } from '../storage/nats-streams.ts';
import type { Config } from '../config.ts';
import type { Finding } from './doctor.ts';

const about = 'NATS';
/** Copies of a stream: more servers than this share the streams out. */
const MOST_COPIES = 3;

/** One line where there is a cluster, none where there is not. */
export async function checkNats({ cluster }: Config): Promise<Finding[]> {
	if (cluster.length === 0) return [];
	const tried = await Promise.allSettled(cluster.map((one) => connectStreams(cluster, one)));
	const reached = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
	const failed = tried.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
	try {
		return [await judged(reached, failed)];
	} finally {
		await Promise.all(reached.map(({ connection }) => connection.close()));
	}
}

async function judged(reached: readonly Streams[], failed: readonly Error[]): Promise<Finding> {
	const [first] = reached;
	const away = failed.map(({ message }) => message).join(' ');
	const mend = 'See whether it runs, its password, and the firewall.';
	if (!first) return { about, is: 'bad', says: `${away} ${mend}` };
	const fault = reached.map((one) => one.fault).find((one) => one !== undefined);
	if (fault !== undefined) return { about, is: 'bad', says: fault };
	const servers = new Set(reached.map(({ connection }) => connection.info?.server_id)).size;
	const clusters = new Set(reached.map(({ connection }) => connection.info?.cluster));
	if (servers > 1 && (clusters.size > 1 || clusters.has(undefined)))
		return { about, is: 'bad', says: `${servers} servers that are no cluster. See their routes.` };
	if (failed.length > 0) return { about, is: 'doubtful', says: `${away} ${mend}` };
	return copies(first, servers);
}

async function copies(streams: Streams, servers: number): Promise<Finding> {
	const found = await clusterFigures(streams).catch((error: unknown) => error as Error);
	if (found instanceof Error) {
		const says = `JetStream does not answer: ${found.message}. Two of three servers must run: see their /healthz.`;
		return { about, is: 'bad', says };
	}
	const { replicas, streamsNotWhole, streams: count } = found;
	const version = streams.connection.info?.version ?? '';
	const is = `${servers} of version ${version}`;
	const doubt = (says: string): Finding => ({ about, is: 'doubtful', says: `${is}, ${says}` });
	if (count === 0) return doubt('without our streams yet. Start the relay.');
	if (streamsNotWhole > 0)
		return doubt(
			`${streamsNotWhole} of ${count} streams without all their copies. Wait for each server's /healthz before another one stops.`,
		);
	const wanted = Math.min(servers, MOST_COPIES);
	if (replicas > wanted)
		return doubt(`${replicas} copies of each stream. Name all servers in KITH_CLUSTER.`);
	if (replicas < wanted)
		return doubt(
			`${replicas} of ${wanted} copies of each stream. nats stream edit --replicas ${wanted}, for each.`,
		);
	return { about, is: 'good', says: `${is}, JetStream on, copies of each stream: ${replicas}` };
}
