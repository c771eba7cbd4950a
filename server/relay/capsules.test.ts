import { describe, expect, it } from 'vitest';
import { CAPSULE_KEPT } from '../../src/protocol/limits.ts';
import type { UpFrame } from '../../src/protocol/frames.ts';
import type { CapsuleId } from '../../src/protocol/ids.ts';
import {
	newCapsule,
	RelayRoom,
	someBytes,
	type Device,
} from '../../tests/support/relay-fixture.ts';

type PutFrame = Extract<UpFrame, { type: 'putCapsule' }>;

const put = (
	device: Device,
	capsule: CapsuleId,
	{ sealed = someBytes(), takesOver = false, pointer }: Partial<PutFrame> = {},
) => device.request({ type: 'putCapsule', capsule, sealed, takesOver, pointer });
const keep = (device: Device, capsule: CapsuleId) =>
	device.request({ type: 'keepCapsule', capsule });

async function twoDevices(room = new RelayRoom()) {
	const fetch = async (capsule: CapsuleId) => {
		const answer = await room.relay.fetchCapsule(capsule, '192.0.2.9');
		return answer.ok ? answer.sealed : answer.code;
	};
	return { room, fetch, old: await room.device().login(), fresh: await room.device().login() };
}

describe('capsules', () => {
	it('CP-2 CP-4 is given to whoever knows its id, as its device put it last', async () => {
		const { fetch, old } = await twoDevices();
		const capsule = newCapsule();
		expect(await fetch(capsule)).toBeNull();
		const sealed = someBytes();
		expect(await put(old, capsule)).toMatchObject({ type: 'accepted' });
		expect(await put(old, capsule, { sealed })).toMatchObject({ type: 'accepted' });
		expect(await fetch(capsule)).toEqual(sealed);
		expect(await put(old, capsule, { sealed: null })).toMatchObject({ type: 'accepted' });
		expect(await fetch(capsule)).toBeNull();
	});

	it('CP-2 CP-3 who comes back takes it over, and the device before hears of it', async () => {
		const { fetch, old, fresh } = await twoDevices();
		const capsule = newCapsule();
		await put(old, capsule);
		expect(await keep(old, capsule)).toMatchObject({ type: 'accepted' });
		expect(await put(fresh, capsule)).toMatchObject({ code: 'capsule-taken' });
		const sealed = someBytes();
		expect(await put(fresh, capsule, { sealed, takesOver: true })).toMatchObject({
			type: 'accepted',
		});
		expect(await keep(old, capsule)).toMatchObject({ code: 'capsule-taken' });
		expect(await put(old, capsule)).toMatchObject({ code: 'capsule-taken' });
		expect(await put(old, capsule, { sealed: null })).toMatchObject({ code: 'capsule-taken' });
		expect(await fetch(capsule)).toEqual(sealed);
	});

	it('CP-2 a renewed code leaves nothing under the old one', async () => {
		const { room, fetch, old } = await twoDevices();
		const [first, second] = [newCapsule(), newCapsule()];
		await put(old, first);
		await put(old, second);
		expect(await fetch(first)).toBeNull();
		expect(await keep(old, first)).toMatchObject({ code: 'capsule-unknown' });
		expect([...room.disk.capsules.keys()]).not.toContain(second);
	});

	it('CP-6 what points to it is given to whoever knows that id, and is never left behind', async () => {
		const { fetch, old, fresh } = await twoDevices();
		const [capsule, renewed, beside] = [newCapsule(), newCapsule(), newCapsule()];
		const pointers = [someBytes(), someBytes()].map((sealed) => ({ capsule: beside, sealed }));
		await put(old, capsule, { pointer: pointers[0] });
		expect(await fetch(beside)).toEqual(pointers[0]?.sealed);
		await put(old, renewed, { pointer: pointers[1] });
		expect(await fetch(beside)).toEqual(pointers[1]?.sealed);
		const foreign = await put(fresh, newCapsule(), { pointer: pointers[0] });
		expect(foreign).toMatchObject({ code: 'capsule-taken' });
		await put(fresh, renewed, { pointer: pointers[0], takesOver: true });
		expect(await fetch(beside)).toEqual(pointers[0]?.sealed);
		await put(fresh, renewed);
		expect(await fetch(beside)).toBeNull();
		await put(fresh, renewed, { pointer: pointers[0] });
		await put(fresh, renewed, { sealed: null });
		expect(await fetch(beside)).toBeNull();
	});

	it('CP-3 forgets what was neither put nor kept for 400 days', async () => {
		const { room, fetch, old, fresh } = await twoDevices();
		const [kept, left] = [newCapsule(), newCapsule()];
		await put(old, kept);
		await put(fresh, left);
		await room.pass(CAPSULE_KEPT - 60_000);
		await old.login();
		await keep(old, kept);
		for (let minutes = 0; minutes < 3; minutes++) await room.pass(60_000);
		expect(await fetch(left)).toBeNull();
		expect(await fetch(kept)).not.toBeNull();
	});

	it('CP-5 LI-2 puts are limited by device, fetches by network', async () => {
		const limits = {
			capsules: { perSecond: 0.01, burst: 2 },
			looks: { perSecond: 0.1, burst: 4 },
		};
		const { fetch, old, fresh } = await twoDevices(new RelayRoom({ limits }));
		const capsule = newCapsule();
		await put(old, capsule);
		await put(old, capsule);
		expect(await put(old, capsule)).toMatchObject({ code: 'rate-limited', retryAfter: 100_000 });
		expect(await put(fresh, newCapsule())).toMatchObject({ type: 'accepted' });
		expect(await fetch(capsule)).not.toBe('rate-limited');
		expect(await fetch(capsule)).toBe('rate-limited');
	});

	it('ER-2 a disk without room says busy and keeps what was there', async () => {
		const { room, fetch, old } = await twoDevices();
		const capsule = newCapsule();
		const sealed = someBytes();
		await put(old, capsule, { sealed });
		room.disk.full = true;
		expect(await put(old, capsule)).toMatchObject({ code: 'busy' });
		expect(await fetch(capsule)).toBe('busy');
		room.disk.full = false;
		expect(await fetch(capsule)).toEqual(sealed);
	});
});
