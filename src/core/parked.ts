// Messages of an epoch that has not begun here: they are parked until its commit comes. One that does not come in time was
// lost, whoever lost it: the channel is over then, and what waits is said again in what takes its place.
import { breakChannel, MOST_PARKED } from './channels.ts';
import type { EngineContext } from './context.ts';
import { parkedKey } from './records.ts';

/** A message may overtake the commit before it by as much as this, where they come by different ways. */
const COMMIT_COMES_WITHIN = 60_000;
/** So that what was parked just now is late when it is looked at. */
const LOOK_AFTER = COMMIT_COMES_WITHIN + 1_000;

export interface Parked {
	/** Something is parked: look in time whether it still is. */
	watch(): void;
	/** Everything that waited at the relay has come: gives up channels whose commits did not. */
	giveUpStuck(): Promise<void>;
}

/** `allCame` resolves to true once everything is stored that the relay had, and to false while it cannot be asked. */
export function createParked(context: EngineContext, allCame: () => Promise<boolean>): Parked {
	let planned = false;

	/** True while something is parked that may still be opened. */
	async function giveUpStuck(): Promise<boolean> {
		const { store, persist, relayTime } = context;
		const longAgo = relayTime() - COMMIT_COMES_WITHIN;
		const parked = await store.list('parked', { prefix: '', limit: MOST_PARKED });
		const late = parked.filter(({ value }) => value.at < longAgo);
		for (const channel of new Set(late.map(({ key }) => parkedKey.channel(key)))) {
			await persist((tx) => breakChannel({ ...context, tx }, channel));
		}
		return late.length < parked.length;
	}

	function watch(): void {
		if (planned) return;
		planned = true;
		context.clock.schedule(LOOK_AFTER, () => {
			planned = false;
			context.lanes.run('parked', async () => {
				// Otherwise it is looked at as soon as all has come.
				if ((await allCame()) && (await giveUpStuck())) watch();
			});
		});
	}

	return {
		watch,
		async giveUpStuck() {
			if (await giveUpStuck()) watch();
		},
	};
}
