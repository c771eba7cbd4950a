// The gate (encryption.md): random lives of groups. A few seeds always; SEEDS=1000 for all of them, and
// FIRST_SEED to look at one that failed.
import { beforeAll, describe, test } from 'vitest';
import { Evolution, makeDevices } from './evolution.ts';
import type { Device } from './evolution.ts';

const SEEDS = Number(process.env['SEEDS'] ?? 40);
const FIRST = Number(process.env['FIRST_SEED'] ?? 1);
const STEPS = 16;
const DEVICES = 14;

describe('random group evolution', { timeout: 60_000 }, () => {
	let devices: Device[];
	beforeAll(async () => {
		devices = await makeDevices(DEVICES);
	});

	test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))('seed %i', async (seed) => {
		await new Evolution(devices, seed).run(STEPS);
	});
});
