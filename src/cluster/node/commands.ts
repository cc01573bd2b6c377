import type { Overrides } from '../documents.ts';
import type { StoreFailure } from '../fleet-store.ts';
import { type ChangeContext, type OverrideChange, withChange } from './overrides.ts';
import type { StoreSync } from './store-sync.ts';
import type { FleetTiming } from './timing.ts';

interface Command {
  readonly id: number;
  readonly change: OverrideChange;
  readonly startedAt: number;
}

/** Writes the commands of persons as overrides, one after the other. Commands that cannot be written in time fail. */
export class Commands {
  readonly #timing: FleetTiming;
  readonly #sync: StoreSync;
  readonly #context: (now: number) => ChangeContext;
  readonly #done: (command: number, failure: string | undefined) => void;
  #open: Command[] = [];
  #isWriting = false;

  constructor(
    timing: FleetTiming,
    sync: StoreSync,
    context: (now: number) => ChangeContext,
    done: (command: number, failure: string | undefined) => void,
  ) {
    this.#timing = timing;
    this.#sync = sync;
    this.#context = context;
    this.#done = done;
  }

  submit(id: number, change: OverrideChange, now: number): void {
    // A store that refused an earlier request may take this one.
    if (isSilent(this.#sync)) {
      this.#done(id, UNREACHABLE);
      return;
    }
    this.#open.push({ id, change, startedAt: now });
    this.#write(now);
  }

  tick(now: number): void {
    const late = this.#open.filter(({ startedAt }) => now - startedAt >= this.#timing.commandMs);
    for (const command of late) this.#end(command, whyLate(this.#sync));
    this.#write(now);
  }

  #write(now: number): void {
    const [command] = this.#open;
    if (command === undefined || this.#isWriting) return;
    const { overrides, storedGeneration } = this.#sync;
    const base: Overrides = {
      ...overrides.document,
      generation: Math.max(overrides.document.generation, storedGeneration),
    };
    // Another instance wrote overrides that are not read yet: they are read first.
    if (storedGeneration > overrides.document.generation) {
      this.#sync.read({ overrides: true }, now);
      return;
    }
    const document = withChange(base, command.change, this.#context(now));
    if (document === base) {
      this.#end(command, undefined);
      this.#write(now);
      return;
    }
    this.#isWriting = true;
    this.#sync.writeOverrides(
      document,
      storedGeneration,
      now,
      (isAccepted: boolean, failure?: StoreFailure) => {
        this.#isWriting = false;
        if (isAccepted) this.#end(command, undefined);
        else if (failure !== undefined && failure !== 'timeout') this.#end(command, answered(failure));
        else if (failure === undefined) this.#sync.read({ overrides: true }, now);
      },
    );
  }

  #end(command: Command, failure: string | undefined): void {
    if (!this.#open.includes(command)) return;
    this.#open = this.#open.filter((other) => other !== command);
    this.#done(command.id, failure);
  }
}

const UNREACHABLE = 'the store of the fleet is not reachable';

/** Whether the store answers no requests. A store that refuses a request answers. */
function isSilent({ isUp, failure }: StoreSync): boolean {
  return !isUp && (failure === undefined || failure === 'timeout' || failure === 'unreachable');
}

function whyLate(sync: StoreSync): string {
  if (isSilent(sync)) return UNREACHABLE;
  return sync.failure === undefined
    ? 'the store of the fleet did not answer in time'
    : answered(sync.failure);
}

function answered(failure: StoreFailure): string {
  return failure === 'unreachable' ? UNREACHABLE : `the store answered: ${failure}`;
}
