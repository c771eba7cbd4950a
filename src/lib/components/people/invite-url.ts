import { toInvite } from '../../browser/addresses.ts';
import type { Invite } from '../../../core/model.ts';

/** The address to give away. Everything secret stands after `#`, which no browser sends to a server. */
export function inviteUrl(invite: Pick<Invite, 'fragment'>): string {
	return `${location.origin}${toInvite(invite.fragment)}`;
}

/**
 * What stands after `#` in a pasted link, or undefined when it is no such link. `kind`: `i` for an invite, `d` for a new
 * device.
 */
export function fragmentOf(pasted: string, kind: 'i' | 'd' = 'i'): string | undefined {
	const text = pasted.trim();
	const at = text.indexOf('#');
	if (at < 0 || !URL.canParse(text)) return undefined;
	const { protocol, pathname } = new URL(text);
	if (!/^https?:$/u.test(protocol)) return undefined;
	return pathname.endsWith(`/${kind}`) && at < text.length - 1 ? text.slice(at + 1) : undefined;
}
