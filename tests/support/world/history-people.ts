// Newcomers in the world: what they were given of a group's history, and those who give what nobody would.
import type { HistoryContent } from '../../../src/protocol/content.ts';
import { contents } from '../../../src/protocol/content.ts';
import { idFrom, type EnvelopeId, type GroupId } from '../../../src/protocol/ids.ts';
import { loadChannel, saveChannel } from '../../../src/core/channels.ts';
import type { Message } from '../../../src/core/model.ts';
import { lastOrderOf } from '../../../src/core/positions.ts';
import { outboxKey } from '../../../src/core/records.ts';
import type { Device } from './device.ts';
import { smallGroup, type TestGroup } from './group-people.ts';
import { chatWith, connect, everythingIn } from './people.ts';
import type { World } from './world.ts';

/** Three in a group, Ana its owner, and Zoe, whom only Ana knows. */
export async function withNewcomer(options: { readonly direct?: boolean } = {}) {
	const { world, group, devices } = await smallGroup(3, options);
	const [ana, ben, cleo] = devices;
	const zoe = await world.addDevice('Zoe');
	await connect(world, ana, zoe);
	return { world, group, ana, ben, cleo, zoe };
}

/** Everything in the group's log, oldest first. */
export async function allIn(group: TestGroup, device: Device): Promise<Message[]> {
	return everythingIn(device, await group.chat(device));
}

/** Only what came as somebody's word for it: the texts, oldest first. */
export async function sharedIn(group: TestGroup, device: Device): Promise<string[]> {
	const all = await allIn(group, device);
	return all.flatMap(({ body }) => (body.kind === 'text' && body.sharedBy ? [body.text] : []));
}

/** Messages that came with a history, by how many the line says. */
export async function toldIn(group: TestGroup, device: Device): Promise<number[]> {
	const all = await allIn(group, device);
	return all.flatMap(({ body }) => {
		return body.kind === 'event' && body.event.kind === 'history' ? [body.event.count] : [];
	});
}

/** Texts said one after the other, and heard by everybody. */
export async function chatter(
	world: World,
	group: TestGroup,
	{ by, count }: { readonly by: readonly Device[]; readonly count: number },
) {
	const texts = Array.from({ length: count }, (_, at) => `line ${at}`);
	for (const [at, text] of texts.entries()) {
		await group.say(by[at % by.length] as Device, text);
		await world.flush();
	}
	await world.pass(5_000);
	return texts;
}

/** What `by` would say of a group's history, with what is said instead of the truth. */
export async function historyOf(
	group: TestGroup,
	by: Device,
	messages: readonly Partial<HistoryContent['messages'][number]>[],
): Promise<HistoryContent> {
	const row = await by.openStore().get('conversations', await group.chat(by));
	return {
		...{ type: 'history', group: row?.group as GroupId, part: 0, last: false },
		messages: messages.map((each, at) => ({
			...{ message: idFrom(new Uint8Array(16).fill(at + 1)), order: lastOrderOf(1_000 + at) },
			...{ author: by.identity.account, sent: 1, text: `told ${at}`, replyTo: null },
			...each,
		})),
	};
}

/** Seals `content` for somebody alone, and lets the engine send it. */
export async function tell(by: Device, to: Device, content: HistoryContent): Promise<void> {
	const chat = await chatWith(by, to);
	if (!chat) throw new Error(`${by.name} does not know ${to.name}`);
	const { groups } = by.keys;
	await by.openStore().transact(async (tx) => {
		const [channel] = (await tx.get('conversations', chat))?.channels ?? [];
		const loaded = channel && (await loadChannel(tx, groups, channel));
		if (!loaded) throw new Error('no channel');
		const { row, state } = loaded;
		const sealed = await groups.seal(state, contents.encode(content), new Uint8Array());
		saveChannel(tx, row, groups.freeze(sealed.state));
		const envelope = idFrom<EnvelopeId>(crypto.getRandomValues(new Uint8Array(16)));
		const { epoch } = sealed.state;
		tx.put('outbox', outboxKey.small(chat, envelope), {
			kind: 'small',
			sealed: { channel: row.channel, epoch, envelope, body: sealed.bytes },
			says: { kind: 'settled', envelopes: [], counts: [] },
		});
	});
}
