// Entries as one byte string, for what goes from device to device: CBOR [entry...], each as in a backup (FORMAT.md).
import { parseCbor, writeCbor } from '../../protocol/codec.ts';
import type { ArchiveEntry } from '../archive-entries.ts';
import type { EntryCodec } from '../ports.ts';
import { decodeEntry, encodeEntry } from './entries.ts';

/** The EntryCodec of devices that keep history. */
export const entryPieces: EntryCodec = {
	sizeOf: (entry) => encodeEntry(entry)?.length ?? 0,
	encode: (entries) => writeCbor(entries.flatMap((entry) => encodeEntry(entry) ?? [])),
	decode(bytes) {
		const items = parseCbor(bytes);
		if (!Array.isArray(items)) return undefined;
		return (items as unknown[]).flatMap((item): ArchiveEntry[] => {
			const entry = item instanceof Uint8Array ? decodeEntry(item) : undefined;
			return entry === undefined || entry === 'unknown' ? [] : [entry];
		});
	},
};
