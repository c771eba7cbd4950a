// Passkeys whose authenticator gives a secret (WebAuthn's PRF extension): kept outside the browser's storage, so they outlive
// its being cleared.

/** What is asked for, so that other uses of the same passkey give other secrets (SPEC CP-7). */
const PRF = { eval: { first: new TextEncoder().encode('kith recovery') } };

export interface ChosenPasskey {
	readonly secret: Uint8Array;
	readonly credential: Uint8Array;
}

/**
 * - `cancelled`: closed, waited too long, or there is none: browsers do not tell which.
 * - `no-secret`: this passkey cannot give one, or the place where it was made.
 * - `failed`: anything else.
 */
export type PasskeyFailure = 'cancelled' | 'no-secret' | 'failed';

/** Whether this browser can make and use such passkeys for this host. */
export async function passkeysWork(): Promise<boolean> {
	if (!globalThis.isSecureContext || typeof PublicKeyCredential === 'undefined') return false;
	// A passkey belongs to a name, never to a number.
	if (/^[\d.]+$|:/u.test(location.hostname)) return false;
	try {
		const can = await PublicKeyCredential.getClientCapabilities();
		return can['extension:prf'] === true;
	} catch {
		return false; // a browser that does not say so
	}
}

/** Makes one. `user`: one passkey of the same user takes the place of another in the same authenticator. */
export async function makePasskey(
	user: Uint8Array<ArrayBuffer>,
	name: string,
): Promise<ChosenPasskey | PasskeyFailure> {
	return attempt(async () => {
		const made = await navigator.credentials.create({
			publicKey: {
				challenge: noChallenge(),
				rp: { name: 'Kith' },
				user: { id: user, name, displayName: name },
				pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: 'public-key', alg })),
				authenticatorSelection: {
					residentKey: 'required',
					requireResidentKey: true,
					userVerification: 'required',
				},
				extensions: { prf: PRF },
			},
		});
		const { prf } = resultsOf(made);
		const chosen = prf?.enabled === true ? (read(made) ?? (await choose(made))) : undefined;
		if (!chosen && made) await discardPasskey(idOf(made));
		return chosen;
	});
}

/** Has the person choose one of theirs, or confirm this one. */
export function choosePasskey(): Promise<ChosenPasskey | PasskeyFailure> {
	return attempt(() => choose(null));
}

/** Tells the authenticator that it leads nowhere any more, where the browser can. */
export async function discardPasskey(credential: Uint8Array): Promise<void> {
	const known = PublicKeyCredential as unknown as {
		signalUnknownCredential?(which: { rpId: string; credentialId: string }): Promise<void>;
	};
	const credentialId = toText(credential);
	try {
		await known.signalUnknownCredential?.({ rpId: location.hostname, credentialId });
	} catch {
		// Nothing depends on it: the passkey leads nowhere.
	}
}

async function choose(only: Credential | null): Promise<ChosenPasskey | undefined> {
	const allowCredentials = only ? [{ type: 'public-key', id: idOf(only) } as const] : [];
	return read(
		await navigator.credentials.get({
			publicKey: {
				challenge: noChallenge(),
				allowCredentials,
				userVerification: 'required',
				extensions: { prf: PRF },
			},
		}),
	);
}

async function attempt(
	ask: () => Promise<ChosenPasskey | undefined>,
): Promise<ChosenPasskey | PasskeyFailure> {
	try {
		return (await ask()) ?? 'no-secret';
	} catch (error) {
		const name = error instanceof DOMException ? error.name : '';
		if (name === 'NotAllowedError' || name === 'AbortError') return 'cancelled';
		// Of an authenticator that keeps no passkeys, or verifies nobody.
		return name === 'ConstraintError' || name === 'NotSupportedError' ? 'no-secret' : 'failed';
	}
}

/** Nobody checks what is signed: it is the secret that opens something. */
function noChallenge(): Uint8Array<ArrayBuffer> {
	return crypto.getRandomValues(new Uint8Array(32));
}

function resultsOf(credential: Credential | null): AuthenticationExtensionsClientOutputs {
	return credential instanceof PublicKeyCredential ? credential.getClientExtensionResults() : {};
}

function idOf(credential: Credential): Uint8Array<ArrayBuffer> {
	return new Uint8Array((credential as PublicKeyCredential).rawId);
}

function read(credential: Credential | null): ChosenPasskey | undefined {
	const first = resultsOf(credential).prf?.results?.first;
	if (!credential || !(first instanceof ArrayBuffer)) return undefined;
	return { secret: new Uint8Array(first), credential: idOf(credential) };
}

function toText(bytes: Uint8Array): string {
	const text = btoa(String.fromCharCode(...bytes));
	return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
