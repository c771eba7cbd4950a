import { error } from '@sveltejs/kit';
import { SETTINGS_PAGES } from '#lib/components/settings/pages.ts';

/** Each page comes with its own code, when it is opened. */
export async function load({ params }: { params: { page: string } }) {
	const open = SETTINGS_PAGES.get(params.page);
	if (!open) error(404);
	return { Page: (await open()).default };
}
