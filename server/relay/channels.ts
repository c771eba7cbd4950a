// Channels: who is in them, and one commit per epoch, first come first served (SPEC CH). A channel's operations
// run one after the other; those that only read run at once when the channel is in memory.
import { MAX_EPOCHS_BEHIND } from '../../src/protocol/limits.ts';
import type { UpFrame } from '../../src/protocol/frames.ts';
import type { ChannelId, DeviceId, Epoch } from '../../src/protocol/ids.ts';
import { Answers } from './answers.ts';
import { planCommit } from './commits.ts';
import { noteLatecomer } from './directory.ts';
import type { Mailboxes } from './mailboxes.ts';
import type { ChannelRecord, Message, Outcome, RelayConfig, RelayPorts } from './ports.ts';
import { Recent } from './recent.ts';
import { refusal, type Refusal, type Reply } from './replies.ts';

type Commit = Extract<UpFrame, { type: 'commit' }>;
type Submit = Extract<UpFrame, { type: 'submit' }>;

/** Operations that may wait for one channel; more is a flood. */
const MAX_WAITING = 1024;
/** How often a commit that lost a race over an address is planned anew. */
const ATTEMPTS = 8;

interface Task {
	run(record: ChannelRecord | undefined): void | Promise<void>;
	busy(): void;
	/** False for what can run beside others on the record in memory. */
	readonly changes: boolean;
}

export class Channels {
	readonly counts = { commits: 0, conflicts: 0 };
	readonly #ports: RelayPorts;
	readonly #mailboxes: Mailboxes;
	readonly #answers: Answers;
	readonly #wake: (mailbox: DeviceId) => void;
	readonly #records: Recent<ChannelId, ChannelRecord>;
	readonly #lanes = new Map<ChannelId, Task[]>();

	constructor(
		ports: RelayPorts,
		{ limits }: RelayConfig,
		{ mailboxes, wake }: { mailboxes: Mailboxes; wake: (mailbox: DeviceId) => void },
	) {
		this.#ports = ports;
		this.#mailboxes = mailboxes;
		this.#wake = wake;
		this.#answers = new Answers(limits.rememberedAnswers);
		this.#records = new Recent(limits.cachedChannels);
	}

	get cached(): number {
		return this.#records.size;
	}

	/** Another relay changed it. */
	forget(channel: ChannelId): void {
		this.#records.delete(channel);
	}

	/** One message to every other device of the channel (SPEC CH-5). */
	submit(sender: DeviceId, frame: Submit, reply: Reply): void {
		if (!this.#ports.peers) return this.#queue(sender, frame, reply);
		// What is in memory may be older than what another relay has made of it: only the store refuses.
		this.#queue(sender, frame, (refused) => {
			if (!refused || refused.code === 'busy') return reply(refused);
			this.forget(frame.channel);
			this.#queue(sender, frame, reply);
		});
	}

	#queue(sender: DeviceId, frame: Submit, reply: Reply): void {
		this.#enter(frame.channel, {
			changes: false,
			busy: () => reply(refusal.busy()),
			run: (record) => this.#submit(sender, { frame, record, reply }),
		});
	}

	/** Compare-and-swap of the epoch, atomic with all that it queues (SPEC CH-1, CH-3, CH-4). */
	commit(sender: DeviceId, frame: Commit, reply: Reply): void {
		this.#enter(frame.channel, {
			changes: true,
			busy: () => reply(refusal.busy()),
			run: async (record) => reply(await this.#commit(sender, frame, record)),
		});
	}

	/** The device's leaves become nobody's (SPEC CH-7). */
	leave(sender: DeviceId, channel: ChannelId, reply: Reply): void {
		this.#enter(channel, {
			changes: true,
			busy: () => reply(refusal.busy()),
			run: async (record) => reply(await this.#leave(sender, record)),
		});
	}

	/** The newest snapshot, for members alone (SPEC CH-12). */
	snapshot(
		sender: DeviceId,
		channel: ChannelId,
		reply: (found: Refusal | { readonly epoch: Epoch; readonly sealed: Uint8Array | null }) => void,
	): void {
		this.#enter(channel, {
			// In the channel's lane: no commit may come between the epoch and its snapshot.
			changes: true,
			busy: () => reply(refusal.busy()),
			run: async (record) => {
				if (!record) return reply(refusal.of('channel-unknown'));
				if (!isMember(record, sender)) return reply(refusal.of('not-a-member'));
				const read = await this.#ports.store.readSnapshot(channel);
				if (!read.ok) return reply(refusal.busy());
				reply({ epoch: record.epoch, sealed: read.value ?? null });
			},
		});
	}

	/** Calls `reach` with the other devices of the channel, if the sender is in it (SPEC WH-1). */
	whisper(sender: DeviceId, channel: ChannelId, reach: (mailbox: DeviceId) => void): void {
		this.#enter(channel, {
			changes: false,
			busy: () => undefined,
			run: (record) => {
				if (!record || !isMember(record, sender)) return;
				othersIn(record, sender).forEach(reach);
			},
		});
	}

	#submit(
		sender: DeviceId,
		{ frame, record, reply }: { frame: Submit; record: ChannelRecord | undefined; reply: Reply },
	): void {
		if (!record) return reply(refusal.of('channel-unknown'));
		if (!isMember(record, sender)) return reply(refusal.of('not-a-member'));
		const { channel, epoch, envelope, body } = frame;
		const answer = (outcome: Outcome) =>
			reply(outcome === 'accepted' ? undefined : refusal.later(outcome));
		// What was accepted stays accepted, even if the channel has moved on meanwhile.
		if (this.#answers.join(sender, envelope, answer)) return;
		if (epoch > record.epoch) return reply(refusal.epoch('epoch-conflict', record.epoch));
		if (epoch < record.epoch - MAX_EPOCHS_BEHIND)
			return reply(refusal.epoch('epoch-too-old', record.epoch));
		const at = this.#ports.clock.now();
		const message: Message = { kind: 'message', sender, envelope, channel, epoch, at, body };
		const settle = this.#answers.begin(sender, envelope, answer);
		this.#mailboxes.post(message, othersIn(record, sender), settle);
	}

	async #commit(sender: DeviceId, frame: Commit, known: ChannelRecord | undefined) {
		let record = known;
		for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
			const found = await this.#ports.store.readAddresses(frame.add.map(({ address }) => address));
			if (!found.ok) return refusal.busy();
			const now = this.#ports.clock.now();
			const plan = planCommit({ sender, frame, record, addresses: found.value, now });
			if (plan.is === 'refused') {
				for (const address of found.value) await noteLatecomer(this.#ports, address);
				return this.#lost(plan.refusal);
			}
			if (plan.is === 'known') return undefined;
			const numbers = this.#mailboxes.numbers(plan.targetCount);
			if (!numbers) return refusal.busy();
			const change = plan.change(numbers);
			const changing = this.#ports.store.changeChannel(change);
			const targets = change.postings.flatMap(({ targets }) => targets.map((t) => t.mailbox));
			for (const mailbox of targets) this.#mailboxes.stored(mailbox);
			const result = await changing;
			if (!result.ok) return refusal.busy();
			if (result.value.is === 'full') return refusal.later('mailbox-full');
			if (result.value.is === 'changed') {
				this.counts.commits++;
				this.#replace(frame.channel, change.next ?? undefined);
				this.#afterCommit(targets, new Set(result.value.full), change.postings[0]?.message);
				return undefined;
			}
			// Somebody else changed the channel or used an address up: look again.
			const read = await this.#ports.store.readChannel(frame.channel);
			if (!read.ok) return refusal.busy();
			record = read.value;
			this.#replace(frame.channel, record);
		}
		return refusal.busy();
	}

	#lost(lost: ReturnType<typeof refusal.of>) {
		if (lost.code === 'epoch-conflict') this.counts.conflicts++;
		return lost;
	}

	#afterCommit(targets: DeviceId[], full: Set<DeviceId>, message: Message | undefined): void {
		for (const mailbox of targets)
			if (!full.has(mailbox) && !this.#mailboxes.find(mailbox)) this.#wake(mailbox);
		if (full.size > 0 && message) this.#mailboxes.tellDropped(message);
	}

	async #leave(sender: DeviceId, record: ChannelRecord | undefined) {
		if (!record) return refusal.of('channel-unknown');
		if (!isMember(record, sender)) return refusal.of('not-a-member');
		const { channel, revision } = record;
		const members = record.members.filter(({ mailbox }) => mailbox !== sender);
		const next = members.length === 0 ? null : { ...record, members, revision: revision + 1 };
		const change = { channel, revision, next, addresses: [], postings: [] };
		const result = await this.#ports.store.changeChannel(change);
		if (!result.ok) return refusal.busy();
		if (result.value.is !== 'changed') {
			this.#records.delete(channel);
			return refusal.busy();
		}
		this.#replace(channel, next ?? undefined);
		return undefined;
	}

	#enter(channel: ChannelId, task: Task): void {
		const lane = this.#lanes.get(channel);
		if (lane) {
			if (lane.length < MAX_WAITING) lane.push(task);
			else task.busy();
			return;
		}
		const record = this.#records.get(channel);
		if (record && !task.changes) {
			void task.run(record);
			return;
		}
		this.#lanes.set(channel, [task]);
		void this.#work(channel);
	}

	async #work(channel: ChannelId): Promise<void> {
		const lane = this.#lanes.get(channel) ?? [];
		for (let task = lane.shift(); task; task = lane.shift()) {
			if (task.changes && this.#ports.peers) this.forget(channel);
			const record = await this.#load(channel);
			if (record.ok) await task.run(record.value);
			else task.busy();
		}
		this.#lanes.delete(channel);
	}

	async #load(channel: ChannelId) {
		const known = this.#records.get(channel);
		if (known) return { ok: true, value: known } as const;
		const read = await this.#ports.store.readChannel(channel);
		if (read.ok) this.#replace(channel, read.value);
		return read;
	}

	#replace(channel: ChannelId, record: ChannelRecord | undefined): void {
		if (record) this.#records.set(channel, record);
		else this.#records.delete(channel);
	}
}

function isMember(record: ChannelRecord, device: DeviceId): boolean {
	return mailboxesOf(record).has(device);
}

function othersIn(record: ChannelRecord, device: DeviceId): DeviceId[] {
	const others: DeviceId[] = [];
	for (const mailbox of mailboxesOf(record)) if (mailbox !== device) others.push(mailbox);
	return others;
}

/** Worked out once for a record, not for each message. */
const known = new WeakMap<ChannelRecord, ReadonlySet<DeviceId>>();

function mailboxesOf(record: ChannelRecord): ReadonlySet<DeviceId> {
	let mailboxes = known.get(record);
	if (!mailboxes) {
		mailboxes = new Set(record.members.map(({ mailbox }) => mailbox));
		known.set(record, mailboxes);
	}
	return mailboxes;
}
