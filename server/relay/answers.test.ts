import { describe, expect, it } from 'vitest';
import type { DeviceId, EnvelopeId } from '../../src/protocol/ids.ts';
import { Answers } from './answers.ts';
import type { Outcome } from './ports.ts';

const [alice, mallory] = ['alice' as DeviceId, 'mallory' as DeviceId];
const envelope = 'an envelope' as EnvelopeId;

describe('answers', () => {
	it('MB-5 who copies the envelope of another is told apart, before the answer and after it', () => {
		const answers = new Answers(100);
		const heard: Record<string, Outcome[]> = { alice: [], again: [], mallory: [] };
		const hear = (who: string) => (outcome: Outcome) => void heard[who]?.push(outcome);
		const settle = answers.begin(alice, envelope, hear('alice'));
		expect(answers.join(mallory, envelope, hear('mallory'))).toBe(false);
		const settleCopy = answers.begin(mallory, envelope, hear('mallory'));
		expect(answers.join(alice, envelope, hear('again'))).toBe(true);
		settle('accepted');
		settleCopy('busy');
		expect(heard).toEqual({ alice: ['accepted'], again: ['accepted'], mallory: ['busy'] });
		expect(answers.join(alice, envelope, hear('again'))).toBe(true);
		expect(answers.join(mallory, envelope, hear('mallory'))).toBe(false);
		answers.begin(mallory, envelope, hear('mallory'))('accepted');
		expect(answers.join(mallory, envelope, hear('mallory'))).toBe(true);
		expect(heard.mallory).toEqual(['busy', 'accepted', 'accepted']);
	});

	it('MB-5 what was refused may be tried again', () => {
		const answers = new Answers(100);
		answers.begin(alice, envelope, () => undefined)('mailbox-full');
		expect(answers.join(alice, envelope, () => undefined)).toBe(false);
	});
});
