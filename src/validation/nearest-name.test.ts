import { expect, test } from 'vitest';
import { nearestName } from './nearest-name.ts';

const NAMES = ['name', 'numReplicas', 'autoscaling', 'requestTimeoutMs', 'timeoutMs', 'resources'];

test.each([
  ['another style', 'num_replicas', 'numReplicas'],
  ['another case', 'NUMREPLICAS', 'numReplicas'],
  ['a missing letter', 'numReplica', 'numReplicas'],
  ['two letters that changed places', 'resuorces', 'resources'],
  ['a name that goes on', 'autoscalingConfig', 'autoscaling'],
  ['a name that ends too early', 'timeout', 'timeoutMs'],
  ['a part of the name', 'replicas', 'numReplicas'],
  ['nothing alike', 'rayActorOptions', undefined],
  ['two edits in a short word', 'mane', undefined],
  ['too short for a guess', 'n', undefined],
  ['the empty name', '', undefined],
])('%s: %s stands for %s', (_case, wrong, right) => {
  expect(nearestName(wrong, NAMES)).toBe(right);
});

test.each([
  ['cpu', 'cpus'],
  ['gpu', 'gpus'],
  ['num_cpus', 'cpus'],
  ['mem', 'memoryMb'],
  ['tpu', undefined],
  ['licences', undefined],
])('among resources %s stands for %s', (wrong, right) => {
  expect(nearestName(wrong, ['cpus', 'gpus', 'memoryMb'])).toBe(right);
});
