// What the operator of relays on NATS is told: by the operator's page, and by `relay doctor`. NATS is Debian's.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { NatsServer } from '../support/nats-server.ts';
import { relayCommand } from '../support/relay-command.ts';
import { RelayProcess } from '../support/relay-process.ts';

const PATIENT = { timeout: 30_000 };

describe.skipIf(!NatsServer.isInstalled())('the operator of relays on NATS', () => {
	let nats: NatsServer[];
	let directory: string;
	beforeEach(() => {
		nats = [];
		directory = mkdtempSync(join(tmpdir(), 'kith-doctor-'));
	});
	afterEach(async () => {
		for (const server of nats) await server.stop();
		rmSync(directory, { recursive: true });
	});

	const cluster = () => nats.map(({ url }) => url).join(',');
	/** What the doctor says of NATS. */
	const asked = async (KITH_CLUSTER: string) => {
		const nobody = `http://127.0.0.1:${await freePort()}`;
		const settings = { KITH_CLUSTER, KITH_DATA: directory, KITH_PUSH_HOSTS: nobody };
		const { said } = await relayCommand(['doctor'], settings);
		return said.split('\n').find((line) => line.slice(8).startsWith('NATS')) ?? said;
	};

	it('sees how full the streams are, against their limit', async () => {
		nats = await NatsServer.start(1);
		expect(await asked(cluster())).toMatch(/^doubt +NATS: 1 of .*, without .* Start the relay\.$/);
		const bound = { KITH_MAX_DISK_BYTES: String(64 * 1024 * 1024) };
		const relay = await RelayProcess.start({ KITH_CLUSTER: cluster(), ...bound });
		const page = await (await fetch(`${relay.origin}/operator`)).text();
		const text = page.replace(/<[^>]+>/g, ' ');
		expect(text).toMatch(/Rows of mail in NATS +0 .*of it at most +0\.0 MiB \/ 64\.0 MiB/);
		expect(text).toMatch(/Channels, addresses and the like in NATS +[1-9]\d* /);
		expect(text).toMatch(/Copies of each +1 .*without all their copies +0 of 16/);
		expect(await asked(cluster())).toMatch(/^ok +NATS: 1 of version 2\.\S+, JetStream on, .*: 1$/);
		await relay.stop();
	});

	it('is told by the doctor of a server that is away, and how many copies there are', async () => {
		nats = await NatsServer.start(3);
		const relay = await RelayProcess.start({ KITH_CLUSTER: cluster() });
		const whole = /^ok +NATS: 3 of version 2\.\S+, JetStream on, copies of each stream: 3$/;
		await expect.poll(() => asked(cluster()), PATIENT).toMatch(whole);
		const [first = '', ...others] = cluster().split(',');
		expect(await asked(first)).toMatch(/^doubt +NATS: 1 .*, 3 copies .* Name all servers/);
		await nats[0]?.kill('SIGKILL');
		const { host } = new URL(first);
		expect(await asked(cluster())).toMatch(
			new RegExp(
				`^doubt +NATS: No NATS server of KITH_CLUSTER \\(${host}\\) .*See whether it runs`,
			),
		);
		await expect
			.poll(() => asked(others.join(',')), PATIENT)
			.toMatch(/^doubt +NATS: .* [1-9]\d* of 16 streams without all their copies\. Wait for/);
		await relay.stop();
	});

	it('may start the relay before all servers of the cluster are there', async () => {
		nats = await NatsServer.start(3);
		await nats[2]?.kill('SIGKILL');
		const starting = RelayProcess.start({ KITH_CLUSTER: cluster() });
		// Not before somebody saw that the cluster is one server short.
		await expect.poll(() => asked(cluster()), PATIENT).toMatch(/^WRONG|^doubt/);
		await nats[2]?.restart();
		const relay = await starting;
		await expect.poll(() => asked(cluster()), PATIENT).toMatch(/^ok +NATS: 3 .*: 3$/);
		await relay.stop();
	});

	it('is told by the doctor what does not work, with the mend', async () => {
		const port = await freePort();
		const alone = `nats://127.0.0.1:${port}`;
		expect(await asked(alone)).toMatch(/^WRONG +NATS: .* can be reached: .* See whether it runs/);
		const plain = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], {
			stdio: 'ignore',
		});
		try {
			await expect
				.poll(() => asked(alone), PATIENT)
				.toMatch(/^WRONG +NATS: .*without JetStream: start them with it\.$/);
		} finally {
			plain.kill('SIGKILL');
		}
	});
});
