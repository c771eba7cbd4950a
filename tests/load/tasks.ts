// What the benchmark asks the generator to do, and what it hears back. Both cross a process boundary as JSON.

export const PROTOCOLS = ['kith', 'mqtt', 'xmpp'] as const;

/** A row of devices by their numbers. */
export interface Devices {
	readonly from: number;
	readonly count: number;
}

export type Task =
	/** Connects devices, at most `atOnce` handshakes at a time; resolves when all are in. */
	| ({ readonly do: 'connect'; readonly atOnce: number } & Devices)
	| ({ readonly do: 'disconnect' } & Devices)
	/** Lets sender n reach receiver n, or the first sender all receivers. All must be connected. */
	| {
			readonly do: 'introduce';
			readonly senders: Devices;
			readonly receivers: Devices;
			readonly together: boolean;
	  }
	/** Each connected sender keeps `window` messages unanswered, for a time. */
	| { readonly do: 'flood'; readonly window: number; readonly seconds: number }
	/** Messages at a steady rate over all senders, however slow the answers are; ages are measured. */
	| { readonly do: 'pace'; readonly perSecond: number; readonly seconds: number }
	/** `each` messages for every destination; resolves when all are answered. */
	| { readonly do: 'post'; readonly window: number; readonly each: number }
	/** Connects devices that have `each` messages waiting; resolves when all have come. */
	| ({ readonly do: 'fetch'; readonly atOnce: number; readonly each: number } & Devices)
	/** Each connected device says that it is there. */
	| { readonly do: 'ping' };

export interface Result {
	readonly ms: number;
	readonly answered: number;
	readonly delivered: number;
	/** The generator's own share of a core meanwhile. */
	readonly share: number;
	/** Percentiles of the age at which a message reached its receiver, ms; 0 where none was measured. */
	readonly p50: number;
	readonly p99: number;
}
