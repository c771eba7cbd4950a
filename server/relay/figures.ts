// What the operator sees of a store: counts and sizes, of no mailbox and no content.

/** What the embedded store keeps. */
export interface DatabaseFigures {
	readonly mailboxes: number;
	readonly waitingMessages: number;
	readonly waitingBytes: number;
	readonly channels: number;
	/** Of the file, without what is free in it. */
	readonly databaseBytes: number;
	/** It grows no further; null: as far as the disk goes. */
	readonly maxBytes: number | null;
}

/** How full some streams are, together. */
export interface Filling {
	/** Messages, and beside them the rows that logins are. */
	readonly rows: number;
	/** Of one copy. */
	readonly bytes: number;
	/** Null: as far as the servers' disks go. */
	readonly maxBytes: number | null;
}

/** What NATS keeps. */
export interface ClusterFigures {
	readonly mail: Filling;
	/** Channels, addresses, capsules and the like. */
	readonly state: Filling;
	readonly streams: number;
	/** Copies that every stream is to have; the least, where they differ. */
	readonly replicas: number;
	/** Streams of which a copy is missing or behind, or which nobody leads. */
	readonly streamsNotWhole: number;
}
