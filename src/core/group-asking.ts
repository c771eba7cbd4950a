// Asking to be let into a group by its link: the side of who asks. The conversation is there from the first moment; until
// the group's own channel comes, a channel with nobody but the maker of the link carries the request (SPEC JO).
import { channelContexts, contents } from '../protocol/content.ts';
import { idFrom, type ChannelId, type ConversationId, type EnvelopeId } from '../protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../protocol/limits.ts';
import { forgetChannel, saveChannel, type LoadedChannel } from './channels.ts';
import { entranceToSelf } from './contact-kit.ts';
import type { Work } from './context.ts';
import { stopAsking } from './group-requests.ts';
import { stagedRow } from './groups.ts';
import type { Opened } from './ports.ts';
import type { AskingRow } from './request-records.ts';
import { ONLY, outboxKey, type ChannelRow, type ConversationRow } from './records.ts';

/** Stages the request, or gives the one that is staged. Undefined where there is nothing to send, or not yet. */
export async function stageAsking(work: Work, id: ConversationId): Promise<ChannelRow | undefined> {
	const { tx } = work;
	const conversation = await tx.get('conversations', id);
	const waits = await tx.get('outbox', outboxKey.ask(id));
	const { asking } = conversation ?? {};
	if (!conversation?.group || !asking || waits?.kind !== 'ask') return undefined;
	const known = await tx.get('channels', asking.channel ?? '');
	if (known?.staged) return known;
	const me = await tx.get('me', ONLY);
	const entrance = await entranceToSelf(work, id);
	// They could not add who has no address yet; it is on its way, and then this is asked again.
	if (!me || !entrance?.registered) return undefined;
	const owner = await work.groups.inspectKeyPackage(asking.entrance.keyPackage);
	if (!owner.ok || owner.value.account !== asking.by) {
		await stopAsking(tx, conversation, { kind: 'refused', reason: 'unknown' });
		return undefined;
	}
	const { address, keyPackage } = entrance;
	const { ticket } = asking;
	if (ticket) {
		const { certificate } = work.identity;
		const joining = { type: 'joining', ticket, address, keyPackage, certificate } as const;
		return foundAsking(work, { ...conversation, asking }, channelContexts.encode(joining));
	}
	const context = channelContexts.encode({
		...{ type: 'asking', group: conversation.group, profile: me.profile, address, keyPackage },
	});
	return foundAsking(work, { ...conversation, asking }, context);
}

async function foundAsking(
	work: Work,
	conversation: ConversationRow & { readonly asking: AskingRow },
	context: Uint8Array,
): Promise<ChannelRow | undefined> {
	const { tx, groups } = work;
	const { asking, id } = conversation;
	const channel = idFrom<ChannelId>(work.random.bytes(16));
	const alone = await groups.found(channel, context);
	const staged = await groups.stage(alone, { add: [asking.entrance.keyPackage] });
	if (!staged.ok) return undefined;
	const { epoch, treeId, ratchet, tree } = groups.freeze(alone);
	const add = [{ leaf: 1, address: asking.entrance.address }];
	const row: ChannelRow = {
		...{ channel, conversation: id, status: 'founding', asks: true, generation: 0 },
		...{ epoch, treeId, ratchet, others: [], sentCount: 0, counts: {}, parked: 0 },
		staged: { ...stagedRow(work, staged.value, add), expected: epoch },
	};
	tx.put('channels', channel, row);
	tx.put('trees', channel, tree);
	tx.put('conversations', id, { ...conversation, asking: { ...asking, channel } });
	return row;
}

/** The relay has the request: what is left is to wait. */
export async function askingArrived(
	{ tx }: Work,
	channel: ChannelId,
	envelope: EnvelopeId | undefined,
): Promise<void> {
	const row = await tx.get('channels', channel);
	if (!row?.asks || !row.staged || row.staged.envelope !== envelope) return;
	saveChannel(tx, { ...row, status: 'open', staged: undefined }, row.staged.next);
	tx.delete('outbox', outboxKey.ask(row.conversation));
}

/** What was staged does not pass, and is made anew. */
export async function dropAsking({ tx }: Work, row: ChannelRow): Promise<void> {
	const conversation = await tx.get('conversations', row.conversation);
	await forgetChannel(tx, row.channel);
	if (conversation?.asking?.channel !== row.channel) return;
	const asking = { ...conversation.asking, channel: undefined };
	tx.put('conversations', conversation.id, { ...conversation, asking });
}

/** What came in the channel of a request: nothing counts but the answer of who may give it. */
export async function hearAnswer(
	{ tx }: Work,
	{ row }: LoadedChannel,
	opened: Opened,
): Promise<void> {
	const conversation = await tx.get('conversations', row.conversation);
	if (opened.kind !== 'message' || conversation?.asking?.channel !== row.channel) return;
	if (opened.sender.account !== conversation.asking.by) return;
	const decoded = contents.decode(opened.plaintext, MAX_FRAME_BYTES);
	if (!decoded.ok || decoded.value.type !== 'turnedAway') return;
	await stopAsking(tx, conversation, { kind: 'turned-away', reason: decoded.value.reason });
}
