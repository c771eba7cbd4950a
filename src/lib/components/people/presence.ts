// The words for where somebody is, in one place: header, details and connection page say the same.
import type { Path, Person, Presence } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';
import { daysAgo, type Formats } from '../../text/formats.ts';

/** `direct`, `via relay`, `offline — will send`. */
export function pathWords(path: Path): string {
	return { direct: m.path_direct(), relay: m.path_relay(), offline: m.path_offline() }[path];
}

/** `online`, `last here 12:10`, or empty where they do not let it be known. */
export function presenceWords(
	presence: Presence,
	person: Person,
	time: { readonly now: number; readonly formats: Formats },
): string {
	if (presence.online) return m.online();
	return person.lastSeen === undefined ? '' : lastHereWords(person.lastSeen, time);
}

/** `last here 12:10`; `at` in ms. */
export function lastHereWords(
	at: number,
	time: { readonly now: number; readonly formats: Formats },
): string {
	const ago = daysAgo(at, time.now);
	if (ago <= 0) return m.last_here_clock({ time: time.formats.clock(at) });
	if (ago === 1) return m.last_here_yesterday();
	return m.last_here_date({ date: time.formats.shortDate(at) });
}
