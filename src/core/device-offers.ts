// Bringing in a new device, from the side of one that is there: what it needs is sealed for the key that it showed and laid
// at the relay, until it comes with the ticket that was among it (SPEC DE-8, DE-9).
import { channelContexts, MAX_CONTEXT_BYTES, offers } from '../protocol/content.ts';
import { REFUSALS } from '../protocol/errors.ts';
import { DEFAULT_RETENTION } from '../protocol/limits.ts';
import { kitForOwn } from './contact-kit.ts';
import type { EngineContext, Work } from './context.ts';
import { isStranger, ownList } from './device-pins.ts';
import { over } from './group-requests.ts';
import type { Incoming } from './incoming.ts';
import { queueDeviceChange } from './own-devices.ts';
import type { GroupState } from './ports.ts';
import type { RelaySession } from './relay-session.ts';
import type { OfferRow } from './device-records.ts';
import { ONLY, requestKey } from './records.ts';

const MOST_OFFERS = 64;

/** Tells the relay of offers, and takes back those that are over. */
export async function syncOffers(context: EngineContext, session: RelaySession): Promise<void> {
	const rows = await context.store.list('offers', { prefix: '', limit: MOST_OFFERS });
	for (const { key, value } of rows) {
		if (value.todo === 'put') await put(context, session, { key, row: value });
		else if (value.todo === 'revoke') await takeBack(context, session, { key, row: value });
		else if (context.relayTime() > value.made + DEFAULT_RETENTION) {
			await context.persist((tx) => Promise.resolve(tx.delete('offers', key)));
		}
	}
}

interface Keyed {
	readonly key: string;
	readonly row: OfferRow;
}

async function put(
	context: EngineContext,
	session: RelaySession,
	{ key, row }: Keyed,
): Promise<void> {
	const plain = await context.persist((tx) => contentOf({ ...context, tx }, row));
	const sealed = plain && (await context.crypto.sealOffer(row.publicKey, plain));
	if (!sealed) return; // until the own address is known to the relay: then this is looked at again
	const policy = { uses: null, usesPerDay: null, expires: row.expires };
	const { address } = sealed;
	const answer = await session.ask({ type: 'putAddress', address, policy, card: sealed.sealed });
	if (answer.type === 'unknown') return;
	if (answer.type === 'refused' && REFUSALS[answer.code].retry === 'later') return;
	const isThere = answer.type === 'accepted';
	await context.persist(async (tx) => {
		const fresh = await tx.get('offers', key);
		if (fresh?.todo !== 'put') return;
		// Where another lies there already somebody else has scanned it as well: then nothing comes of it.
		if (isThere) tx.put('offers', key, { ...fresh, todo: undefined });
		else tx.delete('offers', key);
	});
}

async function takeBack(
	context: EngineContext,
	session: RelaySession,
	{ key, row }: Keyed,
): Promise<void> {
	const answer = await session.ask({ type: 'revokeAddress', address: row.address });
	if (answer.type === 'unknown') return;
	if (answer.type === 'refused' && REFUSALS[answer.code].retry === 'later') return;
	await context.persist((tx) => Promise.resolve(tx.delete('offers', key)));
}

async function contentOf(work: Work, row: OfferRow): Promise<Uint8Array | undefined> {
	const { tx, account, identity } = work;
	const me = await tx.get('me', ONLY);
	const own = await tx.get('conversations', me?.self ?? '');
	const { address, keyPackage, registered } = await kitForOwn(work);
	if (!me || !own?.group || !registered) return undefined;
	const { accountKey } = await account.exportAccount();
	return offers.encode({
		...{ type: 'offer', account: me.account, accountKey, deviceList: await ownList(work) },
		...{ ticket: row.ticket, group: own.group, device: identity.device, address, keyPackage },
		...{ profile: me.profile, version: me.profileVersion, created: me.created },
	});
}

/** The new device has come: the group of own devices takes it in, and all else follows from that. */
export async function receiveJoining(
	work: Work,
	{ incoming, state }: { readonly incoming: Incoming; readonly state: GroupState },
): Promise<void> {
	const { tx, groups, identity, log } = work;
	const told = channelContexts.decode(groups.context(state), MAX_CONTEXT_BYTES);
	const me = await tx.get('me', ONLY);
	const own = await tx.get('conversations', me?.self ?? '');
	const [other] = groups.members(state).filter(({ device }) => device !== identity.device);
	if (!told.ok || told.value.type !== 'joining' || !own?.group || !other) return;
	const { ticket, address, keyPackage, certificate } = told.value;
	const rows = await tx.list('offers', { prefix: '', limit: MOST_OFFERS });
	const found = rows.find(({ value }) => sameTicket(value.ticket, ticket));
	const offer = found && (await tx.get('offers', found.key));
	const owner = await groups.inspectKeyPackage(keyPackage);
	const isTheirs = owner.ok && owner.value.device === other.device;
	tx.put('requests', requestKey.of(own.group, incoming.channel), over(incoming.channel, undefined));
	if (!found || !offer || !isTheirs || other.account !== identity.account) {
		log.warn('a device that nobody let in');
		return;
	}
	if (isStranger(me, identity.device)) return;
	tx.put('offers', found.key, { ...offer, todo: 'revoke' });
	const entrance = { address, keyPackage };
	await queueDeviceChange(tx, own, { kind: 'link', entrance, certificate });
}

function sameTicket(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
