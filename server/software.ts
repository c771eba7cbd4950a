// Which version this is.
import { readFileSync } from 'node:fs';

/** Name and version, as devices and operators are told. */
export function software(): string {
	const file = new URL('../package.json', import.meta.url);
	const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
	return `Kith ${version}`;
}
