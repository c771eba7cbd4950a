import NotFound from '#lib/components/first/NotFound.svelte';
import { SETTINGS_PAGES } from '#lib/components/settings/pages.ts';

/** Each page comes with its own code, when it is opened. */
export async function load({ params }: { params: { page: string } }) {
	const open = SETTINGS_PAGES.get(params.page);
	// Not an error: Kit would ask the server for the page, which answers every address with this app.
	return { Page: open ? (await open()).default : NotFound };
}
