import type { Delivery, ForeignBody, Message, MessageBody } from '../../../core/model.ts';
import { m } from '../../paraglide/messages.js';

/** Longest text read out as the name of a message; the whole stands inside it. */
const MOST = 300;

export function deliveryWords(delivery: Delivery): string {
	switch (delivery.kind) {
		case 'queued':
			return m.waiting_to_send();
		case 'sent':
			return m.state_sent();
		case 'delivered':
			return m.state_delivered();
		case 'read':
			return m.state_read();
		case 'failed':
			return m.not_sent();
		case 'received':
			return '';
	}
}

/** "Maya, 14:02, text, read": how a screen reader names a message. */
export function spokenMessage(
	message: Message,
	words: { readonly author: string; readonly time: string; readonly state: string },
): string {
	return [words.author, words.time, spokenBody(message.body), words.state]
		.filter(Boolean)
		.join(', ');
}

export function spokenBody(body: MessageBody): string {
	switch (body.kind) {
		case 'text':
			return body.text.slice(0, MOST);
		case 'unreadable':
			return body.state === 'asked' ? m.unreadable_asked() : m.unreadable_lost();
		case 'newer':
			return m.newer_message();
		case 'foreign':
			return foreignWords(body);
		case 'event':
			return '';
	}
}

function foreignWords(body: ForeignBody): string {
	if (body.what === 'deleted') return m.foreign_deleted();
	if (body.what !== 'media') return body.text.slice(0, MOST);
	return [m.foreign_media(), body.file, body.text.slice(0, MOST)].filter(Boolean).join(', ');
}
