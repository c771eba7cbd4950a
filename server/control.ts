// How an operator's command reaches the relay that runs: a socket in the data directory, for the relay's own user.
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

export interface Control {
	listen(): void;
	/** Answers that are still owed are given. */
	close(): void;
}

/** One line in, one line back. */
export interface ControlAnswer {
	readonly ok: boolean;
	/** A sentence for the operator. */
	readonly says: string;
}

const WAIT = 120_000;
const path = (directory: string) => join(directory, 'relay.sock');

/** Windows has no such sockets, and knows no upgrade while it runs. */
export const hasControl = process.platform !== 'win32';

/** `unavailable` is told when the socket cannot be made, as where the path is too long for one. */
export function createControl(
	directory: string,
	commands: Readonly<Record<string, () => Promise<ControlAnswer>>>,
	unavailable: (why: string) => void,
): Control {
	const server = createServer((socket) => {
		socket.on('error', () => socket.destroy());
		socket.setTimeout(WAIT, () => socket.destroy());
		socket.once('data', (bytes) => {
			const name = bytes.toString().trim();
			const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
			const unknown = { ok: false, says: `This relay does not know "${name}".` };
			void (command?.() ?? Promise.resolve(unknown)).then((answer) =>
				socket.end(`${JSON.stringify(answer)}\n`),
			);
		});
	});
	server.on('error', (error) => unavailable(error.message));
	server.unref();
	return {
		listen: () => {
			if (!hasControl) return;
			rmSync(path(directory), { force: true }); // left by one that was killed: the data are ours alone
			server.listen(path(directory));
		},
		close: () => void server.close(),
	};
}

/** Asks the relay that runs on a data directory; rejects with a sentence when there is none. */
export function askRelay(directory: string, command: string): Promise<ControlAnswer> {
	return new Promise((resolve, reject) => {
		const socket = connect(path(directory), () => socket.write(`${command}\n`));
		let said = '';
		socket.setTimeout(WAIT, () => socket.destroy(new Error('it does not answer')));
		socket.on('data', (bytes) => (said += bytes.toString()));
		socket.on('error', ({ message }) =>
			reject(new Error(`No relay answers for ${directory}: ${message}.`)),
		);
		socket.on('close', () => {
			try {
				resolve(JSON.parse(said) as ControlAnswer);
			} catch {
				reject(new Error('The relay ended before it answered.'));
			}
		});
	});
}
