// Groups in the world: founding one, and what each of its members sees.
import type {
	AccountId,
	ConversationId,
	GroupIntention,
	Message,
	Written,
} from '../../../src/core/model.ts';
import type { Device } from './device.ts';
import { connect } from './people.ts';
import { World } from './world.ts';

export interface TestGroup {
	readonly id: string;
	/** As it was founded. */
	readonly name: string;
	/** The conversation as this device knows it. */
	chat(device: Device): Promise<ConversationId>;
	want(device: Device, intention: GroupIntention): Promise<string>;
	say(device: Device, text: string | Written): Promise<string>;
}

/** The first knows all others, who need not know each other; then founds a group with them. */
async function foundGroup(
	world: World,
	names: readonly string[],
): Promise<{ readonly group: TestGroup; readonly devices: readonly Device[] }> {
	const devices: Device[] = [];
	for (const name of names) devices.push(await world.addDevice(name));
	const [first, ...others] = devices;
	if (!first) throw new Error('nobody is there');
	for (const other of others) await connect(world, first, other);
	return { devices, group: await groupAmong(world, first, { name: 'Hut', others }) };
}

type Four = readonly [Device, Device, Device, Device];

/** Up to five people in a group, of whom the first founded it. */
export async function smallGroup(
	count: number,
	options: Omit<ConstructorParameters<typeof World>[0], 'seed'> = {},
): Promise<{ world: World; group: TestGroup; devices: Four }> {
	const world = new World({ seed: 3, ...options });
	const names = ['Ana', 'Ben', 'Cleo', 'Dov', 'Eli'].slice(0, count);
	const { group, devices } = await foundGroup(world, names);
	return { world, group, devices: devices as unknown as Four };
}

/** A group of people who are known to its founder, all of whom have come. */
export async function groupAmong(
	world: World,
	founder: Device,
	{ name, others }: { readonly name: string; readonly others: readonly Device[] },
): Promise<TestGroup> {
	const people = others.map(({ identity }) => identity.account);
	const group = await foundBy(founder, { name, people });
	await world.flush();
	await world.pass(40_000, 2_000);
	return group;
}

/** A group that its founder has; nothing of it has moved. */
export async function foundBy(
	founder: Device,
	{ name, people }: { readonly name: string; readonly people: readonly AccountId[] },
): Promise<TestGroup> {
	const created = await founder.client.createGroup({ name, picture: null, people });
	if (!created.ok) throw new Error(`the group is refused: ${created.error.kind}`);
	const id = (await founder.openStore().get('conversations', created.value))?.group ?? '';
	const chat = async (device: Device): Promise<ConversationId> => {
		const row = await device.openStore().get('groups', id);
		if (!row) throw new Error(`${device.name} does not know the group`);
		return row.conversation;
	};
	return {
		...{ id, name, chat },
		async want(device, intention) {
			const outcome = await device.client.changeGroup(await chat(device), intention);
			return outcome.ok ? 'ok' : outcome.error.kind;
		},
		async say(device, text) {
			const outcome = await device.client.send(await chat(device), text);
			return outcome.ok ? outcome.value : outcome.error.kind;
		},
	};
}

/** What stands in the log, the lines of the system by their kind. */
export async function logOf(group: TestGroup, device: Device): Promise<string[]> {
	const page = await device.client.messages(await group.chat(device), { at: 'end', limit: 200 });
	return page.messages.map(lineOf);
}

function lineOf({ body }: Message): string {
	if (body.kind === 'text') return body.text;
	return body.kind === 'event' ? `[${body.event.kind}]` : `<${body.kind}>`;
}

export async function textsIn(group: TestGroup, device: Device): Promise<string[]> {
	return (await logOf(group, device)).filter((line) => !line.startsWith('['));
}

/** What people said, where it could be read; the rest is in {@link gapsIn}. */
export async function wordsIn(group: TestGroup, device: Device): Promise<string[]> {
	return (await textsIn(group, device)).filter((line) => !line.startsWith('<'));
}

/** Messages that could not be opened: those that are asked for, and those that nobody will say again. */
export async function gapsIn(
	group: TestGroup,
	device: Device,
): Promise<{ readonly asked: number; readonly lost: number }> {
	const page = await device.client.messages(await group.chat(device), { at: 'end', limit: 200 });
	const states = page.messages.flatMap(({ body }) => {
		return body.kind === 'unreadable' ? [body.state] : [];
	});
	const lost = states.filter((state) => state === 'lost').length;
	return { asked: states.length - lost, lost };
}

/** "Ana owner, Ben member": who is in it, as this device sees it. */
export async function membersOf(group: TestGroup, device: Device): Promise<string> {
	const members = await device.client.members(await group.chat(device));
	return members.map(({ profile, role }) => `${profile.name} ${role}`).join(', ');
}

export async function stateOf(group: TestGroup, device: Device): Promise<string | undefined> {
	return (await device.client.conversation(await group.chat(device)))?.state.kind;
}

export async function nameOf(group: TestGroup, device: Device): Promise<string | undefined> {
	const subject = (await device.client.conversation(await group.chat(device)))?.subject;
	return subject?.kind === 'group' ? subject.about.name : undefined;
}
