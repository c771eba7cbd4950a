// A device that speaks the protocol to a real relay over a real WebSocket, for tests and benchmarks. It knows
// nothing of encryption: bodies are whatever the caller gives. Nothing here sleeps; everything awaits a frame.
import {
	downFrames,
	loginStatement,
	upFrames,
	type Delivery,
	type DownFrame,
	type UpFrame,
} from '../../src/protocol/frames.ts';
import { idFrom, type Address, type ChannelId, type EnvelopeId } from '../../src/protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../../src/protocol/limits.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';

type Request = Extract<UpFrame, { request: number }>;
type WithoutRequest<Frame> = Frame extends unknown ? Omit<Frame, 'request'> : never;
export type Answer = Extract<DownFrame, { type: 'accepted' | 'refused' | 'looked' | 'snapshot' }>;

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
export const newEnvelope = () => idFrom<EnvelopeId>(random(16));
export const newChannel = () => idFrom<ChannelId>(random(16));
export const newAddress = () => idFrom<Address>(random(16));

/** The keys of a device, kept while it connects again and again. */
export interface DeviceKeys {
	readonly publicKey: Uint8Array<ArrayBuffer>;
	sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
}

export async function newDeviceKeys(): Promise<DeviceKeys> {
	const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
	const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
	return {
		publicKey,
		sign: async (message) =>
			new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, message)),
	};
}

/** The login frame of a device for one challenge of one host (SPEC HS-4). */
export async function loginFrame(
	keys: DeviceKeys,
	challenge: Uint8Array,
	host: string,
): Promise<Extract<UpFrame, { type: 'login' }>> {
	const purpose = new TextEncoder().encode('kith login\0');
	const statement = loginStatement(challenge, host, keys.publicKey);
	const signed = new Uint8Array(purpose.length + statement.length);
	signed.set(purpose, 0);
	signed.set(statement, purpose.length);
	const signature = await keys.sign(signed);
	return { type: 'login', version: PROTOCOL_VERSION, deviceKey: keys.publicKey, signature };
}

/** One connection. Without {@link login} it stays a stranger. */
export class RelayClient {
	readonly url: string;
	readonly deliveries: Delivery[] = [];
	/** Why the relay ended the connection, if it said so. */
	bye: Extract<DownFrame, { type: 'bye' }> | undefined;
	/** Resolves with the WebSocket close code. */
	readonly closed: Promise<number>;
	/** While true every delivery is acknowledged at once, as a device does after its own durable write. */
	acknowledges = true;
	readonly #socket: WebSocket;
	readonly #answers = new Map<number, (answer: Answer) => void>();
	#watchers: { matches: (frame: DownFrame) => boolean; resolve: (frame: DownFrame) => void }[] = [];
	#hello: Extract<DownFrame, { type: 'hello' }> | undefined;
	#request = 0;

	private constructor(url: string, cookie: string | undefined) {
		this.url = url;
		// Node's own WebSocket takes headers; browsers send the cookies that they keep.
		const options = cookie === undefined ? undefined : { headers: { cookie } };
		this.#socket = new WebSocket(url, options as unknown as string[]);
		this.#socket.binaryType = 'arraybuffer';
		this.closed = new Promise((resolve) => {
			this.#socket.addEventListener('close', ({ code }) => resolve(code));
		});
		this.#socket.addEventListener('message', ({ data }) => this.#take(data as ArrayBuffer));
	}

	/** Connects to `ws://…/v1/socket`; resolves once the relay said hello, or rejects if it cannot be reached. */
	static async connect(url: string, cookie?: string): Promise<RelayClient> {
		const client = new RelayClient(url, cookie);
		const failed = client.closed.then((code) => {
			throw new Error(`${url} closed with ${code} before its hello`);
		});
		const hello = await Promise.race([client.next(({ type }) => type === 'hello'), failed]);
		if (hello.type === 'hello') client.#hello = hello;
		return client;
	}

	/** Connects, logs in and waits until the waiting mail has come. */
	static async login(url: string, keys: DeviceKeys): Promise<RelayClient> {
		const client = await RelayClient.connect(url);
		await client.login(keys);
		return client;
	}

	get challenge(): Uint8Array {
		if (!this.#hello) throw new Error('the relay has not said hello');
		return this.#hello.challenge;
	}

	async login(keys: DeviceKeys): Promise<void> {
		const caughtUp = this.next(({ type }) => type === 'caughtUp' || type === 'bye');
		this.send(await loginFrame(keys, this.challenge, new URL(this.url).host));
		const frame = await caughtUp;
		if (frame.type === 'bye') throw new Error(`the relay refused the login: ${frame.code}`);
	}

	send(frame: UpFrame): void {
		this.sendBytes(upFrames.encode(frame));
	}

	/** Sends anything at all; a string becomes a text message. */
	sendBytes(bytes: Uint8Array | string): void {
		this.#socket.send(bytes as Uint8Array<ArrayBuffer> | string);
	}

	/** Bytes that the system has not taken yet. */
	get buffered(): number {
		return this.#socket.bufferedAmount;
	}

	/** Asks and waits for the answer; rejects if the connection ends first. */
	request(frame: WithoutRequest<Request>): Promise<Answer> {
		const request = this.#request++;
		const answered = new Promise<Answer>((resolve) => this.#answers.set(request, resolve));
		const ended = this.closed.then((): never => {
			throw new Error(`the connection ended before ${frame.type} was answered`);
		});
		this.send({ ...frame, request });
		return Promise.race([answered, ended]);
	}

	/** The next frame that matches, from now on. */
	next(matches: (frame: DownFrame) => boolean): Promise<DownFrame> {
		return new Promise((resolve) => this.#watchers.push({ matches, resolve }));
	}

	/** Resolves once `count` deliveries have come on this connection. */
	async received(count: number): Promise<readonly Delivery[]> {
		while (this.deliveries.length < count) await this.next(({ type }) => type === 'deliver');
		return this.deliveries;
	}

	async ping(): Promise<void> {
		const pong = this.next(({ type }) => type === 'pong');
		this.send({ type: 'ping' });
		await Promise.race([
			pong,
			this.closed.then((code) => {
				throw new Error(`the connection closed with ${code}`);
			}),
		]);
	}

	/** A new address of this device, without limits. */
	async putAddress(): Promise<Address> {
		const address = newAddress();
		const policy = { uses: null, usesPerDay: null, expires: null };
		const answer = await this.request({ type: 'putAddress', address, policy, card: null });
		if (answer.type !== 'accepted') throw new Error(`putAddress: ${JSON.stringify(answer)}`);
		return address;
	}

	/** Founds a channel with the owners of the addresses. */
	async found(addresses: readonly Address[]): Promise<ChannelId> {
		const channel = newChannel();
		const add = addresses.map((address, index) => ({ leaf: index + 1, address }));
		const answer = await this.request({
			...{ type: 'commit', envelope: newEnvelope(), channel, epoch: 0, body: random(64) },
			...{ add, remove: [], welcome: random(64), snapshot: null },
		});
		if (answer.type !== 'accepted') throw new Error(`commit: ${JSON.stringify(answer)}`);
		return channel;
	}

	submit(channel: ChannelId, body: Uint8Array, envelope = newEnvelope()): Promise<Answer> {
		return this.request({ type: 'submit', envelope, channel, epoch: 1, body });
	}

	/** Closes and waits for the end. */
	async close(): Promise<void> {
		this.#socket.close();
		await this.closed;
	}

	#take(data: ArrayBuffer): void {
		const decoded = downFrames.decode(new Uint8Array(data), MAX_FRAME_BYTES);
		if (!decoded.ok) throw new Error('the relay sent a frame that is not of the protocol');
		const frame = decoded.value;
		if (frame.type === 'deliver') {
			this.deliveries.push(frame);
			if (this.acknowledges) this.send({ type: 'acknowledge', seq: frame.seq });
		} else if (frame.type === 'bye') this.bye = frame;
		else if ('request' in frame && frame.type !== 'capsule') {
			this.#answers.get(frame.request)?.(frame);
			this.#answers.delete(frame.request);
		}
		const watchers = this.#watchers;
		this.#watchers = watchers.filter(({ matches }) => !matches(frame));
		for (const { matches, resolve } of watchers) if (matches(frame)) resolve(frame);
	}
}
