// One line of JSON per event on standard output, for journald and the like.
import type { RelayLog } from '../relay/ports.ts';

export function createLog(level: 'info' | 'warn' | 'silent'): RelayLog {
	const write =
		(name: 'info' | 'warn', on: boolean): RelayLog['info'] =>
		(event, facts = {}) => {
			if (!on) return;
			const line = { time: new Date().toISOString(), level: name, event, ...facts };
			process.stdout.write(`${JSON.stringify(line)}\n`);
		};
	return { info: write('info', level === 'info'), warn: write('warn', level !== 'silent') };
}
