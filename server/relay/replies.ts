// What the relay answers when it does not do what it was asked (SPEC ER).
import type { RefusalCode } from '../../src/protocol/errors.ts';
import type { Epoch } from '../../src/protocol/ids.ts';

export interface Refusal {
	readonly code: RefusalCode;
	readonly retryAfter: number | null;
	readonly epoch: Epoch | null;
}

/** Called once per request: without a refusal the request was accepted. */
export type Reply = (refused: Refusal | undefined) => void;

/** A store that is busy is asked again soon; a full mailbox empties when its person comes back. */
const RETRY_BUSY = 1000;
const RETRY_FULL = 60_000;

export const refusal = {
	of: (code: RefusalCode): Refusal => ({ code, retryAfter: null, epoch: null }),
	epoch: (code: 'epoch-conflict' | 'epoch-too-old', epoch: Epoch): Refusal => ({
		code,
		retryAfter: null,
		epoch,
	}),
	busy: (): Refusal => refusal.after('busy', RETRY_BUSY),
	later: (code: 'busy' | 'mailbox-full'): Refusal =>
		refusal.after(code, code === 'busy' ? RETRY_BUSY : RETRY_FULL),
	after: (code: RefusalCode, retryAfter: number): Refusal => ({ code, retryAfter, epoch: null }),
};
