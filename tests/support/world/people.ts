// What people do in the world, and what they should then see.
import type { ConversationId, Message, MessageId } from '../../../src/core/model.ts';
import { outboxKey, type ChannelRow } from '../../../src/core/records.ts';
import type { Device } from './device.ts';
import type { World } from './world.ts';

export interface Party {
	readonly device: Device;
	readonly chat: ConversationId;
}

/** Two new people who have exchanged a first message over a link. */
export async function befriend(
	world: World,
	first: string,
	second: string,
): Promise<[Party, Party]> {
	const a = await world.addDevice(first);
	const b = await world.addDevice(second);
	return connect(world, a, b);
}

export async function connect(world: World, a: Device, b: Device): Promise<[Party, Party]> {
	const invite = await a.client.createInvite({ kind: 'reusable' });
	await world.flush();
	const accepted = await b.client.acceptInvite(invite.fragment);
	if (!accepted.ok) throw new Error(`the invite is ${accepted.error.kind}`);
	await b.client.send(accepted.value, `hello from ${b.name}`);
	await world.flush();
	await world.pass(2_000);
	const chat = await chatWith(a, b);
	if (!chat) throw new Error(`${a.name} does not know ${b.name}`);
	return [
		{ device: a, chat },
		{ device: b, chat: accepted.value },
	];
}

export async function chatWith(own: Device, other: Device): Promise<ConversationId | undefined> {
	const all = await own.client.conversations();
	return all.find(
		({ subject }) => subject.kind === 'person' && subject.person.account === other.identity.account,
	)?.id;
}

/** All of a conversation, oldest first. */
export async function everythingIn(device: Device, chat: ConversationId): Promise<Message[]> {
	const all: Message[] = [];
	for (let position = ''; ;) {
		const page = await device.client.messages(chat, { at: 'after', position, limit: 200 });
		all.push(...page.messages);
		position = page.messages.at(-1)?.position ?? '';
		if (!page.newerExist) return all;
	}
}

export async function textsOf(device: Device, chat: ConversationId): Promise<string[]> {
	const all = await everythingIn(device, chat);
	return all.map(({ body }) => (body.kind === 'text' ? body.text : body.kind));
}

export async function deliveryOf(device: Device, id: MessageId): Promise<string | undefined> {
	return (await device.client.message(id))?.delivery.kind;
}

/** Says something, and returns its id. */
export async function say({ device, chat }: Party, text: string): Promise<MessageId> {
	const sent = await device.client.send(chat, text);
	if (!sent.ok) throw new Error(`"${text}" is ${sent.error.kind}`);
	return sent.value;
}

/** The channel in use between two people, as one of them keeps it. */
export async function channelOf({ device, chat }: Party): Promise<ChannelRow> {
	const store = device.openStore();
	const channel = (await store.get('conversations', chat))?.channels[0];
	const row = channel && (await store.get('channels', channel));
	if (!row) throw new Error(`${device.name} has no channel`);
	return row;
}

/** Asks a device to renew its keys in the channel in use, as joining does. */
export async function planRotation(party: Party): Promise<void> {
	const { channel } = await channelOf(party);
	const key = outboxKey.rotate(party.chat, channel);
	await party.device.openStore().transact((tx) => {
		tx.put('outbox', key, { kind: 'rotate', channel });
		return Promise.resolve();
	});
}
