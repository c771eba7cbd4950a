// `relay upgrade`: the files of the checkout are newer than the relay that runs.
import { askRelay } from '../control.ts';
import { dataDirectory, settings, type Command } from './command.ts';

export const upgrade: Command = {
	usage: '',
	summary: 'lets the version that is installed now take over from the relay that runs',
	details:
		'Nothing that was accepted is lost, and devices come back within moments. Settings are read anew, but for those\nfrom the environment. When the new version does not start, the old one goes on.',
	words: [0, 0],
	async run() {
		const { ok, says } = await askRelay(dataDirectory(settings()), 'upgrade');
		console[ok ? 'log' : 'error'](says);
		return ok ? 0 : 1;
	},
};
