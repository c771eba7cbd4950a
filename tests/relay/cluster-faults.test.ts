// Three relays on three NATS servers under load: each is killed in turn, then all are started anew one by one; what was
// accepted is there afterwards, and nothing comes twice to who was away. FAULTS says how much of it is done: what was seen
// of NATS 2.9.10 when its servers are cut off stands in server/README.md.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { ClusterTraffic, expectNothingLost } from '../support/cluster-traffic.ts';
import { NatsServer } from '../support/nats-server.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

/** `relays`: those alone. `kills`: the NATS servers, too. `all`: and these are cut off. */
const FAULTS = process.env.FAULTS ?? 'relays';
/** Answers that each sender gets while something is broken, and after it was mended. */
const ANSWERS = 60;
const MINUTE = 60_000;

const nameOf = (server: RelayProcess | NatsServer) =>
	server instanceof NatsServer ? server.url : server.origin;

describe.skipIf(!NatsServer.isInstalled())('three relays on three NATS servers', () => {
	let nats: NatsServer[] = [];
	const relays: RelayProcess[] = [];
	beforeAll(async () => {
		nats = await NatsServer.start(3);
		const settings = {
			KITH_CLUSTER: nats.map(({ url }) => url).join(','),
			...{ KITH_LIMITS: NO_LIMITS, KITH_MAILBOX_MESSAGES: '1000000' },
		};
		for (const _ of nats) relays.push(await RelayProcess.start(settings));
	}, MINUTE);
	afterAll(async () => {
		for (const relay of relays) await relay.stop();
		for (const server of nats) await server.stop();
	});

	it(
		`MB-1 MB-2 MB-5 each killed and started anew in turn (${FAULTS}): what was accepted is there, once`,
		async () => {
			const traffic = await ClusterTraffic.start(relays);
			const progress = () => traffic.progress(ANSWERS);
			const broken = FAULTS === 'relays' ? relays : [...relays, ...nats];
			const whole = () => Promise.all(nats.map((server) => server.healthy()));
			for (const server of broken) {
				await whole();
				traffic.trouble = `kill ${nameOf(server)}`;
				await progress();
				await server.kill('SIGKILL');
				await progress();
				await server.restart();
			}
			for (const server of FAULTS === 'all' ? nats : []) {
				await whole();
				traffic.trouble = `freeze ${nameOf(server)}`;
				await progress();
				server.freeze();
				await progress();
				server.thaw();
			}
			for (const server of broken) {
				await whole();
				traffic.trouble = `rolling ${nameOf(server)}`;
				await server.kill('SIGTERM');
				await progress();
				await server.restart();
			}
			await whole();
			await progress();
			expectNothingLost(await traffic.end());
		},
		6 * MINUTE,
	);
});
