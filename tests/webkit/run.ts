// The same stories in WebKit, through its own driver: it has no WebRTC, so it is the proof that the relay alone is
// enough. node tests/webkit/run.ts REPORT, under a display; writes {passed, failed, skipped} to REPORT.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';
import { Window } from './window.ts';

const report = process.argv[2] ?? 'test-results/webkit.json';
const tally = { passed: 0, failed: 0, skipped: 0 };

async function story(name: string, run: () => Promise<void>): Promise<void> {
	const began = Date.now();
	try {
		await run();
		tally.passed++;
		console.log(`ok ${name} (${Date.now() - began} ms)`);
	} catch (error) {
		tally.failed++;
		console.log(`FAILED ${name}: ${error instanceof Error ? error.stack : String(error)}`);
		for (const window of windows) console.log(await window.shown());
	}
}

const relay = await RelayProcess.start({ KITH_LIMITS: NO_LIMITS });
const origin = relay.origin.replace('127.0.0.1', 'localhost');
const windows: Window[] = [];
try {
	const ana = await Window.open(4501);
	windows.push(ana);
	const ben = await Window.open(4502);
	windows.push(ben);
	let link = '';
	await story('a name and Start, and there is a link', async () => {
		await ana.driver.get(origin);
		link = await ana.start('Ana Lindqvist');
	});
	await story('two actions from the link to a sent message', async () => {
		await ben.driver.get(link);
		await ben.find('h1, h2', 'Ana Lindqvist');
		await ben.say('hello Ana from WebKit');
		await (await ana.find('nav a', 'hello Ana from WebKit')).click();
		await ana.sees('hello Ana from WebKit');
	});
	await story('an answer comes back, by the relay', async () => {
		await ana.say('hello Ben');
		await ben.sees('hello Ben');
		await ana.find('[data-opens-details]', 'via relay');
	});
	await story('a reload keeps the conversation: keys and rows read back', async () => {
		await ben.driver.navigate().refresh();
		await ben.sees('hello Ben');
		await ben.say('still here');
		await ana.sees('still here');
	});
	await story('ticks rise to read', async () => {
		await ben.seesState('still here', 'Read');
	});
	await story('any script arrives as it was written', async () => {
		const texts = ['مرحبا بالعالم ١٢٣', '👨‍👩‍👧‍👦 👍🏽 🏴󠁧󠁢󠁳󠁣󠁴󠁿', '田中さんにあげて下さい', 'Z͑ͫa̴l͞g̷o'];
		for (const text of texts) await ben.say(text);
		await ana.seesOnce(texts);
	});
	await story(
		'what is written while the relay is dead survives a reload, and goes out once',
		async () => {
			await relay.kill();
			const texts = [1, 2, 3].map((index) => `into the dark ${index}`);
			for (const text of texts) await ben.say(text);
			// No server answers this: the service worker opens the app.
			await ben.driver.navigate().refresh();
			await ben.seesOnce(texts);
			await ben.find('[data-opens-details]', 'offline');
			await relay.restart();
			await ana.seesOnce(texts);
			await ben.seesState('into the dark 3', 'Read');
		},
	);
	await story('the leading tab is closed, and the other one takes over', async () => {
		const address = await ben.driver.getCurrentUrl();
		const first = await ben.driver.getWindowHandle();
		await ben.driver.switchTo().newWindow('window');
		await ben.driver.get(address);
		await ben.sees('into the dark 3');
		const second = await ben.driver.getWindowHandle();
		await ben.driver.switchTo().window(first);
		await ben.driver.close();
		await ben.driver.switchTo().window(second);
		await ben.say('from the second tab');
		await ana.sees('from the second tab');
		await ana.say('I see you');
		await ben.sees('I see you');
	});
	await story('a link cut short and one taken back say so', async () => {
		await ben.driver.get(link.slice(0, -8));
		await ben.find('h1, h2', 'This link is not complete');
		await ana.driver.get(`${origin}/settings/links`);
		await ana.press('button', 'Take back');
		await ana.find('main *', 'taken back');
		await ben.driver.get(origin);
		await ben.driver.get(link);
		await ben.find('h1, h2, nav a', 'Ana Lindqvist');
	});
} finally {
	for (const window of windows) await window.close();
	await relay.stop();
}
mkdirSync(dirname(report), { recursive: true });
writeFileSync(report, JSON.stringify(tally));
process.exit(tally.failed > 0 ? 1 : 0);
