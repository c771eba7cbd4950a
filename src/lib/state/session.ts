// The one place where the screens get their client from.
import type { Client } from '../../core/client.ts';
import { startClient } from '../../core/hosts/page.ts';
import filesWorker from '../../core/hosts/files-worker.ts?worker&url';
import engineWorker from '../../core/hosts/worker.ts?worker&url';
import { OUTDATED } from '#lib/state/update.svelte.ts';

/** Under `require-trusted-types-for 'script'` a worker's address must come from a policy that the CSP names. */
const createPolicy = () =>
	window.trustedTypes?.createPolicy('kith#worker', { createScriptURL: (url) => url });
/** Made once: a second one of the same name is refused. */
let policy: ReturnType<typeof createPolicy>;

function startWorker(address: string, name: string): Worker {
	policy ??= createPolicy();
	// TypeScript's own types do not know that a worker takes a trusted URL.
	const url = (policy?.createScriptURL(address) ?? address) as string;
	return new Worker(url, { type: 'module', name });
}

/** Opens the chat of this device. `outdated`: a newer version of the app changed the database. */
export function openSession(): Promise<Client> {
	return startClient({
		origin: location.origin,
		createWorker: () => startWorker(engineWorker, 'kith engine'),
		createFilesWorker: () => startWorker(filesWorker, 'kith files'),
		phrases: async () => (await import('#lib/state/notice-phrases.ts')).noticePhrases(),
		// Never a reload under the fingers: the person is told, and presses Restart.
		outdated: () => dispatchEvent(new Event(OUTDATED)),
	});
}
