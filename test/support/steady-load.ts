/** What became of the calls of a load. */
export class Outcomes {
  ok = 0;
  readonly errors: unknown[] = [];
  /** Answers by what `labelOf` made of them. */
  readonly labels = new Map<string, number>();

  of(label: string): number {
    return this.labels.get(label) ?? 0;
  }
}

/** Pause of a caller after each call, in ms: callers without pauses take all CPU time from what they watch. */
const PAUSE_MS = 1;

/**
 * Callers that each keep calling while `during` runs.
 * @param call one call; its result is the label that it is counted under
 */
export async function steadyLoad(
  callers: number,
  call: () => Promise<string>,
  during: (outcomes: Outcomes) => Promise<unknown>,
): Promise<Outcomes> {
  const outcomes = new Outcomes();
  let stop = false;
  const loops = Array.from({ length: callers }, async () => {
    while (!stop) {
      try {
        const label = await call();
        outcomes.ok++;
        outcomes.labels.set(label, outcomes.of(label) + 1);
      } catch (error) {
        outcomes.errors.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
  try {
    await during(outcomes);
  } finally {
    stop = true;
    await Promise.all(loops);
  }
  return outcomes;
}
