import { expect, test } from 'vitest';
import { coalesce } from './coalesce.ts';

test('calls during a run share exactly one run after it', async () => {
	const gates: (() => void)[] = [];
	const run = coalesce(() => new Promise<void>((resolve) => gates.push(resolve)));
	const first = run();
	const later = [run(), run(), run()];
	expect(gates).toHaveLength(1);
	gates[0]?.();
	await first;
	await Promise.resolve();
	await Promise.resolve();
	expect(gates).toHaveLength(2);
	gates[1]?.();
	await Promise.all(later);
	expect(gates).toHaveLength(2);
});

test('a run that fails does not stop the next one', async () => {
	let runs = 0;
	const run = coalesce(() => {
		runs++;
		return runs === 1 ? Promise.reject(new Error('once')) : Promise.resolve();
	});
	const first = run();
	const second = run();
	await expect(first).rejects.toThrow('once');
	await expect(second).resolves.toBeUndefined();
	expect(runs).toBe(2);
});
