import { createContext } from 'svelte';
import { localStorageIfAllowed } from '../browser/canary.ts';

/** Chromium's event, which no standard names yet. */
interface BeforeInstallPromptEvent extends Event {
	prompt(): Promise<{ outcome: 'accepted' | 'dismissed' }>;
}

const KEY = 'kith.card-dismissed';

/** The browser's offer to install, kept until the person asks for it, and the card that speaks of it once. */
export class Install {
	ready = $state(false);
	cardDismissed = $state(read());
	#prompt: BeforeInstallPromptEvent | undefined;

	start(): () => void {
		const keep = (event: Event): void => {
			event.preventDefault();
			this.#prompt = event as BeforeInstallPromptEvent;
			this.ready = true;
		};
		const done = (): void => {
			this.ready = false;
		};
		addEventListener('beforeinstallprompt', keep);
		addEventListener('appinstalled', done);
		return () => {
			removeEventListener('beforeinstallprompt', keep);
			removeEventListener('appinstalled', done);
		};
	}

	/** Shows the browser's own question; an offer counts once. */
	async ask(): Promise<void> {
		const prompt = this.#prompt;
		this.#prompt = undefined;
		this.ready = false;
		await prompt?.prompt();
	}

	dismissCard(): void {
		this.cardDismissed = true;
		try {
			localStorageIfAllowed()?.setItem(KEY, '1');
		} catch {
			// Then the card comes once more.
		}
	}
}

function read(): boolean {
	try {
		return localStorageIfAllowed()?.getItem(KEY) === '1';
	} catch {
		return false;
	}
}

export const [getInstall, setInstall] = createContext<Install>();
