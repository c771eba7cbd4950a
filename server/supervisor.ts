// What programs that run the relay want to know: which process serves, from when on.
import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import type { RelayLog } from './relay/ports.ts';

/** Says that this process serves: in a file, and to systemd where it asked for that (Type=notify). */
export async function announceProcess(pidFile: string | null, log: RelayLog): Promise<void> {
	if (pidFile !== null) {
		writeFileSync(`${pidFile}.new`, `${process.pid}\n`);
		renameSync(`${pidFile}.new`, pidFile);
	}
	if (!process.env.NOTIFY_SOCKET) return;
	const notify = spawn('systemd-notify', ['--ready', `--pid=${process.pid}`], { stdio: 'ignore' });
	const how = await new Promise<string | number | null>((resolve) =>
		notify.on('error', ({ message }) => resolve(message)).on('exit', resolve),
	);
	if (how !== 0) log.warn('systemd could not be told', { why: String(how) });
}
