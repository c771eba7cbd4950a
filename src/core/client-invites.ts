// Invite links from the person's side: making and revoking own ones, looking behind another's, and beginning the
// conversation that one offers.
import { cards, type Card, type GroupCard } from '../protocol/cards.ts';
import {
	fromBase64Url,
	idFrom,
	toBase64Url,
	type Address,
	type ConversationId,
} from '../protocol/ids.ts';
import { MAX_CARD_BYTES } from '../protocol/limits.ts';
import type { Client, ClientPorts, NewInvite } from './client.ts';
import { must } from './client-intentions.ts';
import {
	DEFAULT_POLICY,
	isLive,
	type ConversationState,
	type Invite,
	type InvitePreview,
} from './model.ts';
import type { Store, Transaction } from './ports.ts';
import {
	inConversation,
	MOST_INVITES,
	ONLY,
	outboxKey,
	type ConversationRow,
	type Entrance,
	type InviteRow,
} from './records.ts';
import { MOST_CONVERSATIONS, newConversation, putPerson } from './threads.ts';

const SECRET_BYTES = 32;
/** users.md 6: a one-time link lives for a week. */
const ONE_TIME_LIFETIME = 7 * 24 * 60 * 60_000;

type InviteDoor = Pick<
	Client,
	'createInvite' | 'ownInvite' | 'revokeInvite' | 'previewInvite' | 'acceptInvite'
>;

interface Looked {
	readonly address: Address;
	readonly card: Card;
}

export function createInviteDoor(ports: ClientPorts): InviteDoor {
	const { store } = ports;
	/** What the last preview found, so that accepting it does not ask again. */
	let last: { readonly fragment: string; readonly found: Looked | ConversationId } | undefined;

	async function preview(fragment: string): Promise<InvitePreview> {
		const keys = await keysOf(ports, fragment);
		if (!keys) return { kind: 'broken' };
		const begun = await begunBy(store, keys.address);
		if (begun) {
			last = { fragment, found: begun.existing };
			return begun;
		}
		const looked = await lookBehind(ports, keys);
		if ('kind' in looked) return looked;
		const { card } = looked;
		const me = await store.get('me', ONLY);
		if (me?.account === card.account) return { kind: 'own' };
		last = { fragment, found: looked };
		if (card.type === 'groupCard') return previewGroup(store, card);
		const { account, profile, welcome } = card;
		const existing = (await store.get('people', account))?.conversation;
		return { kind: 'open', account, profile, welcome, existing };
	}

	return {
		createInvite: (options) => createInvite(ports, options),
		ownInvite: () => ownInvite(ports),
		revokeInvite: (address) =>
			must(store, async (tx) => {
				const row = await tx.get('invites', address);
				if (!row) return;
				const invite = { ...row.invite, state: 'revoked' } as const;
				tx.put('invites', address, { ...row, todo: 'revoke', invite });
			}),
		previewInvite: preview,
		async acceptInvite(fragment) {
			const shown = last?.fragment === fragment ? undefined : await preview(fragment);
			if (shown && shown.kind !== 'open' && shown.kind !== 'group')
				return { ok: false, error: shown };
			if (last?.fragment !== fragment) return { ok: false, error: { kind: 'broken' } };
			if (typeof last.found === 'string') return { ok: true, value: last.found };
			const { address, card } = last.found;
			const looked = { ports, address };
			if (card.type === 'card') return { ok: true, value: await begin(looked, card) };
			return { ok: true, value: await ask(looked, card) };
		},
	};
}

async function createInvite(ports: ClientPorts, options: NewInvite): Promise<Invite> {
	const row = await newInvite(ports, options);
	await must(ports.store, (tx) => {
		tx.put('invites', row.invite.address, row);
		return Promise.resolve();
	});
	return row.invite;
}

/** Which one it is stands with the person: of two tabs that ask at once, the second finds the first one's. */
async function ownInvite(ports: ClientPorts): Promise<Invite> {
	const fresh = await newInvite(ports, { kind: 'reusable' });
	return must(ports.store, async (tx) => {
		const me = await tx.get('me', ONLY);
		if (!me) throw new Error('Nobody has started here');
		const known = (await tx.get('invites', me.link ?? ''))?.invite ?? (await anyOf(tx));
		const own = known && isLive(known) ? known : fresh.invite;
		if (own === fresh.invite) tx.put('invites', own.address, fresh);
		if (own.address !== me.link) tx.put('me', ONLY, { ...me, link: own.address });
		return own;
	});
}

/** Before it stood with the person, it was any that could be used. */
async function anyOf(tx: Transaction): Promise<Invite | undefined> {
	const all = await tx.list('invites', { prefix: '', limit: MOST_INVITES });
	const invites = all.flatMap(({ value }) => (value.group ? [] : [value.invite]));
	return invites.find((invite) => invite.kind === 'reusable' && isLive(invite));
}

/** A link that the relay does not know yet. */
export async function newInvite(
	{ crypto, clock, random }: ClientPorts,
	{ kind, expires }: NewInvite,
): Promise<InviteRow> {
	const secret = random.bytes(SECRET_BYTES);
	const { address } = await crypto.inviteKeys(secret);
	const created = clock.now();
	const invite: Invite = {
		address,
		fragment: toBase64Url(secret),
		kind,
		created,
		expires: expires ?? (kind === 'one-time' ? created + ONE_TIME_LIFETIME : undefined),
		state: 'pending',
	};
	return { invite, secret, welcome: '', keyPackageRef: undefined, todo: 'put' };
}

type LinkKeys = Awaited<ReturnType<ClientPorts['crypto']['inviteKeys']>>;

async function keysOf({ crypto }: ClientPorts, fragment: string): Promise<LinkKeys | undefined> {
	const secret = fromBase64Url(fragment.replace(/^#/, '').trim());
	return secret?.length === SECRET_BYTES ? crypto.inviteKeys(secret) : undefined;
}

/** Who came by this link before goes where it led them, and is not taken for somebody else who comes late (SPEC AD-8). */
async function begunBy(store: Store, address: Address) {
	const all = await store.list('conversations', { prefix: '', limit: MOST_CONVERSATIONS });
	const here = all.find(({ value: { entry, state } }) => {
		return entry?.address === address && state.kind === 'open';
	})?.value;
	const person = await store.get('people', here?.account ?? '');
	if (!here || !person) return undefined;
	const { account, profile } = person;
	return { kind: 'open' as const, account, profile, welcome: '', existing: here.id };
}

async function lookBehind(
	{ store, relay }: ClientPorts,
	keys: LinkKeys,
): Promise<Looked | InvitePreview> {
	const own = await store.get('invites', keys.address);
	if (own) {
		const group = await store.get('groups', own.group?.group ?? '');
		return { kind: 'own', group: group?.conversation };
	}
	const looked = await relay.look(keys.address);
	if (!looked) return { kind: 'offline' };
	if (looked.state !== 'open') return { kind: 'closed', reason: looked.state };
	const plain = looked.card && (await keys.openCard(looked.card));
	const card = plain && cards.decode(plain, MAX_CARD_BYTES);
	if (!card || !card.ok) return { kind: 'broken' };
	return { address: keys.address, card: card.value };
}

/** What was to go out while nobody could be reached goes now: the outbox looks where something is put. */
async function waken(tx: Transaction, id: ConversationId): Promise<void> {
	const [first] = await tx.list('outbox', { prefix: inConversation(id), limit: 1 });
	if (first) tx.put('outbox', first.key, first.value);
}

/**
 * They were written to by another way and never answered: that way may lead nowhere (SPEC RQ-4), and this link is of their
 * own. What was said is said again in the channel that it founds.
 */
async function beginAnew(tx: Transaction, known: ConversationRow, entry: Entrance): Promise<void> {
	for (const channel of known.channels) {
		const row = await tx.get('channels', channel);
		if (row) tx.put('channels', channel, { ...row, status: 'broken', staged: undefined });
	}
	tx.put('conversations', known.id, { ...known, entry, state: { kind: 'inviting' } });
	tx.put('outbox', outboxKey.profile(known.id), { kind: 'profile' });
}

interface Opened {
	readonly ports: ClientPorts;
	readonly address: Address;
}

async function begin(
	{ ports: { store, clock, random }, address }: Opened,
	card: Extract<Card, { type: 'card' }>,
): Promise<ConversationId> {
	const fresh = idFrom<ConversationId>(random.bytes(16));
	return must(store, async (tx) => {
		const person = await tx.get('people', card.account);
		const entry = { address, keyPackage: card.keyPackage };
		if (person?.conversation) {
			const known = await tx.get('conversations', person.conversation);
			// A link that failed before is not the last word: this one may work.
			if (known?.state.kind === 'refused' || known?.state.kind === 'restored') {
				tx.put('conversations', known.id, { ...known, entry, state: { kind: 'inviting' } });
				await waken(tx, known.id);
			} else if (known && !person.entry && known.entry && known.entry.address !== address) {
				await beginAnew(tx, known, entry);
			}
			return person.conversation;
		}
		tx.put('conversations', fresh, {
			...newConversation(fresh, card.account, clock.now()),
			state: { kind: 'inviting' },
			entry,
		});
		if (person) tx.put('people', card.account, { ...person, conversation: fresh });
		else {
			putPerson(tx, card.account, {
				conversation: fresh,
				profile: card.profile,
				lastSeen: undefined,
			});
		}
		return fresh;
	});
}

async function previewGroup(store: Store, card: GroupCard): Promise<InvitePreview> {
	const { account, inviter, name, picture, size, approval } = card;
	const known = await store.get('groups', card.group);
	const here = await store.get('conversations', known?.conversation ?? '');
	return {
		...{ kind: 'group', name, picture, size, approval, by: { account, name: inviter } },
		existing: here && isThere(here.state) ? here.id : undefined,
	};
}

/** In the group, or on the way into it. */
function isThere({ kind }: ConversationState): boolean {
	return kind === 'open' || kind === 'inviting' || kind === 'frozen' || kind === 'asking';
}

/** The group's conversation, in which this person asks to be let in; as it is for who is in it or waits already. */
async function ask(
	{ ports: { store, clock, random }, address }: Opened,
	card: GroupCard,
): Promise<ConversationId> {
	const fresh = idFrom<ConversationId>(random.bytes(16));
	return must(store, async (tx) => {
		const known = await tx.get('groups', card.group);
		const before = await tx.get('conversations', known?.conversation ?? '');
		if (before && isThere(before.state)) return before.id;
		const { account: by, approval, group, name, picture, keyPackage } = card;
		const id = before?.id ?? fresh;
		tx.put('conversations', id, {
			...(before ?? { ...newConversation(id, undefined, clock.now()), group }),
			state: { kind: 'asking', name: card.inviter, approval },
			asking: { by, entrance: { address, keyPackage }, channel: undefined },
		});
		if (!known) {
			const about = { name, description: '', picture };
			const unknown = { policy: DEFAULT_POLICY, members: [], mending: undefined, toldProfile: 0 };
			tx.put('groups', group, { group, conversation: id, about, ...unknown });
		}
		if (!(await tx.get('people', by))) {
			const profile = { name: card.inviter, picture: null };
			putPerson(tx, by, { conversation: undefined, profile, lastSeen: undefined });
		}
		tx.put('outbox', outboxKey.ask(id), { kind: 'ask' });
		return id;
	});
}
