// What opened content does to the conversation. Everything runs inside the inbox's transaction.
import { contents, type Content, type TextContent } from '../protocol/content.ts';
import type { DeviceId, MessageId } from '../protocol/ids.ts';
import { MAX_FRAME_BYTES } from '../protocol/limits.ts';
import { isBlocked } from './blocking.ts';
import { soundMentions, type Mention } from '../protocol/mentions.ts';
import type { Work } from './context.ts';
import { isStranger, learnDevices, sayRefused } from './device-pins.ts';
import { noteReceipt } from './group-receipts.ts';
import { bringBack } from './own-devices.ts';
import { mightWrite } from './group-sight.ts';
import { partTaken } from './history-sharing.ts';
import { takeHistory } from './history-taking.ts';
import type { Incoming } from './incoming.ts';
import { positionOf } from './positions.ts';
import { isFullRequest } from './requests.ts';
import type { Opened, Transaction } from './ports.ts';
import { entranceKey, ONLY, outboxKey, type ChannelRow, type MessageRow } from './records.ts';
import {
	answerRepair,
	applySettled,
	countMissing,
	countOnly,
	countText,
	placeLine,
	removeUnreadable,
} from './repairs.ts';
import {
	addMessage,
	isNotes,
	putPerson,
	queueReceipt,
	raiseDelivery,
	MOST_CONVERSATIONS,
} from './threads.ts';
import { applyAgreement } from './agreement.ts';
import { chunkArrived } from './transfer.ts';

/** In larger groups nobody says that a message arrived: it would be many times what was written. */
const MOST_TELLING = 31;

/** What somebody said, or that it cannot be read. */
export type Said = ReturnType<typeof contents.decode>;

interface OpenedMessage {
	readonly row: ChannelRow;
	readonly opened: Extract<Opened, { kind: 'message' }>;
	readonly incoming: Incoming;
}

interface HeardMessage extends OpenedMessage {
	/** Nobody is told of it. */
	readonly quiet: boolean;
}

export function readContent({ plaintext }: Extract<Opened, { kind: 'message' }>): Said {
	return contents.decode(plaintext, MAX_FRAME_BYTES);
}

/** Prepares for the rows that applying this will read: those asked for together are one look at the disk. */
export async function lookAhead({ tx }: Work, said: Said): Promise<void> {
	if (!said.ok) return;
	const content = said.value;
	// Twins are rare: one is noticed by the commit.
	if (content.type === 'text') tx.presumeNew(content.message);
	if (content.type === 'receipt') {
		const ids = [...content.delivered, ...content.read];
		const keys = await Promise.all(ids.map((id) => tx.locate(id)));
		await Promise.all(keys.flatMap((key) => (key === undefined ? [] : [tx.get('messages', key)])));
	}
}

/** Returns the channel's row as it stands afterwards. */
export async function applyContent(
	work: Work,
	message: OpenedMessage,
	said: Said,
): Promise<ChannelRow> {
	const { row, opened, incoming } = message;
	const { tx } = work;
	const quiet = await isBlocked(tx, opened.sender.account);
	const isGroup = (await tx.get('conversations', row.conversation))?.group !== undefined;
	if (quiet && !isGroup) return applyUnheard(work, message, said);
	if (said.ok) return applyDecoded(work, { ...message, quiet }, said.value);
	if (await isFullRequest(tx, row.conversation)) return row;
	// Content of a newer Kith: kept in its place, so that nothing disappears (SPEC CO-1).
	const body = { kind: 'newer' } as const;
	await placeLine(work, row.conversation, { incoming, by: opened.sender, body, quiet });
	return row;
}

/**
 * From somebody who is blocked, alone (SPEC BL-2). What they say is gone, now and when it is said again later; how they can
 * be reached is kept, for they may be unblocked.
 */
async function applyUnheard(work: Work, message: OpenedMessage, said: Said): Promise<ChannelRow> {
	const { tx, relayTime } = work;
	const { row, opened } = message;
	if (!said.ok || said.value.type === 'repair') return row;
	const content = said.value;
	if (content.type !== 'text') return applyDecoded(work, { ...message, quiet: true }, content);
	if (content.replaces) await removeUnreadable(tx, row.conversation, [content.replaces]);
	if ((await tx.locate(content.message)) === undefined) {
		tx.put('seen', content.message, relayTime());
	}
	return countOnly(tx, row, { device: opened.sender.device, count: content.count });
}

async function isRequestOf(
	tx: Transaction,
	account: MessageRow['author'],
): Promise<true | undefined> {
	const person = await tx.get('people', account);
	const alone = await tx.get('conversations', person?.conversation ?? '');
	return alone?.state.kind === 'request' || undefined;
}

/** Whether this was said to somebody who did not want to hear it; asked of those only who may have been unwanted. */
async function wasUnheard(
	tx: Transaction,
	account: MessageRow['author'],
	id: MessageId,
): Promise<boolean> {
	const mayBe = (await tx.get('blocks', account)) ?? (await isRequestOf(tx, account));
	return mayBe !== undefined && (await tx.get('seen', id)) !== undefined;
}

async function applyDecoded(
	work: Work,
	message: HeardMessage,
	content: Content,
): Promise<ChannelRow> {
	const { tx, identity } = work;
	const { row, opened, incoming } = message;
	const by = opened.sender;
	const isOwn = by.account === identity.account;
	// A profile may bring the list that says so; all else counts only from a device that is theirs (SPEC DE-2).
	if (content.type !== 'profile') {
		const holder = isOwn ? await tx.get('me', ONLY) : await tx.get('people', by.account);
		if (isStranger(holder, by.device)) {
			if (!isOwn) await sayRefused(work, by.account, { incoming, by });
			return row;
		}
	}
	switch (content.type) {
		case 'text':
			return applyText(work, message, content);
		case 'receipt':
			await applyReceipt(tx, message, content);
			return row;
		case 'profile':
			await applyProfile(work, message, content);
			return row;
		case 'repair':
			if (content.device === identity.device) await answerRepair(tx, row, content);
			return row;
		case 'settled':
			return applySettled(work, row, { device: opened.sender.device, settled: content });
		case 'history':
			if (!message.quiet) await takeHistory(work, row, { by: opened.sender, part: content });
			return row;
		case 'historyTaken':
			await partTaken(work, row.conversation, { ...content, by: opened.sender.account });
			return row;
		case 'turnedAway':
			return row; // means something only where somebody asks (SPEC JO-7)
		case 'want':
		case 'chunk':
		case 'agree':
		case 'note':
			if (isOwn) await applyOwn(work, message, content);
			return row;
		case 'roster':
			await applyRoster(work, message, content);
			return row;
		default:
			return content satisfies never;
	}
}

async function applyText(
	work: Work,
	message: HeardMessage,
	content: TextContent,
): Promise<ChannelRow> {
	const { tx, identity, clock } = work;
	const { row, opened, incoming, quiet } = message;
	if (content.replaces) await removeUnreadable(tx, row.conversation, [content.replaces]);
	const { account, device } = opened.sender;
	const isUnheard = await wasUnheard(tx, account, content.message);
	if (isUnheard || !mightWrite(row, opened.epoch, account)) {
		return countText(tx, row, { device, count: content.count });
	}
	const mine = account === identity.account;
	if (await isFullRequest(tx, row.conversation)) {
		return countMissing(tx, row, { device, count: content.count });
	}
	const mentions = await mentionsIn(work, message, content);
	await addMessage(tx, {
		id: content.message,
		conversation: row.conversation,
		position: positionOf(content.order, content.message),
		author: account,
		device,
		mine,
		body: {
			...{ kind: 'text', text: content.text, replyTo: content.replyTo ?? undefined },
			...(mentions.length > 0 && { mentions }),
		},
		sent: content.sent,
		received: clock.now(),
		delivery: mine ? { kind: 'sent' } : { kind: 'received' },
		...(quiet && { quiet }),
		carrier: undefined,
	});
	// Also for a twin: the first receipt may have been lost with the channel that carried it.
	if (mine) await noteAudience(work, message, content.message);
	const tells = !mine && !quiet && row.others.length <= MOST_TELLING;
	if (tells) await queueReceipt(tx, row.conversation, { delivered: [content.message] });
	if (quiet) return countOnly(tx, row, { device, count: content.count });
	await seen(tx, account, incoming.at);
	return countText(tx, row, { device, count: content.count });
}

/** What another own device sent to a group: whom it is delivered to is counted here as well. */
async function noteAudience(
	{ tx, groups, identity }: Work,
	{ row, opened }: OpenedMessage,
	id: MessageId,
): Promise<void> {
	if (!(await tx.get('conversations', row.conversation))?.group) return;
	const accounts = groups.members(opened.state).map(({ account }) => account);
	const audience = [...new Set(accounts)].filter((account) => account !== identity.account);
	const known = await tx.get('receipts', id);
	tx.put('receipts', id, { delivered: [], read: [], ...known, audience });
}

/** Of the people who are in the group; elsewhere nobody is mentioned (SPEC CO-11). */
async function mentionsIn(
	{ tx, groups }: Work,
	{ row, opened }: OpenedMessage,
	{ text, mentions }: TextContent,
): Promise<readonly Mention[]> {
	const sound = soundMentions(text, mentions);
	if (sound.length === 0 || !(await tx.get('conversations', row.conversation))?.group) return [];
	const members = new Set(groups.members(opened.state).map(({ account }) => account));
	return sound.filter(({ account }) => members.has(account));
}

async function seen(tx: Transaction, account: MessageRow['author'], at: number): Promise<void> {
	const person = await tx.get('people', account);
	if (person && (person.lastSeen ?? 0) < at) tx.put('people', account, { ...person, lastSeen: at });
}

async function applyReceipt(
	tx: Transaction,
	{ row, opened }: OpenedMessage,
	receipt: Extract<Content, { type: 'receipt' }>,
): Promise<void> {
	const { conversation } = row;
	const isGroup = (await tx.get('conversations', conversation))?.group !== undefined;
	const by = opened.sender.account;
	const raise = async (ids: readonly MessageId[], kind: 'delivered' | 'read') => {
		for (const id of ids) {
			// A receipt speaks for its own conversation only.
			const key = await tx.locate(id);
			if (!key?.startsWith(`${conversation}/`)) continue;
			if (isGroup) await noteReceipt(tx, id, { by, kind });
			else await raiseDelivery(tx, id, { kind });
		}
	};
	await raise(receipt.delivered, 'delivered');
	await raise(receipt.read, 'read');
}

async function applyProfile(
	work: Work,
	{ row, opened, incoming }: OpenedMessage,
	content: Extract<Content, { type: 'profile' }>,
): Promise<void> {
	const { tx, identity } = work;
	const { account, device } = opened.sender;
	const told = { incoming, by: opened.sender };
	const here = await tx.get('conversations', row.conversation);
	const { profile, version: profileVersion, address, keyPackage, devices } = content;
	if (account === identity.account) {
		if (here?.hidden) await applyOwnProfile(work, { device, at: incoming.at }, content);
		return;
	}
	if (devices) await learnDevices(work, { account, list: devices }, told);
	const known = await tx.get('people', account);
	if (isStranger(known, device)) return sayRefused(work, account, told);
	if (here?.group)
		tx.put('entrances', entranceKey.of(here.group, account), { address, keyPackage });
	else if (known) {
		const entrances = { ...known.entrances, [device]: { address, keyPackage } };
		tx.put('people', account, { ...known, entrances });
		await bringBack(work, account);
	}
	const person = await tx.get('people', account);
	if (!person || profileVersion < person.profileVersion) return;
	const entry = here?.group ? person.entry : { address, keyPackage };
	tx.put('people', account, { ...person, profile, profileVersion, entry });
	// The list shows the name: whoever watches the conversation must hear of it.
	const alone = await tx.get('conversations', person.conversation ?? '');
	if (alone) tx.put('conversations', alone.id, { ...alone });
	if (here?.group) tx.put('conversations', here.id, { ...here });
}

type OwnContent = Extract<Content, { type: 'want' | 'chunk' | 'agree' | 'note' }>;

/** What the person's devices say to each other, and nobody else (SPEC DE-10, DE-11). */
async function applyOwn(
	work: Work,
	{ row, opened, incoming }: OpenedMessage,
	content: OwnContent,
): Promise<void> {
	const { tx, identity, clock } = work;
	const self = await tx.get('conversations', row.conversation);
	if (!self?.hidden) return;
	const { device } = opened.sender;
	const known = await tx.get('siblings', device);
	if (known && known.heard < incoming.at)
		tx.put('siblings', device, { ...known, heard: incoming.at });
	switch (content.type) {
		case 'want': {
			if (content.to !== identity.device) return;
			const { cursor } = content;
			tx.put('outbox', outboxKey.chunk(self.id, device), { kind: 'chunk', to: device, cursor });
			return;
		}
		case 'chunk':
			if (content.to === identity.device) await chunkArrived(tx, device, content);
			return;
		case 'agree':
			return applyAgreement(work, content);
		case 'note': {
			const all = await tx.list('conversations', { prefix: '', limit: MOST_CONVERSATIONS });
			const notes = all.find(({ value }) => isNotes(value))?.value;
			if (!notes) return;
			const { message, order, sent, text, replyTo } = content;
			await addMessage(tx, {
				...{ id: message, conversation: notes.id, position: positionOf(order, message) },
				...{ author: identity.account, device, mine: true, sent, received: clock.now() },
				body: { kind: 'text', text, replyTo: replyTo ?? undefined },
				...{ delivery: { kind: 'received' }, carrier: undefined },
			});
			return;
		}
		default:
			content satisfies never;
	}
}

/** Another own device says how to bring it into a channel, and what this person calls themselves. */
async function applyOwnProfile(
	{ tx }: Work,
	{ device, at }: { readonly device: DeviceId; readonly at: number },
	{ profile, version, address, keyPackage }: Extract<Content, { type: 'profile' }>,
): Promise<void> {
	const me = await tx.get('me', ONLY);
	if (!me || isStranger(me, device)) return;
	tx.put('siblings', device, { entrance: { address, keyPackage }, heard: at });
	if (version > me.profileVersion) tx.put('me', ONLY, { ...me, profile, profileVersion: version });
}

/** Names until each person says their own: hearsay never replaces what somebody said of themselves (SPEC GR-7). */
async function applyRoster(
	{ tx, identity }: Work,
	{ row }: OpenedMessage,
	{ people }: Extract<Content, { type: 'roster' }>,
): Promise<void> {
	const here = await tx.get('conversations', row.conversation);
	const group = await tx.get('groups', here?.group ?? '');
	if (!here || !group) return;
	tx.put('conversations', here.id, { ...here });
	for (const { account, name, entrance } of people) {
		const isMember = group.members.some((member) => member.account === account);
		if (!isMember || account === identity.account) continue;
		const key = entranceKey.of(group.group, account);
		if (entrance && !(await tx.get('entrances', key))) tx.put('entrances', key, entrance);
		const person = await tx.get('people', account);
		if (person && (person.conversation || person.profileVersion > 0)) continue;
		const profile = { name, picture: null };
		if (person) tx.put('people', account, { ...person, profile });
		else putPerson(tx, account, { conversation: undefined, profile, lastSeen: undefined });
	}
}
