// Coming back after a browser forgot: the person's recovery code, and the passkey that may stand in for it.

/** How it stands with the person's recovery code. The code itself is shown when it is made, and never again. */
export interface Recovery {
	/** ms since 1970. */
	readonly made: number;
	/** When the relay last said that it keeps all of it, ms; undefined until then. */
	readonly savedAt: number | undefined;
	/** People for whom there was no room. */
	readonly leftOut: number;
	/** What may be used in its place. */
	readonly passkey: KeptPasskey | undefined;
}

/** A passkey that brings the person back as the code does. */
export interface KeptPasskey {
	/** How its authenticator calls it. */
	readonly credential: Uint8Array;
	/** ms since 1970. */
	readonly made: number;
	/** The relay has what it leads to. */
	readonly kept: boolean;
}

/** A passkey as a device remembers it (SPEC CP-7). */
export interface Passkey extends Pick<KeptPasskey, 'credential' | 'made'> {
	/** 32 bytes that its authenticator gives each time it is asked. */
	readonly secret: Uint8Array;
}

/** The person's recovery code, and what is kept under it. */
export interface RecoveryRow {
	readonly code: string;
	/** When the code was made, ms. */
	readonly made: number;
	/** The next put takes the capsule over from the device that this person had before. */
	readonly takesOver: boolean;
	/** SHA-256 of what the relay has, in base64url. */
	readonly digest: string | undefined;
	/** When the relay last said that it keeps what is here, ms. */
	readonly savedAt: number | undefined;
	/** People who did not fit. */
	readonly leftOut: number;
	readonly passkey?: Passkey | undefined;
}

/** A recovery code as it was typed, or the secret of a passkey. */
export type WayBack = string | { readonly passkey: Uint8Array };

/** Why a code or a passkey does not bring anybody back. */
export type ComeBackFailure =
	/** `group`: the first of its groups, from 1, with a letter that no code has; undefined: letters missing or too many. */
	| { readonly kind: 'malformed'; readonly group: number | undefined }
	/** Nothing is kept under it. */
	| { readonly kind: 'unknown' }
	/** The relay does not answer. */
	| { readonly kind: 'offline' }
	| { readonly kind: 'damaged' }
	/** Kept by a newer Kith. */
	| { readonly kind: 'newer' }
	| { readonly kind: 'storage-full' }
	/** There is somebody on this device. */
	| { readonly kind: 'started' };
