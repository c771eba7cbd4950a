import type { AddressState, ConversationState, RefusalCode } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';

/** Why a message was not sent, to stand after "Not sent:". */
export function refusalWords(code: RefusalCode): string {
	switch (code) {
		case 'too-large':
			return m.failed_too_large();
		case 'mailbox-full':
			return m.failed_mailbox();
		case 'channel-unknown':
		case 'not-a-member':
			return m.failed_member();
		case 'unsupported-version':
			return m.failed_version();
		case 'rate-limited':
			return m.failed_rate();
		default:
			return code.startsWith('address-') ? m.failed_link() : m.failed_relay();
	}
}

/** What became of a conversation whose link did not work. */
export function refusedLinkWords(reason: AddressState, name: string): string {
	switch (reason) {
		case 'used':
			return m.refused_used({ name });
		case 'expired':
			return m.refused_expired({ name });
		case 'revoked':
			return m.refused_revoked({ name });
		case 'limit':
			return m.refused_limit();
		default:
			return m.refused_unknown();
	}
}

/** What became of a request to join a group whose link did not work. */
export function refusedGroupLinkWords(reason: AddressState): string {
	switch (reason) {
		case 'used':
			return m.gasked_used();
		case 'expired':
			return m.gasked_expired();
		case 'limit':
			return m.refused_limit();
		default:
			return m.turned_closed();
	}
}

/** Why somebody is not let into a group. */
export function turnedAwayWords(
	reason: Extract<ConversationState, { kind: 'turned-away' }>['reason'],
): string {
	switch (reason) {
		case 'declined':
			return m.turned_declined();
		case 'full':
			return m.turned_full();
		case 'closed':
			return m.turned_closed();
	}
}
