// One seeded run of a town: everything happens at once, then all is mended, and the rules must hold.
import { heal } from './chaos.ts';
import { openArrived, step } from './town-actions.ts';
import { sayEverywhere } from './town-talk.ts';
import { mendGroups } from './town-mending.ts';
import { brokenIn, complaintsIn, noteAudiences } from './town-rules.ts';
import { buildTown, foundGroup, type Town, type TownCounts } from './town.ts';

const MINUTE = 60_000;
/** As often as people look at a group that needs them. */
const MOST_LOOKS = 4;

export interface TownOutcome {
	readonly complaints: readonly string[];
	readonly counts: TownCounts;
	readonly notes: readonly string[];
	/** Equal for two runs of one seed. */
	readonly fingerprint: string;
}

/** Runs the town of `seed` to its end. */
export async function runTown(seed: number): Promise<TownOutcome> {
	const town = await buildTown(seed);
	const { world, random, counts } = town;
	world.observe = () => noteAudiences(town);
	const found: string[] = [];
	const steps = 60 + random.below(60) + 4 * world.devices.length;
	const every = Math.ceil(steps / town.mostGroups);
	for (let done = 0; done < steps && found.length === 0; done++) {
		if (done % every === 0) await foundGroup(town);
		await step(town);
		found.push(...brokenIn(town));
	}
	await comeToRest(town);
	found.push(...brokenIn(town), ...(await complaintsIn(town)));
	counts.messages = town.words.length;
	counts.direct = world.air.carried;
	counts.devices = world.devices.length;
	counts.groups = town.groups.length;
	Object.assign(counts.lies, town.lies.told);
	for (const device of world.devices) device.crash();
	return { complaints: found, counts, notes: world.notes, fingerprint: world.fingerprint };
}

/** Nothing fails any more, and people do what is left to them. */
async function comeToRest(town: Town): Promise<void> {
	const { world, lies } = town;
	lies.stop();
	world.notes.push('— all is mended');
	await heal(town);
	await openArrived(town);
	await world.pass(10 * MINUTE, 5_000);
	await sayEverywhere(town, false);
	await world.pass(2 * MINUTE, 5_000);
	for (let looks = 0; looks < MOST_LOOKS; looks++) {
		if (!(await mendGroups(town))) break;
		await world.pass(3 * MINUTE, 5_000);
	}
	world.notes.push('— the last words');
	await sayEverywhere(town, true);
	await world.pass(7 * MINUTE, 5_000);
}
