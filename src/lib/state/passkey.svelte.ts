// The passkey beside the recovery code: added, made anew, removed. Whatever fails leaves the one before as it was.
import {
	discardPasskey,
	makePasskey,
	passkeysWork,
	type PasskeyFailure,
} from '../browser/passkey.ts';
import type { App } from './app.svelte.ts';

export class PasskeySetup {
	/** Whether one can be made here; undefined while the browser is asked. */
	offered = $state<boolean>();
	busy = $state(false);
	done = $state<'made' | 'removed'>();
	failure = $state<PasskeyFailure>();

	readonly #app: App;

	constructor(app: App) {
		this.#app = app;
		void passkeysWork().then((offered) => (this.offered = offered));
	}

	async add(): Promise<void> {
		const { client, me, recovery } = this.#app;
		if (!me || this.busy) return;
		// One of this browser takes the place of another of it, where they are kept together.
		const user = new TextEncoder().encode(me.device);
		await this.#attempt(async () => {
			const made = await makePasskey(user, me.profile.name);
			if (typeof made === 'string') {
				this.failure = made;
				return;
			}
			await client.usePasskey(made);
			await forget(recovery?.passkey?.credential, made.credential);
			this.done = 'made';
		});
	}

	async remove(): Promise<void> {
		const { client, recovery } = this.#app;
		await this.#attempt(async () => {
			await client.usePasskey(undefined);
			await forget(recovery?.passkey?.credential);
			this.done = 'removed';
		});
	}

	async #attempt(act: () => Promise<void>): Promise<void> {
		this.busy = true;
		this.done = undefined;
		this.failure = undefined;
		try {
			await act();
		} catch {
			this.failure = 'failed'; // no room for what is to be kept
		}
		this.busy = false;
	}
}

/** One that leads nowhere any more; what took its place may be called alike. */
async function forget(before: Uint8Array | undefined, now?: Uint8Array): Promise<void> {
	if (!before || before.join() === now?.join()) return;
	await discardPasskey(before);
}
