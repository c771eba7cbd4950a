// Hybrid logical clock: one order of messages on every device, whatever their clocks say (SPEC CO-2).
import type { MessageId } from '../protocol/ids.ts';
import type { Position } from './model.ts';

const COUNTER_LIMIT = 0xffff;
/** Of an order: 48 bits of time and 16 of a counter, in hex. */
const ORDER_CHARACTERS = 16;
/** Beyond the year 2200 an order is a lie; it must not push everybody else's clock there. */
const LATEST_MS = Date.UTC(2200, 0);

/** Before every message. */
export const BEGINNING: Position = '';

function write(ms: number, counter: number): string {
	return ms.toString(16).padStart(12, '0') + counter.toString(16).padStart(4, '0');
}

/** The order of a new message: above `highest`, and at the relay's time (ms) where that is later. */
export function nextOrder(highest: string, relayTime: number): string {
	const now = Math.max(0, Math.floor(relayTime));
	if (highest === '') return write(now, 0);
	const ms = parseInt(highest.slice(0, 12), 16);
	const counter = parseInt(highest.slice(12), 16);
	if (now > ms) return write(now, 0);
	return counter < COUNTER_LIMIT ? write(ms, counter + 1) : write(ms + 1, 0);
}

/** The order that a device remembers after it saw `order`: never one that is absurdly far ahead. */
export function highestOf(highest: string, order: string): string {
	if (parseInt(order.slice(0, 12), 16) > LATEST_MS) return highest;
	return order > highest ? order : highest;
}

/** The last order that `ms` has. */
export function lastOrderOf(ms: number): string {
	return write(Math.max(0, Math.floor(ms)), COUNTER_LIMIT);
}

export function positionOf(order: string, message: MessageId): Position {
	return `${order}-${message}`;
}

/** The message that is there: the other part of {@link positionOf}. */
export function messageAt(position: Position): MessageId {
	return position.slice(ORDER_CHARACTERS + 1) as MessageId;
}
