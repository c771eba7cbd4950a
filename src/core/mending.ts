// What an engine looks after when it starts and now and then: channels whose state is lost, contacts that do not know
// the own profile yet, links that ran out, and records that are only needed for a while.
import type { ConversationId } from '../protocol/ids.ts';
import { rankChannel } from './channels.ts';
import type { EngineContext } from './context.ts';
import type { Transaction } from './ports.ts';
import { ONLY, outboxKey } from './records.ts';

const DAY = 24 * 60 * 60_000;
/** Twice as long as a relay keeps mail by default: a twin cannot come later. */
const SEEN_KEPT = 60 * DAY;
const MOST_SEEN = 50_000;
const MOST_CONVERSATIONS = 10_000;
const DELETE_BATCH = 1_000;

/** Finds conversations whose channel is broken or incomplete, and lets the outbox found a new one. */
export async function mendChannels(context: EngineContext): Promise<void> {
	const { store } = context;
	const all = await store.list('conversations', { prefix: '', limit: MOST_CONVERSATIONS });
	for (const { value } of all) {
		const [channel] = value.channels;
		if (channel === undefined) continue;
		const row = await store.get('channels', channel);
		const whole = row && row.status !== 'broken' && (await store.get('trees', channel));
		if (!whole) await context.persist((tx) => planNewChannel(context, tx, value.id));
	}
}

/** Marks what is in use as broken; the profile in the outbox makes the next pump found a new channel. */
export async function planNewChannel(
	context: EngineContext,
	tx: Transaction,
	id: ConversationId,
): Promise<void> {
	const conversation = await tx.get('conversations', id);
	if (!conversation) return;
	const [first] = conversation.channels;
	const row = first === undefined ? undefined : await tx.get('channels', first);
	context.log.warn('a channel is broken and will be founded anew');
	if (row) {
		const broken = { ...row, status: 'broken' as const, staged: undefined };
		tx.put('channels', row.channel, broken);
		tx.delete('outbox', outboxKey.rotate(id, row.channel));
		await rankChannel(tx, conversation, broken);
	} else {
		// Without its row only its generation is known: an older channel must not be sent on.
		tx.put('conversations', id, { ...conversation, channels: [] });
	}
	tx.put('outbox', outboxKey.profile(id), { kind: 'profile' });
}

/** Queues the own profile for contacts that were told an older one, and for the cards of open links. */
export async function tellProfile(context: EngineContext): Promise<void> {
	const { store } = context;
	const me = await store.get('me', ONLY);
	if (!me) return;
	const people = await store.list('people', { prefix: '', limit: MOST_CONVERSATIONS });
	const behind = people.filter(({ value }) => {
		return value.toldProfile > 0 && value.toldProfile < me.profileVersion;
	});
	if (behind.length === 0) return;
	await context.persist((tx) => {
		for (const { value } of behind) {
			tx.put('outbox', outboxKey.profile(value.conversation), { kind: 'profile' });
		}
		return Promise.resolve();
	});
}

/** Links whose time is over say so, and envelopes that cannot come twice any more are forgotten. */
export async function forgetOld(context: EngineContext): Promise<void> {
	const { store } = context;
	const now = context.relayTime();
	for (const { key, value } of await store.list('invites', { prefix: '', limit: 1_000 })) {
		const { state, expires } = value.invite;
		if (state !== 'open' || expires === undefined || expires > now) continue;
		await context.persist((tx) => {
			tx.put('invites', key, { ...value, invite: { ...value.invite, state: 'expired' } });
			return Promise.resolve();
		});
	}
	const seen = await store.list('seen', { prefix: '', limit: MOST_SEEN });
	const old = seen.filter(({ value }) => value < now - SEEN_KEPT).map(({ key }) => key);
	for (let at = 0; at < old.length; at += DELETE_BATCH) {
		await context.persist((tx) => {
			for (const key of old.slice(at, at + DELETE_BATCH)) tx.delete('seen', key);
			return Promise.resolve();
		});
	}
}
