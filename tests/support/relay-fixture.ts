// The true relay logic on a manual clock and a memory store, with devices that speak frames over a plain object.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { RELAY_DEFAULTS } from '../../server/relay/defaults.ts';
import { verifyDevice } from '../../server/edge/verify-device.ts';
import type { PushSender, RelayConfig, RelayLimits, Socket } from '../../server/relay/ports.ts';
import { createRelay, type Relay } from '../../server/relay/relay.ts';
import type { Session } from '../../server/relay/sessions.ts';
import { MemoryDisk, MemoryStore } from '../../server/storage/memory-store.ts';
import {
	downFrames,
	loginStatement,
	upFrames,
	type AddressPolicy,
	type Delivery,
	type DownFrame,
	type UpFrame,
} from '../../src/protocol/frames.ts';
import {
	idFrom,
	type Address,
	type CapsuleId,
	type ChannelId,
	type DeviceId,
	type EnvelopeId,
} from '../../src/protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../../src/protocol/limits.ts';
import { ManualClock } from './manual-clock.ts';

export const HOST = 'kith.example';
export const newAddress = () => idFrom<Address>(randomBytes(16));
export const newChannel = () => idFrom<ChannelId>(randomBytes(16));
export const newCapsule = () => idFrom<CapsuleId>(randomBytes(16));
export const newEnvelope = () => idFrom<EnvelopeId>(randomBytes(16));
export const someBytes = (length = 40) => new Uint8Array(randomBytes(length));
export const OPEN_POLICY = { uses: null, usesPerDay: null, expires: null } as const;

type Request = Extract<UpFrame, { request: number }>;
type WithoutRequest<Frame> = Frame extends unknown ? Omit<Frame, 'request'> : never;
type Answer = Extract<DownFrame, { type: 'accepted' | 'refused' | 'looked' | 'snapshot' }>;

/** A push service that remembers what it was given. */
export class FakePush implements PushSender {
	vapidKey: string | null = 'vapid';
	outcome: 'sent' | 'gone' | 'failed' = 'sent';
	readonly sent: string[] = [];

	allows({ endpoint }: { endpoint: string }): boolean {
		return endpoint.startsWith('https://push.example/');
	}

	send({ endpoint }: { endpoint: string }): Promise<'sent' | 'gone' | 'failed'> {
		this.sent.push(endpoint);
		return Promise.resolve(this.outcome);
	}
}

/** Lets everything that is not waiting for the clock happen. */
export async function settle(): Promise<void> {
	for (let turn = 0; turn < 4; turn++) await setImmediate();
}

export class Connection implements Socket {
	readonly host = HOST;
	readonly network: string;
	readonly frames: DownFrame[] = [];
	closeCode: number | undefined;
	/** While set, the device does not read: bytes pile up. */
	stalled = false;
	/** The most that may pile up before the socket drops. */
	backlogLimit = Infinity;
	session!: Session;
	#backlog = 0;
	#waiting: { matches: (frame: DownFrame) => boolean; resolve: () => void }[] = [];

	constructor(network: string) {
		this.network = network;
	}

	send(bytes: Uint8Array): 'sent' | 'queued' | 'dropped' {
		if (this.stalled && this.#backlog + bytes.length > this.backlogLimit) return 'dropped';
		if (this.stalled) this.#backlog += bytes.length;
		const decoded = downFrames.decode(bytes, MAX_FRAME_BYTES);
		if (!decoded.ok) throw new Error('the relay sent a frame that is not of the protocol');
		this.frames.push(decoded.value);
		for (const { matches, resolve } of this.#waiting) if (matches(decoded.value)) resolve();
		return this.stalled ? 'queued' : 'sent';
	}

	buffered(): number {
		return this.#backlog;
	}

	close(code: number): void {
		this.closeCode = code;
	}

	say(frame: UpFrame): void {
		this.session.receive(upFrames.encode(frame));
	}

	of<Type extends DownFrame['type']>(type: Type): Extract<DownFrame, { type: Type }>[] {
		return this.frames.filter(
			(frame): frame is Extract<DownFrame, { type: Type }> => frame.type === type,
		);
	}

	/** Resolves once a frame that matches has come, or came already. */
	async until(matches: (frame: DownFrame) => boolean): Promise<void> {
		if (this.frames.some(matches)) return;
		await new Promise<void>((resolve) => this.#waiting.push({ matches, resolve }));
	}

	get bye(): Extract<DownFrame, { type: 'bye' }> | undefined {
		return this.of('bye')[0];
	}
}

export class Device {
	readonly publicKey: Uint8Array<ArrayBuffer>;
	readonly id: DeviceId;
	connection!: Connection;
	readonly #privateKey: KeyObject;
	readonly #room: RelayRoom;
	#request = 0;

	constructor(room: RelayRoom) {
		const { publicKey, privateKey } = generateKeyPairSync('ed25519');
		const der = publicKey.export({ format: 'der', type: 'spki' });
		this.publicKey = new Uint8Array(der.subarray(-32));
		this.id = idFrom(createHash('sha256').update(this.publicKey).digest().subarray(0, 16));
		this.#privateKey = privateKey;
		this.#room = room;
	}

	/** Connects and logs in; resolves once caught up, or once the relay said bye. */
	async login(network?: string): Promise<this> {
		this.connection = this.#room.connect(network);
		this.connection.say(this.loginFrame());
		await this.connection.until(({ type }) => type === 'caughtUp' || type === 'bye');
		return this;
	}

	loginFrame(host = HOST): Extract<UpFrame, { type: 'login' }> {
		const [hello] = this.connection.of('hello');
		if (!hello) throw new Error('the relay did not say hello');
		const statement = loginStatement(hello.challenge, host, this.publicKey);
		const signed = Buffer.concat([Buffer.from('kith login\0'), statement]);
		const signature = new Uint8Array(sign(null, signed, this.#privateKey));
		return { type: 'login', version: 1, deviceKey: this.publicKey, signature };
	}

	async request(frame: WithoutRequest<Request>): Promise<Answer> {
		const answer = await this.ask(frame);
		await settle();
		return answer();
	}

	/** Sends a request; the returned function gives its answer, or throws while there is none. */
	async ask(frame: WithoutRequest<Request>): Promise<() => Answer> {
		const request = this.#request++;
		const { connection } = this;
		connection.say({ ...frame, request });
		await settle();
		return () => {
			const found = connection.frames.find(
				(answer): answer is Answer => 'request' in answer && answer.request === request,
			);
			if (!found) throw new Error(`no answer to ${frame.type} yet`);
			return found;
		};
	}

	get deliveries(): Delivery[] {
		return this.connection.of('deliver');
	}

	get envelopes(): EnvelopeId[] {
		return this.deliveries.map(({ envelope }) => envelope);
	}

	async acknowledge(seq = this.deliveries.at(-1)?.seq ?? 0): Promise<void> {
		this.connection.say({ type: 'acknowledge', seq });
		await settle();
	}

	/** The connection breaks without a word. */
	async vanish(): Promise<void> {
		this.connection.session.closed();
		await settle();
	}

	/** A new address of this device. */
	async address(policy: Partial<AddressPolicy> = {}): Promise<Address> {
		const address = newAddress();
		const answer = await this.request({
			...{ type: 'putAddress', address, card: null, policy: { ...OPEN_POLICY, ...policy } },
		});
		if (answer.type !== 'accepted') throw new Error(`putAddress: ${JSON.stringify(answer)}`);
		return address;
	}

	submit(channel: ChannelId, envelope = newEnvelope(), epoch = 1): Promise<() => Answer> {
		return this.ask({ type: 'submit', envelope, channel, epoch, body: someBytes() });
	}

	/** Founds a channel with the others, each by a fresh address, and waits until all have acknowledged. */
	async found(...others: Device[]): Promise<ChannelId> {
		const channel = newChannel();
		const add = [];
		for (const [index, other] of others.entries())
			add.push({ leaf: index + 1, address: await other.address() });
		const answer = await this.request({
			...{ type: 'commit', envelope: newEnvelope(), channel, epoch: 0, body: someBytes() },
			...{ add, remove: [], welcome: others.length > 0 ? someBytes() : null, snapshot: null },
		});
		if (answer.type !== 'accepted') throw new Error(`commit: ${JSON.stringify(answer)}`);
		for (const device of [this, ...others]) await device.acknowledge();
		return channel;
	}
}

export interface RoomOptions {
	readonly limits?: Partial<RelayLimits>;
	readonly config?: Partial<Omit<RelayConfig, 'limits'>>;
	readonly quota?: { messages: number; bytes: number };
	/** The store does nothing until flushed. */
	readonly hold?: boolean;
}

export class RelayRoom {
	readonly clock = new ManualClock();
	readonly disk = new MemoryDisk();
	readonly push = new FakePush();
	store!: MemoryStore;
	relay!: Relay;
	readonly #options: RoomOptions;

	constructor(options: RoomOptions = {}) {
		this.#options = options;
		this.restart();
	}

	/** A new process on the same disk. What the old one had not made durable is lost. */
	restart(): void {
		if (this.store) this.store.crash();
		const { limits, config, quota = { messages: 1000, bytes: 1e7 }, hold = false } = this.#options;
		this.store = new MemoryStore(this.disk, { quota, hold });
		this.relay = createRelay(
			{
				...{ store: this.store, clock: this.clock, verify: verifyDevice, push: this.push },
				random: { bytes: someBytes },
				log: { info: () => undefined, warn: () => undefined },
			},
			{
				...RELAY_DEFAULTS,
				...{ software: 'kith test', ...config },
				limits: { ...RELAY_DEFAULTS.limits, ...limits },
			},
		);
	}

	connect(network = '192.0.2.1'): Connection {
		const connection = new Connection(network);
		connection.session = this.relay.open(connection);
		return connection;
	}

	device(): Device {
		return new Device(this);
	}

	/** Lets time pass and everything that follows from it happen. */
	async pass(ms: number): Promise<void> {
		this.clock.advance(ms);
		await settle();
	}
}
