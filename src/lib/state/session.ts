// The one place where the screens get their client from.
import type { Client } from '../../core/client.ts';
import { startClient } from '../../core/hosts/page.ts';
import engineWorker from '../../core/hosts/worker.ts?worker&url';
import { OUTDATED } from '#lib/state/update.svelte.ts';
import { m } from '#lib/paraglide/messages.js';

/** Under `require-trusted-types-for 'script'` a worker's address must come from a policy that the CSP names. */
function createWorker(): Worker {
	const policy = window.trustedTypes?.createPolicy('kith#worker', {
		createScriptURL: (url) => url,
	});
	// TypeScript's own types do not know that a worker takes a trusted URL.
	const url = (policy?.createScriptURL(engineWorker) ?? engineWorker) as string;
	return new Worker(url, { type: 'module', name: 'kith engine' });
}

/** Opens the chat of this device. `outdated`: a newer version of the app changed the database. */
export function openSession(): Promise<Client> {
	return startClient({
		origin: location.origin,
		createWorker,
		phrases: {
			newMessage: m.notice_new_message(),
			nothingNew: m.notice_nothing_new(),
		},
		// Never a reload under the fingers: the person is told, and presses Restart.
		outdated: () => dispatchEvent(new Event(OUTDATED)),
	});
}
