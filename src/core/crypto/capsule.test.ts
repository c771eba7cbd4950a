import { createDecipheriv, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toBase64Url } from '../../protocol/ids.ts';
import { deriveCapsuleKeys } from './capsule.ts';
import { newRecoveryCode, recoveryCodeBytes, strayGroup } from './recovery-code.ts';

const CODE = '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ';
const BYTES = '00443214c74254b635cf84653a56d7c675be77df';

async function keysOf(code: string) {
	const keys = await deriveCapsuleKeys(code);
	if (!keys) throw new Error('not a code');
	return keys;
}

describe('recovery codes', () => {
	it('CP-1 are 20 bytes in 32 letters, however they are typed', () => {
		expect(Buffer.from(recoveryCodeBytes(CODE) ?? []).toString('hex')).toBe(BYTES);
		const typed = 'oi23 4567 89ab\u2013cdef ghjk mnpq rstv wxyz\n';
		expect(recoveryCodeBytes(typed)).toEqual(recoveryCodeBytes(CODE));
	});

	it('CP-1 are never the same twice, and are what they were read from', () => {
		const codes = Array.from({ length: 200 }, newRecoveryCode);
		expect(new Set(codes).size).toBe(200);
		for (const code of codes) {
			expect(code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
			expect(recoveryCodeBytes(code)).toHaveLength(20);
		}
	});

	it.each([CODE.slice(1), `${CODE}0`, CODE.replace('Z', 'U'), '', 'é'.repeat(32)])(
		'CP-1 %s is none',
		async (typed) => {
			expect(recoveryCodeBytes(typed)).toBeUndefined();
			expect(await deriveCapsuleKeys(typed)).toBeUndefined();
		},
	);
});

describe('a code with a mistake', () => {
	it('names the group whose letters no code has', () => {
		expect(strayGroup(CODE.replace('CDEF', 'CDUF'))).toBe(4);
		expect(strayGroup('u')).toBe(1);
		expect(strayGroup(CODE.slice(5))).toBeUndefined();
		expect(strayGroup(CODE.toLowerCase().replace('0', 'o'))).toBeUndefined();
	});
});

describe('the keys of a capsule', () => {
	it('CP-1 are those of RFC 5869, and the box is AES-256-GCM', async () => {
		const { capsule, seal } = await keysOf(CODE);
		const derive = (label: string, length: number) =>
			Buffer.from(hkdfSync('sha256', Buffer.from(BYTES, 'hex'), '', label, length));
		const id = derive('kith capsule id', 16);
		expect(capsule).toBe(toBase64Url(id));
		const box = Buffer.from(await seal(new TextEncoder().encode('what comes back')));
		const opener = createDecipheriv(
			'aes-256-gcm',
			derive('kith capsule key', 32),
			box.subarray(1, 13),
		);
		opener.setAAD(Buffer.concat([Buffer.of(1), id]));
		opener.setAuthTag(box.subarray(-16));
		const plain = Buffer.concat([opener.update(box.subarray(13, -16)), opener.final()]);
		expect(plain.toString()).toBe('what comes back');
	});

	it('CP-1 open nothing of another code, and nothing that was changed', async () => {
		const [own, other] = [await keysOf(CODE), await keysOf(newRecoveryCode())];
		const sealed = await own.seal(Uint8Array.of(1, 2, 3));
		expect(await own.open(sealed)).toEqual(Uint8Array.of(1, 2, 3));
		expect(await other.open(sealed)).toBeUndefined();
		expect(await own.open(sealed.subarray(0, -1))).toBeUndefined();
		const flipped = sealed.slice();
		flipped[20] = (flipped[20] ?? 0) ^ 1;
		expect(await own.open(flipped)).toBeUndefined();
	});
});
