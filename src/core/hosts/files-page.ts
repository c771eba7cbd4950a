// Files for a page: done in a worker, which ends when nobody needs it; or here, where everything is in memory.
import type { Files } from '../files.ts';
import { toBase64Url } from '../../protocol/ids.ts';
import { systemClock, systemRandom, type Environment } from './environment.ts';
import { connectFiles, type FilesWorker } from './files-link.ts';
import type { FilesWorkerStart } from './files-worker.ts';

/** `createWorker` makes the worker of files-worker.ts. */
export async function openFiles(
	environment: Environment,
	createWorker: () => Worker,
): Promise<Files> {
	if (environment.kind !== 'kept') return filesHere(environment);
	return {
		...connectFiles(() => startWorker(createWorker), systemClock),
		// One chat is read page by page anyhow.
		exportChat: async (...given) => (await filesHere(environment)).exportChat(...given),
	};
}

async function filesHere({ store, crypto }: Environment): Promise<Files> {
	const { createFiles } = await import('./files.ts');
	return createFiles({ store, crypto, clock: systemClock, random: systemRandom });
}

function startWorker(createWorker: () => Worker): FilesWorker {
	const worker = createWorker();
	const { port1, port2 } = new MessageChannel();
	const life = `kith files ${toBase64Url(systemRandom.bytes(8))}`;
	const ended = new AbortController();
	const gone = new Promise<void>((resolve) => {
		worker.onerror = () => resolve();
		// No event tells that a worker was taken away. Its lock does: whoever dies lets go by dying.
		worker.onmessage = () => {
			navigator.locks
				.request(life, { signal: ended.signal }, () => resolve())
				.catch(() => undefined); // aborted: it was ended from here
		};
	});
	worker.postMessage({ port: port2, life } satisfies FilesWorkerStart, [port2]);
	return {
		port: port1,
		gone,
		end() {
			ended.abort();
			worker.terminate();
			port1.close();
		},
	};
}
