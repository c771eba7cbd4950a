// People with several devices in the world.
import type { Device } from './device.ts';
import type { World } from './world.ts';

/** Shows what a browser shows that wants to be one more device of somebody, and lets `by` scan it. */
export async function link(world: World, by: Device, name: string): Promise<Device> {
	const fresh = world.addBlank(name);
	const linking = await fresh.client.linkThisDevice();
	const outcome = await by.client.linkDevice(linking.fragment);
	if (!outcome.ok) throw new Error(`the device is ${outcome.error.kind}`);
	await world.flush();
	await world.pass(6_000);
	const linked = await linking.done;
	if (!linked.ok) throw new Error(`the link is ${linked.error.kind}`);
	await fresh.start();
	await world.flush();
	await world.pass(20_000);
	return fresh;
}

/** Whether `by` has an address and a key package of just this device of somebody else. */
export async function knowsWay(by: Device, to: Device): Promise<boolean> {
	const { account, device } = to.identity;
	const person = await by.openStore().get('people', account);
	for (const entrance of [...Object.values(person?.entrances ?? {}), person?.entry]) {
		const owner = entrance && (await by.keys.groups.inspectKeyPackage(entrance.keyPackage));
		if (owner?.ok && owner.value.device === device) return true;
	}
	return false;
}
