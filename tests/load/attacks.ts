// People who do not wish a relay well, bounded in count and kept to this machine. Each attack goes on until it is told
// to stop, comes from networks of its own (127.0.x), and counts what it achieved.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { MAX_FRAME_BYTES } from '../../src/protocol/limits.ts';
import { newDeviceKeys, RelayClient } from '../support/relay-client.ts';
import { kith } from './kith.ts';

export interface Target {
	readonly port: number;
	readonly stop: AbortSignal;
}

export interface Achieved {
	/** Mailboxes that bots made, and attempts that were refused. */
	mailboxes: number;
	refused: number;
	/** Messages that a flood brought in, and those that were turned away. */
	flooded: number;
	turnedAway: number;
	/** Logins of that flood that the relay ended because it went on (SPEC LI-3). */
	sentAway: number;
	/** Sockets that were opened to do nothing, or to do it slowly; and those that the relay closed. */
	idle: number;
	closed: number;
	giants: number;
	reconnects: number;
}

export const nothingYet = (): Achieved => ({
	...{ mailboxes: 0, refused: 0, flooded: 0, turnedAway: 0, sentAway: 0 },
	...{ idle: 0, closed: 0, giants: 0, reconnects: 0 },
});

/** Numbers of devices that no benchmark uses; five thousand share a network (speaker.ts). */
const BOTS_FROM = 500_000;
const DEVICES_A_NETWORK = 5000;
const UPGRADE = (port: number) =>
	`GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when the socket is gone, however it went. */
const closing = (socket: Socket) =>
	new Promise<void>((resolve) => socket.once('close', () => resolve()));

async function opened(port: number, network: number): Promise<Socket | undefined> {
	const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.9.${network}` });
	socket.on('error', () => undefined);
	await Promise.race([once(socket, 'connect').catch(() => undefined), closing(socket)]);
	return socket.destroyed ? undefined : socket;
}

/** `count` bots from `networks` networks make a mailbox each, over and over; who gets in stays. */
export async function makeMailboxes(
	{ port, stop }: Target,
	achieved: Achieved,
	{ count, networks }: { count: number; networks: number },
): Promise<void> {
	const inside: ReturnType<typeof kith.speaker>[] = [];
	let next = 0;
	const lane = async () => {
		while (!stop.aborted && next < count) {
			const number = next++;
			const network = number % networks;
			const bot = kith.speaker(
				BOTS_FROM + network * DEVICES_A_NETWORK + Math.floor(number / networks),
			);
			try {
				await bot.login(port);
				inside.push(bot);
				achieved.mailboxes++;
			} catch {
				achieved.refused++;
				await bot.logout();
			}
		}
	};
	await Promise.all(Array.from({ length: 16 }, lane));
	if (!stop.aborted) await once(stop, 'abort');
	await Promise.all(inside.map((bot) => bot.logout()));
}

/** One device sends to another, which stopped reading after its login, as fast as it is answered. */
export async function flood({ port, stop }: Target, achieved: Achieved): Promise<void> {
	const [flooder, reader] = [kith.speaker(BOTS_FROM - 1), kith.speaker(BOTS_FROM - 2)];
	await Promise.all([flooder.login(port), reader.login(port)]);
	const [channel = ''] = await kith.introduce(flooder, [reader], false);
	reader.stopReading();
	flooder.onRefusal = () => achieved.turnedAway++;
	let isIn = true;
	flooder.onFailure = () => (isIn = false);
	while (!stop.aborted) {
		// As soon as it may, not when it was told to.
		if (!isIn) {
			achieved.sentAway++;
			await flooder.logout();
			isIn = true;
			await flooder.login(port).catch(() => pause(100));
			continue;
		}
		const [answered, refused] = [flooder.answered, achieved.turnedAway];
		for (let message = 0; message < 256; message++) flooder.submit(channel);
		flooder.flush();
		while (
			isIn &&
			!stop.aborted &&
			flooder.answered - answered + achieved.turnedAway - refused < 256
		)
			await pause(1);
		achieved.flooded += flooder.answered - answered;
	}
	await Promise.all([flooder.logout(), reader.logout()]);
}

/** Sockets that never finish what they began: requests without an end, upgrades without a login, a byte at a time. */
export async function linger(
	{ port, stop }: Target,
	achieved: Achieved,
	count: number,
): Promise<void> {
	const slow = `POST /v1/look HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16\r\n\r\n`;
	const beginnings = ['', 'GET /v1/socket HTTP/1.1\r\nHost: x', UPGRADE(port), slow];
	const aborted = once(stop, 'abort');
	const one = async (number: number) => {
		while (!stop.aborted) {
			const socket = await opened(port, 1 + (number % 4));
			if (!socket) return;
			achieved.idle++;
			const trickle = setInterval(() => socket.write('x'), 1000);
			socket.write(beginnings[number % beginnings.length] ?? '');
			socket.resume();
			const ended = closing(socket).then(() => achieved.closed++);
			if (number % beginnings.length !== 3) clearInterval(trickle);
			await Promise.race([ended, aborted]);
			clearInterval(trickle);
			socket.destroy();
			await ended;
		}
	};
	await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
}

/** Frames beyond every limit, before and after a login. */
export async function sendGiants({ port, stop }: Target, achieved: Achieved): Promise<void> {
	const url = `ws://127.0.0.1:${port}/v1/socket`;
	const keys = await newDeviceKeys();
	for (let giants = 0; !stop.aborted; giants++) {
		const client = await RelayClient.connect(url).catch(() => undefined);
		if (client && giants % 2 === 1) await client.login(keys).catch(() => undefined);
		client?.sendBytes(new Uint8Array(giants % 4 < 2 ? MAX_FRAME_BYTES : MAX_FRAME_BYTES + 1));
		await client?.closed;
		achieved.giants++;
		await pause(50);
	}
}

/** Connects and hangs up, as fast as it goes. */
export async function reconnect({ port, stop }: Target, achieved: Achieved): Promise<void> {
	const lane = async (network: number) => {
		while (!stop.aborted) {
			const socket = await opened(port, network);
			socket?.write(UPGRADE(port));
			const data = socket && new Promise((resolve) => socket.once('data', resolve));
			if (socket) await Promise.race([data, closing(socket)]);
			socket?.destroy();
			achieved.reconnects++;
		}
	};
	await Promise.all([11, 12, 13, 14].map(lane));
}
