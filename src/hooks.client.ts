import type { ClientInit } from '@sveltejs/kit/hooks';

/**
 * Before the first page: Kit looks for an element of the fragment's name and throws on a percent sign that encodes
 * nothing, as a damaged link has. Whoever reads the fragment still finds it damaged.
 */
export const init: ClientInit = () => {
	try {
		decodeURIComponent(location.hash);
	} catch {
		history.replaceState(history.state, '', location.hash.replaceAll('%', '%25'));
	}
};
