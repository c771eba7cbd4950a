// The same envelope twice gets one answer and one delivery (SPEC MB-5), also while the first is still under way.
import type { DeviceId, EnvelopeId } from '../../src/protocol/ids.ts';
import { Recent } from './recent.ts';

/** What became of a posting. */
export type Outcome = 'accepted' | 'busy' | 'mailbox-full';
export type Answer = (outcome: Outcome) => void;

/** Whose envelope it is: senders choose their envelopes' ids, so two may choose the same. */
type Key = `${DeviceId}${EnvelopeId}`;

/** Remembers accepted envelopes: at most `max`, and of those the later half. The store knows the unread ones for longer. */
export class Answers {
	readonly #accepted: Recent<Key, true>;
	/** Those that wait: one, as a rule. */
	readonly #pending = new Map<Key, Answer | Answer[]>();

	constructor(max: number) {
		this.#accepted = new Recent(max);
	}

	/** True when the envelope is known: `answer` is called with what the first one got, or will get. */
	join(key: Key, answer: Answer): boolean {
		const waiting = this.#pending.get(key);
		if (Array.isArray(waiting)) waiting.push(answer);
		else if (waiting) this.#pending.set(key, [waiting, answer]);
		else if (this.#accepted.get(key)) answer('accepted');
		else return false;
		return true;
	}

	/** Opens a new envelope; whoever posts it reports to what is returned. */
	begin(key: Key, answer: Answer): Answer {
		this.#pending.set(key, answer);
		return (outcome) => {
			const waiting = this.#pending.get(key);
			this.#pending.delete(key);
			if (outcome === 'accepted') this.#accepted.set(key, true);
			if (Array.isArray(waiting)) for (const each of waiting) each(outcome);
			else waiting?.(outcome);
		};
	}
}
