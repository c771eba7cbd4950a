// The person's devices, from their side: which there are, one more, one less.
import { fromBase64Url, idFrom, type ConversationId, type GroupId } from '../protocol/ids.ts';
import { MAX_DEVICES } from '../protocol/limits.ts';
import type { Client, ClientPorts } from './client.ts';
import { must } from './client-intentions.ts';
import { ownGroup } from './group-devices.ts';
import type { DeviceRefusal, OwnDevice } from './model.ts';
import { queueDeviceChange } from './own-devices.ts';
import type { Result } from './ports.ts';
import { ONLY } from './records.ts';
import { isOnItsWay } from './transfer.ts';

const KEY_BYTES = 32;
const TICKET_BYTES = 32;
/** How long a device that was shown may take to fetch what was sealed for it, ms. */
const OFFER_LIVES = 15 * 60_000;

export type DeviceDoor = Pick<Client, 'devices' | 'linkDevice' | 'removeDevice' | 'transfer'>;

export function createDeviceDoor(ports: ClientPorts): DeviceDoor {
	const { store, random, clock } = ports;
	return {
		devices: () => listDevices(ports),
		linkDevice: (fragment) => linkDevice(ports, fragment),
		removeDevice: (device) =>
			must(store, async (tx) => {
				const me = await tx.get('me', ONLY);
				const own = await ownGroup(tx, newGroup(random.bytes(16), random.bytes(16), clock.now()));
				if (!own || me?.signedOut !== undefined) return;
				await queueDeviceChange(tx, own, { kind: 'unlink', device });
			}),
		async transfer() {
			const row = await store.get('transfer', ONLY);
			if (!row) return undefined;
			const { total, messages, queue } = row;
			const done = total === undefined ? 0 : Math.max(0, total - queue.length);
			return { done, total, messages, complete: !isOnItsWay(row) };
		},
	};
}

function newGroup(conversation: Uint8Array, group: Uint8Array, now: number) {
	return {
		conversation: idFrom<ConversationId>(conversation),
		group: idFrom<GroupId>(group),
		now,
	};
}

async function linkDevice(
	{ store, crypto, random, clock }: ClientPorts,
	fragment: string,
): Promise<Result<undefined, DeviceRefusal>> {
	const refused = (error: DeviceRefusal) => ({ ok: false, error }) as const;
	const publicKey = fromBase64Url(fragment.replace(/^#/, '').trim());
	if (publicKey?.length !== KEY_BYTES) return refused({ kind: 'broken' });
	const { length } = await listDevices({ store, crypto });
	if (length >= MAX_DEVICES) return refused({ kind: 'too-many', limit: MAX_DEVICES });
	const address = await crypto.offerAddress(publicKey);
	const ticket = random.bytes(TICKET_BYTES);
	const made = clock.now();
	const group = newGroup(random.bytes(16), random.bytes(16), made);
	const outcome = await store.transact(async (tx) => {
		const me = await tx.get('me', ONLY);
		const own = await ownGroup(tx, group);
		if (!own || me?.signedOut !== undefined) return refused({ kind: 'closed' });
		if (await tx.get('offers', address)) return { ok: true, value: undefined } as const;
		const expires = made - ((await tx.get('clock', ONLY))?.skew ?? 0) + OFFER_LIVES;
		tx.put('offers', address, { address, publicKey, ticket, made, expires, todo: 'put' });
		return { ok: true, value: undefined } as const;
	});
	return outcome.ok ? outcome.value : refused({ kind: 'storage-full' });
}

async function listDevices({
	store,
	crypto,
}: Pick<ClientPorts, 'store' | 'crypto'>): Promise<readonly OwnDevice[]> {
	const me = await store.get('me', ONLY);
	if (!me) return [];
	const list = me.deviceList && (await crypto.readDeviceList(me.deviceList, me.account));
	const known = list?.ok ? list.value.devices : [];
	const devices = known.map(async ({ device, name, created }): Promise<OwnDevice> => {
		const row = await store.get('siblings', device);
		const isThis = device === me.device;
		return { device, name, created, lastSeen: isThis ? undefined : row?.heard, isThis };
	});
	return Promise.all(devices);
}
