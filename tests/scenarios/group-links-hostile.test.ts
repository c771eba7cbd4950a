// Links of groups in bad hands: whoever asks, whoever lets in, and the relay between them.
import { expect, test } from 'vitest';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import type { GroupLink } from '../../src/core/model.ts';
import { requestsOf } from '../../src/core/group-requests.ts';
import { channelContexts, contents, type AskingContext } from '../../src/protocol/content.ts';
import { cards, type GroupCard } from '../../src/protocol/cards.ts';
import type { DownFrame } from '../../src/protocol/frames.ts';
import {
	fromBase64Url,
	idFrom,
	type Address,
	type ChannelId,
	type EnvelopeId,
	type GroupId,
} from '../../src/protocol/ids.ts';
import { MAX_CARD_BYTES } from '../../src/protocol/limits.ts';
import type { Device } from '../support/world/device.ts';
import {
	groupAmong,
	logOf,
	membersOf,
	smallGroup,
	textsIn,
} from '../support/world/group-people.ts';
import {
	ask,
	BY_HAND,
	listOf,
	makeLink,
	OPEN,
	standing,
	waitingAt,
} from '../support/world/link-people.ts';
import type { World } from '../support/world/world.ts';

async function doorstep() {
	const { world, group, devices } = await smallGroup(2, { direct: false });
	const [ana, ben] = devices;
	const dov = await world.addDevice('Dov');
	return { world, group, ana, ben, dov };
}

const bytes = (value: number, length = 16) => new Uint8Array(length).fill(value);

async function keysOf({ fragment }: GroupLink) {
	return smallCrypto.inviteKeys(fromBase64Url(fragment) ?? new Uint8Array());
}

async function cardBehind(world: World, link: GroupLink): Promise<GroupCard> {
	const keys = await keysOf(link);
	const looked = await world.relay?.lookUp(keys.address, 'test');
	const plain = looked?.ok && looked.card ? await keys.openCard(looked.card) : undefined;
	const card = plain && cards.decode(plain, MAX_CARD_BYTES);
	if (!card?.ok || card.value.type !== 'groupCard') throw new Error('no card');
	return card.value;
}

/** The relay shows another card from now on. */
function showCard(world: World, card: (before: Uint8Array) => Promise<Uint8Array>): void {
	const { relay } = world;
	if (!relay) throw new Error('no relay');
	const lookUp = relay.lookUp.bind(relay);
	relay.lookUp = async (...given) => {
		const looked = await lookUp(...given);
		return looked.ok && looked.card ? { ...looked, card: await card(looked.card) } : looked;
	};
}

/** Founds the channel of a request as no honest client would, and returns how to speak in it. */
async function knock(
	world: World,
	device: Device,
	{ link, change }: { readonly link: GroupLink; readonly change: Partial<AskingContext> },
) {
	const { groups } = device.keys;
	const card = await cardBehind(world, link);
	const own = await groups.newKeyPackage({ reusable: true });
	const channel = idFrom<ChannelId>(bytes(9));
	const context = channelContexts.encode({
		...{ type: 'asking', group: card.group, profile: { name: device.name, picture: null } },
		...{ address: idFrom<Address>(bytes(8)), keyPackage: own.publicPart },
		...change,
	});
	const staged = await groups.stage(await groups.found(channel, context), {
		add: [card.keyPackage],
	});
	if (!staged.ok) throw new Error(staged.error);
	const { commit: body, welcome = null, next } = staged.value;
	const add = [{ leaf: 1, address: (await keysOf(link)).address }];
	void device.engine?.session.ask({
		...{ type: 'commit', envelope: idFrom<EnvelopeId>(bytes(7)), channel, epoch: 0, body },
		...{ add, remove: [], welcome, snapshot: null },
	});
	await world.pass(10_000);
	return { channel, state: next };
}

test('JO-3 a request for another group than the link is for comes to nothing', async () => {
	const { world, group, ana, ben, dov } = await doorstep();
	const other = await groupAmong(world, ana, { name: 'Board', others: [ben] });
	const link = await makeLink(world, ana, { group, terms: BY_HAND });
	const board = (await ana.openStore().get('conversations', await other.chat(ana)))?.group;
	await knock(world, dov, { link, change: { group: board ?? idFrom<GroupId>(bytes(1)) } });
	expect(await waitingAt(ana, group)).toEqual([]);
	expect(await waitingAt(ana, other)).toEqual([]);
	expect(world.notes).toEqual(['Ana: a request that does not hold ']);
});

test('JO-3 nobody asks with the key package of somebody else', async () => {
	const { world, group, ana, dov } = await doorstep();
	const eli = await world.addDevice('Eli');
	const link = await makeLink(world, ana, { group, terms: OPEN });
	const theirs = await eli.keys.groups.newKeyPackage({ reusable: true });
	await knock(world, dov, { link, change: { keyPackage: theirs.publicPart } });
	expect(await membersOf(group, ana)).toBe('Ana owner, Ben member');
	expect(world.notes).toEqual(['Ana: a request that does not hold ']);
});

test('JO-2 what is said in the channel of a request is shown to nobody', async () => {
	const { world, group, ana, dov } = await doorstep();
	const link = await makeLink(world, ana, { group, terms: BY_HAND });
	const { channel, state } = await knock(world, dov, { link, change: {} });
	const text = contents.encode({
		...{ type: 'text', message: idFrom(bytes(5)), order: '019b76da80000000', count: 1, sent: 1 },
		...{ mentions: undefined, text: 'buy now', replyTo: null, replaces: null },
	});
	const { bytes: body } = await dov.keys.groups.seal(state, text, new Uint8Array());
	const envelope = idFrom<EnvelopeId>(bytes(6));
	void dov.engine?.session.ask({ type: 'submit', envelope, channel, epoch: 1, body });
	await world.pass(5_000);
	expect(await waitingAt(ana, group)).toEqual(['Dov']);
	expect(await textsIn(group, ana)).toEqual([]);
	expect(await listOf(ana)).toEqual(['Hut', 'Ben', 'notes']);
});

test('JO-3 an address that nobody is behind: the others hear nothing of it', async () => {
	const { world, group, ana, ben, dov } = await doorstep();
	const link = await makeLink(world, ana, { group, terms: OPEN });
	await knock(world, dov, { link, change: {} });
	await world.pass(30_000);
	expect(await membersOf(group, ana)).toBe('Ana owner, Ben member');
	expect((await logOf(group, ana)).at(-1)).toBe('[not-done]');
	expect(await logOf(group, ben)).toEqual(['[group-created]']);
	await group.say(ana, 'still here');
	await world.pass(5_000);
	expect(await textsIn(group, ben)).toEqual(['still here']);
});

test('a card that was altered is no card', async () => {
	const { world, group, ana, dov } = await doorstep();
	const link = await makeLink(world, ana, { group, terms: OPEN });
	showCard(world, (card) => Promise.resolve(card.map((byte, at) => (at === 40 ? byte ^ 1 : byte))));
	expect(await dov.client.previewInvite(link.fragment)).toEqual({ kind: 'broken' });
});

test("JO-1 a card with somebody else's key package asks nobody", async () => {
	const { world, group, ana, dov } = await doorstep();
	const eve = await world.addDevice('Eve');
	const link = await makeLink(world, ana, { group, terms: OPEN });
	// Whoever knows the link and runs the relay can seal a card.
	const keys = await keysOf(link);
	const card = await cardBehind(world, link);
	const { publicPart: keyPackage } = await eve.keys.groups.newKeyPackage({ reusable: true });
	const forged = await keys.sealCard(cards.encode({ ...card, keyPackage }));
	showCard(world, () => Promise.resolve(forged));
	const chat = await ask(dov, link);
	await world.pass(10_000);
	expect(await standing(dov, chat)).toBe('refused unknown');
});

test('JO-6 whoever asks for one group is not brought into another', async () => {
	const { world, group, ana, ben, dov } = await doorstep();
	const trap = await groupAmong(world, ana, { name: 'Trap', others: [ben] });
	const link = await makeLink(world, ana, { group, terms: BY_HAND });
	const chat = await ask(dov, link);
	await world.pass(10_000);
	await ana.openStore().transact(async (tx) => {
		const id = (await tx.get('conversations', await group.chat(ana)))?.group;
		const [request] = id ? await requestsOf(tx, id) : [];
		const { entrance } = request?.row ?? {};
		const account = dov.identity.account;
		const profile = { name: 'Dov', picture: null };
		tx.put('people', account, {
			...{ account, profile, verification: { kind: 'unverified' }, lastSeen: undefined },
			...{ conversation: undefined, entry: entrance, profileVersion: 0, toldProfile: 0 },
		});
	});
	expect(await trap.want(ana, { kind: 'add', people: [dov.identity.account] })).toBe('ok');
	await world.pass(20_000);
	expect(await membersOf(trap, ana)).toContain('Dov');
	expect(await standing(dov, chat)).toBe('asking');
	expect(await listOf(dov)).toEqual(['Hut', 'notes']);
	expect(world.notes).toContain('Dov: a group that nobody may bring us into ');
});

test('JO-6 a request that the relay plays again brings nobody back', async () => {
	const { world, group, ana, ben, dov } = await doorstep();
	const link = await makeLink(world, ana, { group, terms: OPEN });
	let request: DownFrame | undefined;
	let again = false;
	ana.wire?.lie((frame) => {
		if (frame.type !== 'deliver') return frame;
		if (frame.kind === 'welcome') request = frame;
		if (!again || request?.type !== 'deliver') return frame;
		again = false;
		return { ...request, seq: frame.seq, envelope: idFrom<EnvelopeId>(bytes(3)) };
	});
	const chat = await ask(dov, link);
	await world.pass(20_000);
	await group.want(dov, { kind: 'leave', successor: undefined });
	await world.pass(30_000);
	expect(await standing(dov, chat)).toBe('left');
	again = true;
	await group.say(ben, 'anything');
	await world.pass(60_000, 2_000);
	expect(again).toBe(false);
	expect(await standing(dov, chat)).toBe('left');
	expect(await membersOf(group, ben)).toBe('Ana owner, Ben member');
});
