import { expect, test } from 'vitest';
import { DeploymentLoad } from '../../../load/deployment-load.ts';
import { ReplicaLoad } from '../../../load/load-table.ts';
import { ReplicaTally } from '../../../load/replica-tally.ts';
import { now } from '../../../time/clock.ts';
import type { ChildState } from './child-messages.ts';
import { GatewayIntake } from './gateway-intake.ts';

const STATE: ChildState = {
  arrived: 0,
  room: 1,
  roomWhileHeld: 0,
  beats: 1,
  utilization: 0,
  meanHoldingMs: 0,
  calls: 0,
  failures: 0,
  durations: [],
};

function intakeOf(): {
  intake: GatewayIntake;
  load: ReplicaLoad;
  begun: number[];
  call(deadline: number): void;
} {
  const load = new ReplicaLoad();
  load.limit = 16;
  const intake = new GatewayIntake(load, new DeploymentLoad(), new ReplicaTally());
  const begun: number[] = [];
  const call = (deadline: number): void =>
    intake.offer({
      deadline,
      begin: () => {
        begun.push(deadline);
        return true;
      },
    });
  return { intake, load, begun, call };
}

test('a call that holds the child is judged by its own deadline, not by that of a call that has ended', () => {
  const { intake, load, call } = intakeOf();
  const [near, far] = [Math.ceil(now() + 1_000), Math.ceil(now() + 30_000)];
  call(far);
  // The state goes before the answer, in one message; the next state is late.
  intake.reported({ ...STATE, arrived: 1 });
  intake.ended();
  call(near);
  intake.reported({ ...STATE, arrived: 1 });
  expect(load.holdingDeadline).toBe(near);
  intake.reported({ ...STATE, arrived: 2 });
  expect(load.holdingDeadline).toBe(near);
});

test('calls wait for which the child has no room, and begin in their order', () => {
  const { intake, load, begun, call } = intakeOf();
  for (const deadline of [1, 2, 3]) call(deadline);
  expect([begun, load.open]).toEqual([[1], 2]);
  intake.reported({ ...STATE, arrived: 1, room: 0 });
  expect(begun).toEqual([1]);
  intake.reported({ ...STATE, arrived: 1, room: 2 });
  expect(begun).toEqual([1, 2, 3]);
});
