// What a person does before a browser forgets, and what it forgets.
import type { CDPSession } from '@playwright/test';
import { expect, type Person } from './fixtures.ts';

/** Makes a recovery code as a person does, and returns it once the relay keeps what it brings back. */
export async function makeCode(person: Person, how = 'Make a recovery code'): Promise<string> {
	const { page } = person;
	await person.visit('/settings/recovery');
	await page.getByRole('button', { name: how }).click();
	const parts = await page
		.getByRole('status', { name: 'Your recovery code' })
		.locator('span')
		.allInnerTexts();
	expect(parts).toHaveLength(8);
	await page.getByRole('button', { name: 'I have it' }).click();
	const asked = page.getByRole('textbox', { name: /^Group \d$/ });
	await expect(asked).toHaveCount(2);
	await asked.first().fill('0000');
	await asked.last().fill('0000');
	await page.getByRole('button', { name: 'Done' }).click();
	await expect(page.getByRole('alert')).toContainText('not what the code says');
	for (const field of await asked.all()) {
		const label = (await field.locator('xpath=..').innerText()).trim();
		await field.fill((parts[Number(label.replace(/\D/g, '')) - 1] ?? '').toLowerCase());
	}
	await page.getByRole('button', { name: 'Done' }).click();
	await expect(page.getByText('The code works from now on.')).toBeVisible();
	await expect(page.getByText(/^Everything is kept/)).toBeVisible({ timeout: 30_000 });
	return parts.join('-');
}

/** The browser clears the storage of the site, as it may under pressure. */
export async function clearStorage({ page, gate }: Person): Promise<void> {
	await page.goto(`${gate.origin}/healthz`);
	await page.evaluate(
		() =>
			new Promise((resolve, reject) => {
				const request = indexedDB.deleteDatabase('kith');
				request.onsuccess = resolve;
				request.onerror = reject;
			}),
	);
}

/** A place for passkeys in this person's browser that outlives its storage, and confirms everything by itself. */
export class Authenticator {
	readonly #session: CDPSession;
	readonly #id: string;

	private constructor(session: CDPSession, id: string) {
		this.#session = session;
		this.#id = id;
	}

	static async in(
		{ context, page }: Person,
		{ hasPrf = true, confirms: isUserVerified = true } = {},
	): Promise<Authenticator> {
		const session = await context.newCDPSession(page);
		await session.send('WebAuthn.enable');
		const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
			options: {
				...{ protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasPrf },
				...{ hasResidentKey: true, hasUserVerification: true, isUserVerified },
			},
		});
		return new Authenticator(session, authenticatorId);
	}

	/** Whether the person lets it do what is asked, from now on. */
	async confirms(isUserVerified: boolean): Promise<void> {
		const authenticatorId = this.#id;
		await this.#session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
	}

	async remove(): Promise<void> {
		await this.#session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: this.#id });
	}

	async passkeys(): Promise<number> {
		const authenticatorId = this.#id;
		const { credentials } = await this.#session.send('WebAuthn.getCredentials', {
			authenticatorId,
		});
		return credentials.length;
	}
}
