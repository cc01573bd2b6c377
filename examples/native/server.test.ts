import { test } from 'vitest';
import { expectConsole } from '../../test/support/docs/console.ts';
import { startExample } from '../../test/support/example.ts';
import { HAS_PYTHON } from '../../test/support/python.ts';

test.skipIf(!HAS_PYTHON)(
  'a library that crashes takes its own call along, and nothing else (skipped without Python 3.9 or newer)',
  async () => {
    await using example = await startExample('native');
    await expectConsole('examples/native/README.md', example.url);
  },
  120_000,
);
