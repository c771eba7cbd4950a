// Everything that is not the WebSocket: the app, the look at an invite link, health and figures. It speaks plain
// requests and responses; uws.ts carries them.
import { timingSafeEqual } from 'node:crypto';
import { downFrames } from '../../src/protocol/frames.ts';
import { idFrom, type Address, type CapsuleId } from '../../src/protocol/ids.ts';
import type { FetchAnswer, LookAnswer } from '../relay/relay.ts';
import { isLoopback } from './network.ts';
import {
	operatorPage,
	OPERATOR_POLICY,
	type OperatorFigures,
	type StorageFigures,
} from './operator-page.ts';
import type { Asset } from './static-app.ts';

export interface HttpRequest {
	readonly method: string;
	/** Without the query. */
	readonly path: string;
	/** By lower-case name; empty when absent. */
	readonly header: (name: string) => string;
	readonly network: string;
	/** The bytes of a POST, at most {@link MAX_REQUEST_BODY}; undefined when there were more. */
	readonly body: Uint8Array | undefined;
}

export interface HttpResponse {
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: Uint8Array | string;
}

export const MAX_REQUEST_BODY = 64;
const ID_BYTES = 16;

export interface HttpOptions {
	readonly app: ReadonlyMap<string, Asset>;
	readonly metricsToken: string | null;
	/** Headers of a proxy in front are its own, not the visitor's. */
	readonly trustProxy: boolean;
	/** Whether this process speaks TLS itself. */
	readonly hasCertificate: boolean;
	/** What a browser keeps for an invitation; undefined where there is none at this path. */
	invitation(path: string): string | undefined;
	/** For the operator's page, and for `/metrics`. */
	figures(): Promise<OperatorFigures>;
	lookUp(address: Address, network: string): Promise<LookAnswer>;
	fetchCapsule(capsule: CapsuleId, network: string): Promise<FetchAnswer>;
	/** False while the relay drains. */
	healthy(): boolean;
}

const SECURITY: Readonly<Record<string, string>> = {
	// The policy of scripts and styles carries hashes and stands in the built page; frames can only be refused here.
	'content-security-policy': "frame-ancestors 'none'",
	'cross-origin-opener-policy': 'same-origin',
	'cross-origin-resource-policy': 'same-origin',
	'permissions-policy':
		'camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=(), interest-cohort=()',
	'referrer-policy': 'no-referrer',
	'x-content-type-options': 'nosniff',
};
const HSTS = { 'strict-transport-security': 'max-age=31536000' };
const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
const NOT_BUILT = `<!doctype html><meta charset="utf-8"><title>Kith</title>
<p>The relay runs, but the app was not built. Run <code>npm run build</code> and start it again.</p>
`;

/** The handler of all plain requests. */
export function createHttp(
	options: HttpOptions,
): (request: HttpRequest) => HttpResponse | Promise<HttpResponse> {
	return (request) => {
		const response = route(options, request);
		return response instanceof Promise
			? response.then((settled) => secured(options, request, settled))
			: secured(options, request, response);
	};
}

function secured(options: HttpOptions, request: HttpRequest, response: HttpResponse): HttpResponse {
	const https = isHttps(options, request);
	const headers = { ...SECURITY, ...(https ? HSTS : {}), ...response.headers };
	return { ...response, headers };
}

function isHttps({ trustProxy, hasCertificate }: HttpOptions, { header }: HttpRequest): boolean {
	return hasCertificate || (trustProxy && header('x-forwarded-proto') === 'https');
}

function route(options: HttpOptions, request: HttpRequest): HttpResponse | Promise<HttpResponse> {
	const { method, path } = request;
	if (path === '/v1/look') return look(options, request);
	if (path === '/v1/capsule') return capsule(options, request);
	if (method !== 'GET' && method !== 'HEAD')
		return plain(405, 'Only GET is served here.\n', { allow: 'GET, HEAD' });
	if (path === '/healthz')
		return options.healthy() ? plain(200, 'ok\n') : plain(503, 'shutting down\n');
	if (path === '/metrics') return metrics(options, request);
	if (path.startsWith('/v1/join/')) return join(options, request);
	if (path === '/operator') return operator(options, request);
	return serveApp(options, request);
}

function plain(status: number, body: string, headers: Record<string, string> = {}): HttpResponse {
	return { status, headers: { ...TEXT, ...headers }, body };
}

/** SPEC AD-6: 16 bytes in, the CBOR of a `looked` frame out. */
async function look(options: HttpOptions, request: HttpRequest): Promise<HttpResponse> {
	const asked = askedId(request);
	if ('status' in asked) return asked;
	const looked = await options.lookUp(idFrom<Address>(asked.bytes), request.network);
	if (!looked.ok) return later(looked);
	const { state, card, latecomer } = looked;
	return cbor(downFrames.encode({ type: 'looked', request: 0, state, card, latecomer }));
}

/** SPEC CP-4: 16 bytes in, the CBOR of a `capsule` frame out. */
async function capsule(options: HttpOptions, request: HttpRequest): Promise<HttpResponse> {
	const asked = askedId(request);
	if ('status' in asked) return asked;
	const fetched = await options.fetchCapsule(idFrom<CapsuleId>(asked.bytes), request.network);
	if (!fetched.ok) return later(fetched);
	return cbor(downFrames.encode({ type: 'capsule', request: 0, sealed: fetched.sealed }));
}

/** The id that a question without a login is about. */
function askedId({ method, body }: HttpRequest): HttpResponse | { readonly bytes: Uint8Array } {
	if (method !== 'POST') return plain(405, 'POST 16 bytes.\n', { allow: 'POST' });
	if (body?.length !== ID_BYTES) return plain(400, 'The body must be 16 bytes.\n');
	return { bytes: body };
}

function later({ code, retryAfter }: { readonly code: string; readonly retryAfter: number }) {
	const seconds = Math.ceil(retryAfter / 1000);
	const status = code === 'busy' ? 503 : 429;
	return plain(status, `${code}\n`, { 'retry-after': String(seconds) });
}

function cbor(body: Uint8Array): HttpResponse {
	const headers = { 'content-type': 'application/cbor', 'cache-control': 'no-store' };
	return { status: 200, headers, body };
}

function serveApp({ app }: HttpOptions, request: HttpRequest): HttpResponse {
	const shell = app.get('/index.html');
	if (!shell) return { status: 503, headers: { 'content-type': 'text/html' }, body: NOT_BUILT };
	const asset = request.path === '/' ? shell : app.get(decoded(request.path));
	if (asset) return serve(asset, request);
	// The app finds its own way from any address that a person opens; a missing file stays missing.
	return isNavigation(request) ? serve(shell, request) : plain(404, 'There is no such file.\n');
}

function isNavigation({ path, header }: HttpRequest): boolean {
	if (path.startsWith('/_app/') || path.startsWith('/v1/')) return false;
	const mode = header('sec-fetch-mode');
	return mode === '' ? header('accept').includes('text/html') : mode === 'navigate';
}

function decoded(path: string): string {
	try {
		return decodeURIComponent(path);
	} catch {
		return path; // a broken escape names no file of ours
	}
}

function serve(asset: Asset, { header }: HttpRequest): HttpResponse {
	const headers: Record<string, string> = {
		'content-type': asset.type,
		'cache-control': asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
		etag: asset.etag,
		vary: 'accept-encoding',
	};
	if (header('if-none-match').includes(asset.etag)) return { status: 304, headers, body: '' };
	const accepts = header('accept-encoding');
	if (asset.brotli && accepts.includes('br'))
		return { status: 200, headers: { ...headers, 'content-encoding': 'br' }, body: asset.brotli };
	if (asset.gzip && accepts.includes('gzip'))
		return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: asset.gzip };
	return { status: 200, headers, body: asset.body };
}

async function metrics(options: HttpOptions, request: HttpRequest): Promise<HttpResponse> {
	if (!isOperator(options, request))
		return plain(403, 'Figures are for the operator: see KITH_METRICS_TOKEN.\n');
	return plain(200, exposition(await options.figures()), {
		'content-type': 'text/plain; version=0.0.4; charset=utf-8',
	});
}

/** SPEC HS-5: the browser keeps the invitation for its first login, and goes on to the app. */
function join(options: HttpOptions, request: HttpRequest): HttpResponse {
	const cookie = options.invitation(request.path);
	if (cookie === undefined) return plain(403, 'This invitation has ended. Ask for another one.\n');
	const secure = isHttps(options, request) ? '; Secure' : '';
	return plain(303, '', { location: '/', 'set-cookie': `${cookie}${secure}` });
}

async function operator(options: HttpOptions, request: HttpRequest): Promise<HttpResponse> {
	if (!isOperator(options, request))
		return plain(401, 'This page is for the operator: the password is KITH_METRICS_TOKEN.\n', {
			'www-authenticate': 'Basic realm="Kith relay", charset="UTF-8"',
		});
	return plain(200, operatorPage(await options.figures()), {
		'content-type': 'text/html; charset=utf-8',
		'content-security-policy': OPERATOR_POLICY,
	});
}

/** With a token for who knows it (as a bearer, or as the password that a browser asks for), without one for this machine. */
function isOperator({ metricsToken }: HttpOptions, { header, network }: HttpRequest): boolean {
	if (!metricsToken) return isLoopback(network) && header('x-forwarded-for') === '';
	const [scheme, given = ''] = header('authorization').split(' ');
	if (scheme !== 'Basic') return scheme === 'Bearer' && isEqual(given, metricsToken);
	const [, ...password] = Buffer.from(given, 'base64').toString().split(':');
	return isEqual(password.join(':'), metricsToken);
}

function isEqual(given: string, expected: string): boolean {
	const [a, b] = [Buffer.from(given), Buffer.from(expected)];
	return a.length === b.length && timingSafeEqual(a, b);
}

const GAUGES = new Set(['connections', 'devices', 'pendingBytes', 'cachedChannels']);

/** How full the store is: what mail takes, and its bound; left out where there is none, or no answer. */
function filling(storage: StorageFigures | undefined): Readonly<Record<string, number>> {
	if (!storage) return {};
	const isCluster = 'streams' in storage;
	const { maxBytes } = isCluster ? storage.mail : storage;
	return {
		storageBytes: isCluster ? storage.mail.bytes : storage.databaseBytes,
		...(maxBytes === null ? {} : { storageMaxBytes: maxBytes }),
	};
}

/** Prometheus text format 0.0.4. */
function exposition({ stats, storage }: OperatorFigures): string {
	const { rss, heapUsed } = process.memoryUsage();
	const memory = { residentBytes: rss, heapBytes: heapUsed };
	const lines = [];
	for (const [key, value] of Object.entries({ ...stats, ...memory, ...filling(storage) })) {
		const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
		const gauge = GAUGES.has(key) || key.endsWith('Bytes');
		const name = `kith_${snake}${gauge ? '' : '_total'}`;
		lines.push(`# TYPE ${name} ${gauge ? 'gauge' : 'counter'}`, `${name} ${value}`);
	}
	return `${lines.join('\n')}\n`;
}
