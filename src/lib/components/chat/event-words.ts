// What happened in a group, in plain words: who did what, with "you" for oneself.
import { namedIn, type AccountId, type LogEvent, type Role } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';
import type { App } from '../../state/app.svelte.ts';
import { isolate } from '../../text/isolate.ts';

/** More people than this are "Ana, Ben and 3 others". */
const MOST_NAMES = 3;

interface Speakers extends Pick<App, 'me' | 'people'> {
	readonly look: Pick<App['look'], 'formats'>;
}

interface Deed {
	/** Who did it. */
	readonly by: string;
	/** To whom. */
	readonly who: string;
	readonly mine: boolean;
	/** A number as the reader writes it. */
	readonly digits: (value: number) => string;
}

/** The line for what one person did; `events` are of one kind, in the order they happened. */
export function eventWords(
	events: readonly [LogEvent, ...LogEvent[]],
	author: AccountId,
	app: Speakers,
): string {
	const event = events.at(-1) ?? events[0];
	const me = app.me?.account;
	if (event.kind === 'policy' && events.some((each) => !isSameRule(each, event))) {
		// Several rules in a row: all of them would be a list.
		return eventWords([{ ...event, rule: undefined }], author, app);
	}
	const people = [...new Set(events.flatMap((each) => namedIn(each)))];
	// Nobody says who it was: then it stands under the own name.
	if (event.kind === 'removed' && author === me && people.every((each) => each === me)) {
		return m.event_removed_somehow();
	}
	return sentence(event, {
		by: isolate(app.people.callName(author)),
		who: namesOf(people, app),
		mine: (event.kind === 'left' ? event.who : author) === me,
		digits: app.look.formats.number,
	});
}

function isSameRule(one: LogEvent, other: Extract<LogEvent, { kind: 'policy' }>): boolean {
	return one.kind === 'policy' && one.rule === other.rule;
}

/** The line of one event where names are all there is, as on an exported page; without `by` it was oneself. */
export function writtenDeed(event: LogEvent, by: string | undefined, who: string): string {
	return sentence(event, { by: isolate(by ?? ''), who, mine: by === undefined, digits: String });
}

/** "you, Ben and 3 others". */
export function namesOf(accounts: readonly AccountId[], app: Speakers): string {
	const me = app.me?.account;
	const others = accounts.filter((account) => account !== me);
	const names = [
		...(others.length < accounts.length ? [m.you_there()] : []),
		...others.map((account) => isolate(app.people.callName(account))),
	];
	const { list, number } = app.look.formats;
	if (names.length <= MOST_NAMES) return list(names);
	const left = names.length - (MOST_NAMES - 1);
	return list([...names.slice(0, MOST_NAMES - 1), m.others({ count: left, n: number(left) })]);
}

function sentence(event: LogEvent, deed: Deed): string {
	const { by, who, mine } = deed;
	switch (event.kind) {
		case 'joined':
			return mine ? m.event_joined_you() : m.event_joined({ name: by });
		case 'safety-number-changed':
			return m.safety_changed({ name: by });
		case 'latecomer':
			return m.event_latecomer({ name: by });
		case 'devices':
			return devicesSentence(event.change, deed.by);
		case 'group-created':
			return mine ? m.event_created_you() : m.event_created({ by });
		case 'added':
			return mine ? m.event_added_you({ who }) : m.event_added({ by, who });
		case 'history':
			return m.event_history({ by, n: deed.digits(event.count) });
		case 'joined-by-link':
			return mine ? m.event_linked_you({ who }) : m.event_linked({ by, who });
		case 'removed':
			return mine ? m.event_removed_you({ who }) : m.event_removed({ by, who });
		case 'left':
			return mine ? m.event_left_you() : m.event_left({ who });
		case 'role':
			return roleSentence(event.role, deed);
		case 'frozen':
			return m.event_frozen();
		case 'recreated':
			return mine ? m.event_recreated_you() : m.event_recreated({ by });
		case 'not-done':
			if (event.intention === 'add') return m.not_done_add();
			return event.intention === 'recreate' ? m.not_done_recreate() : m.not_done();
		default:
			return changeSentence(event, deed);
	}
}

/** That somebody has other devices now. */
export function devicesSentence(
	change: Extract<LogEvent, { kind: 'devices' }>['change'],
	name: string,
): string {
	if (change === 'added') return m.event_device_added({ name });
	return change === 'removed' ? m.event_device_removed({ name }) : m.event_device_refused({ name });
}

function roleSentence(role: Role, { by, who, mine }: Deed): string {
	switch (role) {
		case 'owner':
			return mine ? m.event_owner_you({ who }) : m.event_owner({ by, who });
		case 'admin':
			return mine ? m.event_admin_you({ who }) : m.event_admin({ by, who });
		case 'member':
			return mine ? m.event_member_you({ who }) : m.event_member({ by, who });
	}
}

function changeSentence(
	event: Extract<LogEvent, { kind: 'renamed' | 'described' | 'pictured' | 'policy' }>,
	{ by, mine }: Pick<Deed, 'by' | 'mine'>,
): string {
	switch (event.kind) {
		case 'renamed': {
			const name = isolate(event.name);
			return mine ? m.event_renamed_you({ name }) : m.event_renamed({ by, name });
		}
		case 'described':
			return mine ? m.event_described_you() : m.event_described({ by });
		case 'pictured':
			return mine ? m.event_pictured_you() : m.event_pictured({ by });
		case 'policy':
			return policySentence(event, { by, mine });
	}
}

const RULES = {
	write: { everyone: m.rule_write_everyone, admins: m.rule_write_admins },
	change: { everyone: m.rule_change_everyone, admins: m.rule_change_admins },
	invite: { everyone: m.rule_invite_everyone, admins: m.rule_invite_admins },
};

function policySentence(
	{ policy, rule }: Extract<LogEvent, { kind: 'policy' }>,
	{ by, mine }: Pick<Deed, 'by' | 'mine'>,
): string {
	if (!rule) return mine ? m.event_policy_you() : m.event_policy({ by });
	const now = RULES[rule][policy[rule]]();
	return mine ? m.event_rule_you({ rule: now }) : m.event_rule({ by, rule: now });
}

/** "Ana is typing", "Ana, Ben and 2 others are typing"; undefined where nobody is. */
export function typingWords(typists: readonly AccountId[], app: Speakers): string | undefined {
	const [first] = typists;
	if (first === undefined) return undefined;
	const names = namesOf(typists, app);
	return typists.length === 1 ? m.typing_who({ name: names }) : m.typing_many({ names });
}
