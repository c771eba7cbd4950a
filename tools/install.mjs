// What must be on this machine before anything of Kith runs: its packages and, for tests, browsers. Runs on Node 20.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
/** @param {string} path */
export const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const windows = process.platform === 'win32';
/** The project's own Node: whoever starts us may have an older one. */
export const NODE = at(windows ? 'node_modules/.bin/node.cmd' : 'node_modules/.bin/node');

const changed = (/** @type {string} */ path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** @param {string} command @param {string[]} parameters @param {Record<string, string>} [environment] */
export function run(command, parameters, environment = {}) {
	const env = { ...process.env, ...environment };
	return spawnSync(command, parameters, { cwd: root, stdio: 'inherit', shell: windows, env })
		.status;
}

/** Ends this process with the command's own status when it fails. @param {string} what @param {string[]} parameters */
export function npm(what, parameters) {
	console.log(what);
	const status = run('npm', parameters);
	if (status === 0) return;
	console.error(`npm ${parameters.join(' ')} failed: see above.`);
	process.exit(status ?? 1);
}

/** Installs the locked packages where they are missing or older than the lock file. */
export function installPackages() {
	const installed = changed(at('node_modules/.package-lock.json'));
	if (installed > 0 && installed >= changed(at('package-lock.json'))) return;
	// Not `npm ci`: it refuses a lock file that lacks binaries of other systems, and those cannot all be locked from
	// one machine. This installs what is locked just the same, and leaves the lock file alone.
	npm('Installing what Kith needs ...', ['install', '--no-save', '--no-audit', '--no-fund']);
}

/** Debian's packages for each browser, and the file that shows that it is there. WebKit only shows on a display. */
const BROWSERS = {
	chromium: { packages: ['chromium'], file: '/usr/bin/chromium' },
	firefox: { packages: ['firefox-esr'], file: '/usr/bin/firefox-esr' },
	webkit: {
		packages: ['webkit2gtk-driver', 'xvfb', 'xauth'],
		file: '/usr/bin/WebKitWebDriver',
	},
};
const FONTS = ['fonts-noto-core', 'fonts-noto-color-emoji', 'fonts-noto-cjk'];

const mayInstall = () => existsSync('/usr/bin/apt-get') && process.getuid?.() === 0;

function installDebian(/** @type {string[]} */ packages) {
	// In the runlevel of repairs no package starts its service.
	const quiet = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
	run('apt-get', ['update', '-qq'], quiet);
	run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], quiet);
}

/** Debian's packages of other programs that the tests run, and the file that shows that each is there. */
const SERVERS = {
	coturn: '/usr/bin/turnserver',
	caddy: '/usr/bin/caddy',
	'nats-server': '/usr/sbin/nats-server',
	// Makes the network in which machines are cut off from each other.
	iproute2: '/sbin/ip',
};

/** Servers for the tests, where installing them does not also start them as services. Without them tests are skipped. */
export function installServers() {
	const missing = Object.entries(SERVERS).filter(([, file]) => !existsSync(file));
	const startsServices = existsSync('/run/systemd/system');
	if (missing.length === 0 || startsServices || !mayInstall()) return;
	console.log('Installing servers for the tests ...');
	installDebian(missing.map(([name]) => name));
}

/** What the relay is compared with, where installing it does not also start it as a service. */
export function installPeers() {
	const missing = [
		...(existsSync('/usr/sbin/mosquitto') ? [] : ['mosquitto']),
		...(existsSync('/usr/sbin/ejabberdctl') ? [] : ['ejabberd']),
	];
	if (missing.length === 0 || existsSync('/run/systemd/system') || !mayInstall()) return;
	console.log('Installing what the relay is compared with ...');
	installDebian(missing);
}

/**
 * Browsers for the tests: Debian's own where this is Debian and we may install, Playwright's elsewhere. Returns those
 * that are there in the end; what is missing is skipped and said.
 * @returns {Set<string>}
 */
export function installBrowsers() {
	const missing = Object.values(BROWSERS).filter(({ file }) => !existsSync(file));
	if (missing.length > 0 && mayInstall()) {
		console.log('Installing browsers for the tests ...');
		installDebian([...missing.flatMap((browser) => browser.packages), ...FONTS]);
	} else if (missing.length > 0 && !existsSync('/usr/bin/apt-get')) {
		run('npx', ['playwright', 'install', 'chromium', 'firefox']);
		return new Set(['chromium', 'firefox']);
	}
	const there = Object.entries(BROWSERS).filter(([, { file }]) => existsSync(file));
	return new Set(there.map(([name]) => name));
}
