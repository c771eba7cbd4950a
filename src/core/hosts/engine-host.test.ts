// Who waits to lead prepares with the keys of that moment; when its turn comes, the keys may be others.
import { describe, expect, test } from 'vitest';
import { createIdentity } from '../crypto/identity.ts';
import { partsNow, prepareEngine } from './engine-host.ts';
import { openEnvironment, type Environment } from './environment.ts';

const never = new AbortController().signal;

/** An environment whose keys the test sets. */
async function withKeys(...names: readonly string[]) {
	const made = await Promise.all(
		names.map((deviceName) => createIdentity({ deviceName, created: 0 })),
	);
	let at = 0;
	// Without IndexedDB, as here, it is in memory.
	const opened = await openEnvironment(() => undefined);
	const environment: Environment = { ...opened, identity: () => Promise.resolve(made[at]) };
	return { environment, made, replace: () => at++ };
}

describe('the parts of an engine', () => {
	test('are those that were prepared', async () => {
		const { environment, made } = await withKeys('laptop');
		const prepared = prepareEngine(environment, {});
		const parts = await partsNow({ environment, prepared }, never);
		expect(parts).toBe(await prepared);
		expect(parts?.identity.device).toBe(made[0]?.device);
	});

	test('are made anew for keys that were replaced meanwhile', async () => {
		const { environment, made, replace } = await withKeys('before', 'after');
		const prepared = prepareEngine(environment, {});
		await prepared;
		replace();
		const parts = await partsNow({ environment, prepared }, never);
		expect(parts?.identity.device).toBe(made[1]?.device);
	});

	test('are made when there were no keys to prepare with, or preparing failed', async () => {
		const { environment, made } = await withKeys('laptop');
		for (const prepared of [Promise.resolve(undefined), undefined]) {
			const options = { environment, ...(prepared && { prepared }) };
			expect((await partsNow(options, never))?.identity.device).toBe(made[0]?.device);
		}
		const nobody = { ...environment, identity: () => Promise.resolve(undefined) };
		expect(await prepareEngine(nobody, {})).toBeUndefined();
	});
});
