import { describe, expect, test } from 'vitest';
import type { AccountId, DeviceId, LogEvent, Me } from '../../../core/model.ts';
import { locales, overwriteGetLocale } from '../../paraglide/runtime.js';
import { People } from '../../state/people.svelte.ts';
import { createFormats } from '../../text/formats.ts';
import { eventWords, typingWords } from './event-words.ts';

const account = (name: string): AccountId => name.padEnd(43, 'A') as AccountId;
const [me, ana, ben, cem, dov, eli, gone] = (
	['me', 'ana', 'ben', 'cem', 'dov', 'eli', 'gone'] as const
).map(account) as [
	...[AccountId, AccountId, AccountId, AccountId],
	...[AccountId, AccountId, AccountId],
];

function speakers(locale: string) {
	const self: Me = {
		...{ account: me, device: 'd' as DeviceId, created: 0, signedOut: undefined },
		profile: { name: 'Sam Okafor', picture: null },
	};
	const client = { profiles: () => Promise.resolve([]) };
	const people = new People({ me: self, conversations: [], client });
	for (const [who, name] of [
		[ana, 'Ana Lindqvist'],
		[ben, 'Ben Okafor'],
		[cem, 'ليلى حداد'],
		[dov, 'Dov Katz'],
		[eli, 'Ana Ribeiro'],
	] as const) {
		people.meet(who, { name, picture: null });
	}
	return {
		me: self,
		people, // Americans put one comma more.
		look: { formats: createFormats(locale === 'en' ? 'en-GB' : locale) },
	};
}

function words(events: readonly [LogEvent, ...LogEvent[]], by: AccountId, locale = 'en'): string {
	overwriteGetLocale(() => locale as (typeof locales)[number]);
	return eventWords(events, by, speakers(locale));
}

const plain = (line: string): string => line.replaceAll(/[\u2068\u2069]/gu, '');
const added = (...who: AccountId[]): LogEvent => ({ kind: 'added', who });

describe('who did what', () => {
	const cases: readonly [string, AccountId, LogEvent, string][] = [
		['an own deed', me, added(ben), 'You added Ben.'],
		['to oneself', ben, added(me, dov), 'Ben added you and Dov.'],
		[
			'two who share a first name',
			ben,
			added(ana, eli),
			'Ben added Ana Lindqvist and Ana Ribeiro.',
		],
		[
			'by a link',
			ben,
			{ kind: 'joined-by-link', who: [me, dov] },
			'Joined by Ben’s link: you and Dov.',
		],
		['many', ben, added(dov, ana, eli, cem, me), 'Ben added you, Dov and 3 others.'],
		['just three', ben, added(dov, cem, me), 'Ben added you, Dov and ليلى.'],
		['somebody nobody knows', gone, { kind: 'pictured' }, 'Former member changed the picture.'],
		['who left, told by an admin', ben, { kind: 'left', who: dov }, 'Dov left.'],
		['oneself, told by an admin', ben, { kind: 'left', who: me }, 'You left the group.'],
		['removed by nobody knows whom', me, { kind: 'removed', who: [me] }, 'You were removed.'],
		['a history', ben, { kind: 'history', count: 1200 }, 'Earlier messages, shared by Ben: 1,200.'],
		['a role', ben, { kind: 'role', who: me, role: 'admin' }, 'Ben made you admin.'],
	];
	for (const [what, by, event, line] of cases) {
		test(what, () => expect(plain(words([event], by))).toBe(line));
	}

	test('the same deed again and again is one sentence, each person once', () => {
		expect(plain(words([added(dov), added(cem), added(dov)], ben))).toBe('Ben added Dov and ليلى.');
		const names: [LogEvent, LogEvent] = [
			{ kind: 'renamed', name: 'one' },
			{ kind: 'renamed', name: 'two' },
		];
		expect(plain(words(names, ben))).toBe('Ben changed the name to “two”.');
	});

	test('a name that runs the other way turns nothing around it', () => {
		expect(words([added(cem)], ben)).toBe('\u2068Ben\u2069 added \u2068ليلى\u2069.');
	});
});

const policyOf = (who: 'everyone' | 'admins') => ({ write: who, change: who, invite: who });

test('every event has a sentence of its own in every language', () => {
	const events: LogEvent[] = [
		...([{ kind: 'joined' }, { kind: 'group-created' }, { kind: 'frozen' }] as const),
		...([{ kind: 'recreated' }, { kind: 'described' }, { kind: 'pictured' }] as const),
		added(dov),
		{ kind: 'joined-by-link', who: [dov] },
		{ kind: 'removed', who: [dov] },
		{ kind: 'left', who: dov },
		{ kind: 'renamed', name: 'x' },
		...(['owner', 'admin', 'member'] as const).map(
			(role) => ({ kind: 'role', who: dov, role }) as const,
		),
		{ kind: 'policy', policy: policyOf('admins') },
		...(['write', 'change', 'invite'] as const).flatMap((rule) =>
			(['everyone', 'admins'] as const).map(
				(who) => ({ kind: 'policy', policy: policyOf(who), rule }) as const,
			),
		),
		...(['add', 'recreate', 'about'] as const).map(
			(intention) => ({ kind: 'not-done', intention }) as const,
		),
	];
	for (const locale of locales) {
		for (const by of [me, ben]) {
			const lines = events.map((event) => words([event], by, locale));
			expect(new Set(lines).size, locale).toBe(events.length);
			for (const line of lines) expect(line).toMatch(/^[^{}]*\S\.$/u);
		}
	}
});

test('one rule is named, changed once or back and forth; several are the rules', () => {
	const rule = (name: 'write' | 'invite', who: 'everyone' | 'admins'): LogEvent => ({
		...{ kind: 'policy', policy: policyOf(who), rule: name },
	});
	const line = (...events: [LogEvent, ...LogEvent[]]) => plain(words(events, ben, 'en'));
	expect(line(rule('write', 'admins'))).toBe('Ben changed the rules: only admins write.');
	expect(line(rule('write', 'admins'), rule('write', 'everyone'))).toBe(
		'Ben changed the rules: everyone writes.',
	);
	expect(line(rule('write', 'admins'), rule('invite', 'admins'))).toBe(
		'Ben changed the rules of the group.',
	);
});

test('who is typing: one, some, and many', () => {
	overwriteGetLocale(() => 'en');
	const line = (...typists: AccountId[]) => plain(typingWords(typists, speakers('en')) ?? '');
	expect(line()).toBe('');
	expect(line(ben)).toBe('Ben is typing');
	expect(line(ben, dov, cem)).toBe('Ben, Dov and ليلى are typing');
	expect(line(ben, dov, cem, ana)).toBe('Ben, Dov and 2 others are typing');
});
