// Seeded towns: people with several devices in many groups, in which everything happens and fails at once
// (tests/support/world/town.ts). More of them: npm run simulate -- --towns.
import { describe, expect, test } from 'vitest';
import { runTown } from '../support/world/town-chaos.ts';

const SEEDS = 30;
const CHUNK = 5;
/** Of 40 devices and 12 groups. */
const FULL = 50;
const MINUTES = 60_000;

/** Seeds that once failed, and what they found. */
const KNOWN: readonly (readonly [number, string])[] = [
	[364, 'what only a device had that was taken out is said again'],
	[479, 'the same, where one other device is left'],
];

const failures = async (seed: number): Promise<string[]> => {
	const { complaints } = await runTown(seed);
	return complaints.map((complaint) => `seed ${seed}: ${complaint}`);
};

describe('whatever happens and fails, all who are there see the same, and nobody else sees more', () => {
	const total = { messages: 0, losses: 0, linked: 0, unlinked: 0, recovered: 0 };
	const lies: Record<string, number> = {};
	const changes: Record<string, number> = {};
	const add = (to: Record<string, number>, counts: Record<string, number>) => {
		for (const [what, count] of Object.entries(counts)) to[what] = (to[what] ?? 0) + count;
	};

	for (let first = 1; first <= SEEDS; first += CHUNK) {
		test(`seeds ${first} to ${first + CHUNK - 1}`, { timeout: 10 * MINUTES }, async () => {
			const failed: string[] = [];
			for (let seed = first; seed < first + CHUNK; seed++) {
				const { complaints, counts } = await runTown(seed);
				failed.push(...complaints.map((complaint) => `seed ${seed}: ${complaint}`));
				const { messages, losses, linked, unlinked, recovered } = counts;
				add(total, { messages, losses, linked, unlinked, recovered });
				add(lies, counts.lies);
				add(changes, counts.changes);
			}
			expect(failed).toEqual([]);
		});
	}

	test('and the towns were not idle', () => {
		expect(total.messages).toBeGreaterThan(500);
		expect(total.losses).toBeGreaterThan(10);
		for (const what of ['linked', 'unlinked', 'recovered'] as const) {
			expect(total[what], what).toBeGreaterThan(1);
		}
		for (const lie of ['replay', 'forge', 'reorder', 'drop']) {
			expect(lies[lie], lie).toBeGreaterThan(1);
		}
		for (const change of ['add', 'remove', 'leave', 'about', 'role', 'policy', 'link']) {
			expect(changes[change], change).toBeGreaterThan(1);
		}
	});

	test('one at full size', { timeout: 10 * MINUTES }, async () => {
		const { complaints, counts } = await runTown(FULL);
		expect(complaints).toEqual([]);
		expect(counts.devices).toBeGreaterThanOrEqual(40);
		expect(counts.groups).toBe(12);
	});

	test.each(KNOWN)('seed %i: %s', { timeout: MINUTES }, async (seed) => {
		expect(await failures(seed)).toEqual([]);
	});

	test('the same seed gives the same town', { timeout: MINUTES }, async () => {
		const [first, second] = [await runTown(7), await runTown(7)];
		expect(second.fingerprint).toBe(first.fingerprint);
		expect(second.counts).toEqual(first.counts);
	});
});
