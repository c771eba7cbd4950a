// What an operator gets who decides nothing (SPEC LI-2). Generous to people, tight on floods.
import { DEFAULT_RETENTION, MAX_ADDRESSES_PER_DEVICE } from '../../src/protocol/limits.ts';
import type { RelayConfig } from './ports.ts';

export const RELAY_DEFAULTS = {
	registration: 'open',
	retention: DEFAULT_RETENTION,
	/**
	 * A phone's round trip and its own durable write take 30 to 90 ms: most mail between people who are both
	 * there then costs no disk. A tick that comes a tenth of a second later is not noticed, and a device that
	 * misses the window once is not waited for again until it is prompt.
	 */
	handoverWindow: 100,
	limits: {
		requests: { perSecond: 50, burst: 1000 },
		/** A device that was away for long asks for more at once than passes: it is sent away and loses nothing. */
		refusals: { perSecond: 50, burst: 2000 },
		whispers: { perSecond: 20, burst: 200 },
		looks: { perSecond: 1, burst: 60 },
		connections: { perSecond: 5, burst: 200 },
		registrations: { perSecond: 0.05, burst: 200 },
		registrationsOverall: { perSecond: 5, burst: 100_000 },
		capsules: { perSecond: 30 / 3600, burst: 30 },
		connectionsPerNetwork: 500,
		addressesPerDevice: MAX_ADDRESSES_PER_DEVICE,
		pendingBytes: 64 * 1024 * 1024,
		cachedChannels: 20_000,
		rememberedAnswers: 50_000,
	},
	iceServers: () => [],
} as const satisfies Omit<RelayConfig, 'software'>;
