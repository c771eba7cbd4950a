/** The version that this code speaks. Raised with every change of the wire; the fingerprint test insists. */
export const PROTOCOL_VERSION = 1;
/** The oldest version that a relay of this code still serves (SPEC HS-3). */
export const PROTOCOL_FLOOR = 1;
