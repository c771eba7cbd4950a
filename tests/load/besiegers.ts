// The attacks in a thread of their own: what they cost themselves must not hold up the people whose waits are measured.
import { parentPort, workerData } from 'node:worker_threads';
import { flood, linger, makeMailboxes, nothingYet, reconnect, sendGiants } from './attacks.ts';

export interface Orders {
	readonly port: number;
	readonly bots: { readonly count: number; readonly networks: number };
}

const REPORT_EVERY = 500;
/** Sockets at a time that do nothing, or do it slowly. */
const LINGERING = 100;

const { port, bots } = workerData as Orders;
const stop = new AbortController();
const target = { port, stop: stop.signal };
const achieved = nothingYet();
const report = () => parentPort?.postMessage(achieved);
const reports = setInterval(report, REPORT_EVERY);
parentPort?.once('message', () => stop.abort());
await Promise.all([
	makeMailboxes(target, achieved, bots),
	...[flood, sendGiants, reconnect].map((one) => one(target, achieved)),
	linger(target, achieved, LINGERING),
]);
clearInterval(reports);
report();
