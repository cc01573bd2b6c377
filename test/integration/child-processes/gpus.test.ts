import { expect, test } from 'vitest';
import { BasicsDeployment } from '../../fixtures/python/deployments.ts';
import { gpus } from '../../fixtures/threads/gpus.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { status } from '../../support/until.ts';

test.each([
  ['thread', [[0], [1]]],
  // CUDA_VISIBLE_DEVICES hides the other devices from native code, which numbers its own ones from 0.
  ['process', [[0], [0]]],
] as const)('in a %s, gpus are numbered as native code counts them', async (isolation, expected) => {
  await using serve = quietServe({ resources: { gpus: 2 } });
  const handle = await serve.run(gpus.options({ isolation }).bind());
  await status(serve, 'Gpus', 'Gpus', 'HEALTHY');
  const replicas = (await handle.broadcast('seen')).sort((a, b) => Number(a.visible) - Number(b.visible));
  expect(replicas).toEqual(
    expected.map((numbers, index) => ({ gpus: numbers, constructed: numbers, visible: String(index) })),
  );
});

test.skipIf(!HAS_PYTHON)('the same in Python (skipped without Python 3.9 or newer)', async () => {
  await using serve = quietServe({ resources: { gpus: 2 } });
  const two = BasicsDeployment.options({ numReplicas: 2, resources: { gpus: 1 } });
  const handle = await serve.run(two.bind(), { name: 'app' });
  await status(serve, 'app', 'Basics', 'HEALTHY');
  const replicas = await handle.broadcast('about');
  expect(replicas.map(({ gpus, visible }) => `${gpus} of ${visible}`).sort()).toEqual(['0 of 0', '0 of 1']);
});
