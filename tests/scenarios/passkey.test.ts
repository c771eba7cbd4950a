// The browser forgets, and the person comes back with a passkey in place of their recovery code.
import { describe, expect, test } from 'vitest';
import { derivePasskeyKeys } from '../../src/core/crypto/passkey.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import type { Device } from '../support/world/device.ts';
import { befriend, chatWith, say, textsOf } from '../support/world/people.ts';
import { World } from '../support/world/world.ts';

const CODE = '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ';
const credential = new Uint8Array(16).fill(1);
const SECRET = new Uint8Array(32).fill(9);
const OTHER = new Uint8Array(32).fill(8);

/** Two people who talk, the first of whom has a code and a passkey. */
async function withPasskey(code = CODE) {
	const world = new World({ seed: 1, direct: false });
	const [ana, ben] = await befriend(world, 'Ana', 'Ben');
	await ana.device.client.useRecoveryCode(code);
	await world.pass(15_000);
	await ana.device.client.usePasskey({ secret: SECRET, credential });
	await world.pass(1_000);
	return { world, ana, ben };
}

/** What this passkey finds in a new browser, which is thrown away. */
async function leadsTo(world: World, secret: Uint8Array) {
	const outcome = await world.addBlank('nobody').client.comeBack({ passkey: secret });
	return outcome.ok ? outcome.value.profile.name : outcome.error.kind;
}

/** The browser of this person is cleared, and they come back in another. */
async function comeBack(
	world: World,
	lost: Device,
	by: Parameters<Device['client']['comeBack']>[0],
) {
	lost.crash();
	const fresh = world.addBlank(`${lost.name} again`);
	expect(await fresh.client.comeBack(by)).toMatchObject({ ok: true });
	await fresh.start();
	await world.flush();
	await world.pass(5_000);
	return fresh;
}

describe('a passkey beside the recovery code', () => {
	test('CP-7 brings the same person back, who talks, and goes on doing so', async () => {
		const { world, ana, ben } = await withPasskey(` ${CODE.toLowerCase().replaceAll('-', '  ')} `);
		expect((await ana.device.client.recovery())?.passkey).toMatchObject({ credential, kept: true });
		const second = await comeBack(world, ana.device, { passkey: SECRET });
		expect(second.identity.account).toBe(ana.device.identity.account);
		const chat = await chatWith(second, ben.device);
		await say({ device: second, chat: chat ?? ben.chat }, 'I am back');
		await world.pass(5_000);
		expect(await textsOf(ben.device, ben.chat)).toContain('I am back');
		expect((await second.client.recovery())?.passkey).toMatchObject({ credential, kept: true });
		const third = await comeBack(world, second, { passkey: SECRET });
		expect(third.identity.account).toBe(ana.device.identity.account);
	});

	test('CP-7 follows to a new code, also at once after coming back', async () => {
		const { world, ana } = await withPasskey();
		await ana.device.client.useRecoveryCode(smallCrypto.newRecoveryCode());
		await world.pass(1_000);
		const second = await comeBack(world, ana.device, { passkey: SECRET });
		second.crash();
		const third = world.addBlank('Ana, a third time');
		await third.client.comeBack({ passkey: SECRET });
		const renewed = smallCrypto.newRecoveryCode();
		await third.client.useRecoveryCode(renewed);
		await third.start();
		await world.pass(5_000);
		expect(await leadsTo(world, SECRET)).toBe('Ana');
		expect(await world.addBlank('x').client.comeBack(renewed)).toMatchObject({ ok: true });
	});

	test('CP-7 whoever came back by the code still has it', async () => {
		const { world, ana } = await withPasskey();
		const fresh = await comeBack(world, ana.device, CODE);
		expect((await fresh.client.recovery())?.passkey).toMatchObject({ credential, kept: true });
		expect(await leadsTo(world, SECRET)).toBe('Ana');
	});

	test('CP-7 another takes its place, and one that was removed leads nowhere', async () => {
		const { world, ana } = await withPasskey();
		await ana.device.client.usePasskey({ secret: OTHER, credential });
		await world.pass(1_000);
		expect(await leadsTo(world, SECRET)).toBe('unknown');
		expect(await leadsTo(world, OTHER)).toBe('Ana');
		await ana.device.client.usePasskey(undefined);
		expect((await ana.device.client.recovery())?.passkey).toBeUndefined();
		await world.pass(1_000);
		expect(await leadsTo(world, OTHER)).toBe('unknown');
		expect(await world.addBlank('x').client.comeBack(CODE)).toMatchObject({ ok: true });
	});

	test('CP-7 is not kept before the relay has it, and there is none without a code', async () => {
		const world = new World({ seed: 2, direct: false });
		const [ana] = await befriend(world, 'Ana', 'Ben');
		await ana.device.client.usePasskey({ secret: SECRET, credential });
		expect(await ana.device.client.recovery()).toBeUndefined();
		await ana.device.client.useRecoveryCode(CODE);
		await world.pass(15_000);
		world.relayDisk.full = true;
		await ana.device.client.usePasskey({ secret: SECRET, credential });
		await world.pass(5_000);
		expect((await ana.device.client.recovery())?.passkey).toMatchObject({ kept: false });
		world.relayDisk.full = false;
		await world.pass(70_000, 5_000);
		expect((await ana.device.client.recovery())?.passkey).toMatchObject({ kept: true });
		expect(await leadsTo(world, SECRET)).toBe('Ana');
	});

	test('CP-7 what lies under it is of use to nobody else, and a poisoned one brings nobody back', async () => {
		const { world } = await withPasskey();
		expect(await leadsTo(world, OTHER)).toBe('unknown');
		expect(await leadsTo(world, SECRET.slice(1))).toBe('damaged');
		const [record] = world.relayDisk.capsules.values();
		if (!record?.pointer) throw new Error('nothing points there');
		expect(new TextDecoder().decode(record.pointer.sealed)).not.toContain(CODE.slice(0, 4));
		const poison = async (sealed: Uint8Array) => {
			const pointer = { place: record.pointer?.place ?? '', sealed };
			world.relayDisk.capsules.set(record.place, { ...record, pointer });
			return leadsTo(world, SECRET);
		};
		expect(await poison(record.pointer.sealed.slice(1))).toBe('damaged');
		const keys = await derivePasskeyKeys(SECRET);
		const noCode = await keys?.seal(new TextEncoder().encode('no code at all'));
		expect(await poison(noCode ?? new Uint8Array())).toBe('damaged');
		world.killRelay();
		expect(await leadsTo(world, SECRET)).toBe('offline');
	});
});
