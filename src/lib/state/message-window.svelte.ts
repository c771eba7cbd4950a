// The part of a conversation that is in memory: a contiguous stretch of messages, extended at either end as the
// person scrolls and kept to a bound, so that a conversation of any length costs the same.
import { tick } from 'svelte';
import type { Client, MessagePage } from '../../core/client.ts';
import type { ConversationId, Message, Position } from '../../core/model.ts';

const PAGE = 60;
/** Most messages held; beyond it the far end is let go and read again when it is needed. */
const MOST = 240;
const LARGEST_PAGE = 200;
/** Up to so many changed messages are read one by one; beyond it, the window is read again. */
const MOST_SINGLE = 48;

export type WindowState = 'loading' | 'ready' | 'failed';

export class MessageWindow {
	messages = $state.raw<readonly Message[]>([]);
	olderExist = $state(false);
	newerExist = $state(false);
	state = $state<WindowState>('loading');
	/** True while the list changes at its start, which the virtual list must be told. */
	shift = $state(false);

	readonly #client: Pick<Client, 'messages' | 'messagesAt'>;
	readonly #id: ConversationId;
	/** Reads run one after the other, so that an older answer never lands on a newer one. */
	#queue: Promise<void> = Promise.resolve();
	#refreshWaits = false;
	/** Where something changed since the last read; undefined: anywhere. */
	#touched: Set<Position> | undefined = new Set();
	/** The person looks at the newest messages, so the window follows them. */
	#following = true;

	constructor(client: Pick<Client, 'messages' | 'messagesAt'>, id: ConversationId) {
		this.#client = client;
		this.#id = id;
	}

	/** Opens at `position`, or at the newest messages. */
	open(position: Position | undefined): Promise<void> {
		return this.#run(async () => {
			this.#following = position === undefined;
			this.#touched = new Set();
			const page = await this.#client.messages(
				this.#id,
				position === undefined
					? { at: 'end', limit: PAGE }
					: { at: 'around', position, limit: PAGE },
			);
			this.#replace(page);
			this.state = 'ready';
			// What changed since the page was read may not be in it.
			if (this.#touched === undefined || this.#touched.size > 0) void this.refresh([]);
		});
	}

	/** Call with true while the newest message is in view. */
	follow(on: boolean): void {
		this.#following = on;
	}

	/** Resolves when everything told so far is read. */
	settled(): Promise<void> {
		return this.#queue;
	}

	loadOlder(): Promise<void> {
		return this.#run(async () => {
			const first = this.messages[0];
			if (!first || !this.olderExist) return;
			const page = await this.#client.messages(this.#id, {
				at: 'before',
				position: first.position,
				limit: PAGE,
			});
			await calm();
			this.shift = true;
			this.messages = [...page.messages, ...this.messages];
			this.olderExist = page.olderExist;
			// One change at a time: the virtual list can only follow a change at one end.
			await tick();
			this.shift = false;
			if (this.messages.length <= MOST) return;
			await calm();
			this.messages = this.messages.slice(0, MOST);
			this.newerExist = true;
		});
	}

	loadNewer(): Promise<void> {
		return this.#run(async () => {
			const last = this.messages.at(-1);
			if (!last || !this.newerExist) return;
			const page = await this.#client.messages(this.#id, {
				at: 'after',
				position: last.position,
				limit: PAGE,
			});
			await this.#append(page);
		});
	}

	/** Something changed, at `touched` or anywhere; many calls in a row cost one read. */
	refresh(touched?: Iterable<Position>): Promise<void> {
		if (touched === undefined) this.#touched = undefined;
		for (const position of touched ?? []) this.#touched?.add(position);
		if (this.#refreshWaits || this.state === 'loading') return this.#queue;
		this.#refreshWaits = true;
		return this.#run(async () => {
			this.#refreshWaits = false;
			const positions = this.#touched;
			this.#touched = new Set();
			const first = this.messages[0];
			if (first && positions && positions.size <= MOST_SINGLE) return this.#refreshAt(positions);
			if (!first || (this.#following && !this.newerExist)) return this.#refreshEnd();
			await this.#refreshFrom(first);
		});
	}

	/** Only what changed is read: most changes are a tick that rises, or one message more. */
	async #refreshAt(positions: ReadonlySet<Position>): Promise<void> {
		const changed = await this.#client.messagesAt(this.#id, positions);
		const first = this.messages[0]?.position ?? '';
		const last = this.messages.at(-1)?.position ?? '';
		const belongs = ({ position }: Message) =>
			(position >= first || !this.olderExist) && (position <= last || !this.newerExist);
		const others = this.messages.filter(({ position }) => !positions.has(position));
		const all = [...others, ...changed.filter(belongs)].sort(inOrder);
		if (all.length === 0) return this.#refreshEnd();
		const over = all.length > MOST;
		this.#replace({
			messages: this.#following ? all.slice(-MOST) : all.slice(0, MOST),
			olderExist: this.olderExist || (over && this.#following),
			newerExist: this.newerExist || (over && !this.#following),
		});
	}

	/** What is at the end matters: the newest messages, and as many before them as are held already. */
	async #refreshEnd(): Promise<void> {
		const limit = Math.min(LARGEST_PAGE, Math.max(PAGE, this.messages.length + 8));
		const page = await this.#client.messages(this.#id, { at: 'end', limit });
		const first = page.messages[0];
		const kept = first ? this.messages.filter((each) => each.position < first.position) : [];
		const older = kept.length > 0 ? this.olderExist : page.olderExist;
		const all = [...kept, ...page.messages];
		this.#replace({
			messages: all.slice(-MOST),
			olderExist: older || all.length > MOST,
			newerExist: page.newerExist,
		});
	}

	/** Reads what is held again, and goes on to the end where that was held too. */
	async #refreshFrom(first: Message): Promise<void> {
		const reachedEnd = !this.newerExist;
		const until = this.messages.at(-1)?.position ?? first.position;
		const found: Message[] = [];
		let page = await this.#client.messages(this.#id, {
			at: 'around',
			position: first.position,
			limit: 2,
		});
		found.push(...page.messages.filter((each) => each.position >= first.position).slice(0, 1));
		const { olderExist } = this;
		let from = first.position;
		do {
			page = await this.#client.messages(this.#id, {
				at: 'after',
				position: from,
				limit: LARGEST_PAGE,
			});
			found.push(...page.messages);
			from = page.messages.at(-1)?.position ?? from;
		} while (
			page.messages.length > 0 &&
			page.newerExist &&
			found.length < MOST &&
			(reachedEnd || from < until)
		);
		const all = reachedEnd ? found : found.filter((each) => each.position <= until);
		this.#replace({
			messages: all.slice(0, MOST),
			olderExist,
			newerExist: page.newerExist || all.length > MOST || !reachedEnd,
		});
	}

	async #append(page: MessagePage): Promise<void> {
		const over = this.messages.length + page.messages.length - MOST;
		if (over > 0) {
			await calm();
			this.shift = true;
			this.messages = this.messages.slice(over);
			this.olderExist = true;
			await tick();
			await calm();
		}
		this.shift = false;
		this.messages = [...this.messages, ...page.messages];
		this.newerExist = page.newerExist;
	}

	#replace(page: MessagePage): void {
		const before = new Map(this.messages.map((each) => [each.id, each]));
		this.shift = false;
		// The same object for what did not change: only changed bubbles are drawn again.
		this.messages = page.messages.map((each) => {
			const old = before.get(each.id);
			return old && isSame(old, each) ? old : each;
		});
		this.olderExist = page.olderExist;
		this.newerExist = page.newerExist;
	}

	#run(step: () => Promise<void>): Promise<void> {
		this.#queue = this.#queue.then(step).catch(() => {
			this.#refreshWaits = false;
			this.#touched = undefined;
			if (this.messages.length === 0) this.state = 'failed';
		});
		return this.#queue;
	}
}

/**
 * Resolves inside a frame, after its scroll events. Between correcting the place and the scroll event that follows from it,
 * the virtual list does not know where it is: whatever changes in that time draws everything on screen twice, first wrong
 * and then right. Nobody sees a hidden page, and it has no frames.
 */
function calm(): Promise<void> {
	const hasFrames = typeof document !== 'undefined' && document.visibilityState === 'visible';
	return new Promise((resolve) => {
		if (hasFrames) requestAnimationFrame(() => resolve());
		else resolve();
	});
}

function inOrder(one: Message, other: Message): number {
	return one.position < other.position ? -1 : 1;
}

function isSame(one: Message, other: Message): boolean {
	return (
		one.position === other.position &&
		one.delivery.kind === other.delivery.kind &&
		one.body.kind === other.body.kind &&
		(one.body.kind !== 'unreadable' ||
			other.body.kind !== 'unreadable' ||
			one.body.state === other.body.state)
	);
}
