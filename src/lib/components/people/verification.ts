import type { Verification } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';
import type { Formats } from '../../text/formats.ts';

/** How sure one may be of who somebody is. */
export function verificationWords(
	verification: Verification,
	words: { readonly name: string; readonly formats: Formats },
): string {
	if (verification.kind === 'unverified') return m.not_verified_line();
	return verification.how === 'link'
		? m.verified_link_line({ name: words.name })
		: m.verified_line({ date: words.formats.date(verification.at) });
}
