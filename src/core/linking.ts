// A browser becomes one more device of a person: it shows a key, one of their devices seals for it what it needs, and with
// that it goes to be brought in (SPEC DE-8, DE-9). Until the last step nothing is kept, and it can begin again.
import { offers } from '../protocol/content.ts';
import { idFrom, toBase64Url, type ConversationId } from '../protocol/ids.ts';
import { MAX_CARD_BYTES } from '../protocol/limits.ts';
import { must } from './client-intentions.ts';
import { viewMe } from './client-queries.ts';
import { putOwnGroup } from './group-devices.ts';
import type { AccountId, DeviceId, LinkFailure, LinkingDevice, Me } from './model.ts';
import type {
	AccountSecret,
	Clock,
	OfferKeys,
	Random,
	RelayLink,
	Result,
	SmallCrypto,
	Store,
} from './ports.ts';
import { ONLY, outboxKey, type ConversationRow, type MeRow } from './records.ts';
import { newConversation } from './threads.ts';
import { askForMore } from './transfer.ts';

/** Between two looks for what the other device laid there, ms. */
const LOOK_EVERY = 1_500;

export interface LinkingPorts {
	readonly store: Store;
	readonly crypto: SmallCrypto;
	readonly relay: Pick<RelayLink, 'look'>;
	readonly clock: Clock;
	readonly random: Random;
	/** Makes and keeps a new device of this account; undefined for a secret that is not the account's. */
	joinIdentity(
		account: AccountId,
		secret: AccountSecret,
	): Promise<{ readonly account: AccountId; readonly device: DeviceId } | undefined>;
}

/** Makes this browser one more device of whoever scans what it shows. Only before `start`. */
export async function linkThisDevice(ports: LinkingPorts): Promise<LinkingDevice> {
	const keys = await ports.crypto.newOfferKeys();
	let cancelled = false;
	let wake: () => void = () => undefined;
	const done = (async (): Promise<Result<Me, LinkFailure>> => {
		while (!cancelled) {
			const outcome = await look(ports, keys);
			if (outcome) return outcome;
			await new Promise<void>((resolve) => {
				wake = resolve;
				ports.clock.schedule(LOOK_EVERY, resolve);
			});
		}
		return { ok: false, error: { kind: 'cancelled' } };
	})();
	return {
		fragment: toBase64Url(keys.publicKey),
		done,
		cancel() {
			cancelled = true;
			wake();
		},
	};
}

/** Undefined while nothing lies there. */
async function look(
	ports: LinkingPorts,
	keys: OfferKeys,
): Promise<Result<Me, LinkFailure> | undefined> {
	if (await ports.store.get('me', ONLY)) return { ok: false, error: { kind: 'started' } };
	const looked = await ports.relay.look(keys.address);
	if (looked?.state !== 'open' || !looked.card) return undefined;
	const plain = await keys.open(looked.card);
	const offer = plain && offers.decode(plain, MAX_CARD_BYTES);
	if (!offer?.ok) return { ok: false, error: { kind: 'damaged' } };
	return take(ports, offer.value);
}

type Offer = Extract<ReturnType<typeof offers.decode>, { ok: true }>['value'];

async function take(ports: LinkingPorts, offer: Offer): Promise<Result<Me, LinkFailure>> {
	const { store, clock, random } = ports;
	const { account, accountKey, deviceList, profile, version: profileVersion } = offer;
	const self = await ports.joinIdentity(account, { accountKey, deviceList });
	if (!self) return { ok: false, error: { kind: 'damaged' } };
	const { address, keyPackage, group, ticket, created } = offer;
	const entrance = { address, keyPackage };
	const [hidden, notes] = [id(random), id(random)];
	const { device } = self;
	const me: MeRow = {
		...{ account, device, profile, created, profileVersion, deviceList, self: hidden },
	};
	const own: ConversationRow = {
		...{ ...newConversation(hidden, undefined, clock.now()), group, hidden: true },
		state: { kind: 'asking', name: profile.name, approval: false },
		asking: { by: account, entrance, channel: undefined, ticket },
	};
	await must(store, (tx) => {
		putOwnGroup(tx, own, me);
		tx.put('outbox', outboxKey.ask(hidden), { kind: 'ask' });
		tx.put('siblings', offer.device, { entrance, heard: clock.now() });
		tx.put('conversations', notes, newConversation(notes, undefined, created));
		const transfer = { from: offer.device, began: clock.now(), queue: ['h/'], messages: 0 };
		tx.put('transfer', ONLY, { ...transfer, total: undefined });
		askForMore(tx, hidden, transfer);
		// Last: the engine starts with it.
		tx.put('me', ONLY, me);
		return Promise.resolve();
	});
	return { ok: true, value: viewMe(me) };
}

function id(random: Random): ConversationId {
	return idFrom<ConversationId>(random.bytes(16));
}
