// Recovery codes, put together: the rows and keys of a device as a capsule, and a new device from one.
import { decodeCapsule, encodeCapsule } from '../archive/capsule.ts';
import { capsuleKeeping } from '../capsule-keeper.ts';
import type { CapsuleKeeping } from '../capsule-standing.ts';
import { comeBack, type ComeBackPorts } from '../coming-back.ts';
import type { WayBack } from '../model.ts';
import { verifyDeviceList } from '../crypto/device-list.ts';
import { derivePasskeyKeys } from '../crypto/passkey.ts';
import { exportAccount, type StoredIdentity } from '../crypto/identity.ts';
import type { AccountSecret, Identity, RecoveryPorts } from '../ports.ts';

const READING = { decode: decodeCapsule, passkeyKeys: derivePasskeyKeys };

/** For the engine of this device. */
export function capsulesOf(stored: StoredIdentity): CapsuleKeeping {
	return capsuleKeeping(recoveryWith(stored, () => exportAccount(stored)));
}

/** What the keeper of a capsule needs, for a device whose account `secret` exports. */
export function recoveryWith(
	{ account, device }: Pick<Identity, 'account' | 'device'>,
	secret: () => Promise<AccountSecret>,
): RecoveryPorts {
	return {
		exportAccount: secret,
		encode: encodeCapsule,
		...READING,
		async isRemoved(deviceList) {
			const list = await verifyDeviceList(deviceList, account);
			return list.ok && !list.value.devices.has(device);
		},
	};
}

/** Of {@link Client.comeBack}. */
export function comeBackTo(ports: Omit<ComeBackPorts, 'recovery'>, by: WayBack) {
	return comeBack({ ...ports, recovery: READING }, by);
}
