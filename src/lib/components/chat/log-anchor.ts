// What holds the place in a log whose rows are measured only when they are drawn: the end, or one row. After each
// measurement the place is taken again, until the person scrolls away. (The virtual list's own `scrollToIndex`
// keeps pulling for a while, also against somebody who scrolls.)
import type { VirtualizerHandle } from 'virtua/svelte';

/** Nearer than this to the end counts as being there; px. */
const AT_END = 24;
/** Room above a row that is put at the top, for the row before it and the day; px. */
const ROOM_ABOVE = 64;

type Anchor = { readonly key: string; readonly place: 'top' | 'center' } | 'end' | undefined;

export interface LogParts {
	readonly list: VirtualizerHandle;
	readonly scroller: HTMLElement;
	/** Row number of a key, or -1. */
	indexOf(key: string): number;
}

export class LogAnchor {
	readonly #parts: () => LogParts | undefined;
	#anchor: Anchor;
	#lastTop = 0;
	#lastHeight = 0;

	constructor(parts: () => LogParts | undefined) {
		this.#parts = parts;
	}

	/** True while the log follows its end. */
	get atEnd(): boolean {
		return this.#anchor === 'end';
	}

	hold(anchor: Exclude<Anchor, undefined>): void {
		this.#anchor = anchor;
		this.settle();
		// Rows drawn by this step are measured before the next frame.
		requestAnimationFrame(() => this.settle());
	}

	/** Takes the place again; call when sizes changed. */
	settle(): void {
		const parts = this.#parts();
		if (!parts || this.#anchor === undefined) return;
		const { scroller } = parts;
		const top = this.#anchor === 'end' ? scroller.scrollHeight : rowTop(parts, this.#anchor);
		if (top === undefined) return;
		scroller.scrollTop = top;
		this.#lastTop = scroller.scrollTop;
		this.#lastHeight = scroller.scrollHeight;
	}

	/** Call on each scroll; `endIsThere`: no newer messages wait outside the window. */
	scrolled(endIsThere: boolean): void {
		const parts = this.#parts();
		if (!parts) return;
		const { scrollTop, scrollHeight, clientHeight } = parts.scroller;
		if (scrollHeight - scrollTop - clientHeight < AT_END) {
			if (this.#anchor === undefined && endIsThere) this.#anchor = 'end';
		} else if (scrollTop < this.#lastTop && scrollHeight === this.#lastHeight) {
			// Measured rows move the end and the place as well, and that is nobody's wish: only going up while
			// all sizes stay lets go.
			this.#anchor = undefined;
		}
		this.#lastTop = scrollTop;
		this.#lastHeight = scrollHeight;
	}

	/** What grows next grows below: the screen stays where it is, the end included. */
	letGo(): void {
		this.#anchor = undefined;
	}

	/** The person takes over: by wheel, finger, scrollbar or key. */
	release(): void {
		if (this.#anchor !== 'end') this.#anchor = undefined;
	}
}

function rowTop(
	{ list, scroller, indexOf }: LogParts,
	{ key, place }: Exclude<Anchor, 'end' | undefined>,
): number | undefined {
	const index = indexOf(key);
	if (index < 0) return undefined;
	const room = place === 'top' ? ROOM_ABOVE : (scroller.clientHeight - list.getItemSize(index)) / 2;
	return Math.max(0, list.getItemOffset(index) - room);
}
