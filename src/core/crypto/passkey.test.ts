import { createDecipheriv, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toBase64Url } from '../../protocol/ids.ts';
import { derivePasskeyKeys } from './passkey.ts';

describe('the keys of a passkey', () => {
	it('CP-7 are those of RFC 5869, and the box is AES-256-GCM', async () => {
		const secret = Uint8Array.from({ length: 32 }, (_, at) => at);
		const keys = await derivePasskeyKeys(secret);
		const derive = (label: string, length: number) =>
			Buffer.from(hkdfSync('sha256', secret, '', label, length));
		const id = derive('kith passkey id', 16);
		expect(keys?.capsule).toBe(toBase64Url(id));
		const box = Buffer.from((await keys?.seal(new TextEncoder().encode('the code'))) ?? []);
		const key = derive('kith passkey key', 32);
		const opener = createDecipheriv('aes-256-gcm', key, box.subarray(1, 13));
		opener.setAAD(Buffer.concat([Buffer.of(1), id]));
		opener.setAuthTag(box.subarray(-16));
		const plain = Buffer.concat([opener.update(box.subarray(13, -16)), opener.final()]);
		expect(plain.toString()).toBe('the code');
	});

	it('CP-7 are none for what is not 32 bytes', async () => {
		for (const length of [0, 31, 33])
			expect(await derivePasskeyKeys(new Uint8Array(length))).toBeUndefined();
	});
});
