import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { detectCpus, detectGpus, detectMemoryMb, visibleGpus } from './machine.ts';

const NONE = { cpus: undefined, memoryBytes: undefined };

describe('what the machine has', () => {
  test('cpus: a quota counts with its fraction, where the parallelism is whole', () => {
    expect(detectCpus(NONE, 7)).toBe(7);
    expect(detectCpus({ ...NONE, cpus: 0.5 }, 1)).toBe(0.5);
    expect(detectCpus({ ...NONE, cpus: 1.5 }, 1)).toBe(1.5);
    expect(detectCpus({ ...NONE, cpus: 64 }, 2)).toBe(2);
  });

  test('memory: nine tenths of the tightest', () => {
    const mib = 1_048_576;
    expect(detectMemoryMb({ ...NONE, memoryBytes: 100 * mib })).toBe(90);
    expect(detectMemoryMb(NONE)).toBe(Math.floor((totalmem() * 0.9) / mib));
    expect(detectMemoryMb({ ...NONE, memoryBytes: 2 ** 59 })).toBe(detectMemoryMb(NONE));
  });

  test.each<[string, readonly string[]]>([
    ['0,2', ['0', '2']],
    ['GPU-8f2a, MIG-1', ['GPU-8f2a', 'MIG-1']],
    ['', []],
    ['-1', []],
    ['1,-1,0', ['1']],
  ])('CUDA_VISIBLE_DEVICES=%s', async (visible, ids) => {
    expect(visibleGpus(visible)).toEqual(ids);
    expect(await detectGpus({ CUDA_VISIBLE_DEVICES: visible })).toEqual(ids);
  });

  test.runIf(process.platform !== 'win32')('gpus: what nvidia-smi lists, nothing without it', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'inserve-bin-'));
    onTestFinished(() => rmSync(bin, { recursive: true }));
    const PATH = `${bin}:/usr/bin:/bin`;
    expect(await detectGpus({ PATH: bin })).toEqual([]);
    const program = join(bin, 'nvidia-smi');
    const answer = (text: string, code = 0): void => {
      writeFileSync(program, `#!/bin/sh\nprintf '${text}'\nexit ${code}\n`);
      chmodSync(program, 0o755);
    };
    answer('0\\n1\\n');
    expect(await detectGpus({ PATH })).toEqual(['0', '1']);
    answer('No devices were found\\n');
    expect(await detectGpus({ PATH })).toEqual([]);
    answer('0\\n', 9);
    expect(await detectGpus({ PATH })).toEqual([]);
  });
});
