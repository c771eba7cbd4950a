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
	/** Safe at the relay, or stored on every device that it is for; whether they can open it only a receipt tells. */
	| { readonly type: 'accepted' }
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

	/** True once all of them have stored it. */
	async function byPeers(sealed: SealedEnvelope, devices: readonly DeviceId[]): Promise<boolean> {
		const silent = new Set(devices);
		const answers = devices.map(async (device) => {
			const arrived = await mesh.send(device, sealed);
			silent.delete(device);
			return arrived;
		});
		let cancel: () => void = () => undefined;
		const late = new Promise<boolean>((resolve) => {
			cancel = clock.schedule(PEER_ACKNOWLEDGES_WITHIN, () => {
				// Whoever does not answer is not linked any more; one whose link is merely busy stays.
				for (const device of silent) mesh.distrust(device);
				resolve(false);
			});
		});
		const all = Promise.all(answers).then((each) => each.every(Boolean));
		const arrived = await Promise.race([all, late]);
		cancel();
		return arrived;
	}

	return {
		reachesDirectly,
		async deliver(sealed, devices) {
			if (reachesDirectly(devices) && (await byPeers(sealed, devices))) return { type: 'accepted' };
			const { channel, envelope, epoch, body } = sealed;
			return session().ask({ type: 'submit', envelope, channel, epoch, body });
		},
	};
}
