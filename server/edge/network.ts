// Where a connection comes from, for limits only: one IPv4 address, or the /64 that one IPv6 site has.
import { isIP } from 'node:net';

/** Key of a network from the bytes of an address (4 or 16), as the socket has them. */
export function networkOf(address: Uint8Array): string {
	if (address.length === 4) return [...address].join('.');
	const mapped = address.length === 16 && address.subarray(0, 10).every((byte) => byte === 0);
	if (mapped && address[10] === 0xff && address[11] === 0xff)
		return [...address.subarray(12)].join('.');
	const groups = [];
	for (let at = 0; at < 8; at += 2)
		groups.push((((address[at] ?? 0) << 8) | (address[at + 1] ?? 0)).toString(16));
	return `${groups.join(':')}::/64`;
}

/**
 * The network that a trusted proxy says the request is from: the last entry of X-Forwarded-For, which the proxy
 * itself wrote; what stands before it may be anybody's invention. Undefined when there is no address in it.
 */
export function forwardedNetwork(header: string): string | undefined {
	const last = header.split(',').at(-1)?.trim() ?? '';
	const version = isIP(last);
	if (version === 4) return last;
	return version === 6 ? networkOf(bytesOfIpv6(last)) : undefined;
}

export function isLoopback(network: string): boolean {
	return network.startsWith('127.') || network === '0:0:0:0::/64';
}

function bytesOfIpv6(text: string): Uint8Array {
	const bytes = new Uint8Array(16);
	const [plain = ''] = text.split('%');
	// An IPv4 tail, as in ::ffff:192.0.2.1, is two groups.
	const hex = plain.replace(/[\d.]+\.[\d.]+$/, (dotted) => {
		const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
		return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
	});
	const [head = '', tail] = hex.split('::');
	const before = head ? head.split(':') : [];
	const after = tail ? tail.split(':') : [];
	const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
	const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after];
	for (const [index, group] of groups.slice(0, 8).entries()) {
		const value = Number.parseInt(group, 16);
		bytes[index * 2] = value >> 8;
		bytes[index * 2 + 1] = value & 0xff;
	}
	return bytes;
}
