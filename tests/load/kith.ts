// Devices of the true protocol, made cheaply: keys come from the device's number, rare frames from the protocol's own
// code, and the frames of the hot path (submit, deliver, acknowledge, accepted) are written and read in place.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { downFrames, loginStatement, upFrames, type UpFrame } from '../../src/protocol/frames.ts';
import { idFrom, type Address, type ChannelId, type EnvelopeId } from '../../src/protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../../src/protocol/limits.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import { BODY_BYTES, plainBody, Speaker, type Protocol } from './speaker.ts';

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const ID_LETTERS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const ID_LENGTH = 22;
/** Client frames are masked (RFC 6455 5.3); under a mask of zeros the bytes are what they are. */
const MASKED = 0x80;
const HEADER = 8;
/** Requests from here on take four bytes in CBOR, so a template's length never changes. */
const FIRST_REQUEST = 0x10000;
const REQUEST_AT = HEADER + 3;
const ENVELOPE_AT = REQUEST_AT + 5;
/** Devices that one group holds; a commit may add 1,024. */
const GROUP = 1000;

const hashed = (text: string) => createHash('sha256').update(text).digest();
const named = (text: string) => hashed(text).subarray(0, 16);

function framed(frame: UpFrame): Buffer {
	const payload = upFrames.encode(frame);
	const bytes = Buffer.alloc(HEADER + payload.length);
	bytes[0] = 0x82;
	bytes[1] = MASKED | 126;
	bytes.writeUInt16BE(payload.length, 2);
	bytes.set(payload, HEADER);
	if (payload.length > 125) return bytes;
	const short = Buffer.alloc(6 + payload.length);
	short.set([0x82, MASKED | payload.length]);
	short.set(payload, 6);
	return short;
}

const templates = new Map<string, Buffer>();
function templateOf(channel: string): Buffer {
	const known = templates.get(channel);
	if (known) return known;
	const template = framed({
		...{ type: 'submit', request: FIRST_REQUEST, envelope: idFrom<EnvelopeId>(named('template')) },
		...{ channel: channel as ChannelId, epoch: 1, body: plainBody() },
	});
	templates.set(channel, template);
	return template;
}

/** Bytes of a CBOR head and its argument. */
const headLength = (first: number) => {
	const info = first & 31;
	return info < 24 ? 1 : 1 + (1 << (info - 24));
};

const PING = framed({ type: 'ping' });

class Device extends Speaker {
	readonly #key: ReturnType<typeof createPrivateKey>;
	readonly #prefix: Buffer;
	readonly #waiting = new Map<number, () => void>();
	#host = '';
	#upgraded = false;
	#request = FIRST_REQUEST;

	constructor(identity: number) {
		super(identity);
		const seed = hashed(`device ${identity}`);
		const der = Buffer.concat([PKCS8_PREFIX, seed]);
		this.#key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
		this.#prefix = Buffer.from(
			idFrom<EnvelopeId>(crypto.getRandomValues(new Uint8Array(16))).slice(0, 12),
		);
	}

	submit(destination: string): void {
		const template = templateOf(destination);
		const { bytes, at } = this.place(template.length);
		template.copy(bytes, at);
		const request = this.#request++;
		bytes.writeUInt32BE(request, at + REQUEST_AT);
		this.#prefix.copy(bytes, at + ENVELOPE_AT);
		// The rest of the id counts, six bits a letter; its last letter carries two bits, so it stays A.
		for (let letter = ID_LENGTH - 2, left = request; letter >= 12; letter--, left >>>= 6)
			bytes[at + ENVELOPE_AT + letter] = ID_LETTERS[left & 63] ?? 65;
		bytes[at + ENVELOPE_AT + ID_LENGTH - 1] = 65;
		this.stamp(bytes, at + template.length - BODY_BYTES);
		this.submitted++;
	}

	ping(): void {
		this.write(PING);
	}

	/** Asks for something rare and waits for its `accepted`. */
	ask(frame: (request: number) => UpFrame): Promise<void> {
		const request = this.#request++;
		this.write(framed(frame(request)));
		this.flush();
		return new Promise((resolve) => this.#waiting.set(request, resolve));
	}

	protected greet(port: number): void {
		this.#upgraded = false;
		this.#host = `127.0.0.1:${port}`;
		this.write(
			Buffer.from(
				`GET /v1/socket HTTP/1.1\r\nHost: ${this.#host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
			),
		);
	}

	protected take(bytes: Buffer): number {
		let at = 0;
		if (!this.#upgraded) {
			const end = bytes.indexOf('\r\n\r\n');
			if (end < 0) return 0;
			this.#upgraded = true;
			at = end + 4;
		}
		/** Where the number of the newest delivery stands: one acknowledgement covers the burst (SPEC MB-3). */
		let newest = -1;
		while (at + 2 <= bytes.length) {
			const short = (bytes[at + 1] ?? 0) & 127;
			const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
			if (start > bytes.length) break;
			const size =
				short < 126
					? short
					: short === 126
						? bytes.readUInt16BE(at + 2)
						: bytes.readUInt32BE(at + 6);
			const end = start + size;
			if (end > bytes.length) break;
			const kind = bytes[start + 2];
			if ((bytes[at] ?? 0) !== 0x82) this.fail('the relay closed the WebSocket');
			else if (kind === 0x45) this.#accepted(bytes, start + 3);
			else if (kind === 0x43) {
				newest = start + 3;
				this.#deliver(bytes, newest, end);
			} else this.#rare(bytes.subarray(start, end));
			at = end;
		}
		if (newest >= 0) this.#acknowledge(bytes, newest);
		return at;
	}

	#accepted(bytes: Buffer, at: number): void {
		if (this.#waiting.size > 0) {
			const request = bytes.readUInt32BE(at + 1);
			const resolve = this.#waiting.get(request);
			this.#waiting.delete(request);
			if (resolve) return resolve();
		}
		this.answered++;
	}

	#deliver(bytes: Buffer, seqAt: number, end: number): void {
		const kindAt = seqAt + headLength(bytes[seqAt] ?? 0);
		// Of the kinds only `message` has seven letters that begin with an m.
		if (bytes[kindAt] === 0x67 && bytes[kindAt + 1] === 0x6d)
			this.arrivedAt(bytes, end - BODY_BYTES);
	}

	#acknowledge(bytes: Buffer, seqAt: number): void {
		const length = headLength(bytes[seqAt] ?? 0);
		const { bytes: out, at } = this.place(8 + length);
		out.set([0x82, MASKED | (2 + length), 0, 0, 0, 0, 0x82, 0x06], at);
		bytes.copy(out, at + 8, seqAt, seqAt + length);
	}

	#rare(payload: Buffer): void {
		const decoded = downFrames.decode(payload, MAX_FRAME_BYTES);
		if (!decoded.ok) return this.fail('a frame that is not of the protocol');
		const frame = decoded.value;
		if (frame.type === 'hello') this.#prove(frame.challenge);
		else if (frame.type === 'caughtUp') this.entered();
		else if (frame.type === 'refused' && this.onRefusal) this.onRefusal(frame.code);
		else if (frame.type === 'refused' || frame.type === 'bye')
			this.fail(`${frame.type}: ${frame.code}`);
	}

	#prove(challenge: Uint8Array): void {
		const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
		const deviceKey = new Uint8Array(spki.subarray(-32));
		const statement = loginStatement(challenge, this.#host, deviceKey);
		const signed = Buffer.concat([Buffer.from('kith login\0'), statement]);
		const signature = new Uint8Array(sign(null, signed, this.#key));
		this.write(framed({ type: 'login', version: PROTOCOL_VERSION, deviceKey, signature }));
	}
}

/** Founds a channel of the sender with these devices. */
async function found(sender: Device, devices: readonly Device[]): Promise<ChannelId> {
	const add = await Promise.all(
		devices.map(async (device, index) => {
			const address = idFrom<Address>(named(`address ${sender.identity} ${device.identity}`));
			const policy = { uses: null, usesPerDay: null, expires: null };
			await device.ask((request) => ({ type: 'putAddress', request, address, policy, card: null }));
			return { leaf: index + 1, address };
		}),
	);
	const channel = idFrom<ChannelId>(named(`channel ${sender.identity} ${devices[0]?.identity}`));
	const welcome = new Uint8Array(64);
	await sender.ask((request) => ({
		...{
			type: 'commit',
			request,
			envelope: idFrom<EnvelopeId>(named(`commit ${channel}`)),
			channel,
		},
		...{ epoch: 0, body: welcome, add, remove: [], welcome, snapshot: null },
	}));
	return channel;
}

const devices = new Map<number, Device>();

export const kith: Protocol = {
	speaker: (identity) => {
		const device = new Device(identity);
		devices.set(identity, device);
		return device;
	},
	introduce: async (sender, receivers, together) => {
		const founder = devices.get(sender.identity);
		const members = receivers.flatMap(({ identity }) => devices.get(identity) ?? []);
		const channels: string[] = [];
		const size = together ? GROUP : 1;
		for (let at = 0; founder && at < members.length; at += size)
			channels.push(await found(founder, members.slice(at, at + size)));
		return channels;
	},
};
