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

/** Runs `work` if nobody holds the lock right now; false if somebody does. */
export function ifFree(work: () => Promise<void>): Promise<boolean> {
	return navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
		if (!lock) return false;
		await work();
		return true;
	});
}
