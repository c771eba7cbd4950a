// Wanting something changed in a group: it is stored at once and carried out by the engine; a refusal is said.
import type { ConversationId, GroupIntention, GroupRefusal } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';
import type { App } from '../../state/app.svelte.ts';
import { namesOf } from '../chat/event-words.ts';

/** False when it was not taken; then the person has been told why. */
export async function changeGroup(
	app: App,
	id: ConversationId,
	intention: GroupIntention,
): Promise<boolean> {
	const problem = await problemWith(app, id, intention);
	if (problem !== undefined) app.toasts.show(problem);
	else if (app.live.connection.kind === 'offline') app.toasts.show(m.group_change_waits());
	return problem === undefined;
}

async function problemWith(
	app: App,
	id: ConversationId,
	intention: GroupIntention,
): Promise<string | undefined> {
	try {
		const result = await app.client.changeGroup(id, intention);
		return result.ok ? undefined : groupRefusalWords(result.error, app);
	} catch {
		return m.group_failed();
	}
}

/** Why a group was not made or changed. */
export function groupRefusalWords(refusal: GroupRefusal, app: App): string {
	switch (refusal.kind) {
		case 'empty-name':
			return m.group_name_needed();
		case 'too-many':
			return m.group_refused_many({ limit: app.look.formats.number(refusal.limit) });
		case 'not-reachable':
			return m.group_refused_reach({ names: namesOf(refusal.people, app) });
		case 'not-allowed':
			return m.group_refused_rights();
		case 'closed':
			return m.group_refused_closed();
		case 'storage-full':
			return m.group_refused_full();
	}
}
