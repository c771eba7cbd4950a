// The same envelope twice gets one answer and one delivery (SPEC MB-5), also while the first is still under way.
import type { DeviceId, EnvelopeId } from '../../src/protocol/ids.ts';
import type { Outcome } from './ports.ts';
import { Recent } from './recent.ts';

export type Answer = (outcome: Outcome) => void;

interface Waiting {
	readonly sender: DeviceId;
	readonly answers: Answer[];
}

/** Remembers accepted envelopes: at most `max`, and of those the later half. The store knows the unread ones for longer. */
export class Answers {
	/** Who sent it, by the key of {@link #keyOf}. */
	readonly #accepted: Recent<string, DeviceId>;
	readonly #pending = new Map<string, Waiting>();

	constructor(max: number) {
		this.#accepted = new Recent(max);
	}

	/** True when the envelope is known: `answer` is called with what the first one got, or will get. */
	join(sender: DeviceId, envelope: EnvelopeId, answer: Answer): boolean {
		const key = this.#keyOf(sender, envelope);
		const waiting = this.#pending.get(key);
		if (waiting) waiting.answers.push(answer);
		else if (this.#accepted.get(key)) answer('accepted');
		else return false;
		return true;
	}

	/** Opens a new envelope; whoever posts it reports to what is returned. */
	begin(sender: DeviceId, envelope: EnvelopeId, answer: Answer): Answer {
		const key = this.#keyOf(sender, envelope);
		const answers = [answer];
		this.#pending.set(key, { sender, answers });
		return (outcome) => {
			this.#pending.delete(key);
			if (outcome === 'accepted') this.#accepted.set(key, sender);
			for (const each of answers) each(outcome);
		};
	}

	/**
	 * Envelopes are random, so the envelope alone will do, and costs half of what both together cost. Only who copies the
	 * envelope of another gets the longer key.
	 */
	#keyOf(sender: DeviceId, envelope: EnvelopeId): string {
		const first = this.#pending.get(envelope)?.sender ?? this.#accepted.get(envelope);
		return first === undefined || first === sender ? envelope : envelope + sender;
	}
}
