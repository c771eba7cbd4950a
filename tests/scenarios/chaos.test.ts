// Seeded worlds in which everything fails that can (tests/support/world/chaos.ts). More of them: npm run simulate.
import { describe, expect, test } from 'vitest';
import type { Counts } from '../support/world/chaos-actions.ts';
import { runChaos } from '../support/world/chaos.ts';

const SEEDS = 300;
const CHUNK = 25;
const MINUTES = 60_000;

/** Seeds that once failed, and what they found. */
const KNOWN: readonly (readonly [number, string])[] = [
	[56, 'a receipt sealed for a channel that another had replaced'],
	[250, 'a receipt sealed for a channel that another had replaced'],
	[78, 'messages parked in a channel in which no epoch begins any more'],
	[11, 'an older profile that arrives after a newer one'],
	[2, 'the lost channel was not the one in use'],
	[39, 'the echo of a commit after the answer to it'],
	[16, 'a lost channel of somebody who was refused'],
	[2285, 'read receipts in a channel that both sides replaced'],
	[6477, 'messages parked in a channel whose row is lost'],
	[807, 'acknowledged directly by a device that had lost the channel'],
	[1779, 'acknowledged directly by a device that had lost the channel'],
	[5645, 'founded anew through an address that was told directly before the relay knew it'],
];

const failures = async (seed: number): Promise<string[]> => {
	const { complaints } = await runChaos(seed);
	return complaints.map((complaint) => `seed ${seed}: ${complaint}`);
};

describe('whatever fails, nothing is lost, doubled or out of order', () => {
	const total: Partial<Record<keyof Counts, number>> = {};

	for (let first = 1; first <= SEEDS; first += CHUNK) {
		test(`seeds ${first} to ${first + CHUNK - 1}`, { timeout: 5 * MINUTES }, async () => {
			const failed: string[] = [];
			for (let seed = first; seed < first + CHUNK; seed++) {
				const { complaints, counts } = await runChaos(seed);
				failed.push(...complaints.map((complaint) => `seed ${seed}: ${complaint}`));
				for (const [what, count] of Object.entries(counts) as [keyof Counts, number][]) {
					total[what] = (total[what] ?? 0) + count;
				}
			}
			expect(failed).toEqual([]);
		});
	}

	test('and the worlds were not idle', () => {
		const least: Counts = {
			...{ messages: 5_000, crashes: 500, cuts: 400, losses: 100 },
			...{ direct: 10_000, relayKills: 100, rotations: 150 },
		};
		for (const [what, count] of Object.entries(least) as [keyof Counts, number][]) {
			expect(total[what], what).toBeGreaterThan(count);
		}
	});

	test.each(KNOWN)('seed %i: %s', { timeout: MINUTES }, async (seed) => {
		expect(await failures(seed)).toEqual([]);
	});

	test('the same seed gives the same world', { timeout: MINUTES }, async () => {
		const [first, second] = [await runChaos(7), await runChaos(7)];
		expect(second.fingerprint).toBe(first.fingerprint);
		expect(second.counts).toEqual(first.counts);
	});
});
