import type { Metrics, Sample } from './samples.ts';

/** A running contender, in processes of its own. */
export interface Running {
  measure(cell: string): Promise<Metrics>;
  /** Resolves to a remark when it did not stop cleanly. */
  stop(): Promise<string | undefined>;
}

export interface Contender {
  readonly name: string;
  readonly cells: readonly string[];
  start(): Promise<Running>;
}

export interface Failure {
  readonly implementation: string;
  /** Counted from 0; absent where all rounds together are the reason. */
  readonly round?: number;
  readonly during: string;
  readonly message: string;
}

export interface RoundsResult {
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  readonly notes: readonly string[];
}

export interface RoundsOptions {
  readonly contenders: readonly Contender[];
  /** All cells, in the order in which every contender runs them. */
  readonly cells: readonly string[];
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/**
 * Interleaved rounds. In each round every contender is started fresh and all of them stay up, idle, while the
 * round goes cell by cell through them: the two sides of a ratio are measured within a second of each other,
 * however long the whole round takes. The order of the contenders is reversed every other round.
 * A contender that fails is stopped, reported and left out of the later rounds; the others go on.
 */
export async function runRounds({
  contenders,
  cells,
  rounds,
  progress,
}: RoundsOptions): Promise<RoundsResult> {
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const notes: string[] = [];
  const failed = new Set<string>();

  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1}/${rounds}`);
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    const running = new Map<string, Running>();

    const attempt = async (name: string, during: string, step: () => Promise<void>) => {
      try {
        await step();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        failures.push({ implementation: name, round, during, message });
        failed.add(name);
        progress(`${name} failed (${during})`);
        await running.get(name)?.stop();
        running.delete(name);
      }
    };

    try {
      for (const contender of order) {
        if (failed.has(contender.name)) continue;
        await attempt(contender.name, 'start', async () => {
          running.set(contender.name, await contender.start());
        });
      }
      for (const cell of cells) {
        for (const { name, cells: own } of order) {
          const contestant = running.get(name);
          if (contestant === undefined || !own.includes(cell)) continue;
          await attempt(name, cell, async () => {
            samples.push({ round, implementation: name, cell, metrics: await contestant.measure(cell) });
          });
        }
      }
    } finally {
      for (const [name, contestant] of running) {
        const remark = await contestant.stop();
        if (remark !== undefined) notes.push(`${name}, round ${round + 1}: ${remark}`);
      }
    }
  }
  return { samples, failures, notes };
}
