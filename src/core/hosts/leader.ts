// One engine per device: whoever holds this lock runs it. A context that dies lets go by dying.

const LOCK = 'kith engine';

/** Waits for the lock and runs `work` under it; returns how to withdraw, or to end the work. */
export function whenLeader(work: (signal: AbortSignal) => Promise<void>): () => void {
	const end = new AbortController();
	navigator.locks
		.request(LOCK, { signal: end.signal }, () => work(end.signal))
		.catch((error: unknown) => {
			if (!end.signal.aborted) throw error;
		});
	return () => end.abort();
}

/** Waits for the lock until `signal` aborts and runs `work` under it; false if it was never free in that time. */
export async function leadSoon(signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
	let led = false;
	await navigator.locks
		.request(LOCK, { signal }, () => {
			led = true;
			return work();
		})
		.catch((error: unknown) => {
			if (led || !signal.aborted) throw error;
		});
	return led;
}
