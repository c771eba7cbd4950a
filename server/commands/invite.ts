// `relay invite URL`: a link that lets new devices in where registration is by invitation.
import { openInvitations } from '../edge/invitations.ts';
import { dataDirectory, settings, type Command } from './command.ts';

const DAY = 24 * 60 * 60 * 1000;

export const invite: Command = {
	usage: 'URL [--days N]',
	summary: 'prints a link that lets new devices in, for KITH_REGISTRATION=invitation',
	details:
		'URL is the address of the relay (https://chat.example.org), N how long the link is good (7). Whoever opens it in a\nbrowser may begin there until then, so pass it on as you would a key. Several people may use one.',
	options: ['days'],
	words: [1, 1],
	run({ words: [given = ''], options }) {
		const days = Number(options.days ?? 7);
		if (!(days > 0 && days <= 365)) throw new Error('--days takes a number up to 365.');
		if (!URL.canParse(given))
			throw new Error(`"${given}" is no address such as https://chat.example.org.`);
		const config = settings();
		const { pathOf } = openInvitations(dataDirectory(config));
		console.log(new URL(pathOf(Date.now() + Math.round(days * DAY)), given).href);
		if (config.registration !== 'invitation')
			console.error(`Registration is ${config.registration}: set KITH_REGISTRATION=invitation.`);
		return 0;
	},
};
