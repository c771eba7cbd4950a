// Links of groups in the world: making one, asking by it, and what each side then sees.
import type { ConversationId, GroupLink, LinkTerms } from '../../../src/core/model.ts';
import type { Device } from './device.ts';
import type { TestGroup } from './group-people.ts';
import type { World } from './world.ts';

export const OPEN: LinkTerms = { approval: false, expires: undefined, uses: undefined };
export const BY_HAND: LinkTerms = { ...OPEN, approval: true };

/** A link that is known to the relay. */
export async function makeLink(
	world: World,
	maker: Device,
	{ group, terms }: { readonly group: TestGroup; readonly terms: LinkTerms },
): Promise<GroupLink> {
	const made = await maker.client.makeGroupLink(await group.chat(maker), terms);
	if (!made.ok) throw new Error(`the link is refused: ${made.error.kind}`);
	await world.flush();
	return made.value;
}

/** Asks by a link; nothing moves yet. */
export async function ask(device: Device, { fragment }: GroupLink): Promise<ConversationId> {
	const accepted = await device.client.acceptInvite(fragment);
	if (!accepted.ok) throw new Error(`the link is ${accepted.error.kind}`);
	return accepted.value;
}

/** "asking", "turned-away full", "open": how a conversation stands. */
export async function standing(device: Device, chat: ConversationId): Promise<string | undefined> {
	const state = (await device.client.conversation(chat))?.state;
	if (!state) return undefined;
	return 'reason' in state ? `${state.kind} ${state.reason}` : state.kind;
}

/** Names of those who wait to be let in at this device. */
export async function waitingAt(device: Device, group: TestGroup): Promise<string[]> {
	const requests = await device.client.joinRequests(await group.chat(device));
	return requests.map(({ profile, wasRemoved }) => profile.name + (wasRemoved ? ' again' : ''));
}

/** What stands in the list of conversations. */
export async function listOf(device: Device): Promise<string[]> {
	const all = await device.client.conversations();
	return all.map(({ subject }) => {
		if (subject.kind === 'person') return subject.person.profile.name;
		return subject.kind === 'group' ? subject.about.name : subject.kind;
	});
}
