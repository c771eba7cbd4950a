import { version } from '$app/env';
import { assets, immutable, prerendered } from '$app/manifest';
import { asset, resolve } from '$app/paths';
import {
	cleanupOutdatedCaches,
	createHandlerBoundToURL,
	precacheAndRoute,
} from 'workbox-precaching';
import { NavigationRoute, registerRoute } from 'workbox-routing';

/** What the relay answers itself, also to a navigation. */
const NOT_THE_APP = [/^\/v1\//u, /^\/(?:healthz|metrics|operator)$/u];

/** Keeps the whole app on this device and answers every navigation with its one page, also offline. */
export function serveShell(): void {
	const shell = resolve('/(app)');
	precacheAndRoute([
		...immutable.map(({ path }) => ({ url: shell + path, revision: null })),
		...assets.map(({ path }) => ({ url: asset(path), revision: version })),
		...prerendered.map(({ path }) => ({ url: shell + path, revision: version })),
		{ url: shell, revision: version },
	]);
	cleanupOutdatedCaches();
	registerRoute(new NavigationRoute(createHandlerBoundToURL(shell), { denylist: NOT_THE_APP }));
}
