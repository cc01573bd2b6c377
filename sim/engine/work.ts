/** What a call makes its replica do, in ms: it holds the event loop, then waits for something else. */
export interface Work {
  readonly holdMs: number;
  readonly waitMs: number;
  /** A second copy of the call does this. Default: the same. */
  readonly again?: Pick<Work, 'holdMs' | 'waitMs'>;
}

/** Work on its way, with the marks that a simulation reads again. */
export class Errand {
  readonly work: Work;
  readonly tenant: string;
  readonly modelId: string | undefined;
  #begun = 0;

  constructor(work: Work, tenant: string, modelId: string | undefined) {
    this.work = work;
    this.tenant = tenant;
    this.modelId = modelId;
  }

  /** A replica begins it: what it does this time. */
  begin(): Pick<Work, 'holdMs' | 'waitMs'> {
    const isFirst = this.#begun++ === 0;
    return isFirst ? this.work : (this.work.again ?? this.work);
  }
}

export function computing(ms: number): Work {
  return { holdMs: ms, waitMs: 0 };
}

/** A method that awaits something holds the loop for a moment. */
export function waiting(ms: number): Work {
  return { holdMs: 0.05, waitMs: ms };
}
