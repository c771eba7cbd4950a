// What the operator sees of a store on NATS: how full its streams are, and whether every copy of them is there.
import type { ClusterFigures, Filling } from '../relay/figures.ts';
import type { StreamFigures, Streams } from './nats-streams.ts';

/** Asks NATS; rejects like {@link Streams.figures}. */
export async function clusterFigures(streams: Streams): Promise<ClusterFigures> {
	const [mail, state] = await Promise.all([streams.figures('MAIL'), streams.figures('STATE')]);
	const all = [...mail, ...state];
	return {
		...{ mail: filling(mail), state: filling(state), streams: all.length },
		replicas: all.length > 0 ? Math.min(...all.map(({ replicas }) => replicas)) : 0,
		streamsNotWhole: all.filter(({ isWhole }) => !isWhole).length,
	};
}

function filling(streams: readonly StreamFigures[]): Filling {
	const sum = (of: (stream: StreamFigures) => number) =>
		streams.reduce((total, stream) => total + of(stream), 0);
	const isBounded = streams.length > 0 && streams.every(({ maxBytes }) => maxBytes !== null);
	return {
		...{ rows: sum(({ rows }) => rows), bytes: sum(({ bytes }) => bytes) },
		maxBytes: isBounded ? sum(({ maxBytes }) => maxBytes ?? 0) : null,
	};
}
