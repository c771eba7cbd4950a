// `relay doctor [URL]`: looks at everything that hosting a relay takes, one line each, with the mend.
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { askRelay } from '../control.ts';
import { settings, type Command } from './command.ts';
import { DATABASE } from './backup-format.ts';
import { checkNats } from './doctor-nats.ts';
import { checkIce, checkPlace, checkPush } from './doctor-network.ts';

export interface Finding {
	readonly about: string;
	/** `open`: it could not be looked at from here. */
	readonly is: 'good' | 'bad' | 'doubtful' | 'open';
	/** What was found and, unless it is good, what to do. */
	readonly says: string;
}

const MARKS = { good: 'ok     ', bad: 'WRONG  ', doubtful: 'doubt  ', open: 'unseen ' };
const GIB = 1024 ** 3;

export const doctor: Command = {
	usage: '[URL]',
	summary:
		'checks this machine and, at URL (https://chat.example.org), what people see of the relay',
	details:
		'ok: fine. doubt: works, but better mended. WRONG: does not work. unseen: could not be checked from here.\nThe exit code is 1 where something is wrong. URL is looked at from this machine: a firewall that lets only it in goes\nunseen. Nothing but the named hosts and one push service is asked.',
	words: [0, 1],
	async run({ words: [url] }) {
		const config = settings();
		const findings = [
			{ about: 'settings', is: 'good', says: 'can be understood' } as const,
			...checkData(config),
			await checkProcess(config),
			...(await checkNats(config)),
			...(await checkPlace(url)),
			...(await checkPush(config)),
			...(await checkIce(config)),
		];
		for (const { about, is, says } of findings) console.log(`${MARKS[is]} ${about}: ${says}`);
		return findings.some(({ is }) => is === 'bad') ? 1 : 0;
	},
};

function checkData(config: Config): Finding[] {
	const directory = resolve(config.data);
	const about = 'data directory';
	if (!existsSync(directory))
		return [
			{
				about,
				is: 'doubtful',
				says: `${directory} is not there yet. Start the relay, or set KITH_DATA.`,
			},
		];
	const findings: Finding[] = [checkRights(directory)];
	const { bavail, bsize } = statfsSync(directory);
	const free = (bavail * bsize) / GIB;
	const says = `${free.toFixed(1)} GiB free for ${directory}`;
	if (free < 0.1)
		findings.push({
			about: 'disk',
			is: 'bad',
			says: `${says}. Make room: senders will hear "busy".`,
		});
	else if (free < 1)
		findings.push({
			about: 'disk',
			is: 'doubtful',
			says: `${says}. Make room, or set KITH_MAX_DISK_BYTES.`,
		});
	else findings.push({ about: 'disk', is: 'good', says });
	if (config.cluster.length === 0 && !existsSync(join(directory, DATABASE)))
		findings.push({
			about: 'database',
			is: 'doubtful',
			says: 'is not there yet. Start the relay.',
		});
	return findings;
}

function checkRights(directory: string): Finding {
	const about = 'data directory';
	try {
		accessSync(directory, constants.R_OK | constants.W_OK);
	} catch {
		return {
			about,
			is: 'open',
			says: `${directory} is not for this user. Ask as the relay's, or as root.`,
		};
	}
	const others = statSync(directory).mode & 0o077;
	if (others !== 0 && process.platform !== 'win32')
		return {
			about,
			is: 'doubtful',
			says: `others of this machine may look into it. chmod 700 ${directory}`,
		};
	return { about, is: 'good', says: directory };
}

/** The limits of the relay that runs, not of the shell that asks. */
async function checkProcess(config: Config): Promise<Finding> {
	const about = 'open files';
	const pid = await askRelay(resolve(config.data), 'pid').then(
		({ says }) => says,
		() => undefined,
	);
	if (pid === undefined)
		return {
			about,
			is: 'open',
			says: 'no relay answers on this data directory. Start it, and ask again.',
		};
	const limits = `/proc/${pid}/limits`;
	if (!existsSync(limits)) return { about, is: 'open', says: 'this system does not tell.' };
	const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(readFileSync(limits, 'utf8')) ?? [];
	const says = `process ${pid} may open ${soft}: each connection takes one`;
	if (soft === 'unlimited' || Number(soft) >= 65_536) return { about, is: 'good', says };
	return {
		about,
		is: 'doubtful',
		says: `${says}. LimitNOFILE=1048576 for systemd, ulimit -n elsewhere.`,
	};
}
