import { describe, expect, test } from 'vitest';
import { BOX_OVERHEAD } from './aes-box.ts';
import { utf8 } from './bytes.ts';
import { RowNotAuthentic, createDataKey, createSealer } from './sealing.ts';

describe('records at rest', () => {
	test('open under the key that sealed them, also after the key went through storage', async () => {
		const stored = await createDataKey();
		const sealed = await (await createSealer(stored)).seal(utf8('row'), 'messages/1');
		const sealer = await createSealer(structuredClone(stored));
		expect(await sealer.open(sealed, 'messages/1')).toEqual(utf8('row'));
		expect(sealed).toHaveLength(3 + BOX_OVERHEAD);
		expect(stored.wrappingKey.extractable).toBe(false);
	});

	test('a thousand at once keep apart, and equal rows do not look equal', async () => {
		const sealer = await createSealer(await createDataKey());
		const rows = Array.from({ length: 1000 }, (_, row) => row);
		const sealed = await Promise.all(rows.map((row) => sealer.seal(utf8('same'), `rows/${row}`)));
		expect(new Set(sealed.map(String)).size).toBe(1000);
		const opened = await Promise.all(
			rows.map((row) => sealer.open(sealed[row] as Uint8Array, `rows/${row}`)),
		);
		expect(opened.every((plain) => plain.length === 4)).toBe(true);
	});

	test('moved, altered and cut rows, and rows of another key, are refused', async () => {
		const sealer = await createSealer(await createDataKey());
		const sealed = await sealer.seal(utf8('row'), 'messages/1');
		await expect(sealer.open(sealed, 'messages/2')).rejects.toThrow(RowNotAuthentic);
		for (let at = 0; at < sealed.length; at++) {
			const altered = sealed.slice();
			altered[at] = (altered[at] ?? 0) ^ 0x80;
			await expect(sealer.open(altered, 'messages/1')).rejects.toThrow(RowNotAuthentic);
			await expect(sealer.open(sealed.subarray(0, at), 'messages/1')).rejects.toThrow(
				RowNotAuthentic,
			);
		}
		const other = await createSealer(await createDataKey());
		await expect(other.open(sealed, 'messages/1')).rejects.toThrow(RowNotAuthentic);
	});

	test('an altered data key does not unwrap', async () => {
		const stored = await createDataKey();
		const wrappedDataKey = stored.wrappedDataKey.slice().reverse();
		await expect(createSealer({ ...stored, wrappedDataKey })).rejects.toThrow();
	});
});
