// The same envelope twice gets one answer and one delivery (SPEC MB-5), also while the first is still under way.
import type { DeviceId, EnvelopeId } from '../../src/protocol/ids.ts';

/** What became of a posting. */
export type Outcome = 'accepted' | 'busy' | 'mailbox-full';
export type Answer = (outcome: Outcome) => void;

/** Remembers accepted envelopes: at most `max`, and of those the later half. The store knows the unread ones for longer. */
export class Answers {
	readonly #max: number;
	/**
	 * Two halves, of which the older is forgotten as a whole: a set that loses its oldest entry for each new one walks
	 * over the holes of all those before, which was a quarter of the relay's time under load.
	 */
	#accepted = new Set<string>();
	#earlier = new Set<string>();
	readonly #pending = new Map<string, Answer[]>();

	constructor(max: number) {
		this.#max = max;
	}

	/** True when the envelope is known: `answer` is called with what the first one got, or will get. */
	join(sender: DeviceId, envelope: EnvelopeId, answer: Answer): boolean {
		const key = sender + envelope;
		const waiting = this.#pending.get(key);
		if (waiting) waiting.push(answer);
		else if (this.#accepted.has(key) || this.#earlier.has(key)) answer('accepted');
		else return false;
		return true;
	}

	/** Opens a new envelope; whoever posts it reports to {@link settle}. */
	begin(sender: DeviceId, envelope: EnvelopeId, answer: Answer): void {
		this.#pending.set(sender + envelope, [answer]);
	}

	settle(sender: DeviceId, envelope: EnvelopeId, outcome: Outcome): void {
		const key = sender + envelope;
		const waiting = this.#pending.get(key) ?? [];
		this.#pending.delete(key);
		if (outcome === 'accepted') this.#remember(key);
		for (const answer of waiting) answer(outcome);
	}

	#remember(key: string): void {
		this.#accepted.add(key);
		if (this.#accepted.size < this.#max / 2) return;
		this.#earlier = this.#accepted;
		this.#accepted = new Set();
	}
}
