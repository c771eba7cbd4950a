// What the doctor sees over the network. Everything has an end, and what cannot be reached is said to be unseen.
import { lookup } from 'node:dns/promises';
import { connect, type PeerCertificate } from 'node:tls';
import { downFrames } from '../../src/protocol/frames.ts';
import { MAX_FRAME_BYTES_BEFORE_LOGIN } from '../../src/protocol/limits.ts';
import type { Config } from '../config.ts';
import { iceServers } from '../edge/turn.ts';
import type { Finding } from './doctor.ts';
import { stunFault } from './stun.ts';

const WAIT = 5000;
const DAY = 24 * 60 * 60 * 1000;
/** A clock that is further off spoils orders and expiry; devices follow it. */
const MAX_OFFSET = 30_000;
const why = (error: unknown) => {
	const { message, cause } = error as Error;
	return cause instanceof Error ? cause.message || message : message;
};

/** DNS, certificate, pages and socket of the relay's public address. */
export async function checkPlace(given: string | undefined): Promise<Finding[]> {
	const unseen = ['DNS', 'TLS', 'WebSocket'].map((about): Finding => ({
		about,
		is: 'open',
		says: 'name the address: relay doctor https://chat.example.org',
	}));
	if (given === undefined) return unseen;
	if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol))
		throw new Error(`"${given}" is no address such as https://chat.example.org.`);
	const url = new URL(given);
	const dns = await checkDns(url);
	if (dns.is === 'bad') return [dns];
	return [dns, await checkTls(url), await checkPages(url), await checkSocket(url)];
}

async function checkDns({ hostname }: URL): Promise<Finding> {
	const about = 'DNS';
	try {
		const found = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
		const addresses = found.map(({ address }) => address);
		const inner = addresses.every((address) =>
			/^(10|127|192\.168|172\.(1[6-9]|2\d|3[01]))\.|^::1$|^f[cd]/.test(address),
		);
		const says = `${hostname} is ${addresses.join(', ')}`;
		if (!inner) return { about, is: 'good', says };
		return {
			about,
			is: 'doubtful',
			says: `${says}: only this machine or network. Point its A and AAAA records here.`,
		};
	} catch (error) {
		return { about, is: 'bad', says: `${why(error)}. Make an A or AAAA record for ${hostname}.` };
	}
}

async function checkTls({ protocol, hostname, port }: URL): Promise<Finding> {
	const about = 'TLS';
	if (protocol === 'http:') {
		const says =
			'without https, browsers elsewhere refuse to keep keys. Set KITH_TLS_CERT, or put Caddy in front.';
		return { about, is: /^(localhost|127\.|\[::1\])/.test(hostname) ? 'doubtful' : 'bad', says };
	}
	try {
		const { valid_to } = await certificateOf(hostname, Number(port || 443));
		const days = Math.floor((Date.parse(valid_to) - Date.now()) / DAY);
		const says = `the certificate is good for ${days} days`;
		if (days >= 14) return { about, is: 'good', says };
		// Some are made for hours and renewed in time.
		return { about, is: 'doubtful', says: `${says}. See that it is renewed in time.` };
	} catch (error) {
		return {
			about,
			is: 'bad',
			says: `${why(error)}. See the certificate, its chain and its names.`,
		};
	}
}

function certificateOf(host: string, port: number): Promise<PeerCertificate> {
	return new Promise((resolve, reject) => {
		const socket = connect({ host, port, servername: host, timeout: WAIT }, () => {
			resolve(socket.getPeerCertificate());
			socket.destroy();
		});
		socket.on('timeout', () => socket.destroy(new Error('no answer')));
		socket.on('error', reject);
	});
}

async function checkPages(url: URL): Promise<Finding> {
	const about = 'pages';
	try {
		const { status } = await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(WAIT) });
		if (status === 200) return { about, is: 'good', says: 'the relay answers' };
		return {
			about,
			is: 'bad',
			says: `/healthz answers ${status}. See the proxy's upstream and the relay's log.`,
		};
	} catch (error) {
		return {
			about,
			is: 'bad',
			says: `${why(error)}. See whether the relay and the proxy run, and the firewall.`,
		};
	}
}

/** The hello of the relay says that sockets come through, and what its clock shows. */
async function checkSocket(url: URL): Promise<Finding> {
	const about = 'WebSocket';
	const place = new URL('/v1/socket', url);
	place.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
	const socket = new WebSocket(place);
	socket.binaryType = 'arraybuffer';
	const hello = await new Promise<ArrayBuffer | undefined>((resolve) => {
		setTimeout(() => resolve(undefined), WAIT).unref();
		socket.addEventListener('message', ({ data }) => resolve(data as ArrayBuffer));
		socket.addEventListener('error', () => resolve(undefined));
		socket.addEventListener('close', () => resolve(undefined));
	});
	socket.close();
	const frame = hello && downFrames.decode(new Uint8Array(hello), MAX_FRAME_BYTES_BEFORE_LOGIN);
	if (!frame?.ok || frame.value.type !== 'hello')
		return {
			about,
			is: 'bad',
			says: 'does not come through. The proxy must pass upgrades and the Host header on.',
		};
	return { about, is: 'good', says: `comes through, protocol ${frame.value.version}` };
}

/** Who is named to push services, whether one can be reached, and how its clock and ours differ. */
export async function checkPush({ pushContact, pushHosts }: Config): Promise<Finding[]> {
	const about = 'push contact';
	const contact: Finding =
		pushContact === null
			? {
					about,
					is: 'doubtful',
					says: 'is not set, and Apple refuses pushes then. KITH_PUSH_CONTACT=mailto:you@example.org',
				}
			: /localhost|\.(invalid|example|test|local)$|@example\./.test(pushContact)
				? {
						about,
						is: 'bad',
						says: `${pushContact} is nobody's, and Apple refuses it. Set KITH_PUSH_CONTACT to yours.`,
					}
				: { about, is: 'good', says: pushContact };
	const host = pushHosts.find((name) => !name.startsWith('.'));
	if (host === undefined) return [contact];
	const place = host.startsWith('http:') ? host : `https://${host}/`;
	try {
		const { headers } = await fetch(place, { method: 'HEAD', signal: AbortSignal.timeout(WAIT) });
		const offset = Math.abs(Date.parse(headers.get('date') ?? '') - Date.now());
		const reached: Finding = { about: 'push service', is: 'good', says: `${host} can be reached` };
		return [contact, reached, clockOf(offset)];
	} catch (error) {
		const says = `${host} cannot be reached from here: ${why(error)}. Let the relay out to port 443.`;
		return [contact, { about: 'push service', is: 'open', says }, clockOf(NaN)];
	}
}

function clockOf(offset: number): Finding {
	const about = 'clock';
	if (Number.isNaN(offset))
		return {
			about,
			is: 'open',
			says: 'nobody to compare with. timedatectl shows whether it is kept.',
		};
	const says = `${Math.round(offset / 1000)} s off`;
	if (offset <= MAX_OFFSET) return { about, is: 'good', says };
	return { about, is: 'bad', says: `${says}. timedatectl set-ntp true` };
}

export async function checkIce({ ice, turnSecret }: Config): Promise<Finding[]> {
	if (ice.length === 0) {
		const says =
			'none, so people behind strict networks talk through the relay alone. npm run relay -- turn --help';
		return [{ about: 'STUN and TURN', is: 'doubtful', says }];
	}
	const servers = iceServers(ice, turnSecret, Date.now());
	const findings: Finding[] = [];
	for (const { urls, ...credentials } of servers)
		for (const url of urls) findings.push(await checkServer(url, credentials));
	return findings;
}

async function checkServer(
	about: string,
	credentials: Parameters<typeof stunFault>[1],
): Promise<Finding> {
	const [, secure, host = '', port] =
		/^(?:stun|turn)(s?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?/.exec(about) ?? [];
	if (secure || about.includes('transport=tcp'))
		return { about, is: 'open', says: 'only UDP is looked at from here.' };
	const fault = await lookup(host.replace(/^\[|\]$/g, '')).then(
		({ address }) => stunFault({ host: address, port: Number(port ?? 3478) }, credentials),
		(error: unknown) => `cannot be found: ${why(error)}`,
	);
	if (fault === undefined)
		return { about, is: 'good', says: credentials.username ? 'relays for us' : 'answers' };
	return {
		about,
		is: 'bad',
		says: `${fault}. See coturn, its secret and the firewall: npm run relay -- turn --help`,
	};
}
