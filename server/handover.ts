// A new process takes over from an old one on the same port and data, without anybody losing what was accepted:
//
//   old: starts the new one ─────────────────▶ new: reads the settings, loads the app
//        closes the database ◀──── ready ─────
//                            ───── store ────▶      opens it
//        hears nobody any more, ◀─ opened ────
//        stops listening     ───── port ─────▶      listens
//        sends its devices over ◀─ listening ─
//        ends
//
// When the new one fails on the way, the old one takes back what it gave up and goes on.
import { spawn, type ChildProcess } from 'node:child_process';

type FromNew = 'ready' | 'opened' | 'listening' | { readonly failed: string };
type FromOld = 'store' | 'port';

const TAKE_OVER = '--take-over';
/** How long the new process may take for its steps, ms. Starting is slow on a busy machine; the others stop senders. */
const PATIENCE = { ready: 60_000, opened: 10_000, listening: 5000 };

/** What the old process gives up, in this order, and takes back in the other. */
export interface Possessions {
	releaseStore(): Promise<void>;
	releasePort(): void;
	takePortBack(): Promise<void>;
	takeStoreBack(): Promise<void>;
}

export type HandedOver =
	| { readonly ok: true; readonly pid: number }
	/** `why` is a sentence; everything is as it was before. */
	| { readonly ok: false; readonly why: string };

/**
 * Starts `main` anew in another process and gives everything to it. When that worked, this process must end soon.
 * `stop` ends the other process, whenever it comes.
 */
export async function handOver(
	main: string,
	possessions: Possessions,
	stop: AbortSignal,
): Promise<HandedOver> {
	const child = spawn(process.execPath, [...process.execArgv, main, TAKE_OVER], {
		stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
		signal: stop,
	});
	const gone = new Promise<void>((resolve) =>
		child.once('exit', () => resolve()).once('error', () => resolve()),
	);
	const takeBack: (() => Promise<void>)[] = [];
	try {
		await said(child, 'ready');
		takeBack.push(possessions.takeStoreBack);
		await possessions.releaseStore();
		tell(child, 'store');
		await said(child, 'opened');
		takeBack.push(possessions.takePortBack);
		possessions.releasePort();
		tell(child, 'port');
		await said(child, 'listening');
		return { ok: true, pid: child.pid ?? 0 };
	} catch (error) {
		child.kill('SIGKILL');
		await gone;
		for (const undo of takeBack.reverse()) await undo();
		return { ok: false, why: (error as Error).message };
	}
}

function tell(child: ChildProcess, what: FromOld): void {
	if (child.connected) child.send(what);
}

/** Resolves when the new process has come so far; rejects with a sentence when it fails or takes too long. */
function said(child: ChildProcess, step: keyof typeof PATIENCE): Promise<void> {
	return new Promise((resolve, reject) => {
		const settle = (why?: string) => {
			clearTimeout(timer);
			child.removeAllListeners('message').off('exit', ended).off('error', ended);
			if (why === undefined) resolve();
			else reject(new Error(why));
		};
		const ended = () => settle('The new version ended while it started: see what it wrote.');
		const timer = setTimeout(
			() => settle(`The new version was not ${step} within ${PATIENCE[step] / 1000} s.`),
			PATIENCE[step],
		);
		child.on('exit', ended).on('error', ended);
		child.on('message', (message: FromNew) => {
			if (message === step) settle();
			else if (typeof message === 'object') settle(message.failed);
		});
		if (child.exitCode !== null || child.signalCode !== null) ended();
	});
}

/** The old process, as the new one sees it. */
export interface Predecessor {
	/** Says that everything is prepared; resolves when the database is free. */
	store(): Promise<void>;
	/** Says that the database is open; resolves when the port is free. */
	port(): Promise<void>;
	/** Says that this process listens: the other one ends. */
	done(): void;
	/** Says why this process ends instead; resolves when that was sent. */
	failed(why: string): Promise<void>;
}

/** Undefined where this process was not started to take over. */
export function predecessor(): Predecessor | undefined {
	if (!process.argv.includes(TAKE_OVER) || !process.send) return undefined;
	const say = (what: FromNew) =>
		new Promise<void>((resolve) => {
			if (process.connected) process.send?.(what, undefined, undefined, () => resolve());
			else resolve();
		});
	// Without the other one there is nothing to take over: whoever started it starts anew.
	const orphaned = () => process.exit(1);
	process.on('disconnect', orphaned);
	const ask = async (what: FromNew, answer: FromOld) => {
		const answered = new Promise<void>((resolve) =>
			process.on('message', (message) => message === answer && resolve()),
		);
		await say(what);
		await answered;
	};
	return {
		store: () => ask('ready', 'store'),
		port: () => ask('opened', 'port'),
		done: () => {
			process.off('disconnect', orphaned).removeAllListeners('message');
			void say('listening').then(() => process.connected && process.disconnect());
		},
		failed: (why) => say({ failed: why }),
	};
}
