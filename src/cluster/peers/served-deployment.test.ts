import { expect, test } from 'vitest';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import { REPLICA_STATE, ReplicaLoad } from '../../load/load-table.ts';
import { ServedDeployment } from './served-deployment.ts';

const PLACES = 4;
const NORMAL = 1;

test('places are free for the calls of peers although calls wait that would not take them, such as for a model', () => {
  const harness = new Harness();
  const replica = new ReplicaLoad();
  replica.limit = PLACES;
  replica.setState(REPLICA_STATE.ready);
  replica.setOpen(PLACES, PLACES);
  const loads = new Map([[harness.start(PLACES).endpoint.replicaId, replica]]);
  const served = new ServedDeployment(harness.route, loads, harness.route.config, -1);
  const [load, ledger] = [new DeploymentLoad(), new QueueLedger()];
  served.adopt(load.shared, ledger.shared);
  const wait = (): boolean => load.enqueue(NORMAL, ledger, true, () => 0);
  expect(wait() && wait()).toBe(true);
  expect(served.free).toBe(PLACES - 2);
  load.setAside(NORMAL, ledger);
  expect(served.free).toBe(PLACES - 1);
  load.putBack(NORMAL, ledger);
  expect(served.free).toBe(PLACES - 2);
});
