import type { ConversationSubject } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';
import { shortName } from '../../text/isolate.ts';

/** What a conversation is called. */
export function subjectName(subject: ConversationSubject): string {
	switch (subject.kind) {
		case 'person':
			return subject.person.profile.name;
		case 'group':
			return subject.about.name;
		case 'imported':
			return subject.title;
		case 'notes':
			return m.notes();
	}
}

/** What to call the other side in a sentence. */
export function subjectShortName(subject: ConversationSubject): string {
	return subject.kind === 'person' ? shortName(subject.person.profile.name) : subjectName(subject);
}
