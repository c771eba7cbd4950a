// Events only: what the shell's cache does is in shell-cache.ts.
import { self } from '$app/service-worker';
import { serveShell } from './shell-cache.ts';

serveShell();

self.addEventListener('message', (event) => {
	const message: unknown = event.data;
	const wanted =
		typeof message === 'object' && message !== null && 'type' in message && message.type;
	// Sent only when the person pressed Restart: a new version never takes over under their fingers.
	if (wanted === 'SKIP_WAITING') void self.skipWaiting();
});
