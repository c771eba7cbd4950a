// The only file that knows uWebSockets.js. Two rules of that library shape it: bytes that it hands over are valid
// only until the call returns, so nobody may keep them; and each `send` outside a cork is a system call.
import { App, SSLApp, us_listen_socket_close, us_socket_local_port } from 'uWebSockets.js';
import type {
	HttpRequest as UwsRequest,
	HttpResponse as UwsResponse,
	TemplatedApp,
	us_listen_socket,
	us_socket_context_t,
	WebSocket,
} from 'uWebSockets.js';
import { IDLE_TIMEOUT, MAX_FRAME_BYTES } from '../../src/protocol/limits.ts';
import type { Socket } from '../relay/ports.ts';
import { MAX_BUFFERED, type Session } from '../relay/sessions.ts';
import type { CertificateFiles } from './certificate.ts';
import { MAX_REQUEST_BODY, type HttpRequest, type HttpResponse } from './http.ts';
import { forwardedNetwork, networkOf } from './network.ts';

export interface EdgeOptions {
	readonly port: number;
	/** Null: every interface. */
	readonly host: string | null;
	/** Origins whose pages may connect, beside the host's own. */
	readonly origins: readonly string[];
	readonly trustProxy: boolean;
	/** Null: plain HTTP, as behind a proxy that has the certificate. */
	readonly certificate: CertificateFiles | null;
	/** Whether these cookies hold an invitation. */
	isInvited(cookies: string): boolean;
	open(socket: Socket): Session;
	handle(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

export interface Edge {
	/** Where it listens, or last did. */
	readonly port: number;
	/** Listens on the same port again; rejects with a sentence when it cannot be had. */
	listenAgain(): Promise<void>;
	/** New connections are given the certificate that lies in the files now; the others keep theirs. */
	renewCertificate(): Promise<void>;
	/** Takes no more connections; those that are open stay. */
	stopListening(): void;
	/** Ends every connection. */
	close(): void;
}

interface Visitor {
	readonly host: string;
	readonly network: string;
	readonly invited: boolean;
	socket: UwsSocket | undefined;
	session: Session | undefined;
}

/** A second relay on the same port would share it in silence. */
const EXCLUSIVE = 1;
/** The library takes a host and options together; its declarations leave that out. */
type Listen = (
	...parameters: [
		...host: [] | [string],
		port: number,
		options: number,
		listening: (socket: us_listen_socket | false) => void,
	]
) => unknown;

const STATUS: Readonly<Record<number, string>> = {
	200: '200 OK',
	303: '303 See Other',
	304: '304 Not Modified',
	400: '400 Bad Request',
	401: '401 Unauthorized',
	403: '403 Forbidden',
	404: '404 Not Found',
	405: '405 Method Not Allowed',
	429: '429 Too Many Requests',
	503: '503 Service Unavailable',
};

/** Listens; rejects with a sentence when the port cannot be had. */
export async function listen(options: EdgeOptions): Promise<Edge> {
	const apps = [createApp(options)];
	let socket = await listenOn(apps[0], options);
	const port = us_socket_local_port(socket);
	const listenAgain = async () => {
		socket = await listenOn(apps.at(-1), { ...options, port });
	};
	const stopListening = () => us_listen_socket_close(socket);
	return {
		port,
		listenAgain,
		renewCertificate: async () => {
			apps.push(createApp(options)); // one reads its files only when it is made
			stopListening();
			await listenAgain();
		},
		stopListening,
		close: () => apps.forEach((app) => app.close()),
	};
}

function createApp(options: EdgeOptions): TemplatedApp {
	const { certificate } = options;
	const app = certificate
		? SSLApp({ cert_file_name: certificate.cert, key_file_name: certificate.key })
		: App();
	const gathered = new Gathered();
	app.ws<Visitor>('/v1/socket', {
		compression: 0, // sealed bytes do not compress, and mixing them with others' would leak lengths
		maxPayloadLength: MAX_FRAME_BYTES,
		maxBackpressure: 2 * MAX_BUFFERED, // UwsSocket keeps the bound itself, with what it gathers
		idleTimeout: IDLE_TIMEOUT / 1000,
		maxLifetime: 0,
		sendPingsAutomatically: false, // a frozen page answers those; only the protocol's own pings count (SPEC HS-9)
		upgrade: (response, request, context) => upgrade(options, { response, request, context }),
		open: (ws) => {
			const socket = new UwsSocket(ws, gathered);
			const visitor = ws.getUserData();
			visitor.socket = socket;
			visitor.session = options.open(socket);
		},
		message: (ws, message, isBinary) => {
			// Not copied: a session decodes it before it returns, and what is decoded holds none of it (codec.ts).
			const bytes = isBinary ? new Uint8Array(message) : undefined;
			ws.getUserData().session?.receive(bytes);
		},
		close: (ws) => {
			const { socket, session } = ws.getUserData();
			socket?.closed();
			session?.closed();
		},
	});
	return app.any('/*', (response, request) => answer(options, response, request));
}

function listenOn(app: TemplatedApp | undefined, options: EdgeOptions): Promise<us_listen_socket> {
	const { port, host } = options;
	return new Promise((resolve, reject) => {
		const listening = (socket: us_listen_socket | false) => {
			if (socket === false) reject(new Error(portTaken(options)));
			else resolve(socket);
		};
		if (!app) return reject(new Error(portTaken(options)));
		const ask = app.listen.bind(app) as unknown as Listen;
		ask(...(host === null ? ([] as const) : ([host] as const)), port, EXCLUSIVE, listening);
	});
}

function portTaken({ host, port }: EdgeOptions): string {
	const where = host === null ? `Port ${port}` : `Port ${port} of ${host}`;
	return `${where} cannot be had: another program listens there, or it needs more rights. Set KITH_PORT to another one.`;
}

/**
 * Sockets with frames to send. They are written once the loop has read what came in with the same turn: a system call
 * for each frame was a third of the relay's time under load, and one carries all that gathered for a socket.
 */
class Gathered {
	#sockets: UwsSocket[] = [];

	add(socket: UwsSocket): void {
		if (this.#sockets.push(socket) === 1) setImmediate(() => this.#flush());
	}

	#flush(): void {
		const sockets = this.#sockets;
		this.#sockets = [];
		for (const socket of sockets) socket.flush();
	}
}

class UwsSocket implements Socket {
	readonly host: string;
	readonly network: string;
	readonly invited: boolean;
	readonly #gathered: Gathered;
	#ws: WebSocket<Visitor> | undefined;
	/** Undefined while nothing waits: a socket at rest costs no array. */
	#frames: Uint8Array[] | undefined;
	/** What waits, while frames gather. */
	#bytes = 0;

	constructor(ws: WebSocket<Visitor>, gathered: Gathered) {
		const { host, network, invited } = ws.getUserData();
		this.#ws = ws;
		this.#gathered = gathered;
		this.host = host;
		this.network = network;
		this.invited = invited;
	}

	send(bytes: Uint8Array): 'sent' | 'queued' | 'dropped' {
		if (!this.#ws) return 'dropped';
		// What waits at the socket is asked for once in a turn: until the flush it cannot grow.
		if (!this.#frames) this.#bytes = this.#ws.getBufferedAmount();
		const before = this.#bytes;
		if (before + bytes.length > MAX_BUFFERED) return 'dropped';
		this.#bytes += bytes.length;
		if (this.#frames) this.#frames.push(bytes);
		else {
			this.#frames = [bytes];
			this.#gathered.add(this);
		}
		return before === 0 ? 'sent' : 'queued';
	}

	buffered(): number {
		return this.#frames ? this.#bytes : (this.#ws?.getBufferedAmount() ?? 0);
	}

	/** Writes what gathered. */
	flush(): void {
		const [ws, frames] = [this.#ws, this.#frames];
		this.#frames = undefined;
		if (!ws || !frames) return;
		const [only] = frames;
		if (only && frames.length === 1) return void ws.send(only, true, false);
		ws.cork(() => {
			for (const frame of frames) ws.send(frame, true, false);
		});
	}

	close(code: number): void {
		this.flush();
		const ws = this.#ws;
		this.#ws = undefined; // using it after its end would throw
		ws?.end(code);
	}

	/** The connection is gone. */
	closed(): void {
		this.#ws = undefined;
	}
}

function networkOfPeer(
	response: UwsResponse,
	request: UwsRequest,
	{ trustProxy }: EdgeOptions,
): string {
	const forwarded = trustProxy ? forwardedNetwork(request.getHeader('x-forwarded-for')) : undefined;
	return forwarded ?? networkOf(new Uint8Array(response.getRemoteAddress()));
}

function upgrade(
	options: EdgeOptions,
	{
		response,
		request,
		context,
	}: { response: UwsResponse; request: UwsRequest; context: us_socket_context_t },
): void {
	const host = request.getHeader('host').toLowerCase();
	const origin = request.getHeader('origin');
	if (!isOwnOrigin(origin, host) && !options.origins.includes(origin)) {
		response.writeStatus('403 Forbidden').end('This page may not connect here.\n');
		return;
	}
	const visitor: Visitor = {
		host,
		network: networkOfPeer(response, request, options),
		invited: options.isInvited(request.getHeader('cookie')),
		...{ socket: undefined, session: undefined },
	};
	response.upgrade(
		visitor,
		request.getHeader('sec-websocket-key'),
		request.getHeader('sec-websocket-protocol'),
		request.getHeader('sec-websocket-extensions'),
		context,
	);
}

/** A page of our own host, or a program that is no browser and so sends no origin. */
function isOwnOrigin(origin: string, host: string): boolean {
	if (origin === '') return true;
	return origin.toLowerCase() === `https://${host}` || origin.toLowerCase() === `http://${host}`;
}

function answer(options: EdgeOptions, response: UwsResponse, request: UwsRequest): void {
	let gone = false;
	response.onAborted(() => {
		gone = true;
	});
	const headers = new Map<string, string>();
	request.forEach((name, value) => headers.set(name, value));
	const method = request.getMethod().toUpperCase();
	const plain = {
		method,
		path: request.getUrl(),
		header: (name: string) => headers.get(name) ?? '',
		network: networkOfPeer(response, request, options),
	};
	const respond = (settled: HttpResponse) => {
		if (!gone) response.cork(() => write(response, settled, method === 'HEAD'));
	};
	const handle = (body: Uint8Array | undefined) => {
		const handled = options.handle({ ...plain, body });
		if (handled instanceof Promise) void handled.then(respond);
		else respond(handled);
	};
	if (method === 'POST') collect(response, handle);
	else handle(undefined);
}

/** The body of a request, or undefined once it is longer than any that we serve. */
function collect(response: UwsResponse, done: (body: Uint8Array | undefined) => void): void {
	let body = new Uint8Array(0);
	let over = false;
	response.onData((chunk, isLast) => {
		if (over) return;
		over = isLast || body.length + chunk.byteLength > MAX_REQUEST_BODY;
		if (body.length + chunk.byteLength > MAX_REQUEST_BODY) return done(undefined);
		const joined = new Uint8Array(body.length + chunk.byteLength);
		joined.set(body, 0);
		joined.set(new Uint8Array(chunk), body.length);
		body = joined;
		if (isLast) done(body);
	});
}

function write(
	response: UwsResponse,
	{ status, headers, body }: HttpResponse,
	head: boolean,
): void {
	response.writeStatus(STATUS[status] ?? String(status));
	for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
	if (head) response.endWithoutBody(Buffer.byteLength(body));
	else response.end(body);
}
