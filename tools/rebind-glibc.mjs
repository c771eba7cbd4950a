// Makes the prebuilt uWebSockets.js load where glibc is older than 2.38 (Debian 12 has 2.36). The binaries ask for
// that version because of a few functions alone, such as `__isoc23_strtol`: since 2.38 the headers of C23 rename
// `strtol` so that it also reads binary literals. The older function under the plain name is in every glibc. So
// each such symbol is pointed nine characters further into its own name and at the oldest glibc version that the
// file needs anyway, and the need for 2.38 is struck out. Nothing else in the file changes.
//
// Runs after every install, on the machine's own Node (20 or newer). Does nothing on newer glibc, other systems,
// or files that are done already; leaves alone what it does not recognise and says so.
import {
	copyFileSync,
	existsSync,
	readdirSync,
	readFileSync,
	renameSync,
	writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';

const PREFIX = '__isoc23_';
const TOO_NEW = 'GLIBC_2.38';
const LIBRARY = 'libc.so.6';

// ELF-64, as in the System V ABI and the LSB's symbol versioning.
const SECTION_HEADER_SIZE = 64;
const SYMBOL_SIZE = 24;
const SHT_DYNSYM = 11;
const SHT_GNU_VERNEED = 0x6ffffffe;
const SHT_GNU_VERSYM = 0x6fffffff;
const VERSION_MASK = 0x7fff;

/** @typedef {{ type: number, offset: number, size: number, link: number }} Section */
/** @typedef {{ at: number, name: string, index: number, next: number }} Version */
/** @typedef {{ is: 'rebound', bytes: Buffer, symbols: string[] } | { is: 'unneeded' } | { is: 'unrecognised', why: string }} Outcome */

/**
 * Rebinds one shared object. The argument is not changed.
 * @param {Buffer} original
 * @returns {Outcome}
 */
export function rebind(original) {
	try {
		return rebindElf(Buffer.from(original));
	} catch (error) {
		return { is: 'unrecognised', why: error instanceof Error ? error.message : String(error) };
	}
}

/**
 * @param {Buffer} bytes
 * @returns {Outcome}
 */
function rebindElf(bytes) {
	const sections = readSections(bytes);
	const symbols = only(sections, SHT_DYNSYM);
	const needs = only(sections, SHT_GNU_VERNEED);
	const versions = only(sections, SHT_GNU_VERSYM);
	const names = sections[symbols.link];
	const needNames = sections[needs.link];
	if (!names || !needNames) throw new Error('it has no table of names');

	const need = readNeed(bytes, needs, needNames);
	const tooNew = need.versions.find(({ name }) => name === TOO_NEW);
	if (!tooNew) return { is: 'unneeded' };
	const oldest = need.versions.filter(({ name }) => /^GLIBC_[\d.]+$/.test(name)).sort(byVersion)[0];
	if (!oldest || oldest === tooNew) throw new Error('it needs no older glibc beside');

	const rebound = [];
	for (let number = 0; number < symbols.size / SYMBOL_SIZE; number++) {
		const versionAt = versions.offset + number * 2;
		if ((bytes.readUInt16LE(versionAt) & VERSION_MASK) !== tooNew.index) continue;
		const at = symbols.offset + number * SYMBOL_SIZE;
		const name = text(bytes, names, bytes.readUInt32LE(at));
		if (!name.startsWith(PREFIX) || bytes.readUInt16LE(at + 6) !== 0)
			throw new Error(`it needs ${name} of ${TOO_NEW}`);
		bytes.writeUInt32LE(bytes.readUInt32LE(at) + PREFIX.length, at);
		bytes.writeUInt16LE(oldest.index, versionAt);
		rebound.push(name);
	}
	strikeOut(bytes, need, tooNew);
	return { is: 'rebound', bytes, symbols: rebound };
}

/**
 * @param {Buffer} bytes
 * @returns {Section[]}
 */
function readSections(bytes) {
	const isElf64 = bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2 && bytes[5] === 1;
	if (!isElf64) throw new Error('it is no 64-bit little-endian ELF file');
	const offset = Number(bytes.readBigUInt64LE(40));
	const count = bytes.readUInt16LE(60);
	return Array.from({ length: count }, (_, number) => {
		const at = offset + number * SECTION_HEADER_SIZE;
		return {
			type: bytes.readUInt32LE(at + 4),
			offset: Number(bytes.readBigUInt64LE(at + 24)),
			size: Number(bytes.readBigUInt64LE(at + 32)),
			link: bytes.readUInt32LE(at + 40),
		};
	});
}

/**
 * @param {Section[]} sections
 * @param {number} type
 */
function only(sections, type) {
	const found = sections.filter((section) => section.type === type);
	if (found.length !== 1 || !found[0]) throw new Error('its sections are not as expected');
	return found[0];
}

/**
 * The versions that the file needs of libc.
 * @param {Buffer} bytes
 * @param {Section} needs
 * @param {Section} names
 */
function readNeed(bytes, needs, names) {
	for (let at = needs.offset; ;) {
		if (text(bytes, names, bytes.readUInt32LE(at + 4)) === LIBRARY) {
			/** @type {Version[]} */
			const versions = [];
			let versionAt = at + bytes.readUInt32LE(at + 8);
			for (let count = bytes.readUInt16LE(at + 2); count > 0; count--) {
				const next = bytes.readUInt32LE(versionAt + 12);
				const name = text(bytes, names, bytes.readUInt32LE(versionAt + 8));
				const index = bytes.readUInt16LE(versionAt + 6);
				versions.push({ at: versionAt, name, index, next });
				versionAt += next;
			}
			return { at, versions };
		}
		const next = bytes.readUInt32LE(at + 12);
		if (next === 0) throw new Error(`it does not need ${LIBRARY}`);
		at += next;
	}
}

/**
 * Takes one version out of the chain of those that are needed.
 * @param {Buffer} bytes
 * @param {{ at: number, versions: Version[] }} need
 * @param {Version} version
 */
function strikeOut(bytes, need, version) {
	const before = need.versions[need.versions.indexOf(version) - 1];
	bytes.writeUInt16LE(need.versions.length - 1, need.at + 2);
	if (!before) bytes.writeUInt32LE(version.at + version.next - need.at, need.at + 8);
	else bytes.writeUInt32LE(version.next === 0 ? 0 : before.next + version.next, before.at + 12);
}

/**
 * @param {Buffer} bytes
 * @param {Section} names
 * @param {number} offset
 */
function text(bytes, names, offset) {
	const start = names.offset + offset;
	const end = bytes.indexOf(0, start);
	if (offset >= names.size || end < 0) throw new Error('a name lies outside of its table');
	return bytes.toString('latin1', start, end);
}

/**
 * @param {{ name: string }} a
 * @param {{ name: string }} b
 */
function byVersion(a, b) {
	return olderThan(a.name.slice(6), b.name.slice(6)) ? -1 : 1;
}

/**
 * @param {string} version
 * @param {string} other
 */
function olderThan(version, other) {
	const [a, b] = [version.split('.').map(Number), other.split('.').map(Number)];
	for (let part = 0; part < Math.max(a.length, b.length); part++)
		if ((a[part] ?? 0) !== (b[part] ?? 0)) return (a[part] ?? 0) < (b[part] ?? 0);
	return false;
}

function main() {
	const report = /** @type {{ header?: { glibcVersionRuntime?: string } }} */ (
		process.report?.getReport() ?? {}
	);
	const glibc = report.header?.glibcVersionRuntime;
	if (process.platform !== 'linux' || !glibc || !olderThan(glibc, TOO_NEW.slice(6))) return;
	const directory = new URL('../node_modules/uWebSockets.js/', import.meta.url);
	if (!existsSync(directory)) return;
	const mine = new RegExp(`^uws_linux_${process.arch}_\\d+\\.node$`);
	for (const name of readdirSync(directory).filter((file) => mine.test(file))) {
		const file = fileURLToPath(new URL(name, directory));
		const outcome = rebind(readFileSync(file));
		if (outcome.is === 'unneeded') continue;
		if (outcome.is === 'unrecognised') {
			console.warn(
				`${name} was left as it is: ${outcome.why}. It needs ${TOO_NEW}; here is ${glibc}.`,
			);
			continue;
		}
		copyFileSync(file, `${file}.original`);
		writeFileSync(`${file}.new`, outcome.bytes, { mode: 0o755 });
		renameSync(`${file}.new`, file);
		console.log(`${name}: ${outcome.symbols.join(', ')} bound to glibc ${glibc} (original kept)`);
	}
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) main();
