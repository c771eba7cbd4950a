// The installed shell: registers the service worker, knows when a newer one waits, and whether the browser says
// that there is a network at all. A new version never takes over by itself.
import { createContext } from 'svelte';
import type { Workbox } from 'workbox-window';
import { dev } from '$app/env';
import { toHome } from '../browser/addresses.ts';

/** How often an open app looks for a new version, in ms. */
const LOOK_EVERY = 60 * 60_000;

/** Told on the window when a newer version in another tab has changed the database. */
export const OUTDATED = 'kith:outdated';

export class Update {
	ready = $state(false);
	postponed = $state(false);
	/** The browser says that there is no network. */
	networkOff = $state(!navigator.onLine);
	#workbox: Workbox | undefined;
	#outdated = false;

	/** Returns how to stop. `reconnect` is called when the browser finds the network again. */
	start(reconnect: () => void): () => void {
		const follow = (): void => {
			this.networkOff = !navigator.onLine;
			if (navigator.onLine) reconnect();
		};
		addEventListener('online', follow);
		addEventListener('offline', follow);
		const outdated = (): void => {
			this.#outdated = true;
			this.ready = true;
			this.postponed = false;
		};
		addEventListener(OUTDATED, outdated);
		const look = setInterval(() => void this.#workbox?.update(), LOOK_EVERY);
		void this.#register();
		return () => {
			removeEventListener('online', follow);
			removeEventListener('offline', follow);
			removeEventListener(OUTDATED, outdated);
			clearInterval(look);
		};
	}

	/** The person pressed Restart: the waiting version takes over and the page loads anew. */
	apply(): void {
		if (this.#outdated) {
			location.reload(); // the new version is in place already
			return;
		}
		this.#workbox?.addEventListener('controlling', () => location.reload());
		this.#workbox?.messageSkipWaiting();
	}

	postpone(): void {
		this.postponed = true;
	}

	async #register(): Promise<void> {
		if (dev || !('serviceWorker' in navigator)) return;
		const { Workbox } = await import('workbox-window');
		const url = `${toHome()}service-worker.js`;
		// The page's policy refuses plain strings as the address of a script.
		const policy = window.trustedTypes?.createPolicy('kith#service-worker', {
			createScriptURL: (address) => address,
		});
		const workbox = new Workbox(policy ? policy.createScriptURL(url) : url, {
			type: 'module',
			updateViaCache: 'none',
		});
		workbox.addEventListener('waiting', () => {
			this.ready = true;
			this.postponed = false;
		});
		this.#workbox = workbox;
		// Without a service worker (private windows of some browsers) everything else still works.
		await workbox.register().catch(() => undefined);
	}
}

export const [getUpdate, setUpdate] = createContext<Update>();
