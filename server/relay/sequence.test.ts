import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../tests/support/manual-clock.ts';
import { settle } from '../../tests/support/relay-fixture.ts';
import { MemoryDisk, MemoryStore } from '../storage/memory-store.ts';
import { Sequence } from './sequence.ts';

const quota = { messages: 10, bytes: 1000 };

describe('sequence numbers', () => {
	it('MB-1 go on rising from block to block, set aside before they are needed', async () => {
		const sequence = new Sequence(new MemoryStore(new MemoryDisk(), { quota }), new ManualClock());
		expect(sequence.take(1)).toBeUndefined();
		await settle();
		let last = 0;
		for (let count = 0; count < 12; count++) {
			const numbers = sequence.take(300_000) ?? [];
			expect(numbers).toHaveLength(300_000);
			expect(numbers[0]).toBeGreaterThan(last);
			last = numbers.at(-1) ?? 0;
			await settle();
		}
	});

	it('ER-2 run out while the store is busy, and come back with it', async () => {
		const disk = new MemoryDisk();
		const clock = new ManualClock();
		disk.full = true;
		const sequence = new Sequence(new MemoryStore(disk, { quota }), clock);
		await settle();
		expect(sequence.take(1)).toBeUndefined();
		disk.full = false;
		clock.advance(1000);
		await settle();
		expect(sequence.take(2)).toEqual([1, 2]);
	});
});
