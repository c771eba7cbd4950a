// Which way a sealed envelope goes: directly where every device it is for is linked, by the relay otherwise, and by the
// relay too when a peer does not acknowledge in time. The envelope id keeps both ways from becoming two messages.
import type { RefusalCode } from '../protocol/errors.ts';
import type { DeviceId } from '../protocol/ids.ts';
import type { PeerMesh } from './peers.ts';
import type { Clock } from './ports.ts';
import type { SealedEnvelope } from './records.ts';
import type { RelaySession } from './relay-session.ts';

/** A peer that has not acknowledged by then is not waited for (SPEC PE-4). */
const PEER_ACKNOWLEDGES_WITHIN = 2_000;

export type DeliveryOutcome =
	/** Safe at the relay. */
	| { readonly type: 'accepted' }
	/** Stored on every device that it is for. */
	| { readonly type: 'delivered' }
	| { readonly type: 'refused'; readonly code: RefusalCode; readonly retryAfter: number | null }
	/** Nobody said anything: try again later with the same bytes. */
	| { readonly type: 'unknown' };

export interface DeliveryRoutes {
	reachesDirectly(devices: readonly DeviceId[]): boolean;
	deliver(sealed: SealedEnvelope, devices: readonly DeviceId[]): Promise<DeliveryOutcome>;
}

export function createDelivery(
	clock: Clock,
	session: () => RelaySession,
	mesh: PeerMesh,
): DeliveryRoutes {
	const reachesDirectly = (devices: readonly DeviceId[]) =>
		devices.length > 0 && devices.every((device) => mesh.isLinked(device));

	async function byPeers(sealed: SealedEnvelope, devices: readonly DeviceId[]): Promise<boolean> {
		const acknowledged = Promise.all(devices.map((device) => mesh.send(device, sealed))).then(
			(answers) => answers.every(Boolean),
		);
		let cancel: () => void = () => undefined;
		const late = new Promise<boolean>((resolve) => {
			cancel = clock.schedule(PEER_ACKNOWLEDGES_WITHIN, () => resolve(false));
		});
		const arrived = await Promise.race([acknowledged, late]);
		cancel();
		if (!arrived) for (const device of devices) mesh.distrust(device);
		return arrived;
	}

	return {
		reachesDirectly,
		async deliver(sealed, devices) {
			if (reachesDirectly(devices) && (await byPeers(sealed, devices)))
				return { type: 'delivered' };
			const { channel, envelope, epoch, body } = sealed;
			return session().ask({ type: 'submit', envelope, channel, epoch, body });
		},
	};
}
