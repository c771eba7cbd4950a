// Events only: what the shell's cache does is in shell-cache.ts, what happens while the app is closed in wake.ts.
import { self } from '$app/service-worker';
import { serveShell } from './shell-cache.ts';
import { openFromNotification, wokenByPush, wokenBySync } from './wake.ts';

serveShell();

self.addEventListener('message', (event) => {
	const message: unknown = event.data;
	const wanted =
		typeof message === 'object' && message !== null && 'type' in message && message.type;
	// Sent only when the person pressed Restart: a new version never takes over under their fingers.
	if (wanted === 'SKIP_WAITING') void self.skipWaiting();
});

self.addEventListener('push', (event) => event.waitUntil(wokenByPush()));

// Background Sync is not in TypeScript's own types: only Chromium has it.
self.addEventListener('sync' as 'push', (event) => event.waitUntil(wokenBySync()));

self.addEventListener('notificationclick', (event) => {
	event.waitUntil(openFromNotification(event.notification));
});
