// `relay turn HOST`: a configuration for coturn that shares its secret with the relay.
import { randomBytes } from 'node:crypto';
import { settings, type Command } from './command.ts';

/** Networks that nobody may reach through the TURN server: its own machine and whatever stands beside it. */
const INNER = [
	...['0.0.0.0-0.255.255.255', '10.0.0.0-10.255.255.255', '100.64.0.0-100.127.255.255'],
	...['127.0.0.0-127.255.255.255', '169.254.0.0-169.254.255.255', '172.16.0.0-172.31.255.255'],
	...['192.0.0.0-192.0.0.255', '192.168.0.0-192.168.255.255', '198.18.0.0-198.19.255.255'],
	...['224.0.0.0-255.255.255.255', '::1', 'fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
	'fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];

export const turn: Command = {
	usage: 'HOST [--ip ADDRESS] [--cert FILE --key FILE]',
	summary: 'prints a configuration for coturn at HOST, and the settings that belong to it',
	details:
		'--ip is the public address of a machine that has only a private one of its own. With a certificate it speaks TLS\non port 5349, too. The secret is KITH_TURN_SECRET, or a new one:\n  npm run -s relay -- turn turn.example.org > /etc/turnserver.conf',
	options: ['ip', 'cert', 'key'],
	words: [1, 1],
	run({ words: [host = ''], options }) {
		const secret = process.env.KITH_TURN_SECRET || newSecret();
		settings();
		console.log(configuration(host, secret, options));
		return 0;
	},
};

function newSecret(): string {
	return randomBytes(32).toString('base64url');
}

function configuration(
	host: string,
	secret: string,
	{ ip, cert, key }: Readonly<Record<string, string>>,
): string {
	if ((cert === undefined) !== (key === undefined))
		throw new Error('--cert and --key belong together: give both, or neither.');
	if (!/^[\w.-]+$/.test(host)) throw new Error(`"${host}" is no name of a host.`);
	const plain = ['udp', 'tcp'].map((transport) => `turn:${host}:3478?transport=${transport}`);
	const ice = [
		`stun:${host}:3478`,
		...plain,
		...(cert ? [`turns:${host}:5349?transport=tcp`] : []),
	];
	return [
		'# For coturn. It holds a secret: only coturn may read it. The relay is started with',
		`#   KITH_ICE=${ice.join(',')}`,
		`#   KITH_TURN_SECRET=${secret}`,
		'# Open in the firewall: 3478 (UDP and TCP), 49152 to 65535 (UDP), with a certificate 5349 (TCP).',
		'listening-port=3478',
		...(cert
			? ['tls-listening-port=5349', `cert=${cert}`, `pkey=${key ?? ''}`]
			: ['no-tls', 'no-dtls']),
		...(ip ? [`external-ip=${ip}`] : []),
		'use-auth-secret',
		`static-auth-secret=${secret}`,
		`realm=${host}`,
		'fingerprint',
		'stale-nonce=600',
		'min-port=49152',
		'max-port=65535',
		'# One login has a few calls at most; all of them together do not fill the line.',
		'user-quota=16',
		'total-quota=2000',
		'max-bps=1000000',
		'no-cli',
		'no-multicast-peers',
		...INNER.map((range) => `denied-peer-ip=${range}`),
		'# No addresses of people in a log.',
		'log-file=/dev/null',
		'simple-log',
	].join('\n');
}
