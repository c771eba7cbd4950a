import { describe, expect, it } from 'vitest';
import { forwardedNetwork, isLoopback, networkOf } from './network.ts';

const mapped = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7]);
const v6 = new Uint8Array([0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 9, 9, 9, 9, 9, 9, 9, 9]);

describe('networks', () => {
	it('LI-2 counts IPv4 by address and IPv6 by /64, however they are written', () => {
		expect(networkOf(new Uint8Array([192, 0, 2, 7]))).toBe('192.0.2.7');
		expect(networkOf(mapped)).toBe('192.0.2.7');
		expect(networkOf(v6)).toBe('2001:db8:1:2::/64');
		expect(forwardedNetwork('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64');
		expect(forwardedNetwork('2001:0db8:0001:0002:ffff::')).toBe('2001:db8:1:2::/64');
		expect(forwardedNetwork('::ffff:192.0.2.7')).toBe('192.0.2.7');
		expect(forwardedNetwork('::1')).toBe(
			networkOf(new Uint8Array([...Array<number>(15).fill(0), 1])),
		);
	});

	it('believes only what the proxy itself wrote', () => {
		expect(forwardedNetwork('198.51.100.1, 192.0.2.7')).toBe('192.0.2.7');
		expect(forwardedNetwork('192.0.2.7, nonsense')).toBeUndefined();
		expect(forwardedNetwork('')).toBeUndefined();
	});

	it('knows this machine', () => {
		expect(isLoopback('127.0.0.1')).toBe(true);
		expect(isLoopback(forwardedNetwork('::1') ?? '')).toBe(true);
		expect(isLoopback('128.0.0.1')).toBe(false);
		expect(isLoopback('2001:db8:1:2::/64')).toBe(false);
	});
});
