// Seeded worlds in which people have several devices and everything fails. `SEEDS=100-400 vitest run …` runs others.
import { expect, test } from 'vitest';
import { runDeviceChaos } from '../support/world/device-chaos.ts';

const [from = 1, to = 16] = (process.env.SEEDS ?? '').split('-').filter(Boolean).map(Number);
const SEEDS = Array.from({ length: to - from + 1 }, (_, index) => from + index);

test.each(SEEDS)('seed %i', async (seed) => {
	const { complaints, said } = await runDeviceChaos(seed);
	expect(complaints).toEqual([]);
	expect(said).toBeGreaterThan(0);
});
