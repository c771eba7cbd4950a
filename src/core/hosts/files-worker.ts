// The dedicated worker for files, beside the one that leads: it opens the store and does what its page asks.
import { openEnvironment, systemClock, systemRandom } from './environment.ts';
import { serveFiles } from './files-link.ts';
import { createFiles } from './files.ts';

/** First and only message from the page; the calls come over the port. */
export interface FilesWorkerStart {
	readonly port: MessagePort;
	/** Name of a lock that this worker holds as long as it lives; it says a word when it has it. */
	readonly life: string;
}

addEventListener(
	'message',
	({ data }) => {
		void start(data as FilesWorkerStart);
	},
	{ once: true },
);

async function start({ port, life }: FilesWorkerStart): Promise<void> {
	void navigator.locks.request(life, () => {
		postMessage('alive');
		return new Promise<never>(() => undefined);
	});
	const { store, crypto } = await openEnvironment(() => undefined);
	serveFiles(port, createFiles({ store, crypto, clock: systemClock, random: systemRandom }));
}
