import { FilesInterrupted } from '../../core/client.ts';

export type Outcome<Value, Failure> =
	{ readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: Failure };

/** Work on files whose breaking off is one more failure: nobody waits at a bar that never moves again. */
export async function orInterrupted<Value, Failure>(
	work: () => Promise<Outcome<Value, Failure>>,
): Promise<Outcome<Value, Failure | 'interrupted'>> {
	try {
		return await work();
	} catch (error) {
		// Anything else is a bug: it is told as one.
		if (!(error instanceof FilesInterrupted)) reportError(error);
		return { ok: false, error: 'interrupted' };
	}
}
