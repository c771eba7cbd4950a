// The store of several relays passes the suite of the others, against a real NATS server.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AddressRecord, Posting } from '../../server/relay/ports.ts';
import { openNatsStore, type NatsStore } from '../../server/storage/nats-store.ts';
import {
	idFrom,
	type Address,
	type ChannelId,
	type DeviceId,
	type EnvelopeId,
} from '../../src/protocol/ids.ts';
import { NatsServer } from '../support/nats-server.ts';
import { QUOTA, relayStoreContract, type StoreUnderTest } from './relay-store.ts';

const bytes = () => randomBytes(16);

/** Devices whose mail fills the streams; with this many, none of the eight is left out. */
const FILLERS = 400;
const MAX_BYTES = 4 * 1024 * 1024;

describe.skipIf(!NatsServer.isInstalled())('NATS', () => {
	relayStoreContract(
		'NATS',
		async () => {
			const [server] = await NatsServer.start(1);
			if (!server) throw new Error('no server was started');
			const opened: NatsStore[] = [];
			const fillers = new Map<DeviceId, number>();
			const open = async () => {
				const options = { servers: [server.url], quota: QUOTA, maxBytes: MAX_BYTES };
				const store = await openNatsStore(options);
				opened.push(store);
				return store;
			};
			const filler = (mailbox: DeviceId) => ({
				message: {
					...({ kind: 'message', sender: mailbox, epoch: 0, at: 1e6 } as const),
					envelope: idFrom<EnvelopeId>(bytes()),
					channel: idFrom<ChannelId>(bytes()),
					body: new Uint8Array(8000),
				},
				targets: [{ mailbox, seq: 1 }],
			});
			return Promise.resolve<StoreUnderTest>({
				open,
				crash: async () => opened.at(-1)?.crash(),
				fill: async (store) => {
					let refused = 0;
					while (refused < FILLERS) {
						const mailbox = idFrom<DeviceId>(bytes());
						const { ok } = await store.append(filler(mailbox));
						if (ok) fillers.set(mailbox, 1);
						refused = ok ? 0 : refused + 1;
					}
				},
				free: async (store) => {
					for (const mailbox of fillers.keys())
						await store.acknowledge(mailbox, Number.MAX_SAFE_INTEGER);
				},
				dispose: async () => {
					for (const store of opened) await store.crash();
					await server.stop();
				},
			});
		},
		'own',
	);

	it('CH-4 a relay that dies within a step leaves all of it or nothing', async () => {
		const [server] = await NatsServer.start(1);
		if (!server) throw new Error('no server was started');
		const open = () => openNatsStore({ servers: [server.url], quota: QUOTA, maxBytes: null });
		const other = await open();
		const steps = Array.from({ length: 24 }, async (_, turns) => {
			const [member, owner] = [idFrom<DeviceId>(bytes()), idFrom<DeviceId>(bytes())];
			const address: AddressRecord = {
				...{
					address: idFrom<Address>(bytes()),
					owner,
					version: 1,
					card: null,
					revoked: false,
					uses: 0,
				},
				...{ policy: { uses: 1, usesPerDay: null, expires: null }, day: 0, usesOnDay: 0 },
				changedAt: 1,
			};
			await other.putAddress(address, 10);
			const channel = idFrom<ChannelId>(bytes());
			const message = { kind: 'welcome', sender: member, channel, epoch: 1, at: 1 } as const;
			const lastCommit = { envelope: idFrom<EnvelopeId>(bytes()), sender: member };
			const next = { channel, revision: 1, epoch: 1, lastCommit, members: [] };
			const posting: Posting = {
				message: { ...message, envelope: idFrom<EnvelopeId>(bytes()), body: new Uint8Array(9) },
				targets: [{ mailbox: owner, seq: 1 }],
			};
			const addresses = [{ ...address, version: 2, uses: 1 }];
			const dying = await open();
			void dying.changeChannel({ channel, revision: null, next, addresses, postings: [posting] });
			for (let turn = 0; turn < turns; turn++) await other.readPush(member);
			await dying.crash();
			const record = await other.readChannel(channel);
			const used = await other.readAddresses([address.address]);
			const mail = await other.read(owner, 0, { rows: 9, bytes: 999 });
			if (!record.ok || !used.ok || !mail.ok) throw new Error('the store was busy');
			return [record.value?.epoch ?? 0, used.value[0]?.uses, mail.value.length];
		});
		const found = await Promise.all(steps);
		for (const [epoch, ...rest] of found) expect(rest).toEqual([epoch, epoch]);
		expect(new Set(found.map(([epoch]) => epoch))).toEqual(new Set([0, 1]));
		await other.close();
		await server.stop();
	});
});
