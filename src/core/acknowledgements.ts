// Which mail may be acknowledged to the relay: everything up to the first that is not yet stored (SPEC MB-3).
import type { MailboxSeq } from '../protocol/ids.ts';

interface Acknowledgements {
	arrived(seq: MailboxSeq): void;
	stored(seq: MailboxSeq): void;
	/** Returns the position to acknowledge now, if it moved since the last time. */
	take(): MailboxSeq | undefined;
	/** A new connection: the relay delivers again what was not acknowledged. */
	reset(): void;
}

export function createAcknowledgements(): Acknowledgements {
	let waiting: MailboxSeq[] = [];
	const done = new Set<MailboxSeq>();
	return {
		arrived(seq) {
			waiting.push(seq);
		},
		stored(seq) {
			done.add(seq);
		},
		take() {
			let covered = 0;
			while (covered < waiting.length && done.has(waiting[covered] ?? -1)) covered++;
			if (covered === 0) return undefined;
			const upTo = waiting[covered - 1];
			for (const each of waiting.slice(0, covered)) done.delete(each);
			waiting = waiting.slice(covered);
			return upTo;
		},
		reset() {
			waiting = [];
			done.clear();
		},
	};
}
