import { afterEach, expect, test, vi } from 'vitest';
import { Records } from '../../../test/support/quiet.ts';
import { demandOf, type Resources } from '../../deployment/options/resources.ts';
import { type Grant, ResourceLedger } from './resource-ledger.ts';

afterEach(() => vi.unstubAllEnvs());

const log = new Records();

function ledger(has: Resources): ResourceLedger {
  log.records.length = 0;
  return new ResourceLedger(has, 'here', log);
}

const reserve = (book: ResourceLedger, needs: Resources, most = Infinity, name = 'app/D'): Grant | string =>
  book.reserve(name, demandOf(needs), most);

function granted(answer: Grant | string): Grant {
  if (typeof answer === 'string') throw new Error(answer);
  return answer;
}

test('what is reserved is gone until it is released, to the last ten-thousandth', () => {
  const book = ledger({ cpus: 1, memoryMb: 100 });
  const grants = Array.from({ length: 3 }, () => granted(reserve(book, { cpus: 0.3, memoryMb: 10 })));
  expect(reserve(book, { cpus: 0.3 })).toBe('a replica needs 0.3 cpus where 0.1 are free here');
  expect(book.report()).toEqual({
    cpus: { total: 1, reserved: 0.9 },
    memoryMb: { total: 100, reserved: 30 },
  });
  expect(book.fits('app/D', demandOf({ cpus: 0.1 }), Infinity)).toBe(true);
  for (const grant of grants) book.release(grant);
  for (const grant of grants) book.release(grant);
  expect(book.report()['cpus']).toEqual({ total: 1, reserved: 0 });
});

test('custom resources are only there if they are given', () => {
  expect(reserve(ledger({ tpu: 2 }), { tpu: 2 })).not.toBeTypeOf('string');
  expect(reserve(ledger({}), { tpu: 1 })).toMatch('a replica needs 1 tpu where 0 are free here');
});

test('maxReplicasPerInstance is per deployment', () => {
  const book = ledger({});
  granted(reserve(book, {}, 1));
  expect(reserve(book, {}, 1)).toMatch('maxReplicasPerInstance (1) is reached');
  granted(reserve(book, {}, 1, 'app/E'));
});

test('gpus: whole ones are exclusive, fractions share, and each replica learns which it has', () => {
  const book = ledger({ gpus: 3 });
  const devices = (needs: Resources): string | undefined =>
    granted(reserve(book, needs)).env['CUDA_VISIBLE_DEVICES'];
  expect(devices({ gpus: 0.5 })).toBe('0');
  expect(devices({ gpus: 2 })).toBe('1,2');
  expect(devices({ gpus: 0.25 })).toBe('0');
  expect(reserve(book, { gpus: 0.5 })).toBe('a replica needs 0.5 gpus where 0.25 + 0 + 0 are free here');
  expect(book.report()['gpus']).toEqual({ total: 3, reserved: 2.75 });
  expect(devices({})).toBeUndefined();
});

test('gpus that the process sees keep their names', () => {
  vi.stubEnv('CUDA_VISIBLE_DEVICES', '5,GPU-7');
  const book = ledger({ gpus: 2 });
  const ids = [1, 1].map((gpus) => granted(reserve(book, { gpus })).env['CUDA_VISIBLE_DEVICES']);
  expect(ids).toEqual(['5', 'GPU-7']);
});

test('gpus are looked for when the first replica needs one', async () => {
  vi.stubEnv('CUDA_VISIBLE_DEVICES', '3');
  const book = ledger({});
  expect(book.report()).not.toHaveProperty('gpus');
  expect(reserve(book, { gpus: 1 })).toBe('nvidia-smi is still listing the gpus');
  await vi.waitFor(() => expect(book.report()['gpus']).toEqual({ total: 1, reserved: 0 }), 30_000);
  expect(granted(reserve(book, { gpus: 1 })).env).toEqual({ CUDA_VISIBLE_DEVICES: '3' });
});

test('one record when replicas exceed the cpus and none are reserved', () => {
  const book = ledger({ cpus: 4 });
  book.expect('app/A', 3, demandOf({}));
  book.expect('app/B', 9, demandOf({ cpus: 0.1 }));
  book.expect('app/C', 1, demandOf({}));
  expect(log.records).toEqual([]);
  book.expect('app/A', 4, demandOf({}));
  book.expect('app/A', 9, demandOf({}));
  expect(log.records).toMatchObject([
    { level: 'info', fields: { replicas: 5, cpus: 4 }, message: expect.stringMatching(/at most 0\.8$/) },
  ]);
});
