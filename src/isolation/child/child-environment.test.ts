import { expect, test } from 'vitest';
import { withoutSecrets } from './child-environment.ts';

test('secrets of this package stay with the host, everything else is passed on', () => {
  const env = {
    INSERVE_FLEET_SECRET: 'a',
    INSERVE_ADMIN_TOKEN: 'b',
    INSERVE_REDIS_URL: 'c',
    INSERVE_VERSION: 'd',
    OPENAI_TOKEN: 'e',
    REDIS_URL: 'f',
    PATH: 'g',
  };
  expect(withoutSecrets(env)).toEqual({
    INSERVE_VERSION: 'd',
    OPENAI_TOKEN: 'e',
    REDIS_URL: 'f',
    PATH: 'g',
  });
});
