// Mail does not wait for ever, and its sender learns that it was never read (SPEC MB-6, MB-7).
import { CAPSULE_KEPT } from '../../src/protocol/limits.ts';
import type { Mailboxes } from './mailboxes.ts';
import type { ExpiredMessage, Message, Posting, RelayPorts } from './ports.ts';

const INTERVAL = 60_000;
/** Rows per step, so that a flood of old mail does not hold up the new. */
const ROWS = 512;
/** How long revoked and expired addresses are remembered, so that their links still say why: 90 days. */
const ADDRESS_MEMORY = 90 * 24 * 60 * 60 * 1000;
const NO_BODY = new Uint8Array(0);

export class Expiry {
	readonly counts = { expired: 0 };
	readonly #ports: RelayPorts;
	readonly #mailboxes: Mailboxes;
	readonly #retention: number;
	#cancel: (() => void) | undefined;
	#stopped = false;

	constructor(ports: RelayPorts, mailboxes: Mailboxes, retention: number) {
		this.#ports = ports;
		this.#mailboxes = mailboxes;
		this.#retention = retention;
		this.#next(0);
	}

	stop(): void {
		this.#stopped = true;
		this.#cancel?.();
	}

	#next(ms: number): void {
		if (!this.#stopped) this.#cancel = this.#ports.clock.schedule(ms, () => void this.#run());
	}

	async #run(): Promise<void> {
		const now = this.#ports.clock.now();
		const more = await this.#expire(now - this.#retention);
		if (!more) {
			await this.#ports.store.purgeAddresses(now - ADDRESS_MEMORY);
			await this.#ports.store.purgeCapsules(now - CAPSULE_KEPT);
		}
		this.#next(more ? 0 : INTERVAL);
	}

	/** One step; true when there may be more. */
	async #expire(before: number): Promise<boolean> {
		const found = await this.#ports.store.expired(before, ROWS);
		if (!found.ok || found.value.length === 0) return false;
		const notices = this.#notices(found.value);
		if (!notices) return false;
		const dropping = this.#ports.store.drop(found.value, notices);
		for (const { message } of notices) this.#mailboxes.stored(message.sender);
		const dropped = await dropping;
		if (!dropped.ok) return false;
		this.counts.expired += found.value.length;
		this.#ports.log.info('unread mail expired', { messages: found.value.length });
		return found.value.length === ROWS;
	}

	/** One notice per envelope, to its sender; undefined while the store is busy. */
	#notices(expired: readonly ExpiredMessage[]): Posting[] | undefined {
		const lost = new Map<string, Message>();
		for (const { mailbox, message } of expired) {
			const { kind, sender, envelope } = message;
			if (kind === 'dropped' || sender === mailbox) continue;
			const at = this.#ports.clock.now();
			lost.set(sender + envelope, { ...message, kind: 'dropped', at, body: NO_BODY });
		}
		const numbers = this.#mailboxes.numbers(lost.size);
		return (
			numbers &&
			[...lost.values()].map((message, index) => ({
				message,
				targets: [{ mailbox: message.sender, seq: numbers[index] ?? 0 }],
			}))
		);
	}
}
