export interface Toast {
	readonly id: number;
	readonly text: string;
	readonly action?: { readonly label: string; readonly run: () => void };
}

/** How long a toast stays, in ms; it waits while it is hovered or holds the focus. */
const STAY = 6000;
const MOST = 3;

/** Short notices at the bottom; at most three, the oldest leaves first. */
export class Toasts {
	shown = $state.raw<readonly Toast[]>([]);
	#next = 0;
	readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

	show(text: string, action?: Toast['action']): void {
		const toast: Toast = { id: this.#next++, text, ...(action ? { action } : {}) };
		this.shown = [...this.shown, toast].slice(-MOST);
		this.resume(toast.id);
	}

	close(id: number): void {
		this.pause(id);
		this.shown = this.shown.filter((each) => each.id !== id);
	}

	pause(id: number): void {
		clearTimeout(this.#timers.get(id));
		this.#timers.delete(id);
	}

	resume(id: number): void {
		this.pause(id);
		this.#timers.set(
			id,
			setTimeout(() => this.close(id), STAY),
		);
	}
}
