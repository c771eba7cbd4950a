/**
 * Runs `step` one at a time: calls made while it runs share one further run after it. The promise resolves when
 * everything known at the time of the call has been seen by a run.
 */
export function coalesce(step: () => Promise<void>): () => Promise<void> {
	let running: Promise<void> | undefined;
	let next: Promise<void> | undefined;
	const start = (): Promise<void> => {
		running = step().finally(() => {
			running = undefined;
		});
		return running;
	};
	return () => {
		if (!running) return start();
		next ??= running
			.catch(() => undefined)
			.then(() => {
				next = undefined;
				return start();
			});
		return next;
	};
}
