// Seeded worlds with groups in which everything fails that can (tests/support/world/group-chaos.ts). More of them:
// npm run simulate -- --groups.
import { describe, expect, test } from 'vitest';
import { runGroupChaos } from '../support/world/group-chaos.ts';

const SEEDS = 40;
const CHUNK = 10;
const MINUTES = 60_000;

describe('whatever fails, everybody in a group sees the same of it, and nobody else sees more', () => {
	let messages = 0;
	let changes = 0;

	for (let first = 1; first <= SEEDS; first += CHUNK) {
		test(`seeds ${first} to ${first + CHUNK - 1}`, { timeout: 5 * MINUTES }, async () => {
			const failed: string[] = [];
			for (let seed = first; seed < first + CHUNK; seed++) {
				const { complaints, counts } = await runGroupChaos(seed);
				failed.push(...complaints.map((complaint) => `seed ${seed}: ${complaint}`));
				messages += counts.messages;
				changes += counts.rotations;
			}
			expect(failed).toEqual([]);
		});
	}

	test('and the worlds were not idle', () => {
		expect(messages).toBeGreaterThan(400);
		expect(changes).toBeGreaterThan(50);
	});
});
