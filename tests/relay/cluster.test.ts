// Relays on NATS, as people run them: processes of their own that share nothing else. NATS is Debian's.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DownFrame } from '../../src/protocol/frames.ts';
import { freePort } from '../support/free-port.ts';
import { NatsServer } from '../support/nats-server.ts';
import {
	newDeviceKeys,
	newEnvelope,
	RelayClient,
	type DeviceKeys,
} from '../support/relay-client.ts';
import { PushService } from '../support/push-service.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const body = (text: string) => new TextEncoder().encode(text);
const texts = ({ deliveries }: RelayClient) =>
	deliveries
		.filter(({ kind }) => kind === 'message')
		.map((delivery) => new TextDecoder().decode(delivery.body));

describe.skipIf(!NatsServer.isInstalled())('two relays on NATS', () => {
	it('say in a sentence what they miss', async () => {
		const nobody = `127.0.0.1:${await freePort()}`;
		await expect(RelayProcess.start({ KITH_CLUSTER: `nats://${nobody}` })).rejects.toThrow(
			`No NATS server of KITH_CLUSTER (${nobody}) can be reached`,
		);
	});

	let nats: NatsServer[] = [];
	let relays: RelayProcess[] = [];
	let pushes: PushService;
	beforeAll(async () => {
		nats = await NatsServer.start(1);
		pushes = await PushService.start();
		const KITH_CLUSTER = nats.map(({ url }) => url).join(',');
		const start = () =>
			RelayProcess.start({
				...{ KITH_CLUSTER, KITH_LIMITS: NO_LIMITS, KITH_HANDOVER_WINDOW: '10000' },
				KITH_PUSH_HOSTS: pushes.origin,
			});
		relays = [await start(), await start()];
	});
	afterAll(async () => {
		for (const relay of relays) await relay.stop();
		for (const server of nats) await server.stop();
		await pushes.stop();
	});

	const login = (keys: DeviceKeys, at: number) => RelayClient.login(relays[at]!.socketUrl, keys);
	const received = async (client: RelayClient, count: number) => {
		while (texts(client).length < count) await client.next(({ type }) => type === 'deliver');
		return texts(client);
	};
	/** Two devices in one channel, each at a relay of its own. */
	const pair = async () => {
		const keys = [await newDeviceKeys(), await newDeviceKeys()] as const;
		const [one, other] = [await login(keys[0], 0), await login(keys[1], 1)];
		const channel = await one.found([await other.putAddress()]);
		return { keys, one, other, channel };
	};
	const metric = async (at: number, name: string) => {
		const text = await (await fetch(`${relays[at]!.origin}/metrics`)).text();
		return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
	};

	it('MB-2 two people at two relays talk live, and nothing of it is stored', async () => {
		const { one, other, channel } = await pair();
		await other.received(1);
		await one.received(1);
		const appended = async () =>
			(await metric(0, 'kith_appended_total')) + (await metric(1, 'kith_appended_total'));
		const before = await appended();
		for (const text of ['a', 'b', 'c']) await one.submit(channel, body(text));
		expect((await other.submit(channel, body('d'))).type).toBe('accepted');
		expect(await received(other, 3)).toEqual(['a', 'b', 'c']);
		expect(await received(one, 1)).toEqual(['d']);
		expect(await metric(1, 'kith_handed_over_total')).toBeGreaterThan(0);
		expect(await appended()).toBe(before);
		await one.close();
		await other.close();
	});

	it('HS-7 MB-1 MB-4 who was away finds mail at whichever relay it comes to, under rising numbers', async () => {
		const { keys, one, other, channel } = await pair();
		await other.received(1);
		const numbers = other.deliveries.map(({ seq }) => seq);
		await other.close();
		for (const text of ['a', 'b']) await one.submit(channel, body(text));
		const moved = await login(keys[1], 0);
		expect(texts(moved)).toEqual(['a', 'b']);
		await one.submit(channel, body('c'));
		expect(await received(moved, 3)).toEqual(['a', 'b', 'c']);
		numbers.push(...moved.deliveries.map(({ seq }) => seq));
		await moved.close();
		const again = await login(keys[1], 1);
		await one.submit(channel, body('d'));
		expect(await received(again, 1)).toEqual(['d']);
		numbers.push(...again.deliveries.map(({ seq }) => seq));
		expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
		await again.close();
		await one.close();
	});

	it('HS-8 a login at another relay ends the connection here', async () => {
		const { keys, one, other } = await pair();
		const elsewhere = await login(keys[1], 0);
		await other.closed;
		expect(other.bye?.code).toBe('replaced');
		await elsewhere.ping();
		await elsewhere.close();
		await one.close();
	});

	it('push with the same key', async () => {
		const keyOf = async (at: number) => {
			const client = await RelayClient.connect(relays[at]!.socketUrl);
			const ready = client.next(({ type }) => type === 'ready');
			await client.login(await newDeviceKeys());
			const frame = await ready;
			await client.close();
			return frame.type === 'ready' ? frame.vapidKey : undefined;
		};
		expect(await keyOf(0)).toBe(await keyOf(1));
	});

	/** Channels of one device with a sender at each relay. */
	const between = async (device: RelayClient) => {
		const senders = [await login(await newDeviceKeys(), 0), await login(await newDeviceKeys(), 1)];
		const found = async (sender: RelayClient) => ({
			sender,
			channel: await sender.found([await device.putAddress()]),
		});
		return Promise.all(senders.map(found));
	};
	/** Both relays have mail for it at the same moment. */
	const commitAll = async (channels: Awaited<ReturnType<typeof between>>, epoch: number) => {
		const commit = ({ sender, channel }: (typeof channels)[number]) =>
			sender.request({
				...{ type: 'commit', channel, epoch, envelope: newEnvelope(), body: body('x') },
				...{ add: [], remove: [], welcome: null, snapshot: null },
			});
		const answers = await Promise.all(channels.map(commit));
		expect(answers.map(({ type }) => type)).toEqual(['accepted', 'accepted']);
	};
	/** Resolves when both relays have decided whether to push for what they stored before. */
	const decided = async () => {
		for (const at of relays.keys()) {
			const client = await login(await newDeviceKeys(), at);
			const name = `decided-${at}-${newEnvelope()}`;
			const subscription = pushes.subscription(name);
			await client.request({ type: 'setPush', subscription });
			const [there] = await between(client);
			await client.received(1);
			await client.close();
			// A wake asks the same questions of NATS, one after the other, as those before it did.
			await there!.sender.submit(there!.channel, body('wake up'));
			await pushes.received(name);
		}
	};

	it('PU-1 who is away is woken once, though mail for them lies at both relays', async () => {
		const away = await login(await newDeviceKeys(), 1);
		await away.request({ type: 'setPush', subscription: pushes.subscription('away') });
		const channels = await between(away);
		await away.received(channels.length);
		await away.close();
		await commitAll(channels, 1);
		await commitAll(channels, 2);
		await pushes.received('away');
		await decided();
		expect(pushes.count('away')).toBe(1);
		for (const { sender } of channels) await sender.close();
	});

	it('PU-1 who is at one relay is not woken for what another stores', async () => {
		const here = await login(await newDeviceKeys(), 1);
		await here.request({ type: 'setPush', subscription: pushes.subscription('here') });
		const channels = await between(here);
		await here.received(channels.length);
		await commitAll(channels, 1);
		await here.received(2 * channels.length);
		await decided();
		expect(pushes.count('here')).toBe(0);
		for (const { sender } of channels) await sender.close();
		await here.close();
	});

	it('WH-1 whispers reach who is at another relay', async () => {
		const { one, other, channel } = await pair();
		const whispered = other.next(({ type }) => type === 'whispered');
		one.send({ type: 'whisper', channel, body: body('typing') });
		expect(((await whispered) as Extract<DownFrame, { type: 'whispered' }>).body).toEqual(
			body('typing'),
		);
		await one.close();
		await other.close();
	});

	it('CH-3 one epoch has one commit, whichever relays the two came to', async () => {
		const { one, other, channel } = await pair();
		await other.received(1);
		const commit = (client: RelayClient) =>
			client.request({
				...{ type: 'commit', channel, epoch: 1, envelope: newEnvelope(), body: body('x') },
				...{ add: [], remove: [], welcome: null, snapshot: null },
			});
		const answers = await Promise.all([commit(one), commit(other)]);
		expect(answers.map(({ type }) => type).sort()).toEqual(['accepted', 'refused']);
		// What either knew of the channel before does not hold any more.
		const submit = (client: RelayClient) =>
			client.request({
				...{ type: 'submit', channel, epoch: 2, envelope: newEnvelope(), body: body('new') },
			});
		expect((await submit(one)).type).toBe('accepted');
		expect((await submit(other)).type).toBe('accepted');
		expect(await received(other, 1)).toEqual(['new']);
		await one.close();
		await other.close();
	});
});
