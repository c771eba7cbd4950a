import { toInvite } from '../../browser/addresses.ts';
import type { Invite } from '../../../core/model.ts';

/** The address to give away. Everything secret stands after `#`, which no browser sends to a server. */
export function inviteUrl(invite: Pick<Invite, 'fragment'>): string {
	return `${location.origin}${toInvite(invite.fragment)}`;
}

/** What stands after `#` in a pasted invite link, or undefined when it is no such link. */
export function fragmentOf(pasted: string): string | undefined {
	const text = pasted.trim();
	const at = text.indexOf('#');
	if (at < 0 || !URL.canParse(text)) return undefined;
	const { protocol, pathname } = new URL(text);
	if (!/^https?:$/u.test(protocol)) return undefined;
	return pathname.endsWith('/i') && at < text.length - 1 ? text.slice(at + 1) : undefined;
}
