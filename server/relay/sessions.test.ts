import { describe, expect, it } from 'vitest';
import { writeCbor } from '../../src/protocol/codec.ts';
import { upFrames } from '../../src/protocol/frames.ts';
import {
	HOST,
	newAddress,
	newChannel,
	newEnvelope,
	RelayRoom,
	settle,
	someBytes,
	type Connection,
} from '../../tests/support/relay-fixture.ts';

const encoded = (...items: unknown[]) => writeCbor(items);

describe('frames', () => {
	it('FR-1 FR-6 one message is one frame, and its answer carries the request number', async () => {
		const room = new RelayRoom();
		const device = await room.device().login();
		const ask = { type: 'look', address: newAddress() } as const;
		device.connection.say({ ...ask, request: 77 });
		await settle();
		expect(device.connection.of('looked')).toMatchObject([{ request: 77, state: 'unknown' }]);
		device.connection.say({ type: 'leave', request: 4_000_000, channel: newChannel() });
		await settle();
		expect(device.connection.of('refused')).toMatchObject([{ request: 4_000_000 }]);
	});

	const id = newAddress();
	const lastBits = id.slice(0, 21) + 'B';
	const broken: [string, Uint8Array | undefined][] = [
		['nothing', new Uint8Array(0)],
		['a text message', undefined],
		['a number alone', writeCbor(11)],
		['a map', writeCbor({ 0: 11 })],
		['an unknown number', encoded(999)],
		['a frame of the other direction', encoded(73, 1)],
		['a field too few', encoded(12, 1)],
		['a field too many', encoded(11, 1)],
		['a field of another type', encoded(12, '1', id)],
		['bytes after the item', new Uint8Array([...encoded(11), 0])],
		['a truncated item', encoded(12, 1, id).subarray(0, 9)],
		['an array of indefinite length', new Uint8Array([0x9f, 0x0b, 0xff])],
		['NaN', new Uint8Array([0x82, 0x06, 0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])],
		['undefined', new Uint8Array([0x82, 0x06, 0xf7])],
		['nesting without end', new Uint8Array(4000).fill(0x81)],
		['FR-5 an id that is too short', encoded(12, 1, id.slice(1))],
		['FR-5 an id with spare bits', encoded(12, 1, lastBits)],
		['FR-5 an id with padding', encoded(12, 1, `${id}==`)],
		['LI-1 a negative number', encoded(6, -1)],
		['LI-1 a fraction', encoded(6, 1.5)],
		[
			'LI-1 a number beyond 2^53',
			new Uint8Array([0x82, 0x06, 0x1b, ...Array<number>(8).fill(255)]),
		],
	];
	it.each(broken)('FR-2 FR-4 %s ends the connection and no other', async (_, bytes) => {
		const room = new RelayRoom();
		const bystander = await room.device().login();
		const device = await room.device().login();
		device.connection.session.receive(bytes);
		expect(device.connection.bye).toMatchObject({ code: 'malformed', retryAfter: null });
		expect(device.connection.closeCode).toBe(1002);
		bystander.connection.say({ type: 'ping' });
		expect(bystander.connection.of('pong')).toHaveLength(1);
	});

	it('FR-2 a map key twice is malformed', async () => {
		const device = await new RelayRoom().device().login();
		const twice = [0xa2, 0x64, 0x75, 0x73, 0x65, 0x73, 0x01, 0x64, 0x75, 0x73, 0x65, 0x73, 0x02];
		device.connection.session.receive(new Uint8Array([0x81, ...twice]));
		expect(device.connection.bye?.code).toBe('malformed');
	});

	it('FR-3 LI-1 the size is checked before parsing: 4 KiB before login, 1 MiB after', async () => {
		const room = new RelayRoom();
		const stranger = room.connect();
		stranger.session.receive(new Uint8Array(4 * 1024 + 1));
		expect(stranger.bye?.code).toBe('too-large');
		const edge = room.connect();
		edge.session.receive(new Uint8Array(4 * 1024));
		expect(edge.bye?.code).toBe('malformed');
		const device = await room.device().login();
		device.connection.session.receive(new Uint8Array(1024 * 1024 + 1));
		expect(device.connection.bye?.code).toBe('too-large');
		expect(device.connection.closeCode).toBe(1009);
	});

	it('FR-4 what comes after the end is ignored', async () => {
		const device = await new RelayRoom().device().login();
		device.connection.session.receive(new Uint8Array(0));
		const { length } = device.connection.frames;
		device.connection.say({ type: 'ping' });
		device.connection.session.closed();
		device.connection.session.closed();
		expect(device.connection.frames).toHaveLength(length);
	});
});

describe('handshake', () => {
	it('HS-1 the relay speaks first, with a challenge of its own for each connection', () => {
		const room = new RelayRoom();
		const hellos = [room.connect(), room.connect()].map(({ frames }) => frames[0]);
		for (const hello of hellos)
			expect(hello).toMatchObject({ type: 'hello', version: 1, floor: 1 });
		const challenges = hellos.map((hello) => hello?.type === 'hello' && hello.challenge.join());
		expect(challenges[0]).not.toBe(challenges[1]);
	});

	it('HS-2 before login only ping and look are served', async () => {
		const room = new RelayRoom();
		const stranger = room.connect();
		stranger.say({ type: 'ping' });
		stranger.say({ type: 'look', request: 0, address: newAddress() });
		await settle();
		expect(stranger.of('pong')).toHaveLength(1);
		expect(stranger.of('looked')).toHaveLength(1);
		const body = someBytes();
		const frame = { request: 1, envelope: newEnvelope(), channel: newChannel(), epoch: 1, body };
		stranger.say({ type: 'submit', ...frame });
		expect(stranger.bye?.code).toBe('login-required');
	});

	it.each([0, 2, 1000])('HS-3 version %i is refused', (version) => {
		const room = new RelayRoom();
		const device = room.device();
		device.connection = room.connect();
		device.connection.say({ ...device.loginFrame(), version });
		expect(device.connection.bye?.code).toBe('unsupported-version');
	});

	const loginWith = async (spoil: (connection: Connection, room: RelayRoom) => Uint8Array) => {
		const room = new RelayRoom();
		const device = room.device();
		device.connection = room.connect();
		const signature = new Uint8Array(spoil(device.connection, room));
		device.connection.say({ ...device.loginFrame(), signature });
		await device.connection.until(({ type }) => type === 'bye' || type === 'ready');
		return device.connection;
	};

	it('HS-4 a wrong signature is refused', async () => {
		expect((await loginWith(() => someBytes(64))).bye?.code).toBe('login-failed');
	});

	it('HS-4 a signature for another relay is refused, and case does not matter', async () => {
		const room = new RelayRoom();
		const device = room.device();
		device.connection = room.connect();
		device.connection.say(device.loginFrame('evil.example'));
		await device.connection.until(({ type }) => type === 'bye');
		expect(device.connection.bye?.code).toBe('login-failed');
		device.connection = room.connect();
		device.connection.say(device.loginFrame(HOST.toUpperCase()));
		await device.connection.until(({ type }) => type === 'ready');
	});

	it('HS-4 a login that was overheard is refused on another connection', async () => {
		const room = new RelayRoom();
		const device = await room.device().login();
		const overheard = device.loginFrame();
		const thief = room.connect();
		thief.say(overheard);
		await thief.until(({ type }) => type === 'bye');
		expect(thief.bye?.code).toBe('login-failed');
		expect(device.connection.closeCode).toBeUndefined();
	});

	it('HS-5 the first login makes the mailbox, named by the hash of the key', async () => {
		const room = new RelayRoom();
		const device = await room.device().login();
		expect([...room.disk.mailboxes.keys()]).toEqual([device.id]);
	});

	it('HS-5 where registration is closed, only known devices come in', async () => {
		const open = new RelayRoom();
		const known = await open.device().login();
		const closed = new RelayRoom({ config: { registration: 'closed' } });
		closed.disk.mailboxes.set(known.id, []);
		const stranger = await closed.device().login();
		expect(stranger.connection.bye?.code).toBe('registration-closed');
		known.connection = closed.connect();
		known.connection.say(known.loginFrame());
		await known.connection.until(({ type }) => type === 'ready');
	});

	it('HS-6 hello and pong carry the relay’s clock', async () => {
		const room = new RelayRoom();
		const device = await room.device().login();
		expect(device.connection.of('hello')[0]?.time).toBe(room.clock.now());
		await room.pass(1234);
		device.connection.say({ type: 'ping' });
		expect(device.connection.of('pong')[0]?.time).toBe(room.clock.now());
	});

	it('HS-7 ready, the waiting mail in order, caughtUp, then live mail', async () => {
		const room = new RelayRoom();
		const alice = await room.device().login();
		const bob = await room.device().login();
		const channel = await alice.found(bob);
		await bob.vanish();
		await alice.submit(channel);
		await alice.submit(channel);
		await bob.login();
		await alice.submit(channel);
		const types = bob.connection.frames.map(({ type }) => type);
		expect(types).toEqual(['hello', 'ready', 'deliver', 'deliver', 'caughtUp', 'deliver']);
	});

	it('HS-8 a second login of the same device ends the first', async () => {
		const room = new RelayRoom();
		const device = await room.device().login();
		const first = device.connection;
		await device.login();
		expect(first.bye).toMatchObject({ code: 'replaced', retryAfter: null });
		expect(first.closeCode).toBe(1008);
		first.session.closed();
		expect(device.connection.closeCode).toBeUndefined();
		expect(room.relay.stats()).toMatchObject({ connections: 1, devices: 1 });
	});

	it('HS-9 without a login in 10 s the connection ends', async () => {
		const room = new RelayRoom();
		const stranger = room.connect();
		await room.pass(9_999);
		expect(stranger.bye).toBeUndefined();
		await room.pass(1);
		expect(stranger.bye?.code).toBe('login-timeout');
	});

	it('HS-9 a silent socket is closed after 2 minutes, one that pings is not', async () => {
		const room = new RelayRoom();
		const silent = await room.device().login();
		const lively = await room.device().login();
		for (let count = 0; count < 4; count++) {
			await room.pass(45_000);
			lively.connection.session.receive(upFrames.encode({ type: 'ping' }));
		}
		expect(silent.connection.closeCode).toBe(1013);
		expect(lively.connection.closeCode).toBeUndefined();
	});

	it('a second login frame on one connection is malformed', async () => {
		const device = await new RelayRoom().device().login();
		device.connection.say(device.loginFrame());
		expect(device.connection.bye?.code).toBe('malformed');
	});

	it('a connection that goes while its login is checked leaves nothing behind', async () => {
		const room = new RelayRoom();
		const device = room.device();
		device.connection = room.connect();
		device.connection.say(device.loginFrame());
		device.connection.session.closed();
		const other = await room.device().login();
		expect(other.connection.bye).toBeUndefined();
		expect(room.relay.stats()).toMatchObject({ connections: 1, devices: 1 });
	});
});
