// Own invite links towards the relay. Making one is an intention in the store, so it works offline; here it gets its
// key package and card, and the relay learns of it, or of its end.
import { cards, type Card } from '../protocol/cards.ts';
import type { AddressPolicy } from '../protocol/frames.ts';
import { DEFAULT_GROUP_MEMBERS, DEFAULT_RETENTION } from '../protocol/limits.ts';
import type { EnvelopeId } from '../protocol/ids.ts';
import type { EngineContext, Work } from './context.ts';
import { placeEvents } from './group-log.ts';
import type { RelaySession } from './relay-session.ts';
import type { Transaction } from './ports.ts';
import { MOST_INVITES, ONLY, type InviteRow, type KeyPackageRow, type MeRow } from './records.ts';

const USES_PER_DAY = 20;

function policyOf({ invite, group }: InviteRow): AddressPolicy {
	const oneTime = invite.kind === 'one-time';
	if (group) {
		const { uses = null } = group;
		return { uses, usesPerDay: DEFAULT_GROUP_MEMBERS, expires: invite.expires ?? null };
	}
	return {
		uses: oneTime ? 1 : null,
		usesPerDay: oneTime ? null : USES_PER_DAY,
		expires: invite.expires ?? null,
	};
}

/** Carries out what is still to do for each own link. */
export async function syncInvites(context: EngineContext, session: RelaySession): Promise<void> {
	const rows = await context.store.list('invites', { prefix: '', limit: MOST_INVITES });
	for (const { key, value } of rows) {
		if (value.todo === 'put') await publish(context, session, key);
		if (value.todo === 'revoke') await revoke(context, session, key);
		if (value.todo === undefined) await forgetSpentKeys(context, value);
	}
}

/** Says once of each link for one that somebody came after whoever used it (SPEC AD-8). */
export async function hearOfLatecomers(
	context: EngineContext,
	session: RelaySession,
): Promise<void> {
	const rows = await context.store.list('invites', { prefix: '', limit: MOST_INVITES });
	for (const { key, value } of rows) {
		const since = context.relayTime() - DEFAULT_RETENTION;
		if (!value.usedBy || value.latecomer || value.invite.created < since) continue;
		const answer = await session.look(value.invite.address);
		if (answer.type !== 'looked' || !answer.latecomer) continue;
		const at = answer.latecomer;
		await context.persist((tx) => sayLatecomer({ ...context, tx }, key, at));
	}
}

async function sayLatecomer(work: Work, key: string, at: number): Promise<void> {
	const { tx } = work;
	const row = await tx.get('invites', key);
	const person = await tx.get('people', row?.usedBy ?? '');
	if (!row || row.latecomer || !person?.conversation) return;
	tx.put('invites', key, { ...row, latecomer: true });
	// An address is as long as an envelope's name, and as random.
	const envelope = row.invite.address as string as EnvelopeId;
	const by = { account: person.account, device: work.identity.device };
	await placeEvents(work, person.conversation, {
		happening: { envelope, at, by },
		events: [{ kind: 'latecomer' }],
	});
}

async function publish(context: EngineContext, session: RelaySession, key: string): Promise<void> {
	const ready = await context.persist((tx) => prepare(context, tx, key));
	if (!ready) return;
	const { row } = ready;
	const keys = await context.crypto.inviteKeys(row.secret);
	const card = cards.encode(ready.card);
	const answer = await session.ask({
		type: 'putAddress',
		address: keys.address,
		policy: policyOf(row),
		card: await keys.sealCard(card),
	});
	if (answer.type === 'refused' && answer.code === 'address-taken') {
		await giveUp(context, key);
		return;
	}
	if (answer.type !== 'accepted') return; // tried again with the next connection or change
	await context.persist(async (tx) => {
		const fresh = await tx.get('invites', key);
		// The profile may have changed, or the link been revoked, while the relay answered.
		if (fresh?.todo !== 'put' || fresh.keyPackageRef !== row.keyPackageRef) return;
		const me = await tx.get('me', ONLY);
		const isSame =
			me?.profileVersion === ready.profileVersion && fresh.group?.version === row.group?.version;
		const state = fresh.invite.state === 'pending' ? 'open' : fresh.invite.state;
		tx.put('invites', key, {
			...fresh,
			todo: isSame ? undefined : 'put',
			invite: { ...fresh.invite, state },
		});
	});
}

/** A link from a backup whose address the device before this one still holds. */
async function giveUp(context: EngineContext, key: string): Promise<void> {
	await context.persist(async (tx) => {
		const row = await tx.get('invites', key);
		if (row?.todo !== 'put' || row.invite.state !== 'pending') return;
		tx.put('invites', key, {
			...row,
			todo: undefined,
			invite: { ...row.invite, state: 'revoked' },
		});
	});
}

async function prepare(context: EngineContext, tx: Transaction, key: string) {
	const row = await tx.get('invites', key);
	const me = await tx.get('me', ONLY);
	if (row?.todo !== 'put' || !me) return undefined;
	let stored = row.keyPackageRef && (await tx.get('keyPackages', row.keyPackageRef));
	let current = row;
	if (!stored) {
		const made = await context.groups.newKeyPackage({ reusable: row.invite.kind === 'reusable' });
		stored = {
			publicPart: made.publicPart,
			privatePart: made.privatePart,
			purpose: { kind: 'invite', address: row.invite.address },
			created: context.clock.now(),
		} satisfies KeyPackageRow;
		current = { ...row, keyPackageRef: made.ref };
		tx.put('keyPackages', made.ref, stored);
		tx.put('invites', key, current);
	}
	const card = await cardOf(tx, me, { row: current, keyPackage: stored.publicPart });
	return card && { row: current, card, profileVersion: me.profileVersion };
}

/** What the link shows; undefined for one of a group that is not here. */
async function cardOf(
	tx: Transaction,
	{ account, profile }: MeRow,
	{ row, keyPackage }: { readonly row: InviteRow; readonly keyPackage: Uint8Array },
): Promise<Card | undefined> {
	if (!row.group) return { type: 'card', account, profile, welcome: row.welcome, keyPackage };
	const known = await tx.get('groups', row.group.group);
	if (!known) return undefined;
	const { group, about, members } = known;
	return {
		...{ type: 'groupCard', account, inviter: profile.name, keyPackage, group },
		...{ name: about.name, picture: about.picture, size: members.length },
		approval: row.group.approval,
	};
}

async function revoke(context: EngineContext, session: RelaySession, key: string): Promise<void> {
	const row = await context.store.get('invites', key);
	if (!row) return;
	const answer = await session.ask({ type: 'revokeAddress', address: row.invite.address });
	if (answer.type === 'unknown') return;
	if (answer.type === 'refused' && answer.code !== 'address-unknown') return;
	await context.persist(async (tx) => {
		const fresh = await tx.get('invites', key);
		if (fresh?.todo === 'revoke') tx.put('invites', key, { ...fresh, todo: undefined });
	});
}

/** A closed link's keys stay as long as a welcome for them may still be under way, and no longer. */
async function forgetSpentKeys(context: EngineContext, row: InviteRow): Promise<void> {
	const { state, created, expires } = row.invite;
	const ref = row.keyPackageRef;
	const closed = state === 'used' || state === 'revoked' || state === 'expired';
	const lastUse = Math.max(created, expires ?? created);
	if (!closed || ref === undefined || context.relayTime() < lastUse + DEFAULT_RETENTION) return;
	await context.persist(async (tx) => {
		const fresh = await tx.get('invites', row.invite.address);
		if (fresh?.keyPackageRef !== ref) return;
		tx.delete('keyPackages', ref);
		tx.put('invites', row.invite.address, { ...fresh, keyPackageRef: undefined });
	});
}
