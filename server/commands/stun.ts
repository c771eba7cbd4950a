// Just enough STUN (RFC 8489) and TURN (RFC 8656) over UDP to see whether a server answers and takes our credentials.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { IceServer } from '../../src/protocol/frames.ts';

const COOKIE = 0x2112a442;
const BINDING = 0x0001;
const ALLOCATE = 0x0003;
const REFRESH = 0x0004;
const SUCCESS = 0x0100;
const [USERNAME, INTEGRITY, ERROR, LIFETIME, REALM, NONCE, TRANSPORT] = [
	0x0006, 0x0008, 0x0009, 0x000d, 0x0014, 0x0015, 0x0019,
];
const UDP = Buffer.from([17, 0, 0, 0]);
const TRIES = 4;
const RESEND_AFTER = 500;

type Attribute = readonly [type: number, value: Buffer];

interface Question {
	readonly type: number;
	readonly attributes: readonly Attribute[];
	/** Signs the question. */
	readonly key?: Buffer;
}

interface Answer {
	readonly type: number;
	readonly attributes: ReadonlyMap<number, Buffer>;
}

/**
 * Undefined when the server at `host:port` answers and, where credentials are given, lets their holder relay; else what
 * is wrong with it, as the end of a sentence.
 */
export async function stunFault(
	{ host, port }: { readonly host: string; readonly port: number },
	{ username, credential }: Pick<IceServer, 'username' | 'credential'>,
): Promise<string | undefined> {
	const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
	try {
		await new Promise<void>((resolve, reject) => {
			socket.once('error', reject);
			socket.connect(port, host, () => resolve());
		});
		if (username === null || credential === null)
			return (await ask(socket, { type: BINDING, attributes: [] }))
				? undefined
				: 'does not answer over UDP';
		return await allocationFault(socket, username, credential);
	} catch (error) {
		return `cannot be reached: ${(error as Error).message}`;
	} finally {
		socket.close();
	}
}

async function allocationFault(
	socket: Socket,
	username: string,
	password: string,
): Promise<string | undefined> {
	const wanted: Attribute = [TRANSPORT, UDP];
	const challenge = await ask(socket, { type: ALLOCATE, attributes: [wanted] });
	if (!challenge) return 'does not answer over UDP';
	const [realm, nonce] = [challenge.attributes.get(REALM), challenge.attributes.get(NONCE)];
	if (!realm || !nonce) return 'relays for anybody: it wants no credentials';
	const who: Attribute[] = [
		[USERNAME, Buffer.from(username)],
		[REALM, realm],
		[NONCE, nonce],
	];
	const key = createHash('md5').update(`${username}:${realm.toString()}:${password}`).digest();
	const allocated = await ask(socket, { type: ALLOCATE, attributes: [wanted, ...who], key });
	if (!allocated) return 'stops answering when it is asked to relay';
	if (allocated.type !== (ALLOCATE | SUCCESS))
		return `refuses the credentials (${reason(allocated)})`;
	const end: Attribute = [LIFETIME, Buffer.alloc(4)];
	await ask(socket, { type: REFRESH, attributes: [end, ...who], key });
	return undefined;
}

/** Error code and phrase (RFC 8489 14.8). */
function reason({ attributes }: Answer): string {
	const error = attributes.get(ERROR) ?? Buffer.alloc(4);
	return `${(error[2] ?? 0) * 100 + (error[3] ?? 0)} ${error.subarray(4).toString()}`;
}

/** Asks until it is answered, a few times; undefined when it never is. */
async function ask(socket: Socket, question: Question): Promise<Answer | undefined> {
	const transaction = randomBytes(12);
	const request = message(question, transaction);
	for (let attempt = 0; attempt < TRIES; attempt++) {
		const answer = await new Promise<Answer | undefined>((resolve) => {
			const timer = setTimeout(() => settle(undefined), RESEND_AFTER);
			const refused = () => settle(undefined);
			const read = (bytes: Buffer) => {
				if (bytes.subarray(8, 20).equals(transaction)) settle(parsed(bytes));
			};
			const settle = (found: Answer | undefined) => {
				clearTimeout(timer);
				socket.off('message', read).off('error', refused);
				resolve(found);
			};
			socket.on('message', read).on('error', refused);
			socket.send(request);
		});
		if (answer) return answer;
	}
	return undefined;
}

function message({ type, attributes, key }: Question, transaction: Buffer): Buffer {
	const body = Buffer.concat(attributes.map(attribute));
	const header = Buffer.alloc(8);
	header.writeUInt16BE(type, 0);
	// The hash covers a length that already counts the hash itself.
	header.writeUInt16BE(body.length + (key ? 24 : 0), 2);
	header.writeUInt32BE(COOKIE, 4);
	const plain = Buffer.concat([header, transaction, body]);
	if (!key) return plain;
	return Buffer.concat([
		plain,
		attribute([INTEGRITY, createHmac('sha1', key).update(plain).digest()]),
	]);
}

function attribute([type, value]: Attribute): Buffer {
	const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
	padded.writeUInt16BE(type, 0);
	padded.writeUInt16BE(value.length, 2);
	value.copy(padded, 4);
	return padded;
}

function parsed(bytes: Buffer): Answer {
	const attributes = new Map<number, Buffer>();
	for (let at = 20; at + 4 <= bytes.length;) {
		const length = bytes.readUInt16BE(at + 2);
		attributes.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + length));
		at += 4 + Math.ceil(length / 4) * 4;
	}
	return { type: bytes.readUInt16BE(0), attributes };
}
