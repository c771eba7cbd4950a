import type { Attachment } from 'svelte/attachments';

/** How far a swipe goes before it counts, px. */
const REACH = 56;
const START = 12;

/**
 * A touch that drags a message along the line answers it. `action` gives what to do, or undefined when there is
 * nothing to answer. The same is in the message's menu and on the R key.
 */
export function swipeToReply(action: () => (() => void) | undefined): Attachment<HTMLElement> {
	return (node) => {
		let from: { x: number; y: number; id: number } | undefined;
		let along = 0;
		const settle = (): void => {
			from = undefined;
			along = 0;
			node.style.translate = '';
			node.style.transition = 'translate var(--d-fast) var(--ease-out)';
		};
		const down = (event: PointerEvent): void => {
			if (event.pointerType !== 'touch' || !action()) return;
			from = { x: event.clientX, y: event.clientY, id: event.pointerId };
			node.style.transition = '';
		};
		const move = (event: PointerEvent): void => {
			if (from?.id !== event.pointerId) return;
			const rtl = getComputedStyle(node).direction === 'rtl';
			const x = (event.clientX - from.x) * (rtl ? -1 : 1);
			if (along === 0 && (Math.abs(event.clientY - from.y) > START || x < START)) return;
			along = Math.max(0, Math.min(x - START, REACH * 1.4));
			node.style.translate = `${rtl ? -along : along}px`;
		};
		const up = (): void => {
			const run = along >= REACH ? action() : undefined;
			settle();
			run?.();
		};
		node.style.touchAction = 'pan-y';
		node.addEventListener('pointerdown', down);
		node.addEventListener('pointermove', move);
		node.addEventListener('pointerup', up);
		node.addEventListener('pointercancel', settle);
		return () => {
			node.removeEventListener('pointerdown', down);
			node.removeEventListener('pointermove', move);
			node.removeEventListener('pointerup', up);
			node.removeEventListener('pointercancel', settle);
		};
	};
}
