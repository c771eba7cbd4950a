// What a commit does to a channel, worked out before anything is written. Pure.
import type { UpFrame } from '../../src/protocol/frames.ts';
import type { DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import { DAY, stateOf, used } from './directory.ts';
import type {
	AddressRecord,
	ChannelChange,
	ChannelRecord,
	Member,
	Message,
	Posting,
	Target,
} from './ports.ts';
import { refusal, type Refusal } from './replies.ts';

interface Attempt {
	readonly sender: DeviceId;
	readonly frame: Extract<UpFrame, { type: 'commit' }>;
	readonly record: ChannelRecord | undefined;
	/** Records of the addresses that `frame.add` names, in its order. */
	readonly addresses: readonly (AddressRecord | undefined)[];
	readonly now: number;
}

type Plan =
	| { readonly is: 'refused'; readonly refusal: Refusal }
	/** It passed before, and nothing has passed since (SPEC CH-8). */
	| { readonly is: 'known' }
	| {
			readonly is: 'passes';
			readonly targetCount: number;
			/** `numbers` holds one sequence number per target. */
			change(numbers: readonly MailboxSeq[]): ChannelChange;
	  };

const refused = (because: Refusal): Plan => ({ is: 'refused', refusal: because });

/** Decides whether a commit passes, and what has to be written at once if it does. */
export function planCommit(attempt: Attempt): Plan {
	const { sender, frame, record, addresses, now } = attempt;
	if (record && isRepetition(attempt, record)) return { is: 'known' };
	if (!record && frame.epoch !== 0) return refused(refusal.of('channel-unknown'));
	if (record && !record.members.some(({ mailbox }) => mailbox === sender))
		return refused(refusal.of('not-a-member'));
	if (record && record.epoch !== frame.epoch)
		return refused(refusal.epoch('epoch-conflict', record.epoch));

	const closed = firstClosed(addresses, now);
	if (closed) return refused(closed);
	const before = record?.members ?? [{ leaf: 0, mailbox: sender }];
	const owners = addresses.flatMap((address) => (address ? [address.owner] : []));
	const members = membersAfter(before, frame, owners);
	if (!members) return refused(refusal.of('malformed'));

	const spent = usedAddresses(addresses, now);
	if ('code' in spent) return refused(spent);
	const { channel, envelope } = frame;
	const revision = record?.revision ?? null;
	const next: ChannelRecord = {
		...{ channel, revision: (revision ?? 0) + 1, epoch: frame.epoch + 1 },
		...{ members, lastCommit: { envelope, sender } },
	};
	const echoed = [...new Set(before.map(({ mailbox }) => mailbox))];
	const welcomed = frame.welcome ? [...new Set(owners)].filter((owner) => owner !== sender) : [];
	return {
		is: 'passes',
		targetCount: echoed.length + welcomed.length,
		change: (numbers) => {
			const postings = commitPostings(attempt, { echoed, welcomed, numbers });
			const kept = members.length > 0 ? next : null;
			return {
				...{ channel, revision, next: kept, addresses: spent, postings },
				snapshot: frame.snapshot,
			};
		},
	};
}

function isRepetition({ sender, frame }: Attempt, { epoch, lastCommit }: ChannelRecord): boolean {
	const same = lastCommit.envelope === frame.envelope && lastCommit.sender === sender;
	return same && epoch === frame.epoch + 1;
}

/** The refusal for the first address that may not be used (SPEC AD-4). */
function firstClosed(
	addresses: readonly (AddressRecord | undefined)[],
	now: number,
): Refusal | undefined {
	for (const record of addresses) {
		const state = stateOf(record, now);
		if (state === 'limit') return refusal.after('address-limit', DAY - (now % DAY));
		if (state !== 'open') return refusal.of(`address-${state}`);
	}
	return undefined;
}

/** One commit may add several devices through one address: each is a use. */
function usedAddresses(
	addresses: readonly (AddressRecord | undefined)[],
	now: number,
): AddressRecord[] | Refusal {
	const after = new Map<string, AddressRecord>();
	for (const record of addresses) {
		if (!record) continue;
		const current = after.get(record.address) ?? record;
		const closed = firstClosed([current], now);
		if (closed) return closed;
		after.set(record.address, { ...used(current, now), version: record.version + 1 });
	}
	return [...after.values()];
}

/** Undefined when the leaves do not add up: one that is taken, or named twice (SPEC CH-10). */
function membersAfter(
	before: readonly Member[],
	{ add, remove }: Attempt['frame'],
	owners: readonly DeviceId[],
): Member[] | undefined {
	const removed = new Set(remove);
	const after = new Map<number, DeviceId>();
	for (const { leaf, mailbox } of before) if (!removed.has(leaf)) after.set(leaf, mailbox);
	for (const [index, { leaf }] of add.entries()) {
		const owner = owners[index];
		if (owner === undefined || after.has(leaf)) return undefined;
		after.set(leaf, owner);
	}
	return [...after].map(([leaf, mailbox]) => ({ leaf, mailbox }));
}

/** The commit for those who were members, the sender included; the welcome for those who were added. */
function commitPostings(
	{ sender, frame, now }: Attempt,
	{
		echoed,
		welcomed,
		numbers,
	}: { echoed: DeviceId[]; welcomed: DeviceId[]; numbers: readonly MailboxSeq[] },
): Posting[] {
	const { envelope, channel, epoch, body, welcome } = frame;
	const common = { sender, envelope, channel, at: now };
	const target = (mailbox: DeviceId, number: number, required: boolean): Target => ({
		...{ mailbox, seq: numbers[number] ?? 0, required },
	});
	const commit: Message = { ...common, kind: 'commit', epoch, body };
	const postings: Posting[] = [
		{ message: commit, targets: echoed.map((m, index) => target(m, index, m === sender)) },
	];
	if (welcome && welcomed.length > 0) {
		const message: Message = { ...common, kind: 'welcome', epoch: epoch + 1, body: welcome };
		const targets = welcomed.map((m, index) => target(m, echoed.length + index, true));
		postings.push({ message, targets });
	}
	return postings;
}
