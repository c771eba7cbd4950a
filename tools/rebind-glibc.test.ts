import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rebind } from './rebind-glibc.mjs';

const SYMBOLS = ['__isoc23_strtol', '__isoc23_strtoul'];

/** The file as it was published: beside the patched one where the install had to patch. */
function published(arch: string): Buffer {
	const path = new URL(
		`../node_modules/uWebSockets.js/uws_linux_${arch}_137.node`,
		import.meta.url,
	);
	const original = new URL(`${path.href}.original`);
	return readFileSync(existsSync(original) ? original : path);
}

describe('rebinding to an older glibc', () => {
	it.each(['x64', 'arm64'])('rebinds the published %s binary and changes little else', (arch) => {
		const before = published(arch);
		const untouched = Buffer.from(before);
		const outcome = rebind(before);
		expect(before.equals(untouched)).toBe(true);
		if (outcome.is !== 'rebound') throw new Error(JSON.stringify(outcome));
		const expected = arch === 'x64' ? ['__isoc23_sscanf', ...SYMBOLS] : SYMBOLS;
		expect([...outcome.symbols].sort()).toEqual(expected);
		const changed = outcome.bytes.filter((byte, at) => byte !== before[at]).length;
		expect(outcome.bytes).toHaveLength(before.length);
		// Per symbol a name offset and a version, once a count and a link.
		expect(changed).toBeLessThanOrEqual(expected.length * 6 + 6);
	});

	it('does nothing the second time', () => {
		const outcome = rebind(published('x64'));
		if (outcome.is !== 'rebound') throw new Error(JSON.stringify(outcome));
		expect(rebind(outcome.bytes)).toEqual({ is: 'unneeded' });
	});

	it('refuses a file that needs something else of that glibc', () => {
		const bytes = published('x64');
		// Give the prefixed functions other names: now unknown functions of 2.38 are needed.
		for (let at = bytes.indexOf('__isoc23_'); at >= 0; at = bytes.indexOf('__isoc23_', at + 1))
			bytes.write('__isoc99_', at);
		const outcome = rebind(bytes);
		expect(outcome.is === 'unrecognised' && outcome.why).toMatch(
			/needs __isoc99_\w+ of GLIBC_2\.38/,
		);
	});

	it.each([
		['nothing', Buffer.alloc(0)],
		[
			'text',
			Buffer.from('#!/bin/sh\necho no library at all, but long enough to be read\n'.repeat(9)),
		],
		['a truncated library', published('x64').subarray(0, 5000)],
		['a 32-bit library', Buffer.concat([Buffer.from('7f454c460101', 'hex'), Buffer.alloc(500)])],
	])('refuses %s', (_, bytes) => {
		expect(rebind(bytes)).toMatchObject({ is: 'unrecognised' });
	});
});
