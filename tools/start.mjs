// `npm start`: brings the checkout up to date and runs the relay on the project's own Node. Whoever starts it may
// have an older Node and nothing else; this file runs on Node 20.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { at, installPackages, NODE, npm, root } from './install.mjs';

/** What the built app is made of. */
const SOURCES = [
	'src',
	'static',
	'messages',
	'project.inlang',
	'vite.config.ts',
	'package-lock.json',
];

/** Time of the newest file at or below a path, ms; 0 where there is none. */
function newest(/** @type {string} */ path) {
	if (!existsSync(path)) return 0;
	const { mtimeMs } = statSync(path);
	if (!statSync(path).isDirectory()) return mtimeMs;
	let latest = 0;
	for (const entry of readdirSync(path, { recursive: true, withFileTypes: true }))
		// Generated from the messages by the build itself, so it is always as new as the build.
		if (entry.isFile() && !entry.parentPath.includes('paraglide'))
			latest = Math.max(latest, statSync(`${entry.parentPath}/${entry.name}`).mtimeMs);
	return latest;
}

installPackages();

if (existsSync(at('vite.config.ts'))) {
	const built = newest(at('build/index.html'));
	if (built === 0 || SOURCES.some((path) => newest(at(path)) > built))
		npm('Building the app ...', ['run', 'build']);
}

// After an upgrade (`npm run relay:upgrade`) another process serves; it says so in this file.
const folder = process.env.KITH_PID_FILE ? undefined : mkdtempSync(join(tmpdir(), 'kith-start-'));
const pidFile = process.env.KITH_PID_FILE ?? join(folder ?? '', 'pid');
const env = { ...process.env, KITH_PID_FILE: pidFile };
const relay = spawn(NODE, [at('server/main.ts')], { cwd: root, stdio: 'inherit', env });
let serving = relay.pid ?? 0;

function end(/** @type {number} */ code) {
	if (folder) rmSync(folder, { recursive: true, force: true });
	process.exit(code);
}
function isAlive(/** @type {number} */ pid) {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
}
/** The process that serves now: the one that was started, or the latest that took over. */
function current() {
	if (existsSync(pidFile)) serving = Number(readFileSync(pidFile, 'utf8')) || serving;
	return serving;
}
const tell = (/** @type {NodeJS.Signals} */ signal) =>
	isAlive(current()) && process.kill(serving, signal);

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
	process.on(signal, () => tell(signal));
// npm runs scripts in a shell, and a shell that is told to end does not always tell its children.
const parent = process.ppid;
if (process.env.npm_lifecycle_event === 'start')
	setInterval(() => process.ppid !== parent && tell('SIGTERM'), 500);
relay.on('error', (error) => {
	console.error(`The relay could not be started: ${error.message}`);
	end(1);
});
relay.on('exit', (code, signal) => {
	const wasRelieved = current() !== relay.pid && isAlive(serving);
	if (wasRelieved) setInterval(() => isAlive(current()) || end(0), 500);
	else end(code ?? 128 + (signal ? constants.signals[signal] : 0));
});
